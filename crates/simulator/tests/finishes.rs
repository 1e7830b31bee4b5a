//! Scripted finish reasons in the dialects that share the gateway's writers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::*;

#[test]
fn a_scripted_finish_reason_is_said_in_the_dialects_own_words() {
    let simulator = simulator();
    let said = json!([{"role": "user", "content": "hi"}]);
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    let converse = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    let rows = [
        ("/v1beta/models/m:generateContent", gemini, "/candidates/0/finishReason", "MAX_TOKENS", "RECITATION"),
        ("/model/m/converse", converse, "/stopReason", "max_tokens", "guardrail_intervened"),
        ("/v2/chat", json!({"model": "m", "messages": said}), "/finish_reason", "MAX_TOKENS", "ERROR_TOXIC"),
    ];
    for (path, body, place, length, own) in rows {
        for (directive, expected) in [("finish=length", length.to_owned()), (&*format!("finish={own}"), own.to_owned())]
        {
            let answer = post(&simulator, path, directive, &body.to_string()).json();
            assert_eq!(answer.pointer(place), Some(&Value::from(expected)), "{path} {directive}: {answer}");
        }
    }
    let streamed = "/v1beta/models/m:streamGenerateContent?alt=sse";
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}).to_string();
    assert!(post(&simulator, streamed, "finish=length", &body).text().contains("MAX_TOKENS"));
}
