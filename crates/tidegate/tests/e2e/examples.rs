//! The files in `examples/`, as they are but for the addresses of providers.

use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Gateway, Launch, get, post, wait_until};

fn example(name: &str) -> Value {
    let path = format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
}

/// The upstream with these nodes in place of its own, without TLS.
fn at(mut upstream: Value, nodes: Value) -> Value {
    upstream["scheme"] = json!("http");
    upstream["nodes"] = nodes;
    upstream
}

fn router_to(provider: &simulator::Running) -> Value {
    let mut route = example("route-llm-router.json");
    route["upstream"] = at(route["upstream"].clone(), json!({provider.addr.to_string(): 1}));
    route
}

fn launch() -> Gateway {
    Launch::new().admin_key(ADMIN_KEY).env("OPENAI_API_KEY", "sk-of-the-gateway").start()
}

fn chat() -> crate::harness::Request {
    post("/v1/chat/completions", &json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}))
}

#[test]
fn every_example_is_accepted_unchanged() {
    let gateway = Gateway::start();
    gateway.put("/consumers/business_unit_A", &example("consumer-business-unit-a.json"));
    gateway.put("/routes/llm-router", &example("route-llm-router.json"));
    gateway.put("/upstreams/llm-failover", &example("upstream-llm-failover.json"));
    let checked = gateway.run(&["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(0), "{}", checked.output);
}

#[test]
fn the_router_exchanges_the_consumers_key_for_the_providers() {
    let provider = crate::harness::simulator();
    let gateway = launch();
    gateway.put("/consumers/business_unit_A", &example("consumer-business-unit-a.json"));
    gateway.put("/routes/llm-router", &router_to(&provider));

    assert_eq!(gateway.send(chat()).status, 401);
    let answer = gateway.send(chat().header("apikey", "key-of-business-unit-A"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("X-RateLimit-Limit"), Some("100000"));
    assert_eq!(answer.header("X-RateLimit-Remaining"), Some("99999"));

    let seen = get("/__simulator/requests").send(provider.addr).text();
    assert!(seen.contains("Bearer sk-of-the-gateway"), "{seen}");
    assert!(!seen.contains("key-of-business-unit-A"), "the consumer's key went to the provider");
    let stored = gateway.admin("GET", "/routes/llm-router", None).text();
    assert!(!stored.contains("sk-of-the-gateway"), "the provider's key was stored");
}

#[test]
fn the_quota_ends_in_429_with_its_message() {
    let provider = crate::harness::simulator();
    let gateway = launch();
    let mut consumer = example("consumer-business-unit-a.json");
    consumer["plugins"]["limit-count"]["count"] = json!(2);
    gateway.put("/consumers/business_unit_A", &consumer);
    gateway.put("/routes/llm-router", &router_to(&provider));
    let ask = || gateway.send(chat().header("apikey", "key-of-business-unit-A"));
    assert_eq!([ask().status, ask().status], [200, 200]);
    let refused = ask();
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["error_msg"], consumer["plugins"]["limit-count"]["rejected_msg"]);
}

#[test]
fn the_second_endpoint_answers_when_the_first_one_is_dead() {
    let provider = crate::harness::simulator();
    let gateway = launch();
    let dead = crate::harness::free_port();
    let nodes = json!([
        {"host": "127.0.0.1", "port": dead, "weight": 1, "priority": 10},
        {"host": "127.0.0.1", "port": provider.addr.port(), "weight": 1, "priority": 0},
    ]);
    let mut upstream = at(example("upstream-llm-failover.json"), nodes);
    upstream["checks"]["active"]["type"] = json!("http");
    upstream["checks"]["active"]["unhealthy"]["interval"] = json!(1);
    upstream["checks"]["active"]["unhealthy"]["tcp_failures"] = json!(1);
    gateway.put("/upstreams/llm-failover", &upstream);
    gateway.put("/consumers/business_unit_A", &example("consumer-business-unit-a.json"));
    gateway.put("/routes/llm-router", &router_to(&provider));
    let patch = json!({"upstream_id": "llm-failover", "upstream": null});
    let patched = gateway.admin("PATCH", "/routes/llm-router", Some(&patch));
    assert_eq!(patched.status, 200, "{}", patched.text());

    for _ in 0..5 {
        let answer = gateway.send(chat().header("apikey", "key-of-business-unit-A"));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    wait_until("the dead endpoint is found out", || {
        let health = get("/v1/healthcheck/upstreams/llm-failover").send(gateway.control).json();
        let nodes = health["nodes"].as_array()?.clone();
        nodes.iter().any(|node| node["port"] == dead && node["status"] == "unhealthy").then_some(())
    });
}
