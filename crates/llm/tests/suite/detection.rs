//! Which protocol a request speaks, and where providers are reached.

use bytes::Bytes;
use tidegate_llm::{
    Asked, BodyKind, BodyScan, ClientDialect, Content, Course, EndpointPath, InvokeFamily, Protocol, Provider, detect,
    endpoint, endpoints, passing,
};

fn scan(text: &str) -> BodyScan {
    BodyScan::parse(&Bytes::copy_from_slice(text.as_bytes()), 64).unwrap()
}

#[test]
fn the_first_matching_row_names_the_protocol() {
    use Protocol::*;
    let cases = [
        ("/model/x/converse", r#"{"messages":[]}"#, Some(BedrockConverse)),
        ("/bedrock/converse", r#"{"messages":[]}"#, Some(BedrockConverse)),
        ("/my-agent/invoke", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/chat:countTokens", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/v1/rerank", r#"{"messages":[],"documents":[]}"#, Some(OpenAiChat)),
        ("/v1/completions", r#"{"messages":[],"prompt":"a"}"#, Some(OpenAiChat)),
        ("/model/x/converse", r#"{"messages":"text"}"#, Some(Passthrough)),
        ("/model/x/converse", r#"{"input":1}"#, Some(OpenAiEmbeddings)),
        ("/v1/messages", r#"{"messages":[]}"#, Some(AnthropicMessages)),
        ("/llm/v1/messages", "{}", Some(AnthropicMessages)),
        ("/v1/messages", "[]", Some(AnthropicMessages)),
        ("/v1/messages/", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/v1/messages", "\"text\"", None),
        ("/v1/responses", r#"{"input":"hi"}"#, Some(OpenAiResponses)),
        ("/openai/responses", r#"{"input":"hi"}"#, Some(OpenAiResponses)),
        ("/v1/responses", r#"{"input":null}"#, Some(OpenAiResponses)),
        ("/v1/responses", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/v1/chat/completions", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/anything", r#"{"messages":{}}"#, Some(OpenAiChat)),
        ("/v1/embeddings", r#"{"input":["a"]}"#, Some(OpenAiEmbeddings)),
        ("/v1/embeddings", r#"{"input":null}"#, Some(OpenAiEmbeddings)),
        ("/v1/chat/completions", r#"{"input":"a","messages":[]}"#, Some(OpenAiChat)),
        ("/v1beta/models/m:generateContent", r#"{"contents":[]}"#, Some(GeminiGenerate)),
        ("/v1beta/models/m:generateContent", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/v1beta/models/m:streamGenerateContent", r#"{"contents":[]}"#, Some(GeminiGenerate)),
        ("/v1beta/models/m:countTokens", r#"{"contents":[]}"#, Some(GeminiCountTokens)),
        ("/model/x/count-tokens", r#"{"input":{"converse":{}}}"#, Some(BedrockCountTokens)),
        ("/v1beta/models/m:embedContent", r#"{"content":{}}"#, Some(GeminiEmbed)),
        ("/v1beta/models/m:batchEmbedContents", r#"{"requests":[]}"#, Some(GeminiBatchEmbed)),
        ("/model/x/converse-stream", r#"{"messages":[]}"#, Some(BedrockConverse)),
        ("/model/x/invoke", r#"{"prompt":"a"}"#, Some(BedrockInvoke)),
        ("/model/x/invoke-with-response-stream", r#"{"messages":[]}"#, Some(BedrockInvoke)),
        ("/v2/chat", r#"{"messages":[]}"#, Some(CohereChat)),
        ("/v1/messages/count_tokens", r#"{"messages":[]}"#, Some(AnthropicCountTokens)),
        ("/v1/completions", r#"{"prompt":"a"}"#, Some(OpenAiCompletions)),
        ("/v1/completions", r#"{"messages":[]}"#, Some(OpenAiChat)),
        ("/v1/moderations", r#"{"input":"a"}"#, Some(OpenAiModerations)),
        ("/v1/rerank", r#"{"query":"a","documents":[]}"#, Some(Rerank)),
        ("/v2/rerank", r#"{"query":"a","documents":[]}"#, Some(Rerank)),
        ("/v1/rerank", r#"{"query":"a"}"#, Some(Passthrough)),
        ("/v1/rerank", "[1]", Some(Passthrough)),
        ("/v1/rerank", "[ ]", None),
        ("/v1/rerank", "{}", None),
        ("/v1/rerank", "\"text\"", None),
        ("/v1/rerank", "true", None),
        ("/v1/images/generations", r#"{"prompt":"a"}"#, Some(Images)),
        ("/v1/images/edits", r#"{"prompt":"a","images":[]}"#, Some(Images)),
        ("/v1/audio/speech", r#"{"input":"a"}"#, Some(Speech)),
        ("/v1/videos", r#"{"prompt":"a"}"#, Some(Videos)),
        ("/v1/responses/compact", r#"{"input":"a"}"#, Some(StoredResponses)),
        ("/v1beta/models/imagen:predict", r#"{"instances":[]}"#, Some(GeminiPredict)),
        ("/v1beta/models/veo:predictLongRunning", r#"{"instances":[]}"#, Some(GeminiPredict)),
    ];
    for (path, body, expected) in cases {
        assert_eq!(detect(at(path), &scan(body)).map(|found| found.protocol), expected, "{path} {body}");
    }
}

#[test]
fn what_is_no_json_passes_unread_where_its_path_says_so() {
    use Content::{Json, Nothing, Other};
    use Protocol::*;
    let cases = [
        ("/v1/chat/completions", Other, None),
        ("/v1/chat/completions", Nothing, None),
        ("/v1/messages", Nothing, None),
        ("/v1/images/generations", Other, None),
        ("/v1/images/edits", Other, Some(Images)),
        ("/v1/images/edits", Json, None),
        ("/v1/audio/speech", Other, None),
        ("/openai/v1/audio/transcriptions", Other, Some(Transcriptions)),
        ("/v1/audio/translations", Other, Some(Transcriptions)),
        ("/v1/videos", Other, Some(Videos)),
        ("/v1/videos", Json, None),
        ("/v1/videos", Nothing, Some(Videos)),
        ("/v1/videos/video_1/remix", Json, Some(Videos)),
        ("/v1/files", Other, Some(Files)),
        ("/v1/files", Nothing, Some(Files)),
        ("/v1/files/file-1/content", Nothing, Some(Files)),
        ("/v1/files//content", Nothing, None),
        ("/v1/files/file-1/contents", Nothing, None),
        ("/v1/uploads/u/parts", Other, Some(Files)),
        ("/v1beta/files/f", Nothing, Some(Files)),
        ("/upload/v1beta/files", Json, Some(Files)),
        ("/v1/batches", Json, Some(Batches)),
        ("/v1/messages/batches", Json, Some(Batches)),
        ("/v1/messages/batches/b/results", Nothing, Some(Batches)),
        ("/v1/messages/count_tokens", Nothing, None),
        ("/v1/responses", Nothing, None),
        ("/v1/responses/compact", Json, None),
        ("/v1/responses/resp_1", Nothing, Some(StoredResponses)),
        ("/v1/responses/resp_1", Json, None),
        ("/v1/responses/resp_1/cancel", Nothing, Some(StoredResponses)),
        ("/v1/realtime", Nothing, Some(Realtime)),
        ("/v1/realtime/client_secrets", Json, Some(Realtime)),
        ("/v1/models", Nothing, Some(Models)),
        ("/v1/models/meta%2Fllama", Nothing, Some(Models)),
        ("/v1beta/models/m:generateContent", Nothing, None),
        ("/v1beta/models/m:anything", Json, None),
        ("/v1beta/models/veo/operations/o", Nothing, Some(GeminiPredict)),
        ("/anything", Other, None),
    ];
    for (path, content, expected) in cases {
        assert_eq!(passing(at(path), content).map(|found| found.protocol), expected, "{path} {content:?}");
    }
    let body = |path, content| passing(at(path), content).map(|found| found.body);
    assert_eq!(body("/v1/realtime", Nothing), Some(BodyKind::WebSocket));
    assert_eq!(body("/v1/images/edits", Other), Some(BodyKind::Multipart));
}

#[test]
fn a_path_with_an_identifier_shows_where_it_stands() {
    let forms: Vec<String> = endpoint(Protocol::Files).paths.iter().map(ToString::to_string).collect();
    assert!(forms.contains(&"/v1/files/{id}/content".to_owned()), "{forms:?}");
}

#[test]
fn a_stream_is_asked_for_by_the_body_or_by_the_path() {
    let cases = [
        ("/v1/chat/completions", r#"{"messages":[],"stream":true}"#, true),
        ("/v1/chat/completions", r#"{"messages":[],"stream":"true"}"#, false),
        ("/v1/embeddings", r#"{"input":"a","stream":true}"#, false),
        ("/v1/messages", r#"{"stream":true}"#, true),
        ("/v1beta/models/m:generateContent", r#"{"contents":[],"stream":true}"#, false),
        ("/v1beta/models/m:streamGenerateContent", r#"{"contents":[]}"#, true),
        ("/model/m/converse", r#"{"messages":[],"stream":true}"#, true),
        ("/model/m/converse", r#"{"messages":[]}"#, false),
        ("/model/m/converse-stream", r#"{"messages":[]}"#, true),
        ("/anything", r#"{"stream":true}"#, true),
    ];
    for (path, body, expected) in cases {
        assert_eq!(detect(at(path), &scan(body)).map(|found| found.stream), Some(expected), "{path} {body}");
    }
}

#[test]
fn a_path_may_name_the_model() {
    let cases = [
        ("/v1beta/models/gemini-2.5-flash:generateContent", r#"{"contents":[]}"#, Some("gemini-2.5-flash")),
        ("/model/us.anthropic.claude%3A0/converse", r#"{"messages":[]}"#, Some("us.anthropic.claude:0")),
        ("/v1beta/models/openai/gpt-oss-20b:generateContent", r#"{"contents":[]}"#, Some("openai/gpt-oss-20b")),
        (
            "/a/v1beta/models/accounts/f/models/m:streamGenerateContent",
            r#"{"contents":[]}"#,
            Some("accounts/f/models/m"),
        ),
        ("/ai/models/v1beta/models/openai/m:generateContent", r#"{"contents":[]}"#, Some("openai/m")),
        ("/models/m:generateContent", r#"{"contents":[]}"#, Some("m")),
        ("/models/aws/model/us.x/converse", r#"{"messages":[]}"#, Some("us.x")),
        ("/v1/publishers/google/models/m:generateContent", r#"{"contents":[]}"#, Some("m")),
        ("/v1beta/models/:generateContent", r#"{"contents":[],"model":"b"}"#, Some("b")),
        ("/model/arn%3Aaws%3Ax%2Fy/converse-stream", r#"{"messages":[]}"#, Some("arn:aws:x/y")),
        ("/bedrock/converse", r#"{"messages":[],"model":"m"}"#, Some("m")),
        ("/v1/chat/completions", r#"{"messages":[],"model":"m"}"#, Some("m")),
        ("/v1/chat/completions", r#"{"messages":[]}"#, None),
    ];
    for (path, body, expected) in cases {
        let body = scan(body);
        assert_eq!(detect(at(path), &body).unwrap().model.as_deref(), expected, "{path}");
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
    let protocols = |row: &Provider| row.capabilities.iter().map(|one| one.protocol).collect::<Vec<_>>();
    let local = |row: &Provider| row.scheme == "http" && row.host == Some("127.0.0.1");
    for row in Provider::all() {
        assert!(row.capabilities.iter().all(|one| one.path.starts_with('/')), "{}", row.name);
        assert!(!protocols(row).is_empty() && (row.scheme == "https" || local(row)), "{}", row.name);
    }
}

#[test]
fn a_provider_is_addressed_in_the_clients_protocol_or_in_its_own_first() {
    let course =
        |provider: &str, protocol, model| Provider::by_name(provider).unwrap().course(Asked::of(protocol, model));
    let addressed = |course| match course {
        Some(Course::Same(capability)) => Some((capability.protocol, "same")),
        Some(Course::Translated { capability, .. }) => Some((capability.protocol, "translated")),
        Some(Course::Mapped { capability, .. }) => Some((capability.protocol, "mapped")),
        Some(Course::Counted) => Some((Protocol::Passthrough, "counted")),
        Some(Course::Passed) => Some((Protocol::Passthrough, "passed")),
        None => None,
    };
    use Protocol::*;
    let cases = [
        ("openai", OpenAiChat, "m", Some((OpenAiChat, "same"))),
        ("openai", AnthropicMessages, "m", Some((OpenAiChat, "translated"))),
        ("openai", GeminiGenerate, "m", Some((OpenAiChat, "translated"))),
        ("anthropic", OpenAiChat, "m", Some((OpenAiChat, "same"))),
        ("anthropic", OpenAiResponses, "m", Some((AnthropicMessages, "translated"))),
        ("gemini", AnthropicMessages, "m", Some((OpenAiChat, "translated"))),
        ("gemini", GeminiGenerate, "m", Some((GeminiGenerate, "same"))),
        ("gemini", OpenAiChat, "m", Some((OpenAiChat, "same"))),
        ("gemini", OpenAiResponses, "m", Some((GeminiGenerate, "translated"))),
        ("gemini", CohereChat, "models/m", Some((OpenAiChat, "translated"))),
        ("vertex-ai", BedrockConverse, "gemini-x", Some((GeminiGenerate, "translated"))),
        ("vertex-ai", BedrockConverse, "meta/llama-x", Some((OpenAiChat, "translated"))),
        ("vertex-ai", OpenAiResponses, "claude-x", Some((AnthropicMessages, "translated"))),
        ("vertex-ai", GeminiGenerate, "claude-x", Some((AnthropicMessages, "translated"))),
        ("vertex-ai", OpenAiChat, "gemini-x", Some((OpenAiChat, "same"))),
        ("vertex-ai", AnthropicMessages, "claude-x", Some((AnthropicMessages, "same"))),
        ("vertex-ai", OpenAiChat, "claude-x", Some((AnthropicMessages, "translated"))),
        ("vertex-ai", AnthropicMessages, "gemini-x", Some((OpenAiChat, "translated"))),
        ("vertex-ai", OpenAiEmbeddings, "m", Some((VertexPredict, "mapped"))),
        ("bedrock", OpenAiChat, "m", Some((BedrockConverse, "translated"))),
        ("bedrock", BedrockInvoke, "anthropic.claude-x", Some((BedrockInvoke, "same"))),
        ("bedrock-invoke", OpenAiChat, "us.anthropic.claude-x", Some((BedrockInvoke, "translated"))),
        ("bedrock-invoke", OpenAiChat, "amazon.nova-x", Some((BedrockConverse, "translated"))),
        ("ollama", AnthropicMessages, "m", Some((OpenAiChat, "translated"))),
        ("ollama-native", OpenAiChat, "m", Some((OllamaChat, "translated"))),
        ("dashscope-native", OpenAiChat, "qwen-max", Some((DashScopeGeneration, "translated"))),
        ("cohere", OpenAiChat, "m", Some((CohereChat, "translated"))),
        ("cohere", OpenAiEmbeddings, "m", Some((CohereEmbed, "mapped"))),
        ("gemini", GeminiBatchEmbed, "m", Some((GeminiBatchEmbed, "same"))),
        ("bedrock", OpenAiEmbeddings, "eu.cohere.embed-v4", Some((BedrockInvoke, "mapped"))),
        ("bedrock", OpenAiEmbeddings, "anthropic.claude", None),
        ("bedrock-invoke", OpenAiEmbeddings, "amazon.titan-embed-text-v2:0", Some((BedrockInvoke, "mapped"))),
        ("bedrock-invoke", Rerank, "cohere.rerank-v3-5:0", Some((BedrockInvoke, "mapped"))),
        ("cohere", CohereEmbed, "m", Some((CohereEmbed, "same"))),
        ("bedrock", Rerank, "cohere.rerank-v3-5:0", Some((BedrockInvoke, "mapped"))),
        ("vertex-ai", OpenAiEmbeddings, "gemini-embedding-2", Some((GeminiEmbed, "mapped"))),
        ("ollama-native", OpenAiEmbeddings, "m", Some((OllamaEmbed, "mapped"))),
        ("mistral", OpenAiModerations, "m", Some((OpenAiModerations, "same"))),
        ("anthropic", OpenAiModerations, "m", None),
        ("voyage", Rerank, "m", Some((VoyageRerank, "mapped"))),
        ("dashscope", Rerank, "m", Some((DashScopeRerank, "mapped"))),
        ("anthropic", AnthropicCountTokens, "m", Some((AnthropicCountTokens, "same"))),
        ("openai", AnthropicCountTokens, "m", Some((Passthrough, "counted"))),
        ("deepseek", OpenAiEmbeddings, "m", None),
        ("openai", OpenAiCompletions, "m", Some((OpenAiCompletions, "same"))),
        ("anthropic", OpenAiCompletions, "m", Some((AnthropicMessages, "translated"))),
        ("mistral", OpenAiCompletions, "m", Some((OpenAiChat, "translated"))),
        ("bedrock", OpenAiCompletions, "m", Some((BedrockConverse, "translated"))),
        ("voyage", OpenAiCompletions, "m", None),
        ("deepseek", Rerank, "m", Some((Passthrough, "passed"))),
        ("deepseek", Passthrough, "m", Some((Passthrough, "passed"))),
    ];
    for (provider, protocol, model, expected) in cases {
        assert_eq!(addressed(course(provider, protocol, model)), expected, "{provider} {protocol} {model}");
    }
}

#[test]
fn an_endpoint_with_a_path_of_openais_is_asked_in_openais_form() {
    let course = |path| {
        let asked = Asked { endpoint_path: path, ..Asked::of(Protocol::OpenAiResponses, "gemini-x") };
        match Provider::by_name("gemini").unwrap().course(asked) {
            Some(Course::Translated { capability, .. }) => capability.protocol,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(course(None), Protocol::GeminiGenerate);
    assert_eq!(course(Some("/proxy/v1beta/models/gemini-x:generateContent")), Protocol::GeminiGenerate);
    assert_eq!(course(Some("/v1beta/openai/chat/completions")), Protocol::OpenAiChat);
    assert_eq!(course(Some("/")), Protocol::OpenAiChat);
}

#[test]
fn the_bodies_of_invoke_that_are_read_reach_every_provider_and_others_only_bedrock() {
    let course = |provider, client| {
        let asked = Asked { client, ..Asked::of(Protocol::BedrockInvoke, "m") };
        match Provider::by_name(provider).unwrap().course(asked) {
            Some(Course::Same(capability) | Course::Translated { capability, .. }) => Some(capability.protocol),
            Some(Course::Mapped { .. } | Course::Counted | Course::Passed) | None => None,
        }
    };
    for family in InvokeFamily::ALL {
        let client = Some(ClientDialect::BedrockInvoke(family));
        assert_eq!(course("openai", client), Some(Protocol::OpenAiChat));
        assert_eq!(course("anthropic", client), Some(Protocol::AnthropicMessages));
        assert_eq!(course("bedrock", client), Some(Protocol::BedrockInvoke));
        assert_eq!(course("bedrock-invoke", client), Some(Protocol::BedrockConverse));
    }
    assert_eq!(course("openai", None), None);
    assert_eq!(course("bedrock", None), Some(Protocol::BedrockInvoke));
}

fn at(path: &str) -> tidegate_llm::RequestPath<'_> {
    tidegate_llm::RequestPath { normal: path, sent: path }
}

#[test]
fn vertex_is_asked_at_the_paths_that_its_models_have() {
    let course = |protocol, model| match Provider::by_name("vertex-ai").unwrap().course(Asked::of(protocol, model)) {
        Some(Course::Same(capability) | Course::Mapped { capability, .. }) => Some(capability.protocol),
        Some(Course::Counted) => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(course(Protocol::GeminiCountTokens, "claude-x"), None);
    assert_eq!(course(Protocol::GeminiCountTokens, "gemini-x"), Some(Protocol::GeminiCountTokens));
    assert_eq!(course(Protocol::GeminiEmbed, "text-embedding-005"), Some(Protocol::VertexPredict));
    assert_eq!(course(Protocol::GeminiEmbed, "gemini-embedding-2-x"), Some(Protocol::GeminiEmbed));
}

#[test]
fn counting_tokens_costs_none_and_obeys_no_endpoints_path() {
    for protocol in [Protocol::AnthropicCountTokens, Protocol::GeminiCountTokens, Protocol::BedrockCountTokens] {
        assert!(!endpoint(protocol).costs_tokens(), "{protocol}");
        assert_eq!(endpoint(protocol).endpoint_path, EndpointPath::Ignored, "{protocol}");
    }
    for protocol in Protocol::ALL.into_iter().filter(|protocol| protocol.dialect().is_some()) {
        assert!(endpoint(protocol).costs_tokens(), "{protocol}");
        assert_eq!(endpoint(protocol).endpoint_path, EndpointPath::Obeyed, "{protocol}");
    }
}
