//! Every recorded exchange in Anthropic's dialect, read and written back.

use serde_json::Value;
use tidegate_llm::model::{Fold, Losses, PartBody, Response};
use tidegate_llm::{Dialect, Protocol, Quirks, Raw, Reply, SseDecoder, SseEvent};

use super::grammar::anthropic as grammar;
use super::leaves;
use super::recordings::{self, Recording};

const DIALECT: Dialect = Dialect::Anthropic;

/// Strings of a request that its meaning does not need, by the end of their path.
const REWORDED: [(&str, &str); 1] = [("/content = \"\"", "empty text is said as an empty block or not at all")];

fn recorded() -> impl Iterator<Item = Recording> {
    recordings::all().into_iter().filter(|recording| recording.protocol == Protocol::AnthropicMessages)
}

fn raw(text: &[u8]) -> Raw<'_> {
    Raw::new(text).unwrap()
}

fn unexplained(before: &Value, after: &Value) -> Vec<String> {
    let explained = |leaf: &String| REWORDED.iter().any(|(end, _)| leaf.ends_with(end));
    leaves::missing(before, after).into_iter().filter(|leaf| !explained(leaf)).collect()
}

#[test]
fn requests_are_written_back_without_loss() {
    for recording in recorded().filter(|recording| recording.request.is_object()) {
        let text = recording.request.to_string();
        let request = DIALECT.read_request(raw(text.as_bytes())).unwrap();
        let mut losses = Losses::default();
        let written = DIALECT.write_request(&request, &Quirks::default(), &mut losses);
        assert!(losses.is_empty(), "{}: {losses}", recording.name);
        assert_eq!(DIALECT.read_request(raw(&written)).unwrap(), request, "{}", recording.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(unexplained(&recording.request, &written), Vec::<String>::new(), "{}", recording.name);
    }
}

#[test]
fn answers_are_written_back_without_loss() {
    for recording in recorded().filter(|recording| recording.status == 200) {
        let Some(answer) = recording.json() else { continue };
        let text = answer.to_string();
        let response = DIALECT.read_response(raw(text.as_bytes())).unwrap();
        let mut losses = Losses::default();
        let written = DIALECT.write_response(&response, &Reply::default(), &mut losses);
        assert!(losses.is_empty(), "{}: {losses}", recording.name);
        assert_eq!(DIALECT.read_response(raw(&written)).unwrap(), response, "{}", recording.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(leaves::missing(answer, &written), Vec::<String>::new(), "{}", recording.name);
    }
}

/// Reads `stream` and gives the answer it tells, and the same stream written again.
fn read_stream(stream: &str) -> (Response<'static>, Vec<u8>, bool) {
    let (mut fold, mut written, mut ended) = (Fold::new(DIALECT), Vec::new(), false);
    let mut reader = DIALECT.stream_reader();
    let mut writer = DIALECT.stream_writer(Reply::default());
    let mut decoder = SseDecoder::default();
    let mut take = |event: SseEvent<'_>| {
        let frame = tidegate_llm::Frame { name: event.name, data: &event.data, is_exception: false };
        reader.read(frame, &mut |event| {
            ended |= event == tidegate_llm::model::Event::End;
            fold.add(&event);
            writer.write(&event, &mut written);
        });
    };
    decoder.push(stream.as_bytes(), |block| block.event().into_iter().for_each(&mut take)).unwrap();
    writer.finish(&mut written);
    (fold.into_response(), written, ended)
}

#[test]
fn streams_are_written_back_with_the_same_meaning() {
    for recording in recorded().filter(|recording| recording.status == 200) {
        let Some(stream) = recording.stream() else { continue };
        let (told, written, ended) = read_stream(stream);
        assert!(ended, "{}", recording.name);
        grammar::check(&written).unwrap_or_else(|fault| panic!("{}: {fault}", recording.name));
        let (again, _, _) = read_stream(std::str::from_utf8(&written).unwrap());
        assert_eq!(again.choices, told.choices, "{}", recording.name);
        assert_eq!(again.usage, told.usage, "{}", recording.name);
        assert!(told.choices[0].stop.is_some(), "{}", recording.name);
    }
}

#[test]
fn a_stream_cut_anywhere_is_never_complete() {
    for recording in recorded().filter(|recording| recording.status == 200) {
        let Some(stream) = recording.stream() else { continue };
        let last = stream.rfind("message_stop").unwrap();
        for cut in (0..last).step_by(97).filter(|cut| stream.is_char_boundary(*cut)) {
            let mut reader = DIALECT.stream_reader();
            let mut decoder = SseDecoder::default();
            let mut ended = false;
            let read = |event: SseEvent<'_>| {
                let frame = tidegate_llm::Frame { name: event.name, data: &event.data, is_exception: false };
                reader.read(frame, &mut |event| ended |= event == tidegate_llm::model::Event::End);
            };
            let mut read = read;
            decoder.push(&stream.as_bytes()[..cut], |block| block.event().into_iter().for_each(&mut read)).unwrap();
            assert!(!ended && !reader.may_end(), "{} cut at {cut}", recording.name);
        }
    }
}

#[test]
fn thoughts_keep_their_signatures() {
    let mut signed = 0;
    for recording in recorded().filter(|recording| recording.has("thinking")) {
        let Some(answer) = recording.json() else { continue };
        let text = answer.to_string();
        let response = DIALECT.read_response(raw(text.as_bytes())).unwrap();
        signed += response.choices[0]
            .parts
            .iter()
            .filter(|part| matches!(&part.body, PartBody::Reasoning(thoughts) if thoughts.signature.is_some()))
            .count();
    }
    assert!(signed > 0 || std::env::var_os("TIDEGATE_FIXTURES").is_none());
}
