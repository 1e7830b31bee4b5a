//! Errors as each dialect's SDK expects them.

use serde_json::{Value, json};
use tidegate_llm::{
    ApiError, ErrorKind, EventStreamDecoder, MAX_EVENT_BYTES, Protocol, stream_error_event, write_error,
};

const AWKWARD: &str = "a \"quoted\"\nline\u{0} é";

fn body(protocol: Protocol, kind: ErrorKind) -> Value {
    serde_json::from_slice(&write_error(protocol.family(), &ApiError::new(kind, AWKWARD)).body).unwrap()
}

#[test]
fn openai_clients_get_an_error_object() {
    let expected = json!({"error": {
        "message": AWKWARD, "type": "rate_limit_error", "param": null, "code": "rate_limit_exceeded"}});
    for protocol in [Protocol::OpenAiChat, Protocol::OpenAiResponses, Protocol::OpenAiEmbeddings, Protocol::Passthrough]
    {
        assert_eq!(body(protocol, ErrorKind::RateLimited), expected, "{protocol}");
    }
}

#[test]
fn anthropic_clients_get_their_own_types() {
    for (kind, name) in [
        (ErrorKind::InvalidRequest, "invalid_request_error"),
        (ErrorKind::Authentication, "authentication_error"),
        (ErrorKind::RequestTooLarge, "request_too_large"),
        (ErrorKind::Overloaded, "overloaded_error"),
        (ErrorKind::Internal, "api_error"),
    ] {
        let expected = json!({"type": "error", "error": {"type": name, "message": AWKWARD}});
        assert_eq!(body(Protocol::AnthropicMessages, kind), expected);
    }
}

#[test]
fn a_kind_goes_with_one_status() {
    let statuses = [
        (ErrorKind::InvalidRequest, 400),
        (ErrorKind::Authentication, 401),
        (ErrorKind::PermissionDenied, 403),
        (ErrorKind::NotFound, 404),
        (ErrorKind::RequestTooLarge, 413),
        (ErrorKind::RateLimited, 429),
        (ErrorKind::QuotaExceeded, 429),
        (ErrorKind::ContentFiltered, 400),
        (ErrorKind::Upstream, 502),
        (ErrorKind::Overloaded, 503),
        (ErrorKind::Timeout, 504),
        (ErrorKind::StreamCut, 502),
        (ErrorKind::Internal, 500),
    ];
    for (kind, status) in statuses {
        assert_eq!(kind.status(), status, "{kind:?}");
    }
}

#[test]
fn a_broken_stream_is_told_in_one_event_without_an_end_marker() {
    let cases = [
        (Protocol::OpenAiChat, "", "/error/message"),
        (Protocol::OpenAiResponses, "event: error\n", "/message"),
        (Protocol::OpenAiResponses, "event: error\n", "/error/message"),
        (Protocol::AnthropicMessages, "event: error\n", "/error/message"),
    ];
    for (protocol, name, message_at) in cases {
        let event = stream_error_event(protocol, ErrorKind::StreamCut, AWKWARD);
        let event = std::str::from_utf8(&event).unwrap();
        let data = event.strip_prefix(name).unwrap().strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data.pointer(message_at), Some(&Value::from(AWKWARD)), "{protocol}");
        assert!(!event.contains("[DONE]"));
    }
}

#[test]
fn a_broken_event_stream_is_told_in_one_exception() {
    let event = stream_error_event(Protocol::BedrockConverse, ErrorKind::StreamCut, AWKWARD);
    let mut told = Vec::new();
    EventStreamDecoder::new(MAX_EVENT_BYTES)
        .push(&event, |message| {
            let header = |name| message.text(name).unwrap().to_owned();
            let body: Value = serde_json::from_slice(message.payload).unwrap();
            told.push((header(":message-type"), header(":exception-type"), body));
        })
        .unwrap();
    let expected = ("exception".to_owned(), "modelStreamErrorException".to_owned(), json!({"message": AWKWARD}));
    assert_eq!(told, [expected]);
}
