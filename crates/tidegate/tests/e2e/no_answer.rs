//! Providers that give no answer: what clients of each dialect are told.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::harness::{Gateway, Reply, ai_proxy, free_port, post, simulator};

/// A chat provider at `to` that has `timeout` milliseconds.
fn provider(to: SocketAddr, timeout: u64) -> Value {
    let mut plugin = ai_proxy(to);
    plugin["timeout"] = json!(timeout);
    json!({"uri": "/*", "plugins": {"ai-proxy": plugin}})
}

/// What a client of the path's dialect gets.
fn ask(gateway: &Gateway, path: &str, simulate: &str) -> Reply {
    let body = match path.ends_with(":generateContent") {
        true => json!({"contents": [{"role": "user", "parts": [{"text": "Hello!"}]}]}),
        false => json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello!"}]}),
    };
    gateway.send(post(path, &body).header("x-simulate", simulate))
}

const GEMINI: &str = "/v1beta/models/m:generateContent";

#[test]
fn clients_of_other_dialects_are_told_in_their_own_and_nothing_of_where_the_provider_is() {
    let gateway = Gateway::start();
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    gateway.put("/routes/ai", &provider(nobody, 10_000));

    let told = ask(&gateway, "/v1/messages", "");
    let error = json!({"type": "api_error", "message": "the provider could not be reached"});
    assert_eq!((told.status, told.json()), (500, json!({"type": "error", "error": error})));

    let told = ask(&gateway, GEMINI, "");
    let error = json!({"code": 500, "message": "the provider could not be reached", "status": "INTERNAL"});
    assert_eq!((told.status, told.json()), (500, json!({"error": error})));

    let same = ask(&gateway, "/v1/chat/completions", "");
    assert_eq!(same.status, 500);
    assert!(same.text().starts_with("<html>"), "{}", same.text());
}

#[test]
fn a_provider_that_answers_too_late_or_hangs_up_is_told_apart() {
    let provider_there = simulator();
    let gateway = Gateway::start();
    gateway.put("/routes/ai", &provider(provider_there.addr, 300));

    for (simulate, status, message) in [
        ("hang", 504, "the provider did not answer in time"),
        ("close", 500, "the connection to the provider broke before it answered"),
    ] {
        let told = ask(&gateway, "/v1/messages", simulate);
        assert_eq!((told.status, &told.json()["error"]["message"]), (status, &json!(message)), "{simulate}");
    }
}
