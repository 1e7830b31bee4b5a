//! What the log phase costs a request. Not run by default: figures need an optimised build and a quiet machine.
//! `CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo test -p tidegate-plugins --lib -- --ignored --nocapture cost`

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::fixture::{Bench, GET, Sent};

const ROUNDS: u32 = 200_000;

/// The time of one log phase: the fastest of five runs.
fn log_phase(plugins: Value) -> Duration {
    let bench = Bench::new(plugins);
    let headers = &[
        ("host", "a.test.com"),
        ("user-agent", "curl/8.5.0"),
        ("accept", "*/*"),
        ("content-type", "application/json"),
        ("x-request-id", "7d0c1c1e-0b0f-4a5e-9f3c-6a3f7c1d2e3f"),
    ];
    let exchange = bench.answered(&Sent { headers, ..GET });
    let mut exchange = exchange;
    let chain = exchange.chain.clone();
    let run = |exchange: &mut gateway::exchange::Exchange| {
        let begin = Instant::now();
        for _ in 0..ROUNDS {
            chain.log(black_box(exchange), gateway::plan::chain::Scope::Route);
        }
        begin.elapsed() / ROUNDS
    };
    (0..5).map(|_| run(&mut exchange)).min().unwrap_or_default()
}

#[test]
#[ignore = "measures; see the module's text"]
fn a_log_phase_takes_microseconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log").to_str().expect("text").to_owned();
    let short = json!({"status": "$status", "uri": "$uri", "time": "$request_time", "ip": "$remote_addr"});
    let rows = [
        ("nothing", json!({})),
        ("prometheus", json!({"prometheus": {}})),
        ("file-logger, default entry", json!({"file-logger": {"path": path}})),
        ("file-logger, four fields", json!({"file-logger": {"path": path, "log_format": short}})),
    ];
    for (name, plugins) in rows {
        let time = log_phase(plugins);
        eprintln!("{name}: {time:?}");
        assert!(time < Duration::from_micros(100), "{name}: {time:?}");
    }
}
