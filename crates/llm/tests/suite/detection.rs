//! Which protocol a request speaks, and where providers are reached.

use bytes::Bytes;
use tidegate_llm::{BodyScan, Protocol, Provider, detect, endpoint, endpoints, wants_stream};

fn scan(text: &str) -> BodyScan {
    BodyScan::parse(&Bytes::copy_from_slice(text.as_bytes()), 64).unwrap()
}

#[test]
fn the_first_matching_row_names_the_protocol() {
    use Protocol::*;
    let cases = [
        ("/model/x/converse", r#"{"messages":[]}"#, Some(BedrockConverse)),
        ("/model/x/converse", r#"{"messages":"text"}"#, Some(Passthrough)),
        ("/model/x/converse", r#"{"input":1}"#, Some(OpenAiEmbeddings)),
        ("/v1/messages", r#"{"messages":[]}"#, Some(AnthropicMessages)),
        ("/llm/v1/messages", "{}", Some(AnthropicMessages)),
        ("/v1/messages", "[]", Some(AnthropicMessages)),
        ("/v1/messages/", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/v1/messages", "\"text\"", None),
        ("/v1/responses", r#"{"input":"hi"}"#, Some(OpenAiResponses)),
        ("/v1/responses", r#"{"input":null}"#, Some(OpenAiResponses)),
        ("/v1/responses", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/v1/chat/completions", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/anything", r#"{"messages":{}}"#, Some(OpenAiChat)),
        ("/v1/embeddings", r#"{"input":["a"]}"#, Some(OpenAiEmbeddings)),
        ("/v1/embeddings", r#"{"input":null}"#, Some(OpenAiEmbeddings)),
        ("/v1/chat/completions", r#"{"input":"a","messages":[]}"#, Some(OpenAiChat)),
        ("/v1/rerank", r#"{"query":"a"}"#, Some(Passthrough)),
        ("/v1/rerank", "[1]", Some(Passthrough)),
        ("/v1/rerank", "[ ]", None),
        ("/v1/rerank", "{}", None),
        ("/v1/rerank", "\"text\"", None),
        ("/v1/rerank", "true", None),
    ];
    for (path, body, expected) in cases {
        assert_eq!(detect(path, &scan(body)), expected, "{path} {body}");
    }
}

#[test]
fn embeddings_never_stream() {
    let body = scan(r#"{"stream":true}"#);
    for protocol in Protocol::ALL {
        assert_eq!(wants_stream(protocol, &body), protocol != Protocol::OpenAiEmbeddings, "{protocol}");
    }
}

#[test]
fn every_protocol_has_its_own_row_and_name() {
    assert_eq!(endpoints().len(), Protocol::ALL.len());
    for protocol in Protocol::ALL {
        assert_eq!(endpoint(protocol).protocol, protocol);
        assert_eq!(protocol.as_str().parse(), Ok(protocol));
    }
    assert_eq!("grpc".parse::<Protocol>().unwrap_err().to_string(), "unknown AI protocol \"grpc\"");
}

#[test]
fn providers_are_found_by_name() {
    let path = |name: &str, protocol| Provider::by_name(name)?.capability(protocol).map(|capability| capability.path);
    let cases = [
        ("openai", Protocol::OpenAiChat, Some("/v1/chat/completions")),
        ("openai", Protocol::OpenAiResponses, Some("/v1/responses")),
        ("openai", Protocol::OpenAiEmbeddings, Some("/v1/embeddings")),
        ("openai", Protocol::AnthropicMessages, None),
        ("deepseek", Protocol::OpenAiChat, Some("/chat/completions")),
        ("openrouter", Protocol::OpenAiChat, Some("/api/v1/chat/completions")),
        ("azure-openai", Protocol::OpenAiChat, Some("/completions")),
        ("aimlapi", Protocol::OpenAiChat, Some("/chat/completions")),
        ("openai-compatible", Protocol::OpenAiEmbeddings, Some("/v1/embeddings")),
        ("anthropic", Protocol::AnthropicMessages, Some("/v1/messages")),
        ("gemini", Protocol::OpenAiChat, Some("/v1beta/openai/chat/completions")),
        ("nobody", Protocol::OpenAiChat, None),
    ];
    for (name, protocol, expected) in cases {
        assert_eq!(path(name, protocol), expected, "{name} {protocol}");
    }
    let without_host: Vec<_> = Provider::all().iter().filter(|row| row.host.is_none()).map(|row| row.name).collect();
    assert_eq!(without_host, ["azure-openai", "openai-compatible"]);
}
