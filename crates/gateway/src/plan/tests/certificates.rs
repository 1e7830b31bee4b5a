//! Certificates of a plan.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fixture::Bench;
use crate::exchange::TlsFacts;

const CERT: &str = include_str!("../../tls/testdata/server.pem");
const KEY: &str = include_str!("../../tls/testdata/server.key.pem");
const OTHER_KEY: &str = include_str!("../../tls/testdata/client.key.pem");

fn ssl(key: &str) -> Value {
    json!({"snis": ["a.test", "*.b.test"], "cert": CERT, "key": key})
}

#[test]
fn names_are_found_exactly_then_one_label_deep() {
    let plan = Bench::plan_of(&[("/apisix/ssls/1", ssl(KEY))]);
    for (name, found) in
        [("a.test", true), ("A.Test.", true), ("x.b.test", true), ("b.test", false), ("x.y.b.test", false)]
    {
        assert_eq!(plan.certificates().find(Some(name), None).is_some(), found, "{name}");
        assert_eq!(plan.certificates().find(None, Some(name)).is_some(), found, "{name}");
    }
}

#[test]
fn a_certificate_with_the_key_of_another_is_not_used() {
    assert!(Bench::plan_of(&[("/apisix/ssls/1", ssl(OTHER_KEY))]).certificates().is_empty());
}

#[test]
fn a_host_wants_what_its_own_certificate_wants() {
    let mut guarded = ssl(KEY);
    guarded["snis"] = json!(["a.test"]);
    guarded["client"] = json!({"ca": CERT});
    let mut open = ssl(KEY);
    open["snis"] = json!(["*.test"]);
    let plan = Bench::plan_of(&[("/apisix/ssls/1", guarded), ("/apisix/ssls/2", open)]);
    let (certificates, stranger) = (plan.certificates(), TlsFacts::default());
    assert!(!certificates.admit("a.test", "/", &stranger));
    assert!(certificates.admit("b.test", "/", &stranger));
    assert!(certificates.admit("elsewhere", "/", &stranger));
}

#[test]
fn a_certificate_that_did_not_change_is_not_read_again() {
    let mut bench = Bench::new(&[("/apisix/ssls/1", ssl(KEY))]);
    let config = |plan: &crate::plan::Plan| {
        plan.certificates().find(Some("a.test"), None).map(|served| served.config().clone()).expect("a certificate")
    };
    let first = config(&bench.plan());
    bench.put(&[("/apisix/routes/1", json!({"uri": "/", "plugins": {}}))]);
    assert!(Arc::ptr_eq(&first, &config(&bench.plan())));
    bench.put(&[("/apisix/ssls/1", json!({"sni": "a.test", "cert": CERT, "key": KEY}))]);
    assert!(!Arc::ptr_eq(&first, &config(&bench.plan())));
}
