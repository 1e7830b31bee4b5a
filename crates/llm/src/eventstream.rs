//! AWS event streams (`application/vnd.amazon.eventstream`): messages with headers, a payload and two checksums.
//!
//! A message is: total length, header length, CRC32 of those eight bytes, headers, payload, CRC32 of all before; all
//! numbers big-endian. Invariant: a message is handed out only if both checksums hold and its headers are well-formed,
//! and memory is bounded whatever the lengths say. Read by [`framing`](crate::framing), written by the Bedrock dialect.

/// Total length, header length and their checksum.
const PRELUDE_BYTES: usize = 12;
/// The checksum of the whole message.
const TRAILER_BYTES: usize = 4;
/// What a stream keeps allocated between split messages; one large message must not cost memory for the rest of it.
const KEPT_CAPACITY: usize = 16 * 1024;
/// Header type of UTF-8 text, the only one that Bedrock sends.
const TEXT: u8 = 7;

/// The stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventStreamError {
    #[error("a message of the event stream is {length} bytes, more than {max}")]
    MessageTooLarge { length: usize, max: usize },
    #[error("a message of the event stream has lengths that contradict each other")]
    BadLengths,
    #[error("a message of the event stream does not match its checksum")]
    BadChecksum,
    #[error("a message of the event stream has malformed headers")]
    BadHeaders,
}

/// A header's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderValue<'a> {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
}

/// One message, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    headers: Headers<'a>,
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The headers in their order.
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }

    /// The text of the header `name`; `None` if it is absent or of another type.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.headers().find(|(known, _)| *known == name).and_then(|(_, value)| match value {
            HeaderValue::Text(text) => Some(text),
            _ => None,
        })
    }
}

/// A message's headers; see [`Message::headers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers<'a>(&'a [u8]);

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, HeaderValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = Bytes(self.0);
        let length = rest.array::<1>()?[0];
        let name = rest.text(usize::from(length))?;
        let kind = rest.array::<1>()?[0];
        let value = match kind {
            0 => HeaderValue::Bool(true),
            1 => HeaderValue::Bool(false),
            2 => HeaderValue::Byte(i8::from_be_bytes(rest.array()?)),
            3 => HeaderValue::Short(i16::from_be_bytes(rest.array()?)),
            4 => HeaderValue::Int(i32::from_be_bytes(rest.array()?)),
            5 => HeaderValue::Long(i64::from_be_bytes(rest.array()?)),
            6 => {
                let length = u16::from_be_bytes(rest.array()?);
                HeaderValue::Bytes(rest.take(usize::from(length))?)
            }
            TEXT => {
                let length = u16::from_be_bytes(rest.array()?);
                HeaderValue::Text(rest.text(usize::from(length))?)
            }
            8 => HeaderValue::Timestamp(i64::from_be_bytes(rest.array()?)),
            9 => HeaderValue::Uuid(rest.array()?),
            _ => return None,
        };
        self.0 = rest.0;
        Some((name, value))
    }
}

/// Bytes that are taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn text(&mut self, length: usize) -> Option<&'a str> {
        std::str::from_utf8(self.take(length)?).ok()
    }
}

/// Cuts messages out of a byte stream that arrives in arbitrary chunks. A message that lies whole in one chunk is
/// handed out in place; only a split one is copied.
#[derive(Debug)]
pub struct EventStreamDecoder {
    max_bytes: usize,
    /// The beginning of a message that has not arrived whole.
    pending: Vec<u8>,
}

impl EventStreamDecoder {
    /// Messages may be up to `max_bytes` long, headers and checksums included.
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, pending: Vec::new() }
    }

    /// A message has begun and has not arrived whole.
    pub(crate) fn is_torn(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes in the next chunk and hands out the messages that it completes.
    ///
    /// # Errors
    /// If the bytes are no such stream; nothing of use can follow.
    pub fn push(&mut self, chunk: &[u8], mut visit: impl FnMut(Message<'_>)) -> Result<(), EventStreamError> {
        let mut rest = chunk;
        while !self.pending.is_empty() {
            let wanted = match self.length_of(&self.pending)? {
                None => PRELUDE_BYTES,
                Some(length) if self.pending.len() == length => {
                    visit(decode(&self.pending)?);
                    self.pending.clear();
                    self.pending.shrink_to(KEPT_CAPACITY);
                    break;
                }
                Some(length) => length,
            };
            if rest.is_empty() {
                return Ok(());
            }
            let (more, later) = rest.split_at(rest.len().min(wanted - self.pending.len()));
            self.pending.extend_from_slice(more);
            rest = later;
        }
        while let Some(length) = self.length_of(rest)? {
            let Some((message, later)) = rest.split_at_checked(length) else { break };
            visit(decode(message)?);
            rest = later;
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// The length of the message that begins with `bytes`; `None` if they do not tell yet.
    fn length_of(&self, bytes: &[u8]) -> Result<Option<usize>, EventStreamError> {
        let Some(prelude) = bytes.get(..PRELUDE_BYTES) else { return Ok(None) };
        if crc32fast::hash(&prelude[..8]) != number(prelude, 8) {
            return Err(EventStreamError::BadChecksum);
        }
        let (length, headers) = (number(prelude, 0) as usize, number(prelude, 4) as usize);
        if length > self.max_bytes {
            return Err(EventStreamError::MessageTooLarge { length, max: self.max_bytes });
        }
        if length < PRELUDE_BYTES + TRAILER_BYTES || headers > length - PRELUDE_BYTES - TRAILER_BYTES {
            return Err(EventStreamError::BadLengths);
        }
        Ok(Some(length))
    }
}

/// The message that `bytes` are, from the first to the last; the prelude has been checked.
fn decode(bytes: &[u8]) -> Result<Message<'_>, EventStreamError> {
    let (signed, _) = bytes.split_at(bytes.len() - TRAILER_BYTES);
    if crc32fast::hash(signed) != number(bytes, signed.len()) {
        return Err(EventStreamError::BadChecksum);
    }
    let (headers, payload) = signed[PRELUDE_BYTES..].split_at(number(bytes, 4) as usize);
    let headers = Headers(headers);
    let mut walk = headers;
    walk.by_ref().for_each(drop);
    match walk.0.is_empty() {
        true => Ok(Message { headers, payload }),
        false => Err(EventStreamError::BadHeaders),
    }
}

/// The number at `at`, which lies within `bytes`.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Appends one message. `headers` are texts; names of up to 255 and values of up to 65,535 bytes fit. `payload`
/// appends the payload to the buffer it is given.
pub fn write_message(out: &mut Vec<u8>, headers: &[(&str, &str)], payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PRELUDE_BYTES]);
    for (name, value) in headers {
        let name = &name.as_bytes()[..name.len().min(usize::from(u8::MAX))];
        let value = &value.as_bytes()[..value.len().min(usize::from(u16::MAX))];
        out.push(name.len() as u8);
        out.extend_from_slice(name);
        out.push(TEXT);
        out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        out.extend_from_slice(value);
    }
    let header_bytes = out.len() - start - PRELUDE_BYTES;
    payload(out);
    let total = out.len() - start + TRAILER_BYTES;
    out[start..start + 4].copy_from_slice(&(total as u32).to_be_bytes());
    out[start + 4..start + 8].copy_from_slice(&(header_bytes as u32).to_be_bytes());
    let checksum = crc32fast::hash(&out[start..start + 8]);
    out[start + 8..start + PRELUDE_BYTES].copy_from_slice(&checksum.to_be_bytes());
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_be_bytes());
}
