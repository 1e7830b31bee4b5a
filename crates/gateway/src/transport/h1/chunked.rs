//! The chunked coding of an answer's body (RFC 9112, section 7.1), read piece by piece as it arrives, wherever the cuts
//! are. Line ends are CR LF and nothing else. Extensions and trailers are passed over; both are bounded.

use super::fault::Malformed;

/// Bytes of extensions, and of trailers, in one body.
const MAX_OVERHEAD_BYTES: u16 = 16 * 1024;

/// How far a body has been read.
#[derive(Debug)]
pub(super) struct ChunkedDecoder {
    state: State,
    /// Bytes to come of the present chunk.
    left: u64,
    extensions: u16,
    trailers: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a size's first digit.
    Start,
    /// Behind a digit.
    Size,
    /// Behind a size and a space.
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the beginning of a trailer's line, or of the empty one that ends the body.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

impl ChunkedDecoder {
    pub fn new() -> Self {
        Self { state: State::Start, left: 0, extensions: 0, trailers: 0 }
    }

    /// `true` when the body's last byte has been read.
    pub fn is_over(&self) -> bool {
        self.state == State::End
    }

    /// The next piece of the body in `input`, which moves on behind it; `None` if there is no more in it.
    ///
    /// # Errors
    /// If it is not the chunked coding.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
        while self.state != State::End {
            if self.state == State::Data {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
                if length == 0 {
                    return Ok(None);
                }
                let (data, rest) = input.split_at(length);
                *input = rest;
                self.left -= length as u64;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                return Ok(Some(data));
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.state = self.step(byte)?;
        }
        Ok(None)
    }

    /// The state behind `byte`, which is none of the data's.
    fn step(&mut self, byte: u8) -> Result<State, Malformed> {
        match (self.state, byte) {
            (State::Start | State::Size, digit) if digit.is_ascii_hexdigit() => {
                self.left = appended(self.left, digit).ok_or(Malformed::ChunkSize)?;
                Ok(State::Size)
            }
            (State::Size | State::SizeSpace, b' ' | b'\t') => self.extension_byte(State::SizeSpace),
            (State::Size | State::SizeSpace, b';') => Ok(State::Extension),
            (State::Size | State::SizeSpace | State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, b'\n') => Err(Malformed::ChunkSize),
            (State::Extension, _) => self.extension_byte(State::Extension),
            (State::SizeLf, b'\n') if self.left == 0 => Ok(State::TrailerStart),
            (State::SizeLf, b'\n') => Ok(State::Data),
            (State::Start | State::Size | State::SizeSpace | State::SizeLf, _) => Err(Malformed::ChunkSize),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                self.extensions = 0;
                Ok(State::Start)
            }
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            (State::TrailerStart | State::Trailer, b'\n') => Err(Malformed::ChunkEnd),
            (State::TrailerStart | State::Trailer, _) => self.trailer_byte(),
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::EndLf, b'\n') => Ok(State::End),
            (State::Data | State::DataCr | State::DataLf | State::TrailerLf | State::EndLf | State::End, _) => {
                Err(Malformed::ChunkEnd)
            }
        }
    }

    fn extension_byte(&mut self, next: State) -> Result<State, Malformed> {
        self.extensions += 1;
        if self.extensions > MAX_OVERHEAD_BYTES { Err(Malformed::ChunkOverhead) } else { Ok(next) }
    }

    fn trailer_byte(&mut self) -> Result<State, Malformed> {
        self.trailers += 1;
        if self.trailers > MAX_OVERHEAD_BYTES { Err(Malformed::ChunkOverhead) } else { Ok(State::Trailer) }
    }
}

/// `size` with one more digit, if it fits.
fn appended(size: u64, digit: u8) -> Option<u64> {
    let digit = char::from(digit).to_digit(16)?;
    size.checked_mul(16)?.checked_add(u64::from(digit))
}
