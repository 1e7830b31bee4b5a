//! The load generator against the simulator: what it counts is what was there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::Value;

use crate::args::{Closed, Paced, Streams, Target};
use crate::{closed, paced, streams};

fn target(simulator: &simulator::Running, simulate: &str, stream: bool) -> Target {
    let messages = r#"[{"role":"user","content":"hi"}]"#;
    Target {
        to: simulator.addr,
        host: "bench.test".into(),
        path: "/v1/chat/completions".into(),
        header: vec![format!("x-simulate: {simulate}")],
        body: format!(r#"{{"model":"m","stream":{stream},"messages":{messages}}}"#),
    }
}

fn run(load: impl Future<Output = std::io::Result<impl serde::Serialize>>) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    serde_json::to_value(runtime.block_on(load).unwrap()).unwrap()
}

fn received(simulator: &simulator::Running) -> u64 {
    let journal = "GET /__simulator/requests HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut stream = std::net::TcpStream::connect(simulator.addr).unwrap();
    std::io::Write::write_all(&mut stream, journal.as_bytes()).unwrap();
    let text = std::io::read_to_string(stream).unwrap();
    let json: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
    json["received"].as_u64().unwrap()
}

#[test]
fn every_answer_of_a_closed_loop_is_counted() {
    let simulator = simulator::spawn(simulator::Options::embedded()).unwrap();
    let args = Closed { target: target(&simulator, "", false), connections: 3, seconds: Duration::from_millis(200) };
    let result = run(closed::run(&args));
    assert_eq!((&result["requests"], &result["errors"]), (&received(&simulator).into(), &0.into()));
    assert!(result["latency_us"]["p50"].as_f64().unwrap() > 0.0);
}

#[test]
fn an_answer_that_is_no_success_is_an_error() {
    let simulator = simulator::spawn(simulator::Options::embedded()).unwrap();
    let args =
        Closed { target: target(&simulator, "status=500", false), connections: 1, seconds: Duration::from_millis(100) };
    let result = run(closed::run(&args));
    assert_eq!(result["requests"], 0);
    assert!(result["errors"].as_u64().unwrap() > 0);
}

#[test]
fn a_fixed_rate_is_kept() {
    let simulator = simulator::spawn(simulator::Options::embedded()).unwrap();
    let (seconds, target) = (Duration::from_millis(500), target(&simulator, "", false));
    let result = run(paced::run(&Paced { target, connections: 2, rate: 100.0, seconds }));
    assert_eq!(result["requests"], 50);
}

#[test]
fn events_are_counted_however_they_are_cut() {
    let simulator = simulator::spawn(simulator::Options::embedded()).unwrap();
    for simulate in ["tokens=5", "tokens=5,chunk-bytes=3"] {
        let (seconds, target) = (Duration::from_millis(300), target(&simulator, simulate, true));
        let result = run(streams::run(&Streams { target, connections: 1, seconds }));
        // The role, five tokens, the finish, the end; the last stream may have been left in the middle.
        let (streams, events) = (result["streams"].as_u64().unwrap(), result["events"].as_u64().unwrap());
        assert!(streams > 0 && (streams * 8..streams * 8 + 8).contains(&events), "{result}");
        assert_eq!(result["errors"], 0);
    }
}

#[test]
fn a_delay_is_the_time_since_the_token_was_sent() {
    let simulator = simulator::spawn(simulator::Options::embedded()).unwrap();
    let (seconds, target) = (Duration::from_millis(300), target(&simulator, "tokens=3,clock,tps=100", true));
    let result = run(streams::run(&Streams { target, connections: 1, seconds }));
    let delay = result["delay_us"]["p50"].as_f64().unwrap();
    assert!(delay > 0.0 && delay < 1_000_000.0, "{result}");
}
