//! Cohere's v2 Chat: by example, and its recorded exchanges read and written back.

use serde_json::{Value, json};
use tidegate_llm::model::{
    Event, Feature, Fold, Losses, Part, PartBody, ReasoningRequest, Request, Response, Role, StopReason, ToolChoice,
    Turn,
};
use tidegate_llm::{Block, Dialect, Frame, Quirks, Raw, Reply, SseDecoder};

use crate::features::{call, having, json as raw_json, tool};
use crate::golden::exchanges;
use crate::grammar;
use crate::leaves::missing;

const COHERE: Dialect = Dialect::Cohere;
const API: &str = "cohere-chat";

fn raw(text: &[u8]) -> Raw<'_> {
    Raw::new(text).unwrap()
}

fn reply() -> Reply {
    Reply { id: "made-up".into(), ..Reply::default() }
}

/// A question that came in another dialect.
fn question() -> Request<'static> {
    let turns = vec![Turn::new(Role::User, vec![Part::text("hi")])];
    Request { model: Some("m".into()), turns, ..Request::new(Dialect::OpenAiChat) }
}

fn write(request: &Request<'_>) -> (Value, Losses) {
    let mut losses = Losses::default();
    let body = COHERE.write_request(request, &Quirks::default(), &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses)
}

/// The answer that a stream's bytes tell, whether it may end there, and the stream as it is written again.
fn retold(stream: &[u8]) -> (Response<'static>, bool, Vec<u8>) {
    let mut reader = COHERE.stream_reader();
    let mut writer = COHERE.stream_writer(reply());
    let mut fold = Fold::new(COHERE);
    let mut written = Vec::new();
    SseDecoder::default()
        .push(stream, |block: Block<'_>| {
            let Some(event) = block.event() else { return };
            reader.read(Frame { name: event.name, data: &event.data, is_exception: false }, &mut |event| {
                fold.add(&event);
                writer.write(&event, &mut written);
            });
        })
        .unwrap();
    writer.finish(&mut written);
    (fold.into_response(), reader.may_end(), written)
}

fn written(events: &[Event<'_>]) -> String {
    let mut writer = COHERE.stream_writer(reply());
    let mut out = Vec::new();
    writer.write(&Event::Start(Default::default()), &mut out);
    events.iter().for_each(|event| writer.write(event, &mut out));
    writer.finish(&mut out);
    grammar::cohere::check(&out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_dialect_loses_exactly_what_it_has_no_words_for() {
    for feature in Feature::ALL {
        let Some(request) = having(question(), *feature, COHERE) else { continue };
        let (_, losses) = write(&request);
        assert_eq!(losses.lost(*feature), !COHERE.carries().contains(feature), "{feature}");
        // The text of signed thoughts goes, their signature does not; the failed result has a picture.
        let beside = [*feature, Feature::ReasoningSignature, Feature::ToolResultMedia];
        let others = losses.features().filter(|lost| !beside.contains(lost));
        assert_eq!(others.count(), 0, "{feature}: {losses}");
    }
}

#[test]
fn numbers_beyond_what_is_taken_become_the_most_that_is() {
    let mut request = question();
    request.temperature = Some(raw_json(json!(1.7)));
    request.top_p = Some(raw_json(json!(1)));
    let (body, losses) = write(&request);
    assert_eq!((&body["temperature"], &body["p"]), (&json!(1), &json!(0.99)));
    assert_eq!(losses.to_string(), "temperature");
}

#[test]
fn where_one_tool_must_be_called_the_others_are_not_told_of() {
    let mut request = question();
    request.tools = vec![tool("f"), tool("g")];
    request.tool_choice = Some(ToolChoice::Function("g".into()));
    let (body, _) = write(&request);
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(body["tools"][0]["function"]["name"], "g");
    assert_eq!(body["tool_choice"], "REQUIRED");
}

#[test]
fn the_text_of_a_message_that_calls_is_its_plan() {
    let mut request = question();
    request.turns.push(Turn::new(Role::Assistant, vec![Part::text("I will look."), call("a")]));
    let (body, _) = write(&request);
    let function = json!({"name": "f", "arguments": "{}"});
    let calls = json!([{"id": "a", "type": "function", "function": function}]);
    assert_eq!(body["messages"][1], json!({"role": "assistant", "tool_plan": "I will look.", "tool_calls": calls}));
}

#[test]
fn efforts_become_budgets() {
    let mut request = question();
    request.reasoning = Some(ReasoningRequest { enabled: Some(false), ..ReasoningRequest::default() });
    assert_eq!(write(&request).0["thinking"], json!({"type": "disabled"}));
    request.reasoning = Some(ReasoningRequest { budget_tokens: Some(9), ..ReasoningRequest::default() });
    assert_eq!(write(&request).0["thinking"], json!({"type": "enabled", "token_budget": 9}));
}

#[test]
fn an_error_with_status_200_is_no_answer() {
    let body = br#"{"id": "x", "message": "too many tokens"}"#;
    assert_eq!(COHERE.read_response(raw(body)).unwrap_err().to_string(), "too many tokens");
}

#[test]
fn calls_whose_arguments_are_mixed_are_told_one_after_the_other() {
    let call =
        |call, id: &'static str| Event::ToolCall { choice: 0, call, id: id.into(), name: "f".into(), signature: None };
    let piece = |call, json: &'static str| Event::Arguments { choice: 0, call, json: json.into() };
    let told = written(&[call(0, "a"), piece(0, "{\"x\""), call(1, "b"), piece(1, "{}"), piece(0, ":1}")]);
    let (answer, _, _) = retold(told.as_bytes());
    let arguments: Vec<&str> = answer.choices[0]
        .parts
        .iter()
        .filter_map(|part| match &part.body {
            PartBody::ToolCall(call) => Some(call.arguments.as_ref()),
            _ => None,
        })
        .collect();
    assert_eq!(arguments, ["{\"x\":1}", "{}"]);
    assert_eq!(answer.choices[0].stop.as_ref().unwrap().reason, StopReason::ToolCalls);
}

#[test]
fn every_recorded_request_is_written_back_without_loss() {
    for exchange in exchanges(API) {
        let body = exchange.request.to_string().into_bytes();
        let request = COHERE.read_request(raw(&body)).unwrap();
        let mut losses = Losses::default();
        let written = COHERE.write_request(&request, &Quirks::default(), &mut losses);
        let again = COHERE.read_request(raw(&written)).unwrap();
        assert_eq!(again, request, "{}", exchange.name);
        assert!(losses.is_empty(), "{}: {losses}", exchange.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        let mut lost = missing(&exchange.request, &written);
        // A lone text part becomes a string.
        lost.retain(|leaf| !leaf.ends_with("/type = \"text\"") && !leaf.ends_with("= \"\""));
        assert!(lost.is_empty(), "{}: {lost:#?}", exchange.name);
    }
}

#[test]
fn every_recorded_answer_is_written_back_without_loss() {
    for exchange in exchanges(API).into_iter().filter(|exchange| exchange.status == 200 && exchange.stream.is_none()) {
        let body = exchange.body.to_string().into_bytes();
        let response = COHERE.read_response(raw(&body)).unwrap();
        let mut losses = Losses::default();
        let written = COHERE.write_response(&response, &reply(), &mut losses);
        assert_eq!(COHERE.read_response(raw(&written)).unwrap(), response, "{}", exchange.name);
        assert!(losses.is_empty(), "{}: {losses}", exchange.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        let mut lost = missing(&exchange.body, &written);
        // What was processed is told, not what is charged.
        lost.retain(|leaf| !leaf.starts_with("/usage/billed_units"));
        assert!(lost.is_empty(), "{}: {lost:#?}", exchange.name);
    }
}

#[test]
fn every_recorded_stream_is_told_again_as_it_was() {
    for exchange in exchanges(API) {
        let Some(stream) = &exchange.stream else { continue };
        let (told, may_end, written) = retold(stream.as_bytes());
        assert!(may_end, "{} does not end", exchange.name);
        grammar::cohere::check(&written).unwrap_or_else(|error| panic!("{}: {error}", exchange.name));
        assert_eq!(retold(&written).0, told, "{}", exchange.name);
    }
}

#[test]
fn a_stream_cut_anywhere_is_not_whole_and_never_panics() {
    for exchange in exchanges(API) {
        let Some(stream) = &exchange.stream else { continue };
        let end = stream.find("event: message-end").unwrap();
        for cut in (0..end).step_by(61) {
            assert!(!retold(&stream.as_bytes()[..cut]).1, "{} at {cut}", exchange.name);
        }
    }
}
