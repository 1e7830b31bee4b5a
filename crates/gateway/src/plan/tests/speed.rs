//! How long a change takes to be in force. Measured by hand, with optimisation:
//! `cargo test --release -p tidegate-gateway one_change -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fixture::Bench;

const MANY: usize = 5000;

fn route(number: usize, header: &str) -> (String, Value) {
    let value = json!({
        "uri": format!("/api/{number}/*"),
        "host": format!("{}.test.com", number % 100),
        "methods": ["GET", "POST"],
        "vars": [["http_x_version", "==", "1"]],
        "plugins": {"guard": {}, "recorder": {"header": header}, "picky": {}},
        "upstream": {"type": "roundrobin", "nodes": {"127.0.0.1:1980": 1, "127.0.0.1:1981": 1}},
    });
    (format!("/apisix/routes/{number}"), value)
}

fn consumer(number: usize) -> (String, Value) {
    let plugins = json!({"guard": {"key": format!("key-{number}")}, "recorder": {}});
    (format!("/apisix/consumers/user{number}"), json!({"username": format!("user{number}"), "plugins": plugins}))
}

#[test]
#[ignore = "a measurement, of use only with optimisation"]
fn one_change_among_many_resources_is_planned_within_a_tenth_of_a_second() {
    let resources: Vec<_> = (0..MANY).map(|number| route(number, "a")).chain((0..MANY).map(consumer)).collect();
    let resources: Vec<_> = resources.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let mut bench = Bench::new(&resources);
    let timed = |bench: &mut Bench| {
        let started = Instant::now();
        let plan = bench.plan();
        assert_eq!(plan.routes().len(), MANY);
        started.elapsed()
    };
    println!("the first plan: {:?}", timed(&mut bench));
    let mut fastest = Duration::MAX;
    for round in 0..10 {
        let (key, value) = route(7, &format!("round {round}"));
        bench.put(&[(&key, value)]);
        let took = timed(&mut bench);
        println!("a plan after one change: {took:?}");
        fastest = fastest.min(took);
    }
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
}
