//! Every recorded exchange in Anthropic's dialect, read and written back.

use serde_json::Value;
use tidegate_llm::model::{Event, Fold, Losses, PartBody, Response};
use tidegate_llm::{Dialect, Frame, Quirks, Raw, Reply, SseDecoder};

use crate::golden::{Exchange, exchanges};
use crate::grammar::anthropic as grammar;
use crate::leaves::missing;

const DIALECT: Dialect = Dialect::Anthropic;

/// Exchanges with Anthropic, with providers that speak its dialect, and with the clouds.
fn recorded() -> impl Iterator<Item = Exchange> {
    let invoked = exchanges("bedrock-invoke").into_iter();
    let invoked = invoked.filter(|exchange| exchange.request["anthropic_version"].is_string());
    exchanges("anthropic-messages").into_iter().chain(invoked)
}

/// Whole answers that are no errors.
fn answers() -> impl Iterator<Item = Exchange> {
    recorded().filter(|exchange| exchange.status == 200 && exchange.body.is_object())
}

fn streams() -> impl Iterator<Item = (String, String)> {
    let good = recorded().filter(|exchange| exchange.status == 200);
    good.filter_map(|exchange| Some((exchange.name, exchange.stream?)))
}

fn raw(text: &[u8]) -> Raw<'_> {
    Raw::new(text).unwrap()
}

#[test]
fn requests_are_written_back_without_loss() {
    for exchange in recorded() {
        let text = exchange.request.to_string();
        let request = DIALECT.read_request(raw(text.as_bytes())).unwrap();
        let mut losses = Losses::default();
        let written = DIALECT.write_request(&request, &Quirks::default(), &mut losses);
        assert!(losses.is_empty(), "{}: {losses}", exchange.name);
        assert_eq!(DIALECT.read_request(raw(&written)).unwrap(), request, "{}", exchange.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(missing(&exchange.request, &written), Vec::<String>::new(), "{}", exchange.name);
    }
}

#[test]
fn answers_are_written_back_without_loss() {
    for exchange in answers() {
        let text = exchange.body.to_string();
        let response = DIALECT.read_response(raw(text.as_bytes())).unwrap();
        let mut losses = Losses::default();
        let written = DIALECT.write_response(&response, &Reply::default(), &mut losses);
        assert!(losses.is_empty(), "{}: {losses}", exchange.name);
        assert_eq!(DIALECT.read_response(raw(&written)).unwrap(), response, "{}", exchange.name);
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(missing(&exchange.body, &written), Vec::<String>::new(), "{}", exchange.name);
    }
}

/// Gives the events of `stream` to `tell`.
fn events_of(stream: &[u8], mut tell: impl FnMut(Event<'_>)) {
    let mut reader = DIALECT.stream_reader();
    let read = |block: tidegate_llm::Block<'_>| {
        if let Some(event) = block.event() {
            reader.read(Frame { name: event.name, data: &event.data, is_exception: false }, &mut tell);
        }
    };
    SseDecoder::default().push(stream, read).unwrap();
}

/// The answer that `stream` tells, the same stream written again, and whether it had an end.
fn rewritten(stream: &[u8]) -> (Response<'static>, Vec<u8>, bool) {
    let (mut fold, mut written, mut ended) = (Fold::new(DIALECT), Vec::new(), false);
    let mut writer = DIALECT.stream_writer(Reply::default());
    events_of(stream, |event| {
        ended |= event == Event::End;
        fold.add(&event);
        writer.write(&event, &mut written);
    });
    writer.finish(&mut written);
    (fold.into_response(), written, ended)
}

#[test]
fn streams_are_written_back_with_the_same_meaning() {
    for (name, stream) in streams() {
        let (told, written, ended) = rewritten(stream.as_bytes());
        assert!(ended, "{name}");
        grammar::check(&written).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let (again, _, _) = rewritten(&written);
        assert_eq!(again.choices, told.choices, "{name}");
        assert_eq!(again.usage, told.usage, "{name}");
        assert!(told.choices[0].stop.is_some(), "{name}");
    }
}

#[test]
fn a_stream_cut_anywhere_is_never_complete() {
    for (name, stream) in streams() {
        let last = stream.rfind("message_stop").unwrap();
        for cut in (0..last).step_by(997) {
            let mut ended = false;
            events_of(&stream.as_bytes()[..cut], |event| ended |= event == Event::End);
            assert!(!ended && !DIALECT.stream_reader().may_end(), "{name} cut at {cut}");
        }
    }
}

#[test]
fn thoughts_keep_their_signatures() {
    let mut signed = 0;
    for exchange in answers() {
        let text = exchange.body.to_string();
        let response = DIALECT.read_response(raw(text.as_bytes())).unwrap();
        let is_signed =
            |body: &PartBody<'_>| matches!(body, PartBody::Reasoning(thoughts) if thoughts.signature.is_some());
        signed += response.choices[0].parts.iter().filter(|part| is_signed(&part.body)).count();
    }
    assert!(signed > 0 || std::env::var_os("TIDEGATE_FIXTURES").is_none());
}
