//! Requests and answers out of the air.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use tidegate_llm::Dialect;
use tidegate_llm::model::{
    Choice, Extras, FunctionTool, Json, Media, MediaKind, MediaSource, Part, PartBody, Reasoning, Request, Response,
    Role, Signature, Stop, StopReason, TokenCounts, Tool, ToolBody, ToolCall, ToolResult, Turn,
};

/// Text of any characters, also of those that JSON, event streams and templates care for; never blank.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z ]{1,12}",
        "\\PC{1,8}",
        any::<char>().prop_map(String::from),
        select(&["\"", "\\", "\n\n", "\r\n", "data: [DONE]\n\n", "\u{2028}", "\u{0}", "😀", "</s>", "{\"a\":1}"][..])
            .prop_map(str::to_owned),
    ];
    vec(piece, 1..6).prop_map(|pieces| format!("{}x", pieces.concat()))
}

/// A JSON object as a model writes arguments.
fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("[a-z]{1,5}", inner), 0..3)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    });
    vec(("[a-zA-Z_\"é]{1,6}", value), 0..4).prop_map(|members| members.into_iter().collect::<Map<_, _>>().into())
}

/// A picture or a document.
fn media() -> impl Strategy<Value = Part<'static>> {
    let image = Just((MediaKind::Image, MediaSource::Base64("iVBORw0KGgo=".into()), Some("image/png")));
    let link = Just((MediaKind::Image, MediaSource::Url("https://example.com/a.png".into()), None));
    let pdf = Just((MediaKind::Document, MediaSource::Base64("JVBERi0=".into()), Some("application/pdf")));
    prop_oneof![image, link, pdf].prop_map(|(kind, source, media_type)| {
        let media_type = media_type.map(Into::into);
        let media = Media { kind, source, media_type, name: None, context: None, detail: None, citations: None };
        PartBody::Media(Box::new(media)).into()
    })
}

/// A call, and what the tool answers.
#[derive(Debug, Clone)]
struct Used {
    arguments: Value,
    answer: Result<String, Value>,
}

fn used() -> impl Strategy<Value = Used> {
    let answer = prop_oneof![text().prop_map(Ok), object().prop_map(Err)];
    (object(), answer).prop_map(|(arguments, answer)| Used { arguments, answer })
}

/// A question, calls that lead to the answer, and the answer.
fn exchange() -> impl Strategy<Value = Vec<Turn<'static>>> {
    (vec(text(), 1..3), option::weighted(0.2, media()), option::of(text()), vec(used(), 0..3), text()).prop_map(
        |(question, media, preface, calls, answer)| {
            let asked = question.into_iter().map(Part::text).chain(media).collect();
            let mut turns = vec![Turn::new(Role::User, asked)];
            if !calls.is_empty() {
                let said = preface.into_iter().map(Part::text);
                let called = calls.iter().map(|used| call(String::new(), "tool_0", &used.arguments));
                turns.push(Turn::new(Role::Assistant, said.chain(called).collect()));
                turns.push(Turn::new(Role::Tool, calls.into_iter().map(result).collect()));
            }
            turns.push(Turn::new(Role::Assistant, vec![Part::text(answer)]));
            turns
        },
    )
}

fn call(id: String, name: &str, arguments: &Value) -> Part<'static> {
    let (name, arguments) = (name.to_owned().into(), arguments.to_string().into());
    PartBody::ToolCall(ToolCall { id: id.into(), name, arguments, signature: None }).into()
}

fn result(used: Used) -> Part<'static> {
    let (content, json) = match used.answer {
        Ok(text) => (vec![Part::text(text)], None),
        Err(value) => (Vec::new(), Some(Json::owned(value.to_string().into_bytes()))),
    };
    let name = Some("tool_0".into());
    PartBody::ToolResult(ToolResult { call_id: "".into(), name, content, json, is_error: false }).into()
}

/// Gives each call an identifier, and each result its call's.
fn number_calls(turns: &mut [Turn<'static>]) {
    let (mut calls, mut results) = (0, 0);
    for part in turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match &mut part.body {
            PartBody::ToolCall(call) => {
                call.id = format!("call_{calls}").into();
                calls += 1;
            }
            PartBody::ToolResult(result) => {
                result.call_id = format!("call_{results}").into();
                results += 1;
            }
            _ => {}
        }
    }
}

fn tool(number: usize, description: Option<String>) -> Tool<'static> {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "description": "\u{e9}\""}}});
    let function = FunctionTool {
        name: format!("tool_{number}").into(),
        description: description.map(Into::into),
        parameters: Some(Json::owned(schema.to_string().into_bytes())),
        strict: None,
    };
    Tool { body: ToolBody::Function(function), cache: None, extras: Extras::default() }
}

/// A request of no dialect yet.
pub fn request() -> impl Strategy<Value = Request<'static>> {
    let tools = vec(option::of(text()), 1..4);
    let limits = (option::of(1_u64..10_000), vec("[A-Z]{1,6}", 0..3), option::of(0_u64..=10), any::<bool>());
    (option::of(text()), vec(exchange(), 0..4), text(), tools, limits).prop_map(
        |(instructions, exchanges, question, tools, (max_tokens, stops, tenths, stream))| {
            let mut request = Request::new(Dialect::OpenAiChat);
            request.model = Some("a-model".into());
            request.stream = stream;
            let system = instructions.map(|text| Turn::new(Role::System, vec![Part::text(text)]));
            let last = Turn::new(Role::User, vec![Part::text(question)]);
            request.turns = system.into_iter().chain(exchanges.into_iter().flatten()).chain([last]).collect();
            number_calls(&mut request.turns);
            request.tools = tools.into_iter().enumerate().map(|(at, about)| tool(at, about)).collect();
            request.max_tokens = max_tokens;
            request.stop_sequences = stops.into_iter().map(Into::into).collect();
            request.temperature = tenths.map(|tenths| Json::owned(format!("{}.{}", tenths / 10, tenths % 10).into()));
            request
        },
    )
}

fn counts() -> impl Strategy<Value = TokenCounts> {
    (1_u64..100_000, 1_u64..100_000, 0_u64..50, 0_u64..50, 0_u64..50).prop_map(
        |(fresh, said, cache_read, cache_write, reasoning)| TokenCounts {
            input: fresh + cache_read + cache_write,
            cache_read,
            cache_write,
            output: said + reasoning,
            reasoning,
            ..TokenCounts::default()
        },
    )
}

/// An answer of no dialect yet.
pub fn answer() -> impl Strategy<Value = Response<'static>> {
    let reason = select(&[StopReason::End, StopReason::Length, StopReason::ContentFilter][..]);
    (option::of(text()), vec(text(), 0..3), vec(object(), 0..3), counts(), reason).prop_map(
        |(thought, texts, calls, counts, reason)| {
            let reason = if calls.is_empty() { reason } else { StopReason::ToolCalls };
            let thought = thought.map(|text| Reasoning { text: text.into(), ..Reasoning::default() });
            let thought = thought.map(|thought| PartBody::Reasoning(thought).into());
            let texts = texts.into_iter().map(Part::text);
            let calls = calls.iter().enumerate().map(|(at, arguments)| call(format!("call_{at}"), "tool_0", arguments));
            answered(thought.into_iter().chain(texts).chain(calls).collect(), reason, counts)
        },
    )
}

fn answered(parts: Vec<Part<'static>>, reason: StopReason, counts: TokenCounts) -> Response<'static> {
    let stop = Some(Stop { reason, native: "".into(), sequence: None });
    Response {
        id: "an-answer".into(),
        model: Some("a-model".into()),
        created: Some(1),
        choices: vec![Choice { parts, stop, ..Choice::default() }],
        usage: Some(counts),
        ..Response::new(Dialect::OpenAiChat)
    }
}

/// An answer with a bit of everything, signed by `dialect`.
pub fn sample(dialect: Dialect) -> Response<'static> {
    let signature = Some(Signature { origin: dialect, value: "c2lnbmVk".into() });
    let thought = Reasoning { text: "First, think.".into(), signature, ..Reasoning::default() };
    let parts = vec![
        PartBody::Reasoning(thought).into(),
        Part::text("Résumé: \"quoted\"\nand 😀."),
        call("call_0".to_owned(), "weather", &json!({"city": "Paris"})),
        call("call_1".to_owned(), "time", &json!({})),
    ];
    let counts = TokenCounts { input: 12, cache_read: 3, output: 20, reasoning: 5, ..TokenCounts::default() };
    answered(parts, StopReason::ToolCalls, counts)
}
