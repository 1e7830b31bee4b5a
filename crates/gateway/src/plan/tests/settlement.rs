//! Log phases, on every way out of a request.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use hyper::rt::Executor as _;
use serde_json::json;

use super::fixture::{Bench, exchange, recorded};
use crate::answer::Answer;
use crate::delivery;
use crate::plan::Plan;
use crate::settlement::Outcome;
use crate::stalled_stream::{StreamExecutor, watched};

fn plan() -> Arc<Plan> {
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

/// What is told of a response whose stream is given up when its outcome is `known`.
async fn given_up_when(known: Outcome, plan: &Arc<Plan>) -> String {
    let mut exchange = exchange(plan, "/");
    exchange.settlement.outcome = known;
    let response = delivery::answer(exchange, Answer::text(StatusCode::OK, "body"));
    StreamExecutor { send_timeout: Duration::from_millis(1) }.execute(async move {
        let _held = watched(response);
        let _: () = std::future::pending().await;
    });
    loop {
        tokio::task::yield_now().await;
        if let Some(told) = recorded().pop() {
            return told;
        }
    }
}

#[test]
fn a_response_whose_end_is_known_is_not_the_clients_fault_when_it_is_given_up() {
    let plan = plan();
    let test = async {
        for (known, told) in [
            (Outcome::Aborted, "200 client_gone"),
            (Outcome::Complete, "200 client_gone"),
            (Outcome::UpstreamCut, "200 upstream_cut"),
            (Outcome::ProviderError, "200 provider_error"),
            (Outcome::LimitExceeded, "200 limit_exceeded"),
        ] {
            assert_eq!(given_up_when(known, &plan).await, told);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}
