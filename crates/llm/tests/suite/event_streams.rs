//! AWS event streams under every cut, every flipped bit and every header type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;
use tidegate_llm::{EventStreamDecoder, EventStreamError, HeaderValue, write_message};

const MAX: usize = 1 << 20;

/// Type and payload of each message.
type Messages = Vec<(String, Vec<u8>)>;

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Messages, Result<(), EventStreamError>) {
    let mut decoder = EventStreamDecoder::new(MAX);
    let mut messages = Messages::new();
    for chunk in chunks {
        let pushed = decoder.push(chunk, |message| {
            let kind = message.text(":event-type").unwrap_or_default().to_owned();
            messages.push((kind, message.payload.to_vec()));
        });
        if pushed.is_err() {
            return (messages, pushed);
        }
    }
    (messages, Ok(()))
}

fn sample() -> Vec<u8> {
    let mut stream = Vec::new();
    for (name, payload) in [("messageStart", "{\"role\":\"assistant\"}"), ("contentBlockDelta", ""), ("metadata", "{}")]
    {
        let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
        write_message(&mut stream, &headers, |out| out.extend_from_slice(payload.as_bytes()));
    }
    stream
}

fn expected() -> Messages {
    let message = |name: &str, payload: &str| (name.to_owned(), payload.as_bytes().to_vec());
    vec![
        message("messageStart", "{\"role\":\"assistant\"}"),
        message("contentBlockDelta", ""),
        message("metadata", "{}"),
    ]
}

#[test]
fn what_is_written_is_read_whatever_the_cut() {
    let stream = sample();
    assert_eq!(decode([stream.as_slice()]), (expected(), Ok(())));
    assert_eq!(decode(stream.chunks(1)), (expected(), Ok(())));
    for cut in 0..stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(decode([head, tail]), (expected(), Ok(())), "cut at {cut}");
    }
}

#[test]
fn a_stream_that_breaks_off_gives_only_what_was_complete() {
    let stream = sample();
    for cut in 0..stream.len() {
        let (messages, end) = decode([&stream[..cut]]);
        assert_eq!(end, Ok(()));
        assert!(messages.len() < 3 && expected().starts_with(&messages), "cut at {cut}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let stream = sample();
    for at in 0..stream.len() * 8 {
        let mut broken = stream.clone();
        broken[at / 8] ^= 1 << (at % 8);
        let (messages, end) = decode([broken.as_slice()]);
        assert!(end.is_err(), "bit {at}");
        assert!(expected().starts_with(&messages), "bit {at}");
    }
}

#[test]
fn a_message_beyond_the_bound_is_refused_before_it_is_kept() {
    let mut stream = Vec::new();
    write_message(&mut stream, &[], |out| out.resize(out.len() + 100, b' '));
    let length = stream.len();
    let mut decoder = EventStreamDecoder::new(64);
    let refused = decoder.push(&stream[..12], |_| panic!("no message is whole"));
    assert_eq!(refused, Err(EventStreamError::MessageTooLarge { length, max: 64 }));
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    for (total, headers) in [(15_u32, 0_u32), (16, 1), (40, 30), (0, 0)] {
        let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        prelude.extend(crc32(&prelude).to_be_bytes());
        prelude.resize(64, 0);
        assert_eq!(decode([prelude.as_slice()]).1, Err(EventStreamError::BadLengths), "{total} {headers}");
    }
}

#[test]
fn headers_of_every_type_are_read() {
    let mut headers = Vec::new();
    for (name, kind, value) in [
        ("yes", 0, vec![]),
        ("no", 1, vec![]),
        ("byte", 2, vec![0xff]),
        ("short", 3, vec![1, 0]),
        ("int", 4, vec![0, 0, 1, 0]),
        ("long", 5, vec![0, 0, 0, 0, 0, 0, 1, 0]),
        ("bytes", 6, vec![0, 2, 7, 8]),
        ("text", 7, vec![0, 2, b'o', b'k']),
        ("time", 8, vec![0, 0, 0, 0, 0, 0, 0, 9]),
        ("uuid", 9, vec![3; 16]),
    ] {
        headers.push(name.len() as u8);
        headers.extend(name.as_bytes());
        headers.push(kind);
        headers.extend(value);
    }
    let mut read = Vec::new();
    let pushed = EventStreamDecoder::new(MAX).push(&with_headers(&headers), |message| {
        read.extend(message.headers().map(|(name, value)| (name.to_owned(), format!("{value:?}"))))
    });
    assert_eq!(pushed, Ok(()));
    let values = [
        HeaderValue::Bool(true),
        HeaderValue::Bool(false),
        HeaderValue::Byte(-1),
        HeaderValue::Short(256),
        HeaderValue::Int(256),
        HeaderValue::Long(256),
        HeaderValue::Bytes(&[7, 8]),
        HeaderValue::Text("ok"),
        HeaderValue::Timestamp(9),
        HeaderValue::Uuid([3; 16]),
    ];
    assert_eq!(read.len(), values.len());
    for ((name, value), expected) in read.iter().zip(values) {
        assert_eq!(*value, format!("{expected:?}"), "{name}");
    }
}

#[test]
fn malformed_headers_are_refused() {
    for headers in [vec![1], vec![1, b'a'], vec![1, b'a', 10], vec![1, b'a', 7, 0, 9, b'x'], vec![1, 0xff, 0]] {
        let end = decode([with_headers(&headers).as_slice()]).1;
        assert_eq!(end, Err(EventStreamError::BadHeaders), "{headers:?}");
    }
}

/// A message with these header bytes and no payload.
fn with_headers(headers: &[u8]) -> Vec<u8> {
    let total = (headers.len() + 16) as u32;
    let mut message = [total.to_be_bytes(), (headers.len() as u32).to_be_bytes()].concat();
    message.extend(crc32(&message).to_be_bytes());
    message.extend(headers);
    message.extend(crc32(&message).to_be_bytes());
    message
}

/// The checksum, bit by bit, as its definition says.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// Every recorded event stream; empty, with a note, where there are no recordings.
pub fn recorded() -> Vec<(String, Vec<u8>)> {
    let Some(root) = std::env::var_os("TIDEGATE_FIXTURES") else {
        eprintln!("SKIPPED: TIDEGATE_FIXTURES is not set, so no recorded event stream was tested");
        return Vec::new();
    };
    let folder = std::path::PathBuf::from(root).join("wire/bedrock");
    let mut streams = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let recording: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        if let Some(stream) = recording["response"]["eventstream_b64"].as_str() {
            streams.push((file.display().to_string(), STANDARD.decode(stream).unwrap()));
        }
    }
    streams
}

#[test]
fn recorded_streams_are_read_whole_in_any_chunks() {
    for (name, stream) in recorded() {
        let whole = decode([stream.as_slice()]);
        assert!(whole.1.is_ok() && whole.0.len() > 2, "{name}: {:?}", whole.1);
        for size in [1, 7, 64, 333] {
            assert_eq!(decode(stream.chunks(size)), whole, "{name} in chunks of {size}");
        }
        for cut in 0..stream.len().min(2000) {
            let (messages, end) = decode([&stream[..cut]]);
            assert!(end.is_ok() && whole.0.starts_with(&messages) && messages.len() < whole.0.len(), "{name} at {cut}");
        }
    }
}

proptest! {
    #[test]
    fn bytes_that_are_no_stream_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1_usize..50) {
        let _ = decode(bytes.chunks(size));
    }
}
