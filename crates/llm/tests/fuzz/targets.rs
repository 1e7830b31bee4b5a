//! What is done with an input, and what must hold whatever it is.

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tidegate_llm::{
    ApiError, BodyScan, ClientDialect, Dialect, ErrorKind, EventStreamDecoder, InvokeFamily, LossPolicy, PathFacts,
    Protocol, ProviderDialect, Quirks, Raw, Renames, Reply, SseDecoder, StreamForm, StreamTranslator, Target,
    TranslatedEnd, read_error, translate_request, translate_response, write_error, write_message,
};

use crate::grammar;

/// What is written is larger than what was read by no more than this: small parts become whole events.
const MOST_TIMES: usize = 400;
const MOST_MORE: usize = 64 * 1024;

fn reply(stream_form: StreamForm) -> Reply {
    Reply { id: "made-up".into(), model: "a-model".into(), created: 1, include_usage: true, stream_form }
}

/// Every form in which clients speak.
fn clients() -> impl Iterator<Item = ClientDialect> {
    let invoked = InvokeFamily::ALL.into_iter().map(ClientDialect::BedrockInvoke);
    let alone = [ClientDialect::Completions, ClientDialect::Mistral];
    Dialect::ALL.into_iter().map(ClientDialect::Shared).chain(invoked).chain(alone)
}

/// Every form in which providers are asked.
fn providers() -> impl Iterator<Item = ProviderDialect> {
    Dialect::ALL.into_iter().map(ProviderDialect::Shared).chain(ProviderDialect::OWN_FORMS)
}

/// What is written is JSON, and not many times as long as what was read.
pub fn assert_json(written: impl Into<Bytes>, input: &[u8], to: impl Debug) {
    let written = written.into();
    assert!(written.len() <= MOST_MORE + MOST_TIMES * input.len(), "{to:?}: {} bytes", written.len());
    let scan = BodyScan::parse(&written, 1024);
    assert!(scan.is_ok(), "{to:?}: {scan:?}: {}", String::from_utf8_lossy(&written));
}

/// A body of `invoke` is of a family and becomes JSON for every provider, or is of none.
pub fn invoked_request(input: &[u8]) {
    let Ok(scan) = BodyScan::parse(&Bytes::copy_from_slice(input), 128) else { return };
    if let Some(family) = ClientDialect::of(Protocol::BedrockInvoke, &scan, "") {
        request(family, input);
    }
}

/// A request that is JSON becomes JSON for every provider, or is refused.
pub fn request(from: impl Into<ClientDialect>, input: &[u8]) {
    let from = from.into();
    let Ok(scan) = BodyScan::parse(&Bytes::copy_from_slice(input), 128) else { return };
    for dialect in providers() {
        let target = Target { dialect, quirks: Quirks::default(), losses: LossPolicy::Drop };
        let path = PathFacts { model: Some("a-model"), stream: false, betas: None };
        if let Ok(translated) = translate_request(from, &target, scan.raw(), path) {
            assert_json(translated.body, input, dialect);
        }
    }
}

/// A whole answer becomes JSON for every client, or is refused.
pub fn answer(from: impl Into<ProviderDialect>, input: &[u8]) {
    let from = from.into();
    let Some(raw) = Raw::new(input) else { return };
    for to in clients() {
        if let Ok(told) = translate_response(from, to, raw, &reply(StreamForm::Sse), &Renames::default()) {
            assert_json(told.body, input, to);
        }
    }
}

/// A stream that ends well follows the grammar of its client's dialect, in whatever pieces it came.
pub fn stream(from: impl Into<ProviderDialect>, input: &[u8]) {
    let from = from.into();
    let bytes = match from {
        ProviderDialect::Shared(Dialect::BedrockConverse) => messages(input),
        ProviderDialect::BedrockInvoke => chunks(input),
        ProviderDialect::Shared(_) | ProviderDialect::Ollama | ProviderDialect::DashScope => input.to_vec(),
    };
    let form = if input.len().is_multiple_of(2) { StreamForm::Sse } else { StreamForm::JsonArray };
    for to in clients() {
        let whole = translated(from, to, form, bytes.chunks(bytes.len().max(1)));
        let pieces = translated(from, to, form, bytes.chunks(7));
        assert!(whole == pieces, "{to:?}: pieces matter: {whole:?} {pieces:?}");
        let (end, written) = whole;
        assert!(written.len() <= MOST_MORE + MOST_TIMES * bytes.len(), "{to:?}: {} bytes", written.len());
        // In its own dialect nonsense may stay what it was.
        if end == Some(TranslatedEnd::Complete) && (to.dialect().is_none() || from.dialect() != to.dialect()) {
            let checked = check(to, form, &written).or_else(forgive_provider);
            assert!(checked.is_ok(), "{to:?}: {checked:?}");
        }
    }
}

/// Faults of the provider's own telling, which is passed on as it is.
const TOLD_SO: [&str; 5] = [
    "arguments that are no JSON",
    "a call begins without a name",
    "a call is named twice",
    "calls are not numbered in order",
    // Counts that shrink again.
    "the total is not the sum",
];

fn forgive_provider(error: String) -> Result<(), String> {
    if TOLD_SO.iter().any(|fault| error.starts_with(fault)) { Ok(()) } else { Err(error) }
}

/// How a stream ends, `None` if it is no stream, and what is written of it.
fn translated<'c>(
    from: ProviderDialect,
    to: ClientDialect,
    form: StreamForm,
    chunks: impl Iterator<Item = &'c [u8]>,
) -> (Option<TranslatedEnd>, Vec<u8>) {
    let mut translator = StreamTranslator::new(from, to, reply(form), Renames::default());
    let mut written = Vec::new();
    for chunk in chunks {
        if translator.push(chunk, &mut written, &mut |_| {}).is_err() {
            translator.fail(&ApiError::new(ErrorKind::StreamCut, "broken"), &mut written);
            return (None, written);
        }
    }
    (Some(translator.end(&mut written)), written)
}

fn check(client: ClientDialect, form: StreamForm, stream: &[u8]) -> Result<(), String> {
    match client {
        ClientDialect::Shared(dialect) => check_shared(dialect, form, stream),
        ClientDialect::BedrockInvoke(family) => grammar::invoke::check(family, stream),
        ClientDialect::Mistral => grammar::mistral::check(stream),
        ClientDialect::Completions if stream.ends_with(b"data: [DONE]\n\n") => Ok(()),
        ClientDialect::Completions => Err("no end".to_owned()),
    }
}

fn check_shared(dialect: Dialect, form: StreamForm, stream: &[u8]) -> Result<(), String> {
    match dialect {
        Dialect::OpenAiChat => grammar::chat::check(stream),
        Dialect::OpenAiResponses => grammar::responses::check(stream),
        Dialect::Anthropic => grammar::anthropic::check(stream),
        Dialect::Gemini if form == StreamForm::JsonArray => grammar::gemini::check_array(stream),
        Dialect::Gemini => grammar::gemini::check(stream),
        Dialect::BedrockConverse => grammar::bedrock::check(stream),
        Dialect::Cohere => grammar::cohere::check(stream),
    }
}

/// The event stream whose messages are told in lines of a type and a payload.
pub fn messages(lines: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let (name, payload) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()));
        let name = String::from_utf8_lossy(name);
        let is_exception = name.ends_with("Exception");
        let (kind, header) = if is_exception { ("exception", ":exception-type") } else { ("event", ":event-type") };
        let headers = [(":message-type", kind), (header, &*name), (":content-type", "application/json")];
        write_message(&mut stream, &headers, |out| out.extend_from_slice(payload.trim_ascii()));
    }
    stream
}

/// The stream of `invoke` whose events are told in lines; a line that is no object is an exception's name.
pub fn chunks(lines: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let name = String::from_utf8_lossy(line);
        let (kind, header, name) = match line.starts_with(b"{") {
            true => ("event", ":event-type", "chunk"),
            false => ("exception", ":exception-type", &*name),
        };
        let headers = [(":message-type", kind), (header, name), (":content-type", "application/json")];
        let payload = format!(r#"{{"bytes":"{}","p":"abc"}}"#, STANDARD.encode(line));
        write_message(&mut stream, &headers, |out| out.extend_from_slice(payload.as_bytes()));
    }
    stream
}

/// The array whose elements are the data of `events`.
pub fn array(events: &[u8]) -> Vec<u8> {
    let lines = events.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data: "));
    let elements: Vec<&[u8]> = lines.map(<[u8]>::trim_ascii).collect();
    [b"[".as_slice(), &elements.join(&b",\n"[..]), b"]"].concat()
}

/// Whatever a refusal's body is, clients of all dialects get JSON.
pub fn error(input: &[u8]) {
    for from in Dialect::ALL {
        let error = read_error(from, 400, None, input);
        for to in Dialect::ALL {
            assert_json(write_error(to, &error).body, input, to);
        }
    }
}

/// What the scan takes for JSON, others do as well; and its fields are within it.
pub fn scan(input: &[u8]) {
    let body = Bytes::copy_from_slice(input);
    let Ok(scan) = BodyScan::parse(&body, 100) else { return };
    assert!(serde_json::from_slice::<serde::de::IgnoredAny>(input).is_ok(), "no JSON");
    for name in ["model", "messages", "stream", "a"] {
        assert!(scan.field(name).is_none_or(|value| !value.is_empty()));
    }
}

/// Events are the same in whatever pieces they come.
pub fn server_sent_events(input: &[u8]) {
    let events = |size: usize| {
        let (mut decoder, mut events) = (SseDecoder::new(1 << 16), Vec::new());
        for chunk in input.chunks(size) {
            let pushed = decoder.push(chunk, |block| {
                events.extend(block.event().map(|event| (event.name.to_vec(), event.data.into_owned())));
            });
            pushed.unwrap();
        }
        events
    };
    let whole = events(input.len().max(1));
    for size in [1, 2, 31] {
        assert!(events(size) == whole, "in pieces of {size}");
    }
}

/// Messages are the same in whatever pieces they come, and so is where the stream is broken.
pub fn event_stream(input: &[u8]) {
    let messages = |size: usize| {
        let (mut decoder, mut payloads) = (EventStreamDecoder::new(1 << 16), Vec::new());
        let fault = input.chunks(size).find_map(|chunk| {
            decoder.push(chunk, |message| payloads.push((message.headers().count(), message.payload.to_vec()))).err()
        });
        (payloads, fault)
    };
    let whole = messages(input.len().max(1));
    for size in [1, 2, 31] {
        assert!(messages(size) == whole, "in pieces of {size}");
    }
}
