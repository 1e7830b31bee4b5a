//! Following the store, and what plans cannot be made of.

use serde_json::{Value, json};

use super::fixture::{Gateway, status};

fn answering(uri: &str) -> Value {
    json!({"uri": uri, "plugins": {"picky": {}}})
}

#[test]
fn nothing_is_served_while_a_global_rule_cannot_be_used() {
    let rule = |plugins: Value| json!({"id": "1", "plugins": plugins});
    let broken = rule(json!({"picky": {"mood": "bad"}}));
    let gateway = Gateway::serving(&[("/apisix/routes/1", answering("/*")), ("/apisix/global_rules/1", broken)]);
    assert_eq!(gateway.status_of("/"), 503);
    gateway.put("/apisix/global_rules/1", rule(json!({})));
    gateway.wait_for("/", 200);
}

#[test]
fn a_resource_that_lets_no_plan_be_made_leaves_the_last_one_in_force() {
    let gateway = Gateway::serving(&[("/apisix/routes/1", answering("/first"))]);
    gateway.put("/apisix/routes/2", json!({"uri": "/second", "plugins": {"impossible": {}}}));
    gateway.put("/apisix/routes/3", answering("/third"));
    assert_eq!(gateway.status_of("/first"), 200);
    let refused = gateway.rebuild().expect_err("no plan can be made");
    assert!(refused.contains("a plugin of a test panics"), "{refused}");
    gateway.put("/apisix/routes/2", answering("/second"));
    gateway.wait_for("/second", 200);
    assert_eq!(gateway.rebuild(), Ok(()));
    assert_eq!(gateway.status_of("/third"), 200);
}

#[test]
fn a_body_is_read_for_a_plugin_that_only_the_consumer_has() {
    let gateway = Gateway::serving(&[
        ("/apisix/routes/1", json!({"uri": "/*", "plugins": {"guard": {}}})),
        ("/apisix/consumers/jack", json!({"username": "jack", "plugins": {"guard": {"key": "k"}, "picky": {}}})),
    ]);
    let response = gateway
        .send("POST / HTTP/1.1\r\nHost: test.com\r\nX-Key: k\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    assert_eq!(status(&response), 200, "{response}");
    assert!(response.contains("picky saw hello"), "{response}");
}
