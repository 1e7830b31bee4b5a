//! Every recorded exchange in Bedrock's Converse dialect, read and written back.

use serde_json::Value;
use tidegate_llm::model::{Fold, Losses, Response};
use tidegate_llm::{Dialect, EventStreamDecoder, Frame, Protocol, Quirks, Raw, Reply};

use super::event_streams;
use super::grammar::bedrock as grammar;
use super::leaves;
use super::recordings::{self, Recording};

const DIALECT: Dialect = Dialect::BedrockConverse;

/// Strings and numbers that the meaning does not need, by the end of their path.
const REWORDED: [(&str, &str); 5] = [
    ("/status = \"success\"", "what is no error is a success; not all models know the field"),
    ("/type = \"tool_use\"", "what is not run by the provider is the client's"),
    ("/text = \"\"", "blank text is refused"),
    ("/schema", "JSON within a string: compared as JSON"),
    ("/document/name", "made unique, of the characters that are accepted"),
];

fn recorded() -> impl Iterator<Item = Recording> {
    recordings::all().into_iter().filter(|recording| recording.protocol == Protocol::BedrockConverse)
}

fn raw(text: &[u8]) -> Raw<'_> {
    Raw::new(text).unwrap()
}

fn unexplained(before: &Value, after: &Value) -> Vec<String> {
    let explained = |leaf: &String| {
        REWORDED.iter().any(|(end, _)| leaf.ends_with(end) || leaf.split(" = ").next().unwrap().ends_with(end))
    };
    leaves::missing(before, after).into_iter().filter(|leaf| !explained(leaf)).collect()
}

#[test]
fn requests_are_written_back_without_loss() {
    for recording in recorded().filter(|recording| recording.request.is_object()) {
        let text = recording.request.to_string();
        let mut request = DIALECT.read_request(raw(text.as_bytes())).unwrap();
        request.model = Some(recording.model.as_str().into());
        let mut losses = Losses::default();
        let written = DIALECT.write_request(&request, &Quirks::default(), &mut losses);
        assert!(losses.is_empty(), "{}: {losses}", recording.name);
        let mut again = DIALECT.read_request(raw(&written)).unwrap();
        again.model = request.model.clone();
        assert_eq!(again, request, "{}", recording.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(unexplained(&recording.request, &written), Vec::<String>::new(), "{}", recording.name);
    }
}

#[test]
fn answers_are_written_back_without_loss() {
    for recording in recorded().filter(|recording| recording.status == 200) {
        let Some(mut answer) = recording.json().cloned() else { continue };
        // The same counts under another name.
        let usage = answer["usage"].as_object_mut().unwrap();
        usage.retain(|name, _| !name.ends_with("TokenCount"));
        let text = answer.to_string();
        let response = DIALECT.read_response(raw(text.as_bytes())).unwrap();
        let total = response.usage.unwrap().total();
        assert_eq!(Some(total), answer["usage"]["totalTokens"].as_u64(), "{}", recording.name);
        let mut losses = Losses::default();
        let written = DIALECT.write_response(&response, &Reply::default(), &mut losses);
        assert!(losses.is_empty(), "{}: {losses}", recording.name);
        assert_eq!(DIALECT.read_response(raw(&written)).unwrap(), response, "{}", recording.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(unexplained(&answer, &written), Vec::<String>::new(), "{}", recording.name);
    }
}

/// Reads `stream` and gives the answer it tells, the same stream written again, and whether it was complete.
fn read_stream(stream: &[u8]) -> (Response<'static>, Vec<u8>, bool) {
    let (mut fold, mut written, mut ended) = (Fold::new(DIALECT), Vec::new(), false);
    let (mut reader, mut writer) = (DIALECT.stream_reader(), DIALECT.stream_writer(Reply::default()));
    let pushed = EventStreamDecoder::new(1 << 20).push(stream, |message| {
        let name = message.text(":event-type").unwrap_or_default().as_bytes();
        reader.read(Frame { name, data: message.payload, is_exception: false }, &mut |event| {
            fold.add(&event);
            writer.write(&event, &mut written);
            ended |= event == tidegate_llm::model::Event::End;
        });
    });
    pushed.unwrap();
    writer.finish(&mut written);
    (fold.into_response(), written, ended)
}

#[test]
fn streams_are_written_back_with_the_same_meaning_and_in_strict_order() {
    for (name, stream) in event_streams::recorded().into_iter().filter(|(name, _)| name.contains("/converse.")) {
        let (told, written, ended) = read_stream(&stream);
        assert!(ended, "{name}");
        assert!(told.usage.is_some_and(|usage| usage.output > 0) && told.choices[0].stop.is_some(), "{name}: {told:?}");
        grammar::check(&written).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read_stream(&written).0, told, "{name}");
        let texts = |stream: &[u8]| -> String {
            let events = grammar::events(stream).unwrap();
            let deltas = events.iter().map(|(_, payload)| &payload["delta"]);
            deltas.filter_map(|delta| delta["text"].as_str().or(delta["toolUse"]["input"].as_str())).collect()
        };
        assert_eq!(texts(&written), texts(&stream), "{name}");
    }
}

#[test]
fn a_stream_that_breaks_off_is_not_complete() {
    for (name, stream) in event_streams::recorded().into_iter().filter(|(name, _)| name.contains("/converse.")) {
        let before_the_end = stream.len() - 1;
        assert!(!read_stream(&stream[..before_the_end]).2, "{name}");
    }
}
