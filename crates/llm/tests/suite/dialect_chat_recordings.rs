//! The recorded exchanges of OpenAI Chat and its compatible providers, read and written back.

use serde_json::Value;
use tidegate_llm::model::{Event, Fold, Losses, Part, PartBody, Request, Response, Signature, Stop, StopReason};
use tidegate_llm::{Block, Dialect, Frame, Quirks, Raw, Reply, SseDecoder};

use crate::golden::{Exchange, exchanges};
use crate::grammar;
use crate::leaves::missing;

const CHAT: Dialect = Dialect::OpenAiChat;

fn recordings() -> Vec<Exchange> {
    [exchanges("openai-chat"), exchanges("mistral-chat")].into_iter().flatten().collect()
}

fn raw(text: &[u8]) -> Raw<'_> {
    Raw::new(text).unwrap()
}

fn reply() -> Reply {
    Reply { id: "made-up".into(), model: "model".into(), created: 1, include_usage: true, ..Reply::default() }
}

/// Members may stand in any order; here they stand by name.
fn in_order(mut request: Request<'_>) -> Request<'_> {
    request.extras.0.sort_by(|one, other| one.0.cmp(&other.0));
    request
}

/// Leaves of `before` that `after` lacks, but for empty texts and for those whose path has one of the names `known`.
fn lost(before: &Value, after: &Value, known: &[&str]) -> Vec<String> {
    let is_known = |leaf: &String| {
        let (path, value) = leaf.split_once(" = ").unwrap();
        value == "\"\"" || path.split('/').any(|name| known.contains(&name))
    };
    missing(before, after).into_iter().filter(|leaf| !is_known(leaf)).collect()
}

/// `reasoning` says again what the details say.
fn without_repetition(message: &mut Value) {
    if message["reasoning_details"].is_array() {
        message["reasoning"].take();
    }
}

#[test]
fn every_recorded_request_is_written_back_without_loss() {
    for exchange in recordings() {
        let body = exchange.request.to_string().into_bytes();
        let Ok(request) = CHAT.read_request(raw(&body)) else {
            assert!(exchange.status >= 400, "{} is not read", exchange.name);
            continue;
        };
        let request = in_order(request);
        let mut losses = Losses::default();
        let written = CHAT.write_request(&request, &Quirks::default(), &mut losses);
        let again = CHAT.read_request(raw(&written)).unwrap_or_else(|error| panic!("{}: {error}", exchange.name));
        assert_eq!(in_order(again), request, "{}", exchange.name);
        assert!(losses.is_empty(), "{}: {losses}", exchange.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        let known = [
            // Older words become newer ones: `any`, `functions`.
            "tool_choice",
            "function_call",
            "functions",
            // Details and calls are numbered by their place; Mistral's thoughts are joined.
            "index",
            "thinking",
            // A lone text part becomes a string.
            "type",
        ];
        let mut original = exchange.request;
        original["messages"].as_array_mut().unwrap().iter_mut().for_each(without_repetition);
        let lost = lost(&original, &written, &known);
        assert!(lost.is_empty(), "{}: {lost:#?}", exchange.name);
    }
}

/// What the provider did not tell is made up, empty arguments are `{}`; a call that stops with `stop` is
/// written as OpenAI's `tool_calls`.
fn filled(mut response: Response<'_>) -> Response<'_> {
    if response.id.is_empty() {
        response.id = "made-up".into();
    }
    response.model.get_or_insert("model".into());
    response.created.get_or_insert(1);
    for part in response.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        match &mut part.body {
            PartBody::ToolCall(call) if call.arguments.is_empty() => call.arguments = "{}".into(),
            // A list of sources becomes annotations.
            PartBody::Text { citations, .. } => citations.iter_mut().for_each(|citation| {
                citation.native = None;
                citation.title = citation.title.take().filter(|title| !title.is_empty());
                citation.span = citation.span.filter(|span| *span != (0, 0));
            }),
            _ => {}
        }
    }
    for stop in response.choices.iter_mut().filter_map(|choice| choice.stop.as_mut()) {
        stop.native = "".into();
    }
    response
}

#[test]
fn every_recorded_answer_is_written_back_without_loss() {
    for exchange in recordings().into_iter().filter(|exchange| exchange.status == 200 && exchange.stream.is_none()) {
        let body = exchange.body.to_string().into_bytes();
        let response = CHAT.read_response(raw(&body)).unwrap_or_else(|error| panic!("{}: {error}", exchange.name));
        let mut losses = Losses::default();
        let written = CHAT.write_response(&response, &reply(), &mut losses);
        let again = CHAT.read_response(raw(&written)).unwrap();
        assert_eq!(filled(again), filled(response), "{}", exchange.name);
        assert!(losses.is_empty(), "{}: {losses}", exchange.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        let mut original = exchange.body;
        // Counts become those of the model: see the sums below.
        original["usage"].take();
        for choice in original["choices"].as_array_mut().unwrap() {
            // Perplexity repeats its message, Snowflake fills every field with nothing.
            choice["delta"].take();
            choice["message"]["audio"].take();
            without_repetition(&mut choice["message"]);
        }
        let lost = lost(&original, &written, &["index", "finish_reason"]);
        assert!(lost.is_empty(), "{}: {lost:#?}", exchange.name);
    }
}

#[test]
fn the_recorded_totals_are_the_sums_of_what_is_counted() {
    for exchange in recordings().into_iter().filter(|exchange| exchange.body["usage"].is_object()) {
        let told = &exchange.body["usage"];
        let body = exchange.body.to_string().into_bytes();
        let usage = CHAT.read_response(raw(&body)).unwrap().usage.unwrap();
        let reasoning = told["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0);
        let forgotten = if reasoning > told["completion_tokens"].as_u64().unwrap() { reasoning } else { 0 };
        // Where the total says more than the completion, it knows of the reasoning.
        let is_beside = told["total_tokens"].as_u64().unwrap()
            > told["prompt_tokens"].as_u64().unwrap() + told["completion_tokens"].as_u64().unwrap();
        let expected = told["total_tokens"].as_u64().unwrap() + if is_beside { 0 } else { forgotten };
        assert_eq!(usage.total(), expected, "{}", exchange.name);
        assert!(usage.reasoning <= usage.output, "{}", exchange.name);
    }
}

/// How a stream ended.
#[derive(Debug, PartialEq)]
enum End {
    Whole,
    Error(String),
    Cut,
}

/// The answer that a stream's bytes tell, how it ends, and the stream as it is written again.
fn retold(stream: &[u8]) -> (Response<'static>, End, Vec<u8>) {
    let mut reader = CHAT.stream_reader();
    let mut writer = CHAT.stream_writer(reply());
    let mut fold = Fold::new(CHAT);
    let mut written = Vec::new();
    let mut end = None;
    SseDecoder::default()
        .push(stream, |block: Block<'_>| {
            let Some(event) = block.event() else { return };
            reader.read(Frame { name: event.name, data: &event.data, is_exception: false }, &mut |event| {
                if matches!(end, Some(End::Error(_))) {
                    return;
                }
                match &event {
                    Event::End => drop(end.get_or_insert(End::Whole)),
                    Event::Error(error) => drop(end.get_or_insert(End::Error(error.message.to_string()))),
                    _ => {}
                }
                fold.add(&event);
                writer.write(&event, &mut written);
            });
        })
        .unwrap();
    let end = end.unwrap_or(if reader.may_end() { End::Whole } else { End::Cut });
    writer.finish(&mut written);
    (fold.into_response(), end, written)
}

/// Plain text of reasoning is written into `reasoning_content`, whichever field told it, and every choice has a stop.
fn normalised(mut response: Response<'static>) -> Response<'static> {
    for choice in &mut response.choices {
        let calls = choice.parts.iter().any(|part| matches!(part.body, PartBody::ToolCall(_)));
        let reason = if calls { StopReason::ToolCalls } else { StopReason::End };
        choice.stop.get_or_insert(Stop { reason, native: "".into(), sequence: None });
    }
    let mut response = filled(response);
    for part in response.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        if let PartBody::Reasoning(thought) = &mut part.body {
            let plain = |proof: &Signature<'_>| matches!(proof.value.as_ref(), "reasoning" | "thinking");
            if let Some(mark) = thought.signature.as_mut().filter(|proof| plain(proof)) {
                mark.value = "reasoning_content".into();
            }
        }
    }
    response
}

/// Takes out what a thought is signed with.
fn proof(part: &mut Part<'static>) -> Option<Signature<'static>> {
    match &mut part.body {
        PartBody::Reasoning(thought) => thought.signature.take(),
        _ => None,
    }
}

#[test]
fn every_recorded_stream_is_told_again_as_it_was() {
    for exchange in recordings() {
        let Some(stream) = &exchange.stream else { continue };
        let (mut told, end, written) = retold(stream.as_bytes());
        match end {
            End::Whole => {
                grammar::chat::check(&written).unwrap_or_else(|error| panic!("{}: {error}", exchange.name));
            }
            End::Error(message) => {
                assert!(!message.is_empty(), "{}", exchange.name);
                assert!(!written.ends_with(b"[DONE]\n\n"), "{}", exchange.name);
                // Counts and reasons to stop would have come last, and with them where thoughts had their home.
                told.usage = None;
                for choice in &mut told.choices {
                    choice.stop = None;
                    choice.parts.iter_mut().for_each(|part| drop(proof(part)));
                }
            }
            End::Cut => panic!("{} does not end", exchange.name),
        }
        let (again, _, _) = retold(&written);
        assert_eq!(normalised(again), normalised(told), "{}", exchange.name);
    }
}

#[test]
fn a_stream_cut_anywhere_is_not_whole_and_never_panics() {
    for exchange in recordings().iter().step_by(5) {
        let Some(stream) = &exchange.stream else { continue };
        let first_stop = stream.find("\"finish_reason\":\"").unwrap_or(stream.len() / 2);
        for cut in (0..first_stop).step_by(97) {
            let (_, end, _) = retold(&stream.as_bytes()[..cut]);
            assert_ne!(end, End::Whole, "{} at {cut}", exchange.name);
        }
    }
}
