//! Content codings, undone for plugins that look into a body and for answers of providers that are read: gzip, deflate
//! and brotli. Whoever sends the body decides what it expands to, so that is bounded: a stream may grow only so many
//! times, and a beginning only to a length.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// How many times longer a body may become. Texts reach 10 to 30, bombs 1000 and more.
const MAX_EXPANSION: u64 = 200;

/// Bytes up to which a body may expand in any case: short ones may repeat themselves more.
const ALWAYS_ALLOWED: u64 = 16 << 20;

/// Decoded bytes at once.
const BUFFER: usize = 8 << 10;

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    /// As RFC 9110 has it: in zlib's format.
    Deflate,
    Brotli,
}

/// What the headers of a body say of its coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Plain,
    Coded(Coding),
    /// Another coding, or several.
    Unknown,
}

impl Coding {
    /// What `encoded`, a whole body, decodes to.
    ///
    /// # Errors
    /// If it does not, or expands too much, or to more than `at_most` bytes.
    pub fn decode(self, encoded: &[u8], at_most: u64) -> Result<Bytes, DecodeError> {
        let mut decoder = Decoder { at_most, ..Decoder::new(self) };
        let start = decoder.push(encoded)?;
        let rest = decoder.finish()?;
        Ok(if rest.is_empty() { start } else { [start, rest].concat().into() })
    }
}

impl Encoding {
    /// What `Content-Encoding` says.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(CONTENT_ENCODING).iter();
        let Some(line) = lines.next() else { return Encoding::Plain };
        if lines.next().is_some() {
            return Encoding::Unknown;
        }
        match line.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Encoding::Plain,
            b"gzip" | b"x-gzip" => Encoding::Coded(Coding::Gzip),
            b"deflate" => Encoding::Coded(Coding::Deflate),
            b"br" => Encoding::Coded(Coding::Brotli),
            _ => Encoding::Unknown,
        }
    }

    /// The coding, if there is one that can be undone.
    pub fn coding(self) -> Option<Coding> {
        match self {
            Encoding::Coded(coding) => Some(coding),
            Encoding::Plain | Encoding::Unknown => None,
        }
    }
}

/// Why a body cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the body is not what its Content-Encoding says")]
    Corrupt,
    #[error("the body expands to more than is allowed")]
    Expands,
}

/// Decodes a body as it comes.
pub struct Decoder {
    engine: Engine,
    taken: u64,
    /// Over the whole body.
    at_most: u64,
}

enum Engine {
    Gzip(Box<MultiGzDecoder<Sink>>),
    Deflate(Inflate),
    Brotli(Box<DecompressorWriter<Sink>>),
}

/// flate2's own decoder of this format does not tell when the body has ended early.
struct Inflate {
    state: Decompress,
    ended: bool,
    sink: Sink,
}

/// Where decoded bytes go, as many as are allowed.
#[derive(Default)]
struct Sink {
    bytes: Vec<u8>,
    /// Over the whole body.
    produced: u64,
    allowed: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.allowed.saturating_sub(self.produced);
        let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if fits == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(&bytes[..fits]);
        self.produced += fits as u64;
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inflate {
    fn new(sink: Sink) -> Self {
        Self { state: Decompress::new(true), ended: false, sink }
    }

    fn push(&mut self, mut encoded: &[u8]) -> io::Result<()> {
        let mut buffer = [0; BUFFER];
        while !self.ended {
            let (taken, made) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(encoded, &mut buffer, FlushDecompress::None)?;
            let (taken, made) = ((self.state.total_in() - taken) as usize, (self.state.total_out() - made) as usize);
            self.sink.write_all(&buffer[..made])?;
            encoded = &encoded[taken..];
            self.ended = status == Status::StreamEnd;
            if taken == 0 && made == 0 {
                break;
            }
        }
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        if self.ended { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl Decoder {
    /// A decoder of one body.
    pub fn new(coding: Coding) -> Self {
        let sink = Sink::default();
        let engine = match coding {
            Coding::Gzip => Engine::Gzip(Box::new(MultiGzDecoder::new(sink))),
            Coding::Deflate => Engine::Deflate(Inflate::new(sink)),
            Coding::Brotli => Engine::Brotli(Box::new(DecompressorWriter::new(sink, BUFFER))),
        };
        Self { engine, taken: 0, at_most: u64::MAX }
    }

    /// What `encoded`, the next bytes of the body, decodes to.
    ///
    /// # Errors
    /// If it does not, or expands too much.
    pub fn push(&mut self, encoded: &[u8]) -> Result<Bytes, DecodeError> {
        self.taken += encoded.len() as u64;
        self.sink().allowed = ALWAYS_ALLOWED.max(self.taken.saturating_mul(MAX_EXPANSION)).min(self.at_most);
        let written = self.write(encoded);
        self.taken_from_sink(written)
    }

    /// As [`Decoder::push`], and what stood before a fault beside it. Nothing can be decoded behind one.
    pub fn push_up_to_fault(&mut self, encoded: &[u8]) -> (Bytes, Result<(), DecodeError>) {
        match self.push(encoded) {
            Ok(plain) => (plain, Ok(())),
            Err(error) => (std::mem::take(&mut self.sink().bytes).into(), Err(error)),
        }
    }

    /// The last decoded bytes.
    ///
    /// # Errors
    /// If the body has ended early, or expands too much.
    pub fn finish(mut self) -> Result<Bytes, DecodeError> {
        if self.taken == 0 {
            return Ok(Bytes::new());
        }
        let written = match &mut self.engine {
            Engine::Gzip(decoder) => decoder.try_finish(),
            Engine::Deflate(decoder) => decoder.finish(),
            Engine::Brotli(decoder) => decoder.close(),
        };
        self.taken_from_sink(written)
    }

    fn write(&mut self, encoded: &[u8]) -> io::Result<()> {
        match &mut self.engine {
            Engine::Gzip(decoder) => decoder.write_all(encoded).and_then(|()| decoder.flush()),
            Engine::Deflate(decoder) => decoder.push(encoded),
            Engine::Brotli(decoder) => decoder.write_all(encoded),
        }
    }

    fn sink(&mut self) -> &mut Sink {
        match &mut self.engine {
            Engine::Gzip(decoder) => decoder.get_mut(),
            Engine::Deflate(decoder) => &mut decoder.sink,
            Engine::Brotli(decoder) => decoder.get_mut(),
        }
    }

    fn taken_from_sink(&mut self, written: io::Result<()>) -> Result<Bytes, DecodeError> {
        match written {
            Ok(()) => Ok(std::mem::take(&mut self.sink().bytes).into()),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(DecodeError::Expands),
            Err(_) => Err(DecodeError::Corrupt),
        }
    }
}

/// Up to `at_most` bytes of what a body that begins with `encoded` decodes to; nothing if it does not.
pub fn decoded_start(coding: Coding, encoded: &[u8], at_most: usize) -> Vec<u8> {
    let mut decoder = Decoder::new(coding);
    decoder.sink().allowed = at_most as u64;
    // What is cut off cannot be decoded to its end, and need not be.
    let _cut = decoder.write(encoded);
    std::mem::take(&mut decoder.sink().bytes)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    const TEXT: &str = "the answer, the answer, the answer";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("gzip")
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("deflate")
    }

    /// [`TEXT`] as `brotli -q 5` writes it.
    fn brotli() -> Vec<u8> {
        STANDARD.decode("GyEAAASUcaTLp7p6/iKFmlo0X8xDAA==").expect("base64")
    }

    fn coded() -> [(Coding, Vec<u8>); 3] {
        [(Coding::Gzip, gzip(TEXT.as_bytes())), (Coding::Deflate, deflate(TEXT.as_bytes())), (Coding::Brotli, brotli())]
    }

    fn decode(coding: Coding, encoded: &[u8], step: usize) -> Result<Vec<u8>, DecodeError> {
        let mut decoder = Decoder::new(coding);
        let mut decoded = Vec::new();
        for chunk in encoded.chunks(step) {
            decoded.extend_from_slice(&decoder.push(chunk)?);
        }
        decoded.extend_from_slice(&decoder.finish()?);
        Ok(decoded)
    }

    #[test]
    fn bodies_are_decoded_however_they_are_cut() {
        for (coding, encoded) in coded() {
            for step in [1, 7, encoded.len()] {
                assert_eq!(decode(coding, &encoded, step).as_deref(), Ok(TEXT.as_bytes()), "{coding:?} by {step}");
            }
            assert_eq!(decode(coding, &[], 1).as_deref(), Ok(&b""[..]), "{coding:?}");
        }
    }

    #[test]
    fn what_is_not_coded_or_ends_early_is_corrupt() {
        for (coding, encoded) in coded() {
            assert_eq!(decode(coding, &encoded[..encoded.len() - 2], 5), Err(DecodeError::Corrupt), "{coding:?}");
            assert_eq!(decode(coding, b"\xffplain text", 100), Err(DecodeError::Corrupt), "{coding:?}");
        }
    }

    #[test]
    fn a_bomb_is_not_decoded() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert_eq!(decode(Coding::Gzip, &bomb, 1 << 10), Err(DecodeError::Expands));
        assert_eq!(decoded_start(Coding::Gzip, &bomb, 1_000).len(), 1_000);
    }

    #[test]
    fn a_whole_body_is_decoded_up_to_a_length() {
        for (coding, encoded) in coded() {
            assert_eq!(coding.decode(&encoded, 1 << 10).as_deref(), Ok(TEXT.as_bytes()), "{coding:?}");
            assert_eq!(coding.decode(&encoded, 10), Err(DecodeError::Expands), "{coding:?}");
        }
    }

    #[test]
    fn a_beginning_is_decoded_as_far_as_it_goes() {
        for (coding, encoded) in coded() {
            assert_eq!(decoded_start(coding, &encoded, 10), &TEXT.as_bytes()[..10], "{coding:?}");
            let start = decoded_start(coding, &encoded[..encoded.len() - 2], 1_000);
            assert!(TEXT.as_bytes().starts_with(&start), "{coding:?}");
            assert_eq!(decoded_start(coding, b"\xffplain text", 1_000), b"", "{coding:?}");
        }
    }

    #[test]
    fn the_header_names_the_coding() {
        let rows = [
            (vec![], Encoding::Plain),
            (vec!["identity"], Encoding::Plain),
            (vec!["GZIP"], Encoding::Coded(Coding::Gzip)),
            (vec!["x-gzip"], Encoding::Coded(Coding::Gzip)),
            (vec!["br"], Encoding::Coded(Coding::Brotli)),
            (vec!["deflate"], Encoding::Coded(Coding::Deflate)),
            (vec!["zstd"], Encoding::Unknown),
            (vec!["gzip, br"], Encoding::Unknown),
            (vec!["gzip", "br"], Encoding::Unknown),
        ];
        for (values, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(Encoding::of(&headers), expected, "{values:?}");
        }
    }
}
