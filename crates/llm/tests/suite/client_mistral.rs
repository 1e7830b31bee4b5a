//! Clients that are Mistral's SDKs: how they are known, what reaches providers of other manners, what comes back.

use serde_json::{Value, json};
use tidegate_llm::{
    Asked, ClientDialect, Course, Dialect, LossPolicy, PathFacts, Protocol, Provider, ProviderDialect, Quirks, Raw,
    Renames, Reply, StreamTranslator, Target, TranslatedAnswer, TranslatedEnd, translate_request, translate_response,
};

use crate::grammar;

const MISTRAL: ClientDialect = ClientDialect::Mistral;
const CHAT: ClientDialect = ClientDialect::Shared(Dialect::OpenAiChat);

fn reply() -> Reply {
    Reply { id: "made-up".into(), model: "asked".into(), created: 7, include_usage: true, ..Reply::default() }
}

/// What `provider` is asked, and what is left out.
fn ask(provider: impl Into<ProviderDialect>, request: &Value) -> (Value, String) {
    let target = Target { dialect: provider.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
    let text = request.to_string();
    let path = PathFacts::default();
    let told = translate_request(MISTRAL, &target, Raw::new(text.as_bytes()).unwrap(), path).unwrap();
    (serde_json::from_slice(&told.body).unwrap(), told.losses.to_string())
}

fn told(provider: impl Into<ProviderDialect>, answer: &Value) -> (Value, String) {
    let text = answer.to_string();
    let raw = Raw::new(text.as_bytes()).unwrap();
    let TranslatedAnswer { body: written, losses, .. } =
        translate_response(provider, MISTRAL, raw, &reply(), &Renames::default()).unwrap();
    (serde_json::from_slice(&written).unwrap(), losses.to_string())
}

/// The chunks of a stream that ends well, by whose `delta` they are told.
fn streamed(provider: impl Into<ProviderDialect>, stream: &str) -> Vec<Value> {
    let mut translator = StreamTranslator::new(provider, MISTRAL, reply(), Renames::default());
    let mut out = Vec::new();
    translator.push(stream.as_bytes(), &mut out, &mut |_| {}).unwrap();
    assert_eq!(translator.end(&mut out), TranslatedEnd::Complete);
    grammar::mistral::check(&out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn deltas(chunks: &[Value]) -> Vec<&Value> {
    chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap()).map(|choice| &choice["delta"]).collect()
}

fn chat_stream(deltas: &[Value], finish: &str) -> String {
    let chunk = |delta: &Value, finish: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        format!("data: {}\n\n", json!({ "id": "c", "object": "chat.completion.chunk", "choices": [choice] }))
    };
    let mut stream: String = deltas.iter().map(|delta| chunk(delta, Value::Null)).collect();
    stream += &chunk(&json!({}), json!(finish));
    stream + "data: [DONE]\n\n"
}

#[test]
fn the_user_agent_tells_mistrals_sdks_from_other_clients_of_chat() {
    for agent in ["mistral-client-python/2.1.0", "mistral-client-typescript/1.10.0"] {
        assert_eq!(CHAT.of_agent(agent.as_bytes()), MISTRAL, "{agent}");
    }
    for agent in ["", "OpenAI/Python 2.8.0", "python-httpx/0.28.1", "my-mistral-client-python/1"] {
        assert_eq!(CHAT.of_agent(agent.as_bytes()), CHAT, "{agent}");
    }
    for other in [ClientDialect::Completions, ClientDialect::Shared(Dialect::Anthropic)] {
        assert_eq!(other.of_agent(b"mistral-client-python/2.1.0"), other);
    }
}

#[test]
fn only_mistrals_own_provider_gets_their_bytes_and_all_are_asked_where_other_clients_of_chat_ask() {
    let addressed = |provider: &str, client| {
        let asked = Asked { client: Some(client), ..Asked::of(Protocol::OpenAiChat, "m") };
        match Provider::by_name(provider).unwrap().course(asked) {
            Some(Course::Same(capability)) => (capability.protocol, "same"),
            Some(Course::Translated { capability, .. }) => (capability.protocol, "translated"),
            other => panic!("{provider}: {other:?}"),
        }
    };
    assert_eq!(addressed("mistral", MISTRAL), (Protocol::OpenAiChat, "same"));
    assert_eq!(addressed("mistral", CHAT), (Protocol::OpenAiChat, "same"));
    for provider in ["openai", "openai-compatible", "anthropic", "gemini", "deepseek"] {
        assert_eq!(addressed(provider, CHAT), (Protocol::OpenAiChat, "same"), "{provider}");
        assert_eq!(addressed(provider, MISTRAL), (Protocol::OpenAiChat, "translated"), "{provider}");
    }
    assert_eq!(addressed("bedrock", MISTRAL), (Protocol::BedrockConverse, "translated"));
}

#[test]
fn their_bytes_pass_to_mistrals_hosts_whatever_the_provider_is_called() {
    let passes = |host| {
        let asked = Asked { client: Some(MISTRAL), host, ..Asked::of(Protocol::OpenAiChat, "m") };
        matches!(Provider::by_name("openai-compatible").unwrap().course(asked), Some(Course::Same(_)))
    };
    for host in ["api.mistral.ai", "codestral.mistral.ai", "API.Mistral.AI.", "mistral.ai"] {
        assert!(passes(Some(host)), "{host}");
    }
    for host in [None, Some("api.openai.com"), Some("notmistral.ai"), Some("mistral.ai.test")] {
        assert!(!passes(host), "{host:?}");
    }
}

#[test]
fn what_they_ask_in_words_of_their_own_is_asked_in_openais() {
    let tool = json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } });
    let sound = json!({ "type": "input_audio", "input_audio": "UklGRgAA" });
    let picture = json!({ "type": "image_url", "image_url": "https://a.test/b.png" });
    let request = json!({
        "model": "m", "messages": [{ "role": "user", "content": [sound, picture] }], "random_seed": 7, "stream": true,
        "tools": [tool], "tool_choice": "any", "parallel_tool_calls": false, "max_tokens": 9,
        "prediction": { "type": "content", "content": "a" }, "safe_prompt": false,
    });
    let (body, losses) = ask(Dialect::OpenAiChat, &request);
    assert_eq!(
        body,
        json!({
            "model": "m", "stream": true, "stream_options": { "include_usage": true }, "seed": 7, "tools": [tool],
            "tool_choice": "required", "parallel_tool_calls": false, "max_completion_tokens": 9,
            "prediction": { "type": "content", "content": "a" },
            "messages": [{ "role": "user", "content": [
                { "type": "input_audio", "input_audio": { "data": "UklGRgAA", "format": "wav" } },
                { "type": "image_url", "image_url": { "url": "https://a.test/b.png" } },
            ] }],
        })
    );
    assert_eq!(losses, "");
    let (body, losses) = ask(Dialect::Anthropic, &request);
    assert_eq!(
        body["tool_choice"],
        json!({ "type": "any", "disable_parallel_tool_use": true }),
        "also where the dialect is another"
    );
    assert_eq!(losses, "audio, seed, field:prediction");
}

#[test]
fn what_mistral_alone_knows_is_left_out_and_named() {
    let request = json!({
        "model": "m", "safe_prompt": true, "prompt_mode": "reasoning", "guardrails": [{ "a": 1 }], "min_tokens": 3,
        "tools": [{ "type": "document_library", "library_ids": ["l"] }], "tool_choice": "auto",
        "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "Hi" },
                { "type": "document_url", "document_url": "https://a.test/b.pdf" },
                { "type": "reference", "reference_ids": [1] },
            ] },
            { "role": "assistant", "content": "Hello", "prefix": true },
        ],
    });
    let (body, losses) = ask(Dialect::OpenAiChat, &request);
    assert_eq!(
        body,
        json!({
            "model": "m", "min_tokens": 3,
            "messages": [
                { "role": "user", "content": "Hi" },
                { "role": "assistant", "content": "Hello" },
            ],
        })
    );
    let named = ["field:safe_prompt", "field:prompt_mode", "field:guardrails", "field:prefix", "media_url"];
    assert!(named.iter().all(|name| losses.contains(name)), "{losses}");
    let unsaid = json!({ "model": "m", "messages": [
        { "role": "user", "content": "Hi" }, { "role": "assistant", "content": "Hello", "prefix": false },
    ] });
    assert_eq!(ask(Dialect::OpenAiChat, &unsaid).1, "");
    assert_eq!(ask(Dialect::Anthropic, &unsaid).1, "");
}

#[test]
fn every_piece_of_a_streamed_call_has_a_name() {
    let piece = |function: Value| json!({ "tool_calls": [{ "index": 0, "function": function }] });
    let begin = json!({ "role": "assistant", "tool_calls": [
        { "index": 0, "id": "call_1", "type": "function", "function": { "name": "f", "arguments": "" } },
    ] });
    let pieces = [begin, piece(json!({ "arguments": "{\"a\":" })), piece(json!({ "arguments": "1}" }))];
    let chunks = streamed(Dialect::OpenAiChat, &chat_stream(&pieces, "tool_calls"));
    let functions: Vec<&Value> = deltas(&chunks).into_iter().filter_map(|delta| delta.get("tool_calls")).collect();
    let functions: Vec<&Value> = functions.iter().map(|calls| &calls[0]["function"]).collect();
    assert!(functions.iter().all(|function| function["name"].is_string()), "{functions:?}");
    let joined = |name: &str| functions.iter().map(|function| function[name].as_str().unwrap()).collect::<String>();
    assert_eq!((joined("name"), joined("arguments")), ("f".to_owned(), "{\"a\":1}".to_owned()));
}

#[test]
fn thoughts_and_refusals_stand_in_the_content_and_nothing_stands_beside_it() {
    let answer = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "tool_use",
        "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "proof" },
            { "type": "redacted_thinking", "data": "hidden" },
            { "type": "text", "text": "Yes." },
            { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "a": 1 } },
        ],
        "usage": { "input_tokens": 3, "output_tokens": 4 },
    });
    let (body, losses) = told(Dialect::Anthropic, &answer);
    let message = &body["choices"][0]["message"];
    let thoughts = json!({
        "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }],
        "signature": "tg:anthropic-messages:proof",
    });
    assert_eq!(
        *message,
        json!({
            "role": "assistant", "content": [thoughts, { "type": "text", "text": "Yes." }],
            "tool_calls": [
                { "id": "toolu_1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } },
            ],
        })
    );
    assert_eq!((&body["choices"][0]["finish_reason"], losses.as_str()), (&json!("tool_calls"), "reasoning_signature"));
    let refusal = json!({ "role": "assistant", "content": null, "refusal": "No." });
    let choice = json!({ "index": 0, "message": refusal, "finish_reason": "stop" });
    let (body, _) = told(Dialect::OpenAiChat, &json!({ "id": "c", "model": "m", "choices": [choice] }));
    assert_eq!(body["choices"][0]["message"], json!({ "role": "assistant", "content": "No." }));
}

#[test]
fn thoughts_come_back_to_the_provider_that_told_them_and_no_other() {
    let said = |proof: Value| {
        let thoughts = json!({
            "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }], "signature": proof, "closed": true,
        });
        json!({ "model": "m", "max_tokens": 9, "messages": [
            { "role": "user", "content": "Hi" },
            { "role": "assistant", "content": [thoughts, { "type": "text", "text": "Yes." }] },
            { "role": "user", "content": "And?" },
        ] })
    };
    let (body, losses) = ask(Dialect::Anthropic, &said(json!("tg:anthropic-messages:proof")));
    let thoughts = json!({ "type": "thinking", "thinking": "Hm.", "signature": "proof" });
    assert_eq!((&body["messages"][1]["content"][0], losses.as_str()), (&thoughts, ""));
    let (body, losses) = ask(Dialect::OpenAiChat, &said(json!("reasoning_content")));
    assert_eq!((&body["messages"][1]["reasoning_content"], losses.as_str()), (&json!("Hm."), ""));
    for proof in [json!("tg:anthropic-messages:proof"), json!("mistrals+own"), Value::Null] {
        let (body, losses) = ask(Dialect::OpenAiChat, &said(proof.clone()));
        let turn = &body["messages"][1];
        assert_eq!(*turn, json!({ "role": "assistant", "content": "Yes." }), "{proof}");
        assert!(losses.starts_with("reasoning"), "{proof}: {losses}");
    }
}

#[test]
fn thoughts_of_one_chat_provider_reach_another_under_the_field_that_it_knows() {
    let thoughts = json!({ "type": "thinking", "thinking": "Hm.", "signature": "reasoning_content" });
    let said = json!({ "role": "assistant", "content": [thoughts, { "type": "text", "text": "Yes." }] });
    let request = json!({ "model": "m", "messages": [said, { "role": "user", "content": "And?" }] }).to_string();
    let told = |provider: &str| {
        let quirks = Provider::by_name(provider).unwrap().quirks;
        let target = Target { dialect: Dialect::OpenAiChat.into(), quirks, losses: LossPolicy::Drop };
        let raw = Raw::new(request.as_bytes()).unwrap();
        let told = translate_request(MISTRAL, &target, raw, PathFacts::default()).unwrap();
        let body: Value = serde_json::from_slice(&told.body).unwrap();
        (body["messages"][0].clone(), told.losses.to_string())
    };
    let answer = |field: &str| json!({ "role": "assistant", "content": "Yes.", field: "Hm." });
    assert_eq!(told("deepseek"), (answer("reasoning_content"), String::new()));
    assert_eq!(told("groq"), (answer("reasoning"), String::new()));
    let without = json!({ "role": "assistant", "content": "Yes." });
    assert_eq!(told("openai"), (without, "reasoning".to_owned()));
}

#[test]
fn streamed_thoughts_are_parts_of_the_content_and_are_signed_behind_the_last() {
    let thought = |text: &str| json!({ "reasoning_content": text });
    let pieces = [thought("H"), thought("m."), json!({ "content": "Yes." })];
    let chunks = streamed(Dialect::OpenAiChat, &chat_stream(&pieces, "stop"));
    let part = |text: &str| json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": text }] }]);
    let contents: Vec<&Value> = deltas(&chunks).into_iter().filter_map(|delta| delta.get("content")).collect();
    let mark = json!([{ "type": "thinking", "thinking": [], "signature": "reasoning_content" }]);
    assert_eq!(contents, [&json!(""), &part("H"), &part("m."), &mark, &json!("Yes.")]);
}

#[test]
fn counts_stand_at_a_streams_end_unasked() {
    let request = json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
    let target = Target { dialect: Dialect::Anthropic.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
    let text = request.to_string();
    let told = translate_request(MISTRAL, &target, Raw::new(text.as_bytes()).unwrap(), PathFacts::default()).unwrap();
    assert!(told.include_usage);
}
