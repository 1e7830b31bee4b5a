//! Gemini's and Vertex's recorded exchanges, read and written back.

use serde_json::Value;
use tidegate_llm::model::{Fold, Losses, Request, Response};
use tidegate_llm::{Dialect, Frame, Quirks, Raw, Reply, SseDecoder};

use crate::golden::exchanges;
use crate::grammar;
use crate::leaves::missing;

const API: &str = "gemini-generate";

/// Types are written in small letters and levels in capitals, bytes in base64's standard alphabet; instructions have no
/// role.
const REWRITTEN: [&str; 4] = ["/type = ", "/thinkingLevel = ", "/data = ", "/role = "];

fn raw(text: &[u8]) -> Raw<'_> {
    Raw::new(text).unwrap()
}

/// Members may stand in any order; here they stand by name.
fn in_order(mut request: Request<'_>) -> Request<'_> {
    request.extras.0.sort_by(|one, other| one.0.cmp(&other.0));
    request
}

/// Takes the order of properties out: it becomes the order in which they stand.
fn without_order(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("propertyOrdering");
            members.remove("property_ordering");
            members.values_mut().for_each(without_order);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_order),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_recorded_request_is_written_back_without_loss() {
    for mut exchange in exchanges(API) {
        let body = exchange.request.to_string().into_bytes();
        without_order(&mut exchange.request);
        let request = in_order(Dialect::Gemini.read_request(raw(&body)).unwrap());
        let mut losses = Losses::default();
        let written = Dialect::Gemini.write_request(&request, &Quirks::default(), &mut losses);
        let again = in_order(Dialect::Gemini.read_request(raw(&written)).unwrap());
        assert_eq!(again, request, "{}", exchange.name);
        assert!(losses.is_empty(), "{}: {losses}", exchange.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        let is_rewritten = |lost: &String| REWRITTEN.iter().any(|member| lost.contains(member));
        let mut lost = missing(&exchange.request, &written);
        lost.retain(|lost| !is_rewritten(lost));
        assert!(lost.is_empty(), "{}: {lost:#?}", exchange.name);
    }
}

#[test]
fn every_recorded_answer_is_written_back_without_loss() {
    for exchange in exchanges(API).into_iter().filter(|exchange| exchange.status == 200 && exchange.stream.is_none()) {
        let body = exchange.body.to_string().into_bytes();
        let response = Dialect::Gemini.read_response(raw(&body)).unwrap();
        let mut losses = Losses::default();
        let written = Dialect::Gemini.write_response(&response, &Reply::default(), &mut losses);
        let again = Dialect::Gemini.read_response(raw(&written)).unwrap();
        assert_eq!(again, response, "{}", exchange.name);
        assert!(losses.is_empty(), "{}: {losses}", exchange.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        let lost = missing(&exchange.body, &written);
        assert!(lost.is_empty(), "{}: {lost:#?}", exchange.name);
    }
}

/// The answer that a stream's bytes tell, and the stream as it is written again.
fn retold(stream: &[u8], name: &str) -> (Response<'static>, Vec<u8>) {
    let mut reader = Dialect::Gemini.stream_reader();
    let mut writer = Dialect::Gemini.stream_writer(Reply { id: "made-up".into(), ..Reply::default() });
    let mut fold = Fold::new(Dialect::Gemini);
    let mut written = Vec::new();
    let tell = &mut |event: tidegate_llm::model::Event<'_>| {
        fold.add(&event);
        writer.write(&event, &mut written);
    };
    let read = |block: tidegate_llm::Block<'_>| {
        let Some(event) = block.event() else { return };
        reader.read(Frame { name: event.name, data: &event.data, is_exception: false }, tell);
    };
    SseDecoder::default().push(stream, read).unwrap();
    assert!(reader.may_end(), "{name} does not end");
    writer.finish(&mut written);
    (fold.into_response(), written)
}

#[test]
fn every_recorded_stream_is_told_again_as_it_was() {
    for exchange in exchanges(API) {
        let Some(stream) = &exchange.stream else { continue };
        let (told, written) = retold(stream.as_bytes(), &exchange.name);
        grammar::gemini::check(&written).unwrap_or_else(|error| panic!("{}: {error}", exchange.name));
        let (again, _) = retold(&written, &exchange.name);
        assert_eq!(again, told, "{}", exchange.name);
    }
}

#[test]
fn the_recorded_totals_are_the_sums_of_what_is_counted() {
    for exchange in exchanges(API).into_iter().filter(|exchange| exchange.body["usageMetadata"].is_object()) {
        let body = exchange.body.to_string().into_bytes();
        let usage = Dialect::Gemini.read_response(raw(&body)).unwrap().usage.unwrap();
        let total = exchange.body["usageMetadata"]["totalTokenCount"].as_u64().unwrap();
        assert_eq!(usage.total(), total, "{}", exchange.name);
    }
}
