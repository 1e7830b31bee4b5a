//! An answer's body, told apart from what frames it.

use bytes::Bytes;
use http_body::SizeHint;

use super::chunked::ChunkedDecoder;
use super::fault::Malformed;
use super::framing::BodyLength;

/// How far an answer's body has been read.
#[derive(Debug)]
pub(super) enum BodyDecoder {
    /// Bytes to come; none when it is over.
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
}

/// What was found in a piece that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// Bytes of the body.
    pub data: Bytes,
    /// Bytes that came behind the body's end.
    pub surplus: usize,
}

impl BodyDecoder {
    pub fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::Known(length) => BodyDecoder::Length(length),
            BodyLength::Chunked => BodyDecoder::Chunked(ChunkedDecoder::new()),
            BodyLength::UntilClose => BodyDecoder::UntilClose,
        }
    }

    /// `true` when the body's last byte has been read.
    pub fn is_over(&self) -> bool {
        match self {
            BodyDecoder::Length(left) => *left == 0,
            BodyDecoder::Chunked(decoder) => decoder.is_over(),
            BodyDecoder::UntilClose => false,
        }
    }

    pub fn size_hint(&self) -> SizeHint {
        match self {
            BodyDecoder::Length(left) => SizeHint::with_exact(*left),
            BodyDecoder::Chunked(_) | BodyDecoder::UntilClose => SizeHint::default(),
        }
    }

    /// Reads all of `input`; `keep` makes a piece of it last.
    ///
    /// # Errors
    /// If it is not coded as announced.
    pub fn decode(&mut self, input: &[u8], keep: impl Fn(&[u8]) -> Bytes) -> Result<Decoded, Malformed> {
        match self {
            BodyDecoder::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= length as u64;
                Ok(Decoded { data: keep(&input[..length]), surplus: input.len() - length })
            }
            BodyDecoder::Chunked(decoder) => decode_chunks(decoder, input, keep),
            BodyDecoder::UntilClose => Ok(Decoded { data: keep(input), surplus: 0 }),
        }
    }
}

/// The data of all chunks in `input` in one piece: it arrived together, so it may go on together.
fn decode_chunks(
    decoder: &mut ChunkedDecoder,
    mut input: &[u8],
    keep: impl Fn(&[u8]) -> Bytes,
) -> Result<Decoded, Malformed> {
    let Some(first) = decoder.next(&mut input)? else {
        return Ok(Decoded { data: Bytes::new(), surplus: input.len() });
    };
    let Some(second) = decoder.next(&mut input)? else {
        return Ok(Decoded { data: keep(first), surplus: input.len() });
    };
    let mut data = Vec::with_capacity(first.len() + second.len() + input.len());
    data.extend_from_slice(first);
    data.extend_from_slice(second);
    while let Some(piece) = decoder.next(&mut input)? {
        data.extend_from_slice(piece);
    }
    Ok(Decoded { data: data.into(), surplus: input.len() })
}
