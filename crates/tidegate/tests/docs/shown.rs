//! What a running gateway shows is on the pages: every metric, every field of a log entry.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Gateway, Launch, post, wait_until};
use crate::pages;

const KEY: &str = "consumer-key-of-the-docs";

/// A gateway that has answered one LLM request and logged it.
fn used() -> (Gateway, Value) {
    let gateway = Launch::new().env("TIDEGATE_KEY", KEY).start();
    let logs = json!({"id": "logs", "plugins": {"file-logger": {"path": "requests.log"}}});
    gateway.put("/global_rules/logs", &logs);
    let chat = json!({"model": "simulated", "messages": [{"role": "user", "content": "Hello!"}]});
    let answer = gateway.send(post("/v1/chat/completions", &chat).header("Authorization", format!("Bearer {KEY}")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let path = gateway.folder.path().join("requests.log");
    let entry = wait_until("the request is logged", || {
        let text = fs::read_to_string(&path).ok()?;
        serde_json::from_str(text.lines().next()?).ok()
    });
    (gateway, entry)
}

#[test]
fn every_metric_and_every_log_field_is_on_its_page() {
    let (gateway, entry) = used();
    let page = pages::named("observability").text;
    let metrics = gateway.metrics_text();
    let names = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE apisix_")?.split(' ').next());
    let missing: Vec<&str> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "metrics that docs/observability.md does not have: {missing:?}");
    let sections = ["llm_usage", "request", "response", "server"];
    let nested = sections.iter().filter_map(|section| entry[section].as_object());
    let fields = entry.as_object().into_iter().chain(nested).flat_map(|object| object.keys());
    let missing: Vec<&String> = fields.filter(|field| !page.contains(&format!("`{field}`"))).collect();
    assert!(missing.is_empty(), "fields that docs/observability.md does not have: {missing:?}");
}
