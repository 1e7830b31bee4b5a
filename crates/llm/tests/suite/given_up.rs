//! Answers whose finish reason says that the provider has failed: no client may take them for whole.

use serde_json::{Value, json};
use tidegate_llm::{AnswerError, Dialect, ErrorKind, Raw, Renames, TranslatedEnd, translate_response};

use crate::pairs::{reply, translate};

/// What providers say whose answer is not whole, and what they say of answers that are but odd.
const FAILED: [(Dialect, &str); 6] = [
    (Dialect::OpenAiChat, "error"),
    (Dialect::OpenAiChat, "network_error"),
    (Dialect::OpenAiChat, "insufficient_system_resource"),
    (Dialect::Cohere, "ERROR"),
    (Dialect::Cohere, "TIMEOUT"),
    (Dialect::OpenAiResponses, "failed"),
];
const MALFORMED: [(Dialect, &str); 3] = [
    (Dialect::BedrockConverse, "malformed_tool_use"),
    (Dialect::BedrockConverse, "malformed_model_output"),
    (Dialect::Gemini, "MALFORMED_FUNCTION_CALL"),
];

fn whole(provider: Dialect, reason: &str) -> Value {
    let message = json!({"role": "assistant", "content": "par"});
    match provider {
        Dialect::OpenAiChat => json!({"choices": [{"index": 0, "message": message, "finish_reason": reason}]}),
        Dialect::OpenAiResponses => json!({"id": "r", "status": reason, "output": []}),
        Dialect::Cohere => json!({"message": {"content": [{"type": "text", "text": "par"}]}, "finish_reason": reason}),
        Dialect::BedrockConverse => {
            json!({"output": {"message": {"role": "assistant", "content": [{"text": "par"}]}}, "stopReason": reason})
        }
        Dialect::Gemini => json!({"candidates": [{"content": {"parts": [{"text": "par"}]}, "finishReason": reason}]}),
        Dialect::Anthropic => json!({"content": [{"type": "text", "text": "par"}], "stop_reason": reason}),
    }
}

fn chat_stream(last: &Value) -> String {
    let piece = json!({"choices": [{"index": 0, "delta": {"content": "par"}}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
    format!("data: {piece}\n\ndata: {last}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}

fn cohere_stream(end: &Value) -> String {
    let start = json!({"type": "message-start", "id": "i"});
    format!("data: {start}\n\ndata: {{\"type\":\"message-end\",\"delta\":{end}}}\n\ndata: [DONE]\n\n")
}

/// Why the answer failed is not told.
fn responses_stream() -> String {
    let created = json!({"type": "response.created", "response": {"id": "r", "status": "in_progress"}});
    let failed = json!({
        "type": "response.failed", "response": {"id": "r", "status": "failed", "error": null, "output": []},
    });
    format!("event: response.created\ndata: {created}\n\nevent: response.failed\ndata: {failed}\n\n")
}

/// What stands once in each event by which a stream of `client`'s dialect tells an error.
fn error_event(client: Dialect) -> &'static str {
    match client {
        Dialect::OpenAiChat | Dialect::Gemini => "{\"error\":{",
        Dialect::Anthropic | Dialect::OpenAiResponses => "event: error\n",
        Dialect::Cohere => "\"type\":\"message-end\"",
        Dialect::BedrockConverse => ":exception-type",
    }
}

#[test]
fn a_whole_answer_that_was_given_up_is_an_error_for_every_client() {
    for (provider, reason) in FAILED {
        let body = whole(provider, reason).to_string();
        for client in Dialect::ALL {
            let raw = Raw::new(body.as_bytes()).unwrap();
            match translate_response(provider, client, raw, &reply(), &Renames::default()) {
                Err(AnswerError::Failed(error)) => {
                    assert_eq!(error.kind, ErrorKind::Upstream, "{reason}");
                    assert!(error.message.ends_with(reason), "{}", error.message);
                }
                other => panic!("{reason} for {client}: {other:?}"),
            }
        }
    }
}

#[test]
fn what_a_model_has_said_wrongly_stays_an_answer() {
    for (provider, reason) in MALFORMED {
        let body = whole(provider, reason).to_string();
        for client in Dialect::ALL {
            let raw = Raw::new(body.as_bytes()).unwrap();
            translate_response(provider, client, raw, &reply(), &Renames::default()).unwrap();
        }
    }
}

#[test]
fn a_stream_that_was_given_up_ends_in_one_error_and_no_normal_end() {
    let ends = ["message_stop", "[DONE]", "response.completed", "\"finishReason\"", "messageStop", "COMPLETE"];
    let streams = [
        (Dialect::OpenAiChat, chat_stream(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}))),
        (Dialect::Cohere, cohere_stream(&json!({"finish_reason": "TIMEOUT"}))),
        (Dialect::OpenAiResponses, responses_stream()),
    ];
    for (provider, stream) in streams {
        for client in Dialect::ALL.into_iter().filter(|client| *client != provider) {
            let told = translate(provider, client, [stream.as_bytes()]);
            assert!(matches!(&told.end, TranslatedEnd::Failed(message) if message.contains("gave its answer up")));
            let text = String::from_utf8_lossy(&told.written);
            assert!(!ends.iter().any(|end| text.contains(end)), "{client}: {text}");
            assert_eq!(text.matches(error_event(client)).count(), 1, "{client}: {text}");
        }
    }
}

#[test]
fn an_error_beside_the_finish_reason_says_more() {
    let openrouter = json!({
        "error": {"code": 502, "message": "boom"}, "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}],
    });
    let cohere = cohere_stream(&json!({"finish_reason": "ERROR", "error": "boom"}));
    for (provider, stream) in [(Dialect::OpenAiChat, chat_stream(&openrouter)), (Dialect::Cohere, cohere)] {
        let told = translate(provider, Dialect::Anthropic, [stream.as_bytes()]);
        assert_eq!(told.end, TranslatedEnd::Failed("boom".to_owned()), "{provider}");
    }
}
