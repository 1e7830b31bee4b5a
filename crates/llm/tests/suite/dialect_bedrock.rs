//! Bedrock Converse by example: what becomes of requests, answers and streams.

use serde_json::{Value, json};
use tidegate_llm::model::{
    Event, Feature, Losses, Part, PartBody, Request, Role, Signature, Stop, StopReason, StreamStart, TokenCounts, Turn,
};
use tidegate_llm::{ApiError, Dialect, ErrorKind, Frame, PathFacts, Quirks, Raw, Reply, Target};
use tidegate_llm::{LossPolicy, translate_request};

use super::features::having;
use super::grammar::bedrock as grammar;

const DIALECT: Dialect = Dialect::BedrockConverse;
const CLAUDE: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";

/// A chat request on its way to `model` at Bedrock, and the names of what was lost.
fn from_chat(model: &str, mut body: Value) -> (Value, String) {
    body["model"] = model.into();
    let text = body.to_string();
    let target = Target { dialect: DIALECT.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
    let raw = Raw::new(text.as_bytes()).unwrap();
    let translated = translate_request(Dialect::OpenAiChat, &target, raw, PathFacts::default()).unwrap();
    (serde_json::from_slice(&translated.body).unwrap(), translated.losses.to_string())
}

fn written_back(body: Value) -> Value {
    let text = body.to_string();
    let request = DIALECT.read_request(Raw::new(text.as_bytes()).unwrap()).unwrap();
    serde_json::from_slice(&DIALECT.write_request(&request, &Quirks::default(), &mut Losses::default())).unwrap()
}

#[test]
fn a_chat_conversation_becomes_alternating_messages_with_blocks() {
    let (body, losses) = from_chat(
        "amazon.nova-lite-v1:0",
        json!({
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
                {"role": "user", "content": "there"},
                {"role": "assistant", "content": ""},
            ],
            "max_tokens": 10, "temperature": 0.50, "top_p": 0.9, "stop": ["X"],
        }),
    );
    let expected = json!({
        "system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"text": "Hi"}, {"text": "there"}]}],
        "inferenceConfig": {"maxTokens": 10, "temperature": 0.5, "topP": 0.9, "stopSequences": ["X"]},
    });
    assert_eq!((body, losses.as_str()), (expected, ""));
}

#[test]
fn results_follow_their_calls_and_tools_of_the_history_are_declared() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "add", "arguments": "{\"a\":1}"}});
    let (body, _) = from_chat(
        CLAUDE,
        json!({"messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": null, "tool_calls": [call("c1"), call("c2")]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": ""},
            {"role": "user", "content": "and?"},
        ]}),
    );
    assert_eq!(
        body["messages"][1]["content"][1],
        json!({"toolUse": {"toolUseId": "c2", "name": "add", "input": {"a": 1}}})
    );
    let answer = json!([
        {"toolResult": {"toolUseId": "c1", "content": [{"text": "one"}]}},
        {"toolResult": {"toolUseId": "c2", "content": []}},
        {"text": "and?"},
    ]);
    assert_eq!(body["messages"][2], json!({"role": "user", "content": answer}));
    let declared = json!({"toolSpec": {"name": "add", "inputSchema": {"json": {"type": "object", "properties": {}}}}});
    assert_eq!(body["toolConfig"], json!({"tools": [declared]}));
}

#[test]
fn forbidden_tools_are_left_out_where_nothing_needs_them() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let body = json!({"messages": [{"role": "user", "content": "x"}], "tools": tools, "tool_choice": "none"});
    let (body, losses) = from_chat(CLAUDE, body);
    assert!(body.get("toolConfig").is_none());
    assert_eq!(losses, "");
}

#[test]
fn documents_get_unique_names_of_accepted_characters_and_words_beside_them() {
    let file =
        json!({"type": "file", "file": {"filename": "a_b.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}});
    let (body, _) = from_chat(CLAUDE, json!({"messages": [{"role": "user", "content": [file, file]}]}));
    let content = &body["messages"][0]["content"];
    assert_eq!(content[0]["document"], json!({"format": "pdf", "name": "a-b-pdf", "source": {"bytes": "JVBERi0="}}));
    assert_eq!(content[1]["document"]["name"], "a-b-pdf-2");
    assert!(content[2]["text"].is_string());
}

#[test]
fn thinking_and_top_k_go_where_the_family_looks_for_them() {
    let ask = |model: &str, effort: &str| {
        let body = json!({"messages": [{"role": "user", "content": "x"}], "reasoning_effort": effort});
        let (body, losses) = from_chat(model, body);
        (body["additionalModelRequestFields"].clone(), losses)
    };
    let lossless = |fields: Value| (fields, String::new());
    assert_eq!(ask(CLAUDE, "low"), lossless(json!({"thinking": {"type": "enabled", "budget_tokens": 1024}})));
    let adaptive = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}});
    assert_eq!(ask("anthropic.claude-sonnet-4-6", "high"), lossless(adaptive));
    assert_eq!(ask("openai.gpt-oss-120b-1:0", "minimal"), lossless(json!({"reasoning_effort": "low"})));
    let nova = json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}});
    assert_eq!(ask("us.amazon.nova-2-lite-v1:0", "medium"), lossless(nova));
    assert_eq!(ask("meta.llama3-1-8b", "high"), (Value::Null, "reasoning_effort".to_owned()));
}

#[test]
fn cache_points_mark_the_part_before_them() {
    let content = json!([{"text": "long"}, {"cachePoint": {"type": "default", "ttl": "1h"}}, {"text": "short"}]);
    let tools = json!([{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}, {"cachePoint": {"type": "default"}}]);
    let body = json!({
        "system": [{"text": "s"}, {"cachePoint": {"type": "default"}}],
        "messages": [{"role": "user", "content": content}],
        "toolConfig": {"tools": tools},
    });
    assert_eq!(written_back(body.clone()), body);
}

#[test]
fn what_this_dialect_alone_knows_is_written_back() {
    let body = json!({
        "messages": [{"role": "user", "content": [
            {"guardContent": {"text": {"text": "x"}}},
            {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k", "bucketOwner": "1"}}}},
            {"document": {"format": "txt", "name": "n", "source": {"text": "t"}, "citations": {"enabled": true}}},
            {"text": "y"},
        ]}],
        "inferenceConfig": {"maxTokens": 5, "new": 1},
        "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}], "new": 2},
        "outputConfig": {"new": 3},
        "additionalModelRequestFields": {"anthropic_beta": ["b"]},
        "guardrailConfig": {"guardrailIdentifier": "g"},
        "performanceConfig": {"latency": "optimized"},
        "requestMetadata": {"k": "v"},
    });
    assert_eq!(written_back(body.clone()), body);
}

#[test]
fn a_body_that_is_no_conversation_is_refused_with_its_place() {
    let refused = |body: Value| {
        let text = body.to_string();
        DIALECT.read_request(Raw::new(text.as_bytes()).unwrap()).unwrap_err().to_string()
    };
    assert_eq!(refused(json!({})), "messages is required");
    assert_eq!(
        refused(json!({"messages": [{"role": "user", "content": "x"}]})),
        "messages[0].content must be an array"
    );
    assert_eq!(refused(json!({"messages": [{"role": "tool"}]})), "messages[0].role must be user or assistant");
}

#[test]
fn foreign_proofs_survive_a_client_of_this_dialect() {
    let body =
        json!({"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn"}).to_string();
    let mut answer = DIALECT.read_response(Raw::new(body.as_bytes()).unwrap()).unwrap();
    let proof = |text: &'static str| Some(Signature { origin: Dialect::OpenAiResponses, value: text.into() });
    let thought = tidegate_llm::model::Reasoning { text: "hm".into(), encrypted: proof("gAAA"), ..Default::default() };
    answer.choices[0].parts.push(PartBody::Reasoning(thought.clone()).into());
    let written = DIALECT.write_response(&answer, &Reply::default(), &mut Losses::default());
    let written: Value = serde_json::from_slice(&written).unwrap();
    let content = &written["output"]["message"]["content"];
    assert_eq!(content[1]["reasoningContent"]["redactedContent"], "dGc6b3BlbmFpLXJlc3BvbnNlczpnQUFB");
    let next = json!({"messages": [{"role": "assistant", "content": content}]}).to_string();
    let next = DIALECT.read_request(Raw::new(next.as_bytes()).unwrap()).unwrap();
    assert_eq!(next.turns[0].parts, [PartBody::Reasoning(thought).into()]);
}

#[test]
fn cached_input_is_told_beside_the_rest() {
    let usage = json!({
        "inputTokens": 3, "outputTokens": 61, "totalTokens": 2435, "cacheReadInputTokens": 2074,
        "cacheWriteInputTokens": 297, "cacheDetails": [{"ttl": "5m", "inputTokens": 197}, {"ttl": "1h", "inputTokens": 100}],
    });
    let body =
        json!({"output": {"message": {"role": "assistant", "content": [{"text": "x"}]}}, "usage": usage}).to_string();
    let answer = DIALECT.read_response(Raw::new(body.as_bytes()).unwrap()).unwrap();
    let expected = TokenCounts {
        input: 2374,
        cache_read: 2074,
        cache_write: 297,
        cache_write_1h: 100,
        output: 61,
        ..TokenCounts::default()
    };
    assert_eq!(answer.usage, Some(expected));
    let written: Value =
        serde_json::from_slice(&DIALECT.write_response(&answer, &Reply::default(), &mut Losses::default())).unwrap();
    assert_eq!(written["usage"], usage);
}

fn stream_of(events: &[Event<'_>], end: End) -> Vec<u8> {
    let mut writer = DIALECT.stream_writer(Reply::default());
    let mut out = Vec::new();
    writer.write(&Event::Start(StreamStart::default()), &mut out);
    events.iter().for_each(|event| writer.write(event, &mut out));
    if let End::Well = end {
        writer.finish(&mut out);
    }
    out
}

enum End {
    Well,
    Broken,
}

#[test]
fn mixed_calls_become_blocks_one_after_the_other() {
    let call = |call: u32, id: &'static str| Event::ToolCall {
        choice: 0,
        call,
        id: id.into(),
        name: "f".into(),
        signature: None,
    };
    let arguments = |call: u32, json: &'static str| Event::Arguments { choice: 0, call, json: json.into() };
    let stop = Stop { reason: StopReason::End, native: "stop".into(), sequence: None };
    let stream = stream_of(
        &[
            Event::Text { choice: 0, text: "Let me see".into() },
            call(0, "a"),
            call(1, "b"),
            arguments(0, "{\"x\""),
            arguments(1, "{}"),
            arguments(0, ":1}"),
            Event::Usage(TokenCounts { input: 5, output: 7, ..TokenCounts::default() }),
            Event::Stop { choice: 0, stop },
        ],
        End::Well,
    );
    grammar::check(&stream).unwrap();
    let events = grammar::events(&stream).unwrap();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.strip_prefix("contentBlock").unwrap_or(name)).collect();
    let expected = ["messageStart", "Delta", "Stop", "Start", "Delta", "Delta", "Stop", "Start", "Delta", "Stop"];
    assert_eq!(names[..10], expected);
    assert_eq!(events[10].1, json!({"stopReason": "tool_use"}));
    assert_eq!(events[11].1["usage"]["totalTokens"], 12);
}

#[test]
fn an_error_becomes_an_exception_and_is_read_as_the_same_kind() {
    for kind in [ErrorKind::RateLimited, ErrorKind::Overloaded, ErrorKind::Upstream, ErrorKind::InvalidRequest] {
        let error = ApiError { kind, status: 0, message: "no".into(), code: None, param: None };
        let stream = stream_of(&[Event::Error(error)], End::Broken);
        grammar::check(&stream).unwrap();
        let (name, payload) = grammar::events(&stream).unwrap().pop().unwrap();
        let data = payload.to_string();
        let mut read = Vec::new();
        DIALECT.stream_reader().read(
            Frame { name: name.as_bytes(), data: data.as_bytes(), is_exception: true },
            &mut |event| match event {
                Event::Error(error) => read.push((error.kind, error.message.into_owned())),
                other => panic!("{other:?}"),
            },
        );
        assert_eq!(read, [(kind, "no".to_owned())], "{name}");
    }
}

#[test]
fn the_list_of_what_is_carried_tells_the_truth() {
    for feature in Feature::ALL {
        let mut question = Request::new(Dialect::OpenAiChat);
        question.model = Some("meta.llama3-1-8b-instruct-v1:0".into());
        question.turns = vec![Turn::new(Role::User, vec![Part::text("hi")])];
        let Some(request) = having(question, *feature, DIALECT) else { continue };
        let mut losses = Losses::default();
        DIALECT.write_request(&request, &Quirks::default(), &mut losses);
        assert_eq!(losses.lost(*feature), !DIALECT.carries().contains(feature), "{feature}: lost {losses}");
    }
}
