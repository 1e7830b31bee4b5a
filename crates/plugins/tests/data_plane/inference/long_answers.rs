//! Whole answers that are longer than what is kept of one.

use serde_json::{Value, json};

use super::{CHAT, Inference, chat};
use crate::provider::Provider;

const LONG: usize = 65 << 20;

/// A provider whose answer has a text of [`LONG`] bytes, and a gateway before it.
fn in_front_of(status: &str) -> (Provider, Inference) {
    let body = [&br#"{"choices":[{"message":{"content":""#[..], &vec![b'a'; LONG], br#""}}]}"#].concat();
    let provider = Provider::sending(&format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"), &body);
    let inference = Inference::with(json!({"override": {"endpoint": provider.endpoint()}}));
    (provider, inference)
}

#[test]
fn a_long_answer_passes_to_a_client_of_the_providers_dialect() {
    for status in ["200 OK", "500 Internal Server Error"] {
        let (_provider, inference) = in_front_of(status);
        let told = inference.gateway.exchange("POST", CHAT, &chat(false).to_string());
        assert!(told.starts_with(format!("HTTP/1.1 {status}").as_bytes()));
        assert!(told.iter().filter(|byte| **byte == b'a').count() >= LONG, "{status}: {} bytes", told.len());
        let entry = inference.entry();
        assert_eq!(entry["outcome"], "complete", "{entry:#}");
    }
}

#[test]
fn a_long_answer_is_not_translated_and_says_so() {
    let (_provider, inference) = in_front_of("200 OK");
    let mut asked = chat(false);
    asked["max_tokens"] = 5.into();
    let response = inference.gateway.post("/v1/messages", &[], &asked);
    let told: Value = serde_json::from_str(&response.body).expect("JSON");
    let message = "the provider's answer is longer than the 64 MiB that are translated";
    assert_eq!((response.status, &told["error"]["message"]), (502, &json!(message)));

    let (_provider, inference) = in_front_of("429 Too Many Requests");
    let response = inference.gateway.post("/v1/messages", &[], &asked);
    let told: Value = serde_json::from_str(&response.body).expect("JSON");
    assert_eq!((response.status, &told["error"]["type"]), (429, &json!("rate_limit_error")), "{told}");
}
