//! Errors of providers: read by what they mean, told in the client's dialect.

use serde_json::{Value, json};
use tidegate_llm::{ApiError, Dialect, ErrorKind, read_error, write_error, write_stream_error};

use super::recordings;

fn kind(dialect: Dialect, status: u16, body: Value) -> ErrorKind {
    read_error(dialect, status, None, body.to_string().as_bytes()).kind
}

fn openai(code: &str, kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

#[test]
fn money_is_told_from_limits_whatever_the_status() {
    let anthropic = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
    let low = "Your credit balance is too low to access the Anthropic API.";
    for (dialect, status, body) in [
        (
            Dialect::OpenAiChat,
            429,
            openai("insufficient_quota", "insufficient_quota", "You exceeded your current quota"),
        ),
        (Dialect::OpenAiChat, 429, openai("project_spend_limit_exceeded", "requests", "no more")),
        (Dialect::Anthropic, 400, anthropic("invalid_request_error", low)),
        (Dialect::Anthropic, 402, anthropic("billing_error", "pay")),
        (Dialect::OpenAiChat, 402, json!({"error": {"message": "Insufficient Balance"}})),
        (Dialect::OpenAiChat, 403, json!({"error": {"code": "AccountOverdueError", "message": "overdue"}})),
        (Dialect::OpenAiChat, 429, json!({"error": {"code": "1113", "message": "欠费"}})),
        (Dialect::OpenAiChat, 403, openai("AllocationQuota.FreeTierOnly", "AllocationQuota.FreeTierOnly", "exhausted")),
        (Dialect::OpenAiChat, 403, json!({"code": "AllocationQuota.FreeTierOnly", "message": "x", "request_id": "r"})),
        (Dialect::OpenAiChat, 200, json!({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}})),
    ] {
        assert_eq!(kind(dialect, status, body.clone()), ErrorKind::QuotaExceeded, "{body}");
    }
    let google = "You exceeded your current quota, please check your plan and billing details.";
    let google = json!({"error": {"code": 429, "message": google, "status": "RESOURCE_EXHAUSTED"}});
    assert_eq!(kind(Dialect::Gemini, 429, google), ErrorKind::RateLimited);
    let limited = openai("rate_limit_exceeded", "tokens", "Rate limit reached for gpt-4o");
    assert_eq!(kind(Dialect::OpenAiChat, 429, limited), ErrorKind::RateLimited);
}

#[test]
fn a_conversation_too_long_is_told_from_other_bad_requests() {
    let anthropic =
        |message: &str| json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}});
    for (dialect, status, body) in [
        (Dialect::OpenAiChat, 400, openai("context_length_exceeded", "invalid_request_error", "too long")),
        (Dialect::Anthropic, 400, anthropic("prompt is too long: 210000 tokens > 200000 maximum")),
        (Dialect::Anthropic, 400, anthropic("input length and `max_tokens` exceed context limit: 1 + 2 > 2")),
        (
            Dialect::Gemini,
            400,
            json!({"error": {"code": 400, "status": "INVALID_ARGUMENT",
            "message": "The input token count exceeds the maximum number of tokens allowed (1048576)."}}),
        ),
        (Dialect::BedrockConverse, 400, json!({"message": "Input is too long for requested model."})),
        (Dialect::OpenAiChat, 403, json!({"error": {"message": "input plus max_tokens exceeds the context window"}})),
        (Dialect::OpenAiChat, 400, json!({"error": {"code": "1261", "message": "Prompt 超长"}})),
        (
            Dialect::OpenAiChat,
            403,
            json!({"error": {"type": "invalid_request_error",
            "message": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 32769. Given: 40000"}}),
        ),
        (
            Dialect::OpenAiChat,
            400,
            json!({"error": {"type": "invalid_request_error",
            "message": "Invalid request: Your request exceeded model token limit: 8192"}}),
        ),
        (
            Dialect::Cohere,
            400,
            json!({"id": "x",
            "message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000"}),
        ),
        (
            Dialect::OpenAiChat,
            400,
            openai("invalid_parameter_error", "invalid_request_error", "Range of input length should be [1, 30720]"),
        ),
    ] {
        assert_eq!(kind(dialect, status, body.clone()), ErrorKind::ContextTooLong, "{body}");
    }
}

#[test]
fn a_bad_key_and_a_filter_are_found_behind_400() {
    let details = json!([{"reason": "API_KEY_INVALID"}]);
    let google = json!({"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT", "details": details}});
    assert_eq!(kind(Dialect::Gemini, 400, google), ErrorKind::Authentication);
    let xai = json!({"code": "invalid-argument", "error": "Incorrect API key provided."});
    assert_eq!(kind(Dialect::OpenAiResponses, 400, xai), ErrorKind::Authentication);
    let inner = json!({"code": "ResponsibleAIPolicyViolation"});
    let azure = json!({"error": {"code": null, "message": "filtered", "innererror": inner}});
    assert_eq!(kind(Dialect::OpenAiChat, 400, azure), ErrorKind::ContentFiltered);
    let dashscope = json!({"code": "DataInspectionFailed", "message": "no", "request_id": "r"});
    assert_eq!(kind(Dialect::OpenAiChat, 400, dashscope), ErrorKind::ContentFiltered);
}

#[test]
fn an_unknown_model_is_found_behind_400() {
    for (dialect, body) in [
        (Dialect::OpenAiChat, openai("invalid_request_error", "invalid_request_error", "Model Not Exist")),
        (
            Dialect::OpenAiChat,
            json!({"error": {"message": "x/y is not a valid model ID", "code": 400}, "user_id": "u"}),
        ),
        (Dialect::OpenAiChat, json!({"code": "invalid-argument", "error": "Model not found: grok-9"})),
        (Dialect::BedrockConverse, json!({"message": "The provided model identifier is invalid."})),
    ] {
        assert_eq!(kind(dialect, 400, body.clone()), ErrorKind::NotFound, "{body}");
    }
}

#[test]
fn reasons_of_a_filter_tell_it_from_a_key_that_may_not_do_this() {
    let refused = |metadata: Value| json!({"error": {"message": "no", "code": 403, "metadata": metadata}});
    let flagged = refused(json!({"reasons": ["violence"], "flagged_input": "x", "provider_name": "OpenAI"}));
    assert_eq!(kind(Dialect::OpenAiChat, 403, flagged), ErrorKind::ContentFiltered);
    assert_eq!(kind(Dialect::OpenAiChat, 403, refused(json!({"reasons": []}))), ErrorKind::PermissionDenied);
}

#[test]
fn overload_is_found_behind_every_status() {
    for (dialect, status) in [
        (Dialect::BedrockConverse, 424),
        (Dialect::OpenAiChat, 498),
        (Dialect::OpenAiChat, 503),
        (Dialect::Anthropic, 529),
    ] {
        assert_eq!(kind(dialect, status, json!({})), ErrorKind::Overloaded);
    }
    let inside = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    assert_eq!(kind(Dialect::Anthropic, 0, inside), ErrorKind::Overloaded);
    let vague = openai("server_error", "server_error", "The server had an error.");
    assert_eq!(kind(Dialect::OpenAiChat, 503, vague.clone()), ErrorKind::Overloaded);
    assert_eq!(kind(Dialect::OpenAiChat, 500, vague), ErrorKind::Upstream);
    let slow = openai("slow_down", "requests", "slow down");
    assert_eq!(kind(Dialect::OpenAiChat, 429, slow), ErrorKind::RateLimited);
}

#[test]
fn bedrocks_exceptions_are_named_in_a_header() {
    for (header, status, kind) in [
        ("ThrottlingException:http://internal.amazon.com/", 429, ErrorKind::RateLimited),
        ("modelStreamErrorException", 0, ErrorKind::Upstream),
        ("AccessDeniedException", 403, ErrorKind::PermissionDenied),
        ("ServiceQuotaExceededException", 400, ErrorKind::QuotaExceeded),
        ("ModelNotReadyException", 429, ErrorKind::Overloaded),
    ] {
        let error = read_error(Dialect::BedrockConverse, status, Some(header), br#"{"message":"m"}"#);
        assert_eq!((error.kind, error.message.as_ref()), (kind, "m"), "{header}");
        assert_eq!(error.code.as_deref(), header.split(':').next());
    }
}

#[test]
fn an_error_with_a_status_of_success_names_its_own() {
    let openrouter = json!({"error": {"code": 429, "message": "Provider returned error",
        "metadata": {"raw": "busy", "provider_name": "X"}}});
    let text = openrouter.to_string();
    let error = read_error(Dialect::OpenAiChat, 200, None, text.as_bytes());
    assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, 429));
    assert_eq!(error.message, "Provider returned error: busy");
}

#[test]
fn any_bytes_are_an_error() {
    for (body, message) in [
        (&b""[..], "the provider answered with status 502"),
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        (b"{\"error\":", "{\"error\":"),
        (b"\"plain\"", "plain"),
        (b"[{\"error\":{\"message\":\"wrapped\"}}]", "wrapped"),
    ] {
        let error = read_error(Dialect::Gemini, 502, None, body);
        assert_eq!((error.kind, error.message.as_ref()), (ErrorKind::Upstream, message));
    }
}

#[test]
fn recorded_errors_keep_their_text_and_have_a_meaning() {
    for refusal in recordings::refusals() {
        let (body, status) = (&refusal.body, refusal.status);
        let dialect = match refusal.api.split('-').next() {
            Some("anthropic") => Dialect::Anthropic,
            Some("gemini" | "models") => Dialect::Gemini,
            Some("bedrock") => Dialect::BedrockConverse,
            Some("cohere") => Dialect::Cohere,
            _ => Dialect::OpenAiChat,
        };
        let text = body.to_string();
        let error = read_error(dialect, status, refusal.amzn_errortype.as_deref(), text.as_bytes());
        let told = ["/error/message", "/message", "/error", "/detail"];
        let message = told.iter().find_map(|path| body.pointer(path)?.as_str()).unwrap();
        assert!(error.message.starts_with(message), "{}: {}", refusal.name, error.message);
        let expected: &[ErrorKind] = match status {
            400 if message.contains("API key") => &[ErrorKind::Authentication],
            400 if message.contains("exceeds the available context") => &[ErrorKind::ContextTooLong],
            400 => &[ErrorKind::InvalidRequest, ErrorKind::NotFound],
            401 => &[ErrorKind::Authentication],
            403 => &[ErrorKind::PermissionDenied],
            404 => &[ErrorKind::NotFound],
            429 => &[ErrorKind::RateLimited],
            _ => &[ErrorKind::Upstream],
        };
        assert!(expected.contains(&error.kind), "{}: {:?}", refusal.name, error.kind);
        for client in Dialect::ALL {
            let answer = write_error(client, &error);
            let written: Value = serde_json::from_slice(&answer.body).unwrap();
            assert!(written.to_string().contains(&json!(error.message).to_string()), "{}", refusal.name);
            assert!(answer.status >= 400);
        }
    }
}

#[test]
fn every_dialect_tells_an_error_in_its_own_shape() {
    let error = ApiError {
        kind: ErrorKind::ContextTooLong,
        status: 400,
        message: "too long".into(),
        code: Some("invalid_request_error".into()),
        param: Some("messages".into()),
    };
    let openai = json!({"error": {"message": "too long", "type": "invalid_request_error", "param": "messages",
        "code": "context_length_exceeded"}});
    for (client, body) in [
        (Dialect::OpenAiChat, openai.clone()),
        (Dialect::OpenAiResponses, openai),
        (
            Dialect::Anthropic,
            json!({"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}),
        ),
        (Dialect::Gemini, json!({"error": {"code": 400, "message": "too long", "status": "INVALID_ARGUMENT"}})),
        (Dialect::BedrockConverse, json!({"message": "too long"})),
        (Dialect::Cohere, json!({"message": "too long"})),
    ] {
        let answer = write_error(client, &error);
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), body, "{client}");
        assert_eq!(answer.status, 400, "{client}");
        let exception = (client == Dialect::BedrockConverse).then_some("ValidationException");
        assert_eq!(answer.amzn_errortype, exception);
    }
}

#[test]
fn statuses_only_one_provider_knows_become_the_clients() {
    let error = |kind, status| ApiError { status, ..ApiError::new(kind, "x") };
    for (client, kind, from, to) in [
        (Dialect::OpenAiChat, ErrorKind::Overloaded, 529, 503),
        (Dialect::Anthropic, ErrorKind::Overloaded, 503, 529),
        (Dialect::OpenAiChat, ErrorKind::QuotaExceeded, 400, 429),
        (Dialect::OpenAiChat, ErrorKind::Upstream, 500, 500),
        (Dialect::OpenAiChat, ErrorKind::InvalidRequest, 422, 422),
        (Dialect::Gemini, ErrorKind::Authentication, 400, 401),
        (Dialect::BedrockConverse, ErrorKind::Authentication, 401, 403),
    ] {
        assert_eq!(write_error(client, &error(kind, from)).status, to, "{client} {kind:?}");
    }
}

#[test]
fn an_error_inside_a_stream_is_one_event_of_the_dialect() {
    for (client, start, end) in [
        (Dialect::OpenAiChat, "data: {\"error\":", "\n\n"),
        (Dialect::OpenAiResponses, "event: error\ndata: {", "\n\n"),
        (Dialect::Anthropic, "event: error\ndata: {", "\n\n"),
        (Dialect::Gemini, "data: {\"error\":", "\r\n\r\n"),
        (Dialect::Cohere, "event: message-end\ndata: {", "\n\n"),
    ] {
        let mut out = Vec::new();
        write_stream_error(client, &ApiError::new(ErrorKind::Overloaded, "a \"b\"\n"), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(start) && text.ends_with(end), "{text}");
        assert_eq!(text.matches("data: ").count(), 1);
    }
}
