//! How often the log is told of a fault.

use serde_json::json;

use crate::plan::complaints::Complaints;

#[test]
fn a_fault_is_told_once_and_again_when_the_resource_or_the_fault_changes() {
    let mut complaints = Complaints::default();
    let mut plan = |source: &serde_json::Value, text: &str| {
        complaints.begin();
        let is_new = complaints.is_new("/apisix/routes/1 picky", source, text);
        complaints.finish();
        is_new
    };
    let (first, second) = (json!({"mood": "bad"}), json!({"mood": "worse"}));
    assert!(plan(&first, "no"));
    assert!(!plan(&first, "no"));
    assert!(plan(&second, "no"));
    assert!(plan(&second, "never"));
    assert!(!plan(&second, "never"));
}

#[test]
fn a_fault_that_was_mended_is_told_when_it_comes_back() {
    let mut complaints = Complaints::default();
    for expected in [true, true] {
        complaints.begin();
        assert_eq!(complaints.is_new("/apisix/routes/1", &json!({}), "no"), expected);
        complaints.finish();
        complaints.begin();
        complaints.finish();
    }
}
