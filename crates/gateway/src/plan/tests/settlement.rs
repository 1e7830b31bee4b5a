//! Log phases, on every way out of a request.

use serde_json::json;

use super::fixture::{Bench, exchange, recorded};
use crate::settlement::Outcome;

fn plan() -> std::sync::Arc<crate::plan::Plan> {
    let rule = ("/apisix/global_rules/1", json!({"id": "1", "plugins": {"panics": {}}}));
    let plugins = json!({"panics": {}, "recorder": {}});
    Bench::plan_of(&[rule, ("/apisix/routes/1", json!({"id": "1", "uri": "/*", "plugins": plugins}))])
}

#[test]
fn a_panicking_log_phase_does_not_keep_the_others_from_running() {
    let mut exchange = exchange(&plan(), "/");
    exchange.response.status = 200;
    exchange.settlement.outcome = Outcome::Complete;
    drop(exchange);
    assert_eq!(recorded(), ["200 complete"]);
}

#[test]
fn a_request_dropped_before_its_response_is_a_client_that_left() {
    drop(exchange(&plan(), "/"));
    assert_eq!(recorded(), ["499 client_gone"]);
}

#[test]
fn a_request_dropped_by_a_panic_is_a_500() {
    let plan = plan();
    let served = crate::plan::caught::caught(|| {
        let _exchange = exchange(&plan, "/");
        panic!("a request of a test panics");
    });
    assert_eq!(served, Err::<(), _>("a request of a test panics".to_owned()));
    assert_eq!(recorded(), ["500 aborted"]);
}
