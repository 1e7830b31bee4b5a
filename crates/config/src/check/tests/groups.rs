//! Configurations of one group say the same, whatever carries them.

use serde_json::{Value, json};

use super::{Store, accepts, refusal};
use crate::resource::Kind;

const MISMATCH: &str = "400 failed to check the configuration of plugin limit err: group conf mismatched";

fn limited(limit: Value) -> Value {
    json!({"uri": "/", "plugins": {"limit": limit}})
}

fn store() -> Store {
    Store::default().with(Kind::Route, "1", limited(json!({"count": 2, "group": "g"})))
}

#[test]
fn members_that_say_the_same_are_accepted() {
    for same in [
        json!({"count": 2, "group": "g"}),
        // Written out, in another order, with what is not compared.
        json!({"group": "g", "key": "remote_addr", "count": 2}),
        json!({"count": 2, "group": "g", "password": "secret"}),
        json!({"count": 2, "group": "g", "comment": "mine"}),
    ] {
        accepts(&store(), Kind::Route, "2", limited(same));
    }
}

#[test]
fn a_member_that_says_something_else_is_refused() {
    for other in
        [json!({"count": 3, "group": "g"}), json!({"group": "g"}), json!({"count": 2, "group": "g", "key": "http_x"})]
    {
        assert_eq!(refusal(&store(), Kind::Route, "2", limited(other)), MISMATCH);
    }
}

#[test]
fn members_are_found_on_every_kind_that_carries_plugins() {
    let plugins = json!({"limit": {"count": 3, "group": "g"}});
    let carried = |kind| Store::default().with(kind, "x", json!({"plugins": plugins}));
    let kinds = [Kind::Service, Kind::PluginConfig, Kind::ConsumerGroup, Kind::GlobalRule, Kind::Consumer];
    for kind in kinds {
        assert_eq!(refusal(&carried(kind), Kind::Route, "2", limited(json!({"count": 2, "group": "g"}))), MISMATCH);
    }
    for kind in [Kind::Service, Kind::PluginConfig, Kind::ConsumerGroup, Kind::GlobalRule] {
        assert_eq!(refusal(&store(), kind, "x", json!({"id": "x", "plugins": plugins})), MISMATCH, "{kind}");
    }
    let consumer = json!({"username": "jack", "plugins": plugins});
    let expected = format!("400 invalid plugins configuration: {}", &MISMATCH[4..]);
    assert_eq!(refusal(&store(), Kind::Consumer, "jack", consumer), expected);
}

#[test]
fn the_only_member_may_change() {
    accepts(&store(), Kind::Route, "1", limited(json!({"count": 3, "group": "g"})));
    accepts(&store(), Kind::Route, "2", limited(json!({"count": 3, "group": "another"})));
    accepts(&store(), Kind::Route, "2", limited(json!({"count": 3})));
}

#[test]
fn what_is_switched_off_is_no_member() {
    let off = json!({"count": 9, "group": "g", "_meta": {"disable": true}});
    accepts(&store(), Kind::Route, "2", limited(off.clone()));
    let store = Store::default().with(Kind::Route, "1", limited(off));
    accepts(&store, Kind::Route, "2", limited(json!({"count": 2, "group": "g"})));
}
