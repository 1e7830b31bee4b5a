//! Clients of Bedrock's `invoke`, by example and by their recorded requests.

use bytes::Bytes;
use serde_json::{Value, json};
use tidegate_llm::{
    ApiError, Asked, BodyScan, ClientDialect, Course, Dialect, ErrorKind, InvokeFamily, LossPolicy, PathFacts,
    Protocol, Provider, ProviderDialect, Quirks, Raw, Renames, Reply, StreamTranslator, Target, Translated,
    TranslatedEnd, translate_request, translate_response,
};

use crate::golden::exchanges;
use crate::grammar;
use crate::native::streamed;

const CLAUDE: ClientDialect = ClientDialect::BedrockInvoke(InvokeFamily::Anthropic);
const NOVA: ClientDialect = ClientDialect::BedrockInvoke(InvokeFamily::Nova);

fn family(body: &Value, model: &str) -> Option<ClientDialect> {
    let scan = BodyScan::parse(&Bytes::from(body.to_string()), 64).unwrap();
    ClientDialect::of(Protocol::BedrockInvoke, &scan, model)
}

fn asked(client: ClientDialect, provider: Dialect, body: &Value) -> (Value, Translated) {
    let target = Target { dialect: provider.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
    let text = body.to_string();
    let path = PathFacts { model: Some("m"), stream: true, betas: None };
    let told = translate_request(client, &target, Raw::new(text.as_bytes()).unwrap(), path).unwrap();
    (serde_json::from_slice(&told.body).unwrap(), told)
}

fn reply() -> Reply {
    Reply { id: "made-up".into(), model: "m".into(), ..Reply::default() }
}

/// A stream of OpenAI Chat that is cut behind as many events.
fn chat(events: usize) -> String {
    let chunks = [
        json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "wait"}}]}),
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
            "function": {"name": "get_tide", "arguments": "{\"port\":"}}]}}]}),
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}}]}),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
        json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 2}}}),
    ];
    let mut text: String = chunks.iter().take(events).map(|chunk| format!("data: {chunk}\n\n")).collect();
    if events > chunks.len() {
        text.push_str("data: [DONE]\n\n");
    }
    text
}

fn translated(client: ClientDialect, stream: &str) -> (Vec<u8>, TranslatedEnd) {
    let mut translator = StreamTranslator::new(Dialect::OpenAiChat, client, reply(), Renames::default());
    let mut out = Vec::new();
    translator.push(stream.as_bytes(), &mut out, &mut |_| {}).unwrap();
    let end = translator.end(&mut out);
    if end == TranslatedEnd::Cut {
        translator.fail(&ApiError::new(ErrorKind::StreamCut, "cut"), &mut out);
    }
    (out, end)
}

#[test]
fn a_body_of_another_family_than_the_models_is_translated() {
    let claude = "us.anthropic.claude-x";
    let (nova, profile) = ("amazon.nova-lite-v1:0", "arn:aws:bedrock:r:1:application-inference-profile/p");
    let (invoke, converse) = (ProviderDialect::BedrockInvoke, ProviderDialect::Shared(Dialect::BedrockConverse));
    let cases = [
        ("bedrock-invoke", NOVA, claude, Some(invoke)),
        ("bedrock-invoke", CLAUDE, nova, Some(converse)),
        ("bedrock-invoke", CLAUDE, claude, None),
        ("bedrock", NOVA, claude, Some(converse)),
        ("bedrock", CLAUDE, nova, Some(converse)),
        ("bedrock", NOVA, nova, None),
        ("bedrock", CLAUDE, profile, None),
    ];
    for (provider, client, model, expected) in cases {
        let asked = Asked { client: Some(client), ..Asked::of(Protocol::BedrockInvoke, model) };
        let dialect = match Provider::by_name(provider).unwrap().course(asked) {
            Some(Course::Translated { provider, .. }) => Some(provider),
            Some(Course::Same(_)) => None,
            other => panic!("{provider} {model}: {other:?}"),
        };
        assert_eq!(dialect, expected, "{provider} {client:?} {model}");
    }
}

#[test]
fn a_body_tells_its_family_before_the_model_does() {
    let turns = json!([{"role": "user", "content": "hi"}]);
    let cases = [
        (json!({"anthropic_version": "bedrock-2023-05-31", "messages": turns}), "gpt-4o", Some(CLAUDE)),
        (json!({"messages": turns}), "us.anthropic.claude-x", Some(CLAUDE)),
        (json!({"schemaVersion": "messages-v1", "messages": turns}), "m", Some(NOVA)),
        (json!({"messages": turns, "inferenceConfig": {}}), "anthropic.claude-x", Some(NOVA)),
        (json!({"messages": turns}), "eu.amazon.nova-lite-v1:0", Some(NOVA)),
        // Mistral's, AI21's and OpenAI's; Anthropic's older completions; embeddings.
        (json!({"messages": turns, "max_tokens": 5}), "mistral.pixtral-large", None),
        (json!({"prompt": "hi", "anthropic_version": "bedrock-2023-05-31"}), "anthropic.claude-v2", None),
        (json!({"schemaVersion": "nova-multimodal-embed-v1"}), "amazon.nova-2-multimodal-embeddings-v1:0", None),
        (json!({"inputText": "hi"}), "amazon.titan-text-express-v1", None),
        (json!({"prompt": "hi", "max_gen_len": 5}), "meta.llama3-8b-instruct-v1:0", None),
    ];
    for (body, model, expected) in cases {
        assert_eq!(family(&body, model), expected, "{body} {model}");
    }
}

#[test]
fn what_only_bedrock_needs_is_left_out_and_previews_are_asked_for_in_a_header() {
    let body = json!({"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["a-1", "b-2"], "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}]});

    let (sent, told) = asked(CLAUDE, Dialect::Anthropic, &body);
    assert_eq!((told.losses.to_string(), told.betas.as_deref()), (String::new(), Some("a-1,b-2")));
    assert_eq!((&sent["model"], &sent["stream"], &sent["max_tokens"]), (&json!("m"), &json!(true), &json!(9)));
    assert!(sent.get("anthropic_version").is_none() && sent.get("anthropic_beta").is_none());

    let (_, told) = asked(CLAUDE, Dialect::OpenAiChat, &body);
    assert_eq!((told.losses.to_string().as_str(), told.betas), ("field:anthropic_beta", None));
}

#[test]
fn previews_of_a_header_that_bedrock_knows_are_a_list_there_and_the_others_are_named() {
    let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let raw = Raw::new(body.as_bytes()).unwrap();
    let betas = "claude-code-20250219, interleaved-thinking-2025-05-14,context-1m-2025-08-07";
    let asked = |provider: ProviderDialect, model: &str, betas: &str| {
        let path = PathFacts { model: Some(model), stream: false, betas: Some(betas) };
        // Clients send the header with every request.
        let target = Target { dialect: provider, quirks: Quirks::default(), losses: LossPolicy::Refuse };
        let told = translate_request(Dialect::Anthropic, &target, raw, path).unwrap();
        (serde_json::from_slice::<Value>(&told.body).unwrap(), told.losses.to_string())
    };
    let known = json!(["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"]);
    let unknown = "field:claude-code-20250219";
    let (sent, lost) = asked(ProviderDialect::BedrockInvoke, "anthropic.claude-x", betas);
    assert_eq!((&sent["anthropic_beta"], &*lost), (&known, unknown));
    let (sent, lost) = asked(ProviderDialect::BedrockInvoke, "anthropic.claude-x", "claude-code-20250219");
    assert_eq!((sent.get("anthropic_beta"), &*lost), (None, unknown));
    let converse = ProviderDialect::Shared(Dialect::BedrockConverse);
    let (sent, lost) = asked(converse, "anthropic.claude-x", betas);
    assert_eq!((&sent["additionalModelRequestFields"]["anthropic_beta"], &*lost), (&known, unknown));
    let (sent, lost) = asked(converse, "amazon.nova-lite-v1:0", "context-1m-2025-08-07");
    assert_eq!((sent.get("additionalModelRequestFields"), &*lost), (None, "field:context-1m-2025-08-07"));
}

#[test]
fn novas_own_spellings_are_read() {
    let body = json!({"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "inferenceConfig": {"max_new_tokens": 9, "topP": 0.5, "topK": 20}});

    let (sent, told) = asked(NOVA, Dialect::Anthropic, &body);
    assert_eq!(told.losses.to_string(), "");
    assert_eq!((&sent["max_tokens"], &sent["top_p"], &sent["top_k"]), (&json!(9), &json!(0.5), &json!(20)));
}

#[test]
fn recorded_requests_of_both_families_are_read_and_no_others() {
    for exchange in exchanges("bedrock-invoke") {
        let Some(client) = family(&exchange.request, "") else {
            let body = &exchange.request;
            assert!(body.get("messages").is_none() || body.get("anthropic_version").is_none(), "{}", exchange.name);
            continue;
        };
        let (_, told) = asked(client, Dialect::OpenAiChat, &exchange.request);
        let lost = told.losses.to_string();
        assert!(
            lost.split(", ").all(|name| ["", "cache_control", "top_k"].contains(&name)),
            "{} {lost}",
            exchange.name
        );
    }
}

#[test]
fn an_answer_has_the_familys_body() {
    let answer = json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "hello"}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}})
    .to_string();
    let told = |client| {
        let raw = Raw::new(answer.as_bytes()).unwrap();
        let body = translate_response(Dialect::OpenAiChat, client, raw, &reply(), &Renames::default()).unwrap().body;
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let claude = told(CLAUDE);
    assert_eq!((&claude["type"], &claude["content"][0]["text"]), (&json!("message"), &json!("hello")));
    let nova = told(NOVA);
    assert_eq!((&nova["stopReason"], &nova["usage"]["inputTokens"]), (&json!("end_turn"), &json!(9)));
}

#[test]
fn a_stream_of_claude_holds_anthropics_events_and_ends_with_bedrocks_counts() {
    let (bytes, end) = translated(CLAUDE, &chat(9));
    assert_eq!(end, TranslatedEnd::Complete);
    grammar::invoke::check(InvokeFamily::Anthropic, &bytes).unwrap();
    let events = grammar::invoke::events(&bytes).unwrap();
    let metrics = &events.last().unwrap()["amazon-bedrock-invocationMetrics"];
    let counts = ["inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount"].map(|name| &metrics[name]);
    assert_eq!(counts, [&json!(7), &json!(4), &json!(2)]);
    let back = streamed(ProviderDialect::BedrockInvoke, [bytes.as_slice()]);
    assert_eq!((back.text.as_str(), back.end), ("wait", TranslatedEnd::Complete));
    assert_eq!(back.calls, [("get_tide".to_owned(), "{\"port\":1}".to_owned())]);
    assert_eq!(back.usage["total_tokens"], 13);
}

#[test]
fn a_stream_of_nova_holds_converses_events_by_name() {
    let (bytes, end) = translated(NOVA, &chat(9));
    assert_eq!(end, TranslatedEnd::Complete);
    grammar::invoke::check(InvokeFamily::Nova, &bytes).unwrap();
    let events = grammar::invoke::events(&bytes).unwrap();
    assert_eq!(events.last().unwrap()["amazon-bedrock-invocationMetrics"]["outputTokenCount"], 4);
}

#[test]
fn a_stream_that_breaks_off_ends_in_an_exception() {
    for (client, cut) in [CLAUDE, NOVA].into_iter().flat_map(|client| (0..3).map(move |cut| (client, cut))) {
        let (bytes, end) = translated(client, &chat(cut));
        assert_eq!(end, TranslatedEnd::Cut);
        assert!(!String::from_utf8_lossy(&bytes).contains("invocationMetrics"));
        let tail = String::from_utf8_lossy(&bytes).rfind("modelStreamErrorException");
        assert!(tail.is_some(), "{client:?} {cut}");
    }
}

#[test]
fn what_nova_is_told_with_null_is_not_told() {
    let body = json!({"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "inferenceConfig": {"max_new_tokens": null, "top_p": null, "topK": null, "odd": null}});

    let (sent, told) = asked(NOVA, Dialect::Anthropic, &body);
    assert_eq!(told.losses.to_string(), "");
    assert_eq!((sent.get("top_p"), sent.get("top_k")), (None, None));
}
