//! Streams that go wrong on their way into another dialect.

use bytes::Bytes;
use serde_json::json;
use tidegate_llm::{
    Dialect, FrameError, Renames, StreamEnd, StreamFilter, StreamTranslator, TranslatedEnd, write_message,
};

use crate::pairs::{reply, translate};

fn filter(provider: Dialect, client: Dialect) -> StreamFilter {
    let translator = StreamTranslator::new(provider, client, reply(), Renames::default());
    StreamFilter::translating(provider.protocol(), translator, 0)
}

/// Three events of Bedrock's, and then what is no message.
fn torn() -> (Vec<u8>, usize) {
    let mut stream = Vec::new();
    let delta = |text: &str| json!({"contentBlockIndex": 0, "delta": {"text": text}});
    let events = [
        ("messageStart", json!({"role": "assistant"})),
        ("contentBlockDelta", delta("Hel")),
        ("contentBlockDelta", delta("lo")),
    ];
    for (kind, payload) in events {
        let headers = [(":event-type", kind), (":message-type", "event")];
        write_message(&mut stream, &headers, |out| out.extend_from_slice(payload.to_string().as_bytes()));
    }
    let whole = stream.len();
    stream.extend_from_slice(b"this is no message of an event stream");
    (stream, whole)
}

/// What a client gets of these chunks, up to the fault and with it, and the fault.
fn passed<'c>(client: Dialect, chunks: impl IntoIterator<Item = &'c [u8]>) -> (Vec<u8>, Option<FrameError>) {
    let mut filter = filter(Dialect::BedrockConverse, client);
    let mut out = Vec::new();
    for chunk in chunks {
        match filter.push(Bytes::copy_from_slice(chunk)) {
            Ok(bytes) => out.extend(bytes.unwrap_or_default()),
            Err(broken) => {
                out.extend(broken.translated.unwrap_or_default());
                return (out, Some(broken.fault));
            }
        }
    }
    (out, None)
}

#[test]
fn what_stood_before_a_fault_is_told_wherever_the_chunks_end() {
    let (stream, whole) = torn();
    for client in Dialect::ALL {
        let (told, fault) = passed(client, [&stream[..whole]]);
        assert!(!told.is_empty() && fault.is_none(), "{client}");
        for cut in 0..=stream.len() {
            let (before, after) = stream.split_at(cut);
            let (with_fault, fault) = passed(client, [before, after]);
            assert!(fault.is_some(), "{client} at {cut}");
            assert!(with_fault == told, "{client} at {cut}");
        }
    }
}

#[test]
fn an_end_of_nothing_is_no_answer() {
    for client in Dialect::ALL {
        let mut filter = filter(Dialect::OpenAiChat, client);
        assert_eq!(filter.push(Bytes::from_static(b": nothing\n\ndata: [DONE]\n\n")), Ok(None), "{client}");
        assert_eq!(filter.end(), (StreamEnd::Cut, None), "{client}");
    }
}

#[test]
fn what_stands_behind_an_arrays_end_is_no_part_of_it() {
    let chunk = json!({"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]});
    let array = format!("[{chunk}\n]");
    for behind in ["", "\n", "{\"half", "\"half", "[{}]", "]"] {
        let whole = array.clone() + behind;
        for cut in array.len() - 1..=whole.len() {
            let (first, second) = whole.split_at(cut);
            let told = translate(Dialect::Gemini, Dialect::Anthropic, [first.as_bytes(), second.as_bytes()]);
            assert_eq!(told.end, TranslatedEnd::Complete, "{behind:?} at {cut}");
        }
    }
}

#[test]
fn long_names_are_not_repeated_with_every_piece() {
    let long = "x".repeat(10_000);
    let event = json!({
        "id": long, "model": long, "service_tier": long, "choices": [{"index": 0, "delta": {"content": "x"}}],
    });
    let piece = json!({"choices": [{"index": 0, "delta": {"content": "x"}}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let stream =
        format!("data: {event}\n\n{}data: {end}\n\ndata: [DONE]\n\n", format!("data: {piece}\n\n").repeat(1000));
    for client in Dialect::ALL {
        let told = translate(Dialect::OpenAiChat, client, [stream.as_bytes()]);
        assert_eq!(told.end, TranslatedEnd::Complete, "{client}");
        assert!(told.written.len() < 1_200_000, "{client}: {}", told.written.len());
    }
}
