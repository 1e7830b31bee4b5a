//! Bedrock's `invoke`, by example and by its recorded exchanges.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidegate_llm::{Protocol, ProviderDialect, StreamEnd, StreamObserver, TranslatedEnd, Usage, write_message};

use crate::event_streams;
use crate::native::{asked, streamed};

const INVOKE: ProviderDialect = ProviderDialect::BedrockInvoke;

fn stream(events: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        let payload = json!({"bytes": STANDARD.encode(event.to_string()), "p": "abc"}).to_string();
        let headers = [(":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")];
        write_message(&mut out, &headers, |out| out.extend_from_slice(payload.as_bytes()));
    }
    out
}

fn claude() -> Vec<u8> {
    stream(&[
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude", "content": [],
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
        json!({"type": "message_stop", "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": 5, "outputTokenCount": 3}}),
    ])
}

#[test]
fn a_request_is_one_of_anthropics() {
    let (body, losses) = asked(
        INVOKE,
        &json!({"model": "anthropic.claude-x", "max_tokens": 9,
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]}),
    );
    assert_eq!((&body["max_tokens"], losses.as_str()), (&json!(9), ""));
    assert_eq!(body["messages"][0]["role"], "user");
}

#[test]
fn a_stream_is_read_in_any_pieces_and_keeps_the_models_own_counts() {
    let bytes = claude();
    for size in [1, 100, bytes.len()] {
        let told = streamed(INVOKE, bytes.chunks(size));
        assert_eq!((told.text.as_str(), told.end), ("hello", TranslatedEnd::Complete));
        assert_eq!((&told.usage["prompt_tokens"], &told.usage["total_tokens"]), (&json!(9), &json!(12)));
    }
}

#[test]
fn a_stream_that_breaks_off_or_fails_is_no_whole_answer() {
    let bytes = claude();
    for length in (0..bytes.len()).step_by(97) {
        assert_eq!(streamed(INVOKE, [&bytes[..length]]).end, TranslatedEnd::Cut, "{length} bytes");
    }
    let mut failed = claude();
    failed.truncate(
        failed.len()
            - stream(&[json!({"type": "message_stop", "amazon-bedrock-invocationMetrics": {
        "inputTokenCount": 5, "outputTokenCount": 3}})])
            .len(),
    );
    let headers = [(":exception-type", "throttlingException"), (":message-type", "exception")];
    write_message(&mut failed, &headers, |out| out.extend_from_slice(br#"{"message":"slow"}"#));
    assert_eq!(streamed(INVOKE, [failed.as_slice()]).end, TranslatedEnd::Failed("slow".to_owned()));
}

fn observed(bytes: &[u8]) -> StreamObserver {
    let mut observer = StreamObserver::new(Protocol::BedrockInvoke);
    observer.observe(bytes);
    observer
}

#[test]
fn streams_of_other_families_are_counted_and_have_an_end() {
    let whole = stream(&[
        json!({"messageStop": {"stopReason": "end_turn"}}),
        json!({"metadata": {}, "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": 5, "outputTokenCount": 10, "cacheReadInputTokenCount": 2}}),
    ]);
    let usage = observed(&whole).usage().unwrap();
    assert_eq!((usage.prompt, usage.completion, usage.cached), (5, 10, 2));
    assert_eq!(observed(&whole).end(), StreamEnd::Complete);
    assert_eq!(observed(&whole[..whole.len() - 1]).end(), StreamEnd::Cut);
}

#[test]
fn recorded_streams_are_counted_and_whole() {
    let invoked = event_streams::recorded().into_iter().filter(|(name, _)| name.contains("/invoke."));
    for (name, bytes) in invoked {
        let observer = observed(&bytes);
        assert_eq!(observer.end(), StreamEnd::Complete, "{name}");
        assert!(observer.usage().is_some_and(|usage| usage.prompt > 0 && usage.completion > 0), "{name}");
    }
}

#[test]
fn whole_answers_are_counted_by_their_headers() {
    let headers = [
        ("x-amzn-bedrock-input-token-count", "4"),
        ("x-amzn-bedrock-output-token-count", "50"),
        ("x-amzn-bedrock-cache-read-input-token-count", "18131"),
    ];
    let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let usage = Usage::from_bedrock_headers(header).unwrap();
    assert_eq!((usage.prompt, usage.completion, usage.cached), (4, 50, 18131));
    assert_eq!(Usage::from_bedrock_headers(|_| None), None);
}
