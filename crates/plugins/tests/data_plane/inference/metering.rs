//! What is noted of a whole answer that is translated: the counts that its client reads.

use serde_json::{Value, json};

use super::{CHAT, Inference};
use crate::provider::Provider;

/// What a client gets of a whole `answer` of `provider`, and what is noted of it.
fn metered(provider: &str, answer: &Value, path: &str) -> (Value, Value) {
    let simulated = Provider::answering(200, "", &answer.to_string());
    let inference = Inference::with(json!({
        "provider": provider, "override": {"endpoint": simulated.endpoint()}, "provider_conf": {"region": "us-east-1"},
    }));
    let said = json!([{"role": "user", "content": "hi"}]);
    let body = match path {
        "/model/m/converse" => json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
        _ => json!({"model": "m", "max_tokens": 5, "messages": said}),
    };
    let response = inference.gateway.post(path, &[], &body);
    assert_eq!(response.status, 200, "{}", response.body);
    let told: Value = serde_json::from_str(&response.body).expect("JSON");
    (told["usage"].clone(), inference.entry()["llm_usage"].clone())
}

fn assert_noted(usage: &Value, prompt: u64, completion: u64, total: u64) {
    let noted = ["prompt", "completion", "total"].map(|name| usage[name].as_u64().unwrap_or_default());
    assert_eq!(noted, [prompt, completion, total], "{usage:#}");
}

#[test]
fn thoughts_that_a_provider_counts_beside_its_answer_are_noted_as_their_client_reads_them() {
    let message = json!({"role": "assistant", "content": "hello"});
    let answer = json!({
        "id": "a", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 160,
                  "prompt_tokens_details": {"cached_tokens": 20},
                  "completion_tokens_details": {"reasoning_tokens": 50}},
    });
    let (told, noted) = metered("xai", &answer, "/v1/messages");
    assert_eq!((&told["input_tokens"], &told["output_tokens"]), (&json!(80), &json!(60)), "{told}");
    assert_noted(&noted, 80, 60, 140);
    let (told, noted) = metered("xai", &answer, "/model/m/converse");
    assert_eq!(told["totalTokens"], 160, "{told}");
    assert_noted(&noted, 80, 60, 160);
    let (told, noted) = metered("xai", &answer, CHAT);
    assert_eq!(told["completion_tokens"], 10, "the provider's own bytes");
    assert_noted(&noted, 100, 10, 160);
}

#[test]
fn totals_are_those_of_the_clients_dialect() {
    let content = json!([{"type": "text", "text": "hello"}]);
    let answer = json!({
        "id": "a", "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60, "output_tokens": 9},
    });
    let (told, noted) = metered("anthropic", &answer, "/model/m/converse");
    assert_eq!(told["totalTokens"], 109, "{told}");
    assert_noted(&noted, 10, 9, 109);
    let (_, noted) = metered("anthropic", &answer, "/v1/messages");
    assert_noted(&noted, 10, 9, 19);
    let text = json!([{"text": "hello"}]);
    let answer = json!({
        "output": {"message": {"role": "assistant", "content": text}}, "stopReason": "end_turn",
        "usage": {"inputTokens": 10, "outputTokens": 9, "totalTokens": 109, "cacheReadInputTokens": 60,
                  "cacheWriteInputTokens": 30},
    });
    let (_, noted) = metered("bedrock", &answer, "/v1/messages");
    assert_noted(&noted, 10, 9, 19);
}

#[test]
fn a_stream_that_breaks_off_costs_the_text_that_was_told() {
    let event = |kind: &str, rest: Value| {
        let mut data = json!({"type": kind});
        data.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let usage = json!({"input_tokens": 10, "output_tokens": 1});
    let message =
        json!({"id": "a", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage});
    let text = json!({"index": 0, "delta": {"type": "text_delta", "text": "hello world "}});
    let mut events = event("message_start", json!({"message": message}));
    events += &event("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}}));
    events += &event("content_block_delta", text).repeat(500);
    let provider = Provider::sending("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n", events.as_bytes());
    let said = json!([{"role": "user", "content": "hi"}]);
    for (path, body) in [
        ("/v1/messages", json!({"model": "m", "max_tokens": 5, "messages": said, "stream": true})),
        ("/v1/responses", json!({"model": "m", "input": "hi", "stream": true})),
    ] {
        let inference =
            Inference::with(json!({"provider": "anthropic", "override": {"endpoint": provider.endpoint()}}));
        assert_eq!(inference.gateway.post(path, &[], &body).status, 200, "{path}");
        let noted = inference.entry()["llm_usage"].clone();
        assert_eq!((&noted["prompt"], &noted["estimated"]), (&json!(10), &json!(true)), "{path}: {noted}");
        let completion = noted["completion"].as_u64().unwrap_or_default();
        assert!((900..=1100).contains(&completion), "{path}: {noted}");
    }
}
