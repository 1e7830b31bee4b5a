//! Bodies read in pieces.

use bytes::Bytes;
use proptest::prelude::*;

use crate::transport::h1::chunked::ChunkedDecoder;
use crate::transport::h1::decoder::{BodyDecoder, Decoded};
use crate::transport::h1::fault::Malformed;
use crate::transport::h1::framing::BodyLength;

/// The body in `pieces`, whether it is over, and the bytes behind it.
fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, usize), Malformed> {
    let mut decoder = ChunkedDecoder::new();
    let (mut body, mut surplus) = (Vec::new(), 0);
    for mut piece in pieces.iter().copied() {
        while let Some(data) = decoder.next(&mut piece)? {
            body.extend_from_slice(data);
        }
        surplus += piece.len();
    }
    Ok((body, decoder.is_over(), surplus))
}

#[test]
fn chunks_are_put_together() {
    let cases: [(&[u8], &[u8], bool, usize); 7] = [
        (b"0\r\n\r\n", b"", true, 0),
        (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world", true, 0),
        (b"0000A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", true, 0),
        (b"5;name=value\r\nhello\r\n0;x\r\n\r\n", b"hello", true, 0),
        (b"5 \t;x\r\nhello\r\n0 \r\n\r\n", b"hello", true, 0),
        (b"5\r\nhello\r\n0\r\nx-sum: 1\r\nx-b: 2\r\n\r\n", b"hello", true, 0),
        (b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1", b"hello", true, 8),
    ];
    for (input, body, over, surplus) in cases {
        assert_eq!(decode(&[input]), Ok((body.to_vec(), over, surplus)), "{:?}", String::from_utf8_lossy(input));
    }
    assert_eq!(decode(&[b"5\r\nhel"]), Ok((b"hel".to_vec(), false, 0)));
}

#[test]
fn what_is_no_chunk_is_refused() {
    let cases: [(&[u8], Malformed); 11] = [
        (b"\r\n", Malformed::ChunkSize),
        (b" 5\r\nhello\r\n", Malformed::ChunkSize),
        (b"-5\r\n", Malformed::ChunkSize),
        (b"0x5\r\n", Malformed::ChunkSize),
        (b"5\nhello\r\n", Malformed::ChunkSize),
        (b"5;x\nhello\r\n", Malformed::ChunkSize),
        (b"5\rhello", Malformed::ChunkSize),
        (b"10000000000000000\r\n", Malformed::ChunkSize),
        (b"5\r\nhello!\r\n", Malformed::ChunkEnd),
        (b"5\r\nhello\n", Malformed::ChunkEnd),
        (b"0\r\nx: y\n\r\n", Malformed::ChunkEnd),
    ];
    for (input, fault) in cases {
        assert_eq!(decode(&[input]), Err(fault), "{:?}", String::from_utf8_lossy(input));
    }
}

#[test]
fn what_is_passed_over_is_bounded() {
    let extension = format!("5;{}\r\n", "x".repeat(16 * 1024 + 1));
    let spaces = format!("5{}\r\n", " ".repeat(16 * 1024 + 1));
    let trailers = format!("0\r\n{}\r\n", "x: y\r\n".repeat(4 * 1024 + 1));
    for text in [extension, spaces, trailers] {
        assert_eq!(decode(&[text.as_bytes()]), Err(Malformed::ChunkOverhead));
    }
}

#[test]
fn the_cuts_make_no_difference() {
    let input = b"5;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nx-sum: 1\r\n\r\n";
    let whole = decode(&[input]);
    for first in 0..input.len() {
        for second in first..input.len() {
            let pieces = [&input[..first], &input[first..second], &input[second..]];
            assert_eq!(decode(&pieces), whole, "{first} {second}");
        }
    }
}

#[test]
fn a_body_of_known_length_ends_there() {
    let mut decoder = BodyDecoder::new(BodyLength::Known(5));
    let decoded = |data: &'static str, surplus| Ok(Decoded { data: Bytes::from_static(data.as_bytes()), surplus });
    assert_eq!(decoder.decode(b"hel", Bytes::copy_from_slice), decoded("hel", 0));
    assert!(!decoder.is_over());
    assert_eq!(decoder.decode(b"lo!!", Bytes::copy_from_slice), decoded("lo", 2));
    assert!(decoder.is_over());
}

#[test]
fn chunks_that_came_together_go_on_together() {
    let mut decoder = BodyDecoder::new(BodyLength::Chunked);
    let decoded = decoder.decode(b"2\r\nab\r\n3\r\ncde\r\n1\r\nf\r\n", Bytes::copy_from_slice);
    assert_eq!(decoded, Ok(Decoded { data: Bytes::from_static(b"abcdef"), surplus: 0 }));
}

proptest! {
    #[test]
    fn no_bytes_make_reading_chunks_panic(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20),
    ) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let _ = decode(&pieces);
    }

    #[test]
    fn any_body_in_any_chunks_is_read_in_any_pieces(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..8),
        size in 1..40_usize,
    ) {
        let mut coded = Vec::new();
        for chunk in &chunks {
            coded.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
            coded.extend_from_slice(chunk);
            coded.extend_from_slice(b"\r\n");
        }
        coded.extend_from_slice(b"0\r\n\r\n");
        let pieces: Vec<&[u8]> = coded.chunks(size).collect();
        prop_assert_eq!(decode(&pieces), Ok((chunks.concat(), true, 0)));
    }
}
