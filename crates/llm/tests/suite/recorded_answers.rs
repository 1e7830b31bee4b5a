//! Buffered answers of many providers, read in place and, to compare, by walking a parsed tree.

use serde_json::Value;
use tidegate_llm::{Protocol, ResponseFacts, Usage, response_text};

use crate::recordings::{self, Recording};

/// An independent reading of a usage object, by the rules that APISIX documents.
pub fn usage_by_tree(protocol: Protocol, usage: &Value) -> Usage {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let or_zero = |path: &str| count(path).unwrap_or(0);
    let (prompt, completion) = match protocol {
        Protocol::OpenAiChat => (or_zero("/prompt_tokens"), or_zero("/completion_tokens")),
        Protocol::OpenAiEmbeddings => (count("/prompt_tokens").unwrap_or(or_zero("/total_tokens")), 0),
        Protocol::OpenAiResponses | Protocol::AnthropicMessages => {
            (or_zero("/input_tokens"), or_zero("/output_tokens"))
        }
        Protocol::BedrockConverse => (or_zero("/inputTokens"), or_zero("/outputTokens")),
        other => unreachable!("{other} is read by its dialect's own reader"),
    };
    let sum = prompt + completion;
    let chat = protocol == Protocol::OpenAiChat || protocol == Protocol::OpenAiEmbeddings;
    let (total, cached, cache_creation, reasoning) = match protocol {
        _ if chat => (
            count("/total_tokens").unwrap_or(sum),
            count("/prompt_tokens_details/cached_tokens")
                .or(count("/prompt_cache_hit_tokens"))
                .or(count("/num_cached_tokens"))
                .unwrap_or(0),
            or_zero("/prompt_tokens_details/cache_creation_input_tokens"),
            or_zero("/completion_tokens_details/reasoning_tokens"),
        ),
        Protocol::OpenAiResponses => (
            count("/total_tokens").unwrap_or(sum),
            or_zero("/input_tokens_details/cached_tokens"),
            0,
            or_zero("/output_tokens_details/reasoning_tokens"),
        ),
        Protocol::AnthropicMessages => {
            (sum, or_zero("/cache_read_input_tokens"), or_zero("/cache_creation_input_tokens"), 0)
        }
        // Cached input stands beside the prompt; APISIX does not read it.
        _ => (
            count("/totalTokens").unwrap_or(sum),
            or_zero("/cacheReadInputTokens"),
            or_zero("/cacheWriteInputTokens"),
            0,
        ),
    };
    Usage { prompt, completion, total, cached, cache_creation, reasoning, estimated: false }
}

/// Both spellings of the same body: compact, and with blanks and line ends.
fn spellings(body: &Value) -> [Vec<u8>; 2] {
    [serde_json::to_vec(body).unwrap(), serde_json::to_vec_pretty(body).unwrap()]
}

fn text_by_tree(recording: &Recording, body: &Value) -> Vec<String> {
    let list = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let of_kind = |items: Vec<Value>, kind: &str| -> Vec<Value> {
        items.into_iter().filter(|item| item["type"] == kind).collect()
    };
    let texts = |items: Vec<Value>| items.iter().filter_map(|item| item["text"].as_str().map(String::from)).collect();
    match recording.protocol {
        Protocol::OpenAiChat => list(body, "/choices")
            .iter()
            .flat_map(|choice| match &choice["message"]["content"] {
                Value::String(text) => vec![text.clone()],
                Value::Array(parts) => texts(of_kind(parts.clone(), "text")),
                _ => Vec::new(),
            })
            .collect(),
        Protocol::OpenAiResponses => of_kind(list(body, "/output"), "message")
            .iter()
            .flat_map(|item| texts(of_kind(list(item, "/content"), "output_text")) as Vec<String>)
            .collect(),
        Protocol::AnthropicMessages => texts(of_kind(list(body, "/content"), "text")),
        Protocol::BedrockConverse => texts(list(body, "/output/message/content")),
        _ => Vec::new(),
    }
}

fn calls_tool(protocol: Protocol, body: &Value) -> bool {
    let any = |path: &str, test: &dyn Fn(&Value) -> bool| {
        body.pointer(path).and_then(Value::as_array).is_some_and(|items| items.iter().any(test))
    };
    match protocol {
        Protocol::OpenAiChat => {
            any("/choices", &|choice| choice["message"]["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty()))
        }
        Protocol::OpenAiResponses => any("/output", &|item| item["type"] == "function_call"),
        Protocol::AnthropicMessages => any("/content", &|block| block["type"] == "tool_use"),
        Protocol::BedrockConverse => any("/output/message/content", &|block| block.get("toolUse").is_some()),
        _ => false,
    }
}

#[test]
fn the_facts_of_every_recorded_answer_are_those_of_its_tree() {
    for recording in recordings::all() {
        let Some(body) = recording.json() else {
            continue;
        };
        let (name, protocol) = (&recording.name, recording.protocol);
        let usage = body.get("usage").filter(|usage| usage.is_object()).map(|usage| usage_by_tree(protocol, usage));
        let text = text_by_tree(&recording, body);
        for spelling in spellings(body) {
            let facts = ResponseFacts::read(protocol, &spelling);
            assert_eq!(facts.usage, usage, "{name}");
            assert_eq!(Usage::from_response(protocol, &spelling), usage, "{name}");
            assert_eq!(facts.has_tool_calls, calls_tool(protocol, body), "{name}");
            let joined = response_text(protocol, &spelling);
            assert_eq!(joined.unwrap_or_default(), text.join(" "), "{name}");
        }
    }
}

#[test]
fn every_recorded_success_of_a_chat_says_why_it_stopped() {
    for recording in recordings::all().iter().filter(|recording| recording.status == 200) {
        let Some(body) = recording.json().filter(|_| recording.protocol == Protocol::OpenAiChat) else {
            continue;
        };
        let told = body["choices"].as_array().is_some_and(|choices| {
            choices.iter().any(|choice| choice["finish_reason"].as_str().is_some_and(|reason| !reason.is_empty()))
        });
        let body = body.to_string();
        let facts = ResponseFacts::read(recording.protocol, body.as_bytes());
        assert_eq!(facts.finish_reason.is_some(), told, "{}", recording.name);
    }
}

#[test]
fn a_truncated_answer_never_panics() {
    for recording in recordings::all().iter().step_by(7) {
        let Some(body) = recording.json() else {
            continue;
        };
        let text = body.to_string();
        for end in 0..text.len().min(3000) {
            ResponseFacts::read(recording.protocol, &text.as_bytes()[..end]);
        }
    }
}

#[test]
fn xai_reasoning_stays_outside_the_completion_count() {
    let body = br#"{"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":112,
        "completion_tokens_details":{"reasoning_tokens":100}}}"#;
    let usage = Usage::from_response(Protocol::OpenAiChat, body).unwrap();
    assert_eq!((usage.prompt, usage.completion, usage.total, usage.reasoning), (10, 2, 112, 100));
}

#[test]
fn mistrals_older_count_of_cached_tokens_is_read() {
    let body = br#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"num_cached_tokens":4}}"#;
    assert_eq!(Usage::from_response(Protocol::OpenAiChat, body).unwrap().cached, 4);
}

#[test]
fn usage_is_found_however_deep_it_stands() {
    let body =
        br#"{"id":"x","embeddings":{"float":[[1]]},"meta":{"api_version":{},"billed_units":{"input_tokens":7}}}"#;
    let facts = ResponseFacts::read(Protocol::CohereEmbed, body);
    assert_eq!(facts.usage.map(|usage| (usage.prompt, usage.total)), Some((7, 7)));
}

#[test]
fn the_total_of_an_exchange_that_only_reads_is_its_prompt() {
    let body = br#"{"usage":{"total_tokens":9}}"#;
    for (protocol, prompt) in [(Protocol::OpenAiEmbeddings, 9), (Protocol::Rerank, 9), (Protocol::OpenAiChat, 0)] {
        let usage = Usage::from_response(protocol, body).unwrap();
        assert_eq!((usage.prompt, usage.completion, usage.total), (prompt, 0, 9), "{protocol}");
    }
}

#[test]
fn a_body_that_is_not_json_has_no_facts() {
    for body in [&b""[..], b"<html>", b"   ", b"null", b"[]", b"\"usage\"", b"{\"usage\":"] {
        assert_eq!(ResponseFacts::read(Protocol::OpenAiChat, body), ResponseFacts::default());
    }
}

#[test]
fn blank_lines_before_an_answer_are_no_obstacle() {
    let body = b"\n\n\n{\"usage\": {\"prompt_tokens\": 3, \"completion_tokens\": 4}}\n";
    assert_eq!(Usage::from_response(Protocol::OpenAiChat, body).unwrap().total, 7);
}
