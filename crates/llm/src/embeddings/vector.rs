//! One vector, in either of the encodings that providers and clients use.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Encoding;
use crate::dialect::ReadError;
use crate::json::{Kind, Raw, write_string};
use crate::model::{Json, Text};

/// A vector as its provider wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vector<'a> {
    /// A JSON array of numbers.
    Floats(Json<'a>),
    /// Little-endian 32-bit floats.
    Base64(Text<'a>),
}

impl<'a> Vector<'a> {
    /// The vector that `value` is, if it is one.
    pub(super) fn read(value: Raw<'a>) -> Option<Self> {
        match value.kind {
            Kind::Array => Some(Vector::Floats(value.into())),
            Kind::String => value.text().map(Vector::Base64),
            Kind::Object | Kind::Number | Kind::Bool | Kind::Null => None,
        }
    }

    /// The vectors of `list`, one for each element; `place` says where an element has its own.
    ///
    /// # Errors
    /// If an element has none: those behind it would stand for the wrong inputs.
    pub(super) fn read_list(
        list: Option<Raw<'a>>,
        place: impl Fn(Raw<'a>) -> Option<Raw<'a>>,
    ) -> Result<Vec<Self>, ReadError> {
        let elements = list.into_iter().flat_map(Raw::elements).zip(1..);
        elements.map(|(element, at)| place(element).and_then(Self::read).ok_or_else(|| Self::missing(at))).collect()
    }

    /// The vectors of `list`, in the order of the numbers that its elements have under `number`. Some servers give
    /// every vector the number 0: then they are in order.
    ///
    /// # Errors
    /// If an element has no vector, or two have the same number.
    pub(super) fn read_numbered(list: Raw<'a>, number: &[u8]) -> Result<Vec<Self>, ReadError> {
        let mut vectors: Vec<(u64, Self)> = Vec::new();
        for (item, place) in list.elements().zip(1..) {
            let at = vectors.len() as u64;
            let (mut index, mut vector) = (at, None);
            for (key, value) in item.members() {
                match key {
                    b"embedding" => vector = Self::read(value),
                    key if key == number => index = value.count().unwrap_or(at),
                    _ => {}
                }
            }
            vectors.push((index, vector.ok_or_else(|| Self::missing(place))?));
        }
        vectors.sort_by_key(|(index, _)| *index);
        let is_repeated = |pair: &[(u64, Self)]| pair[0].0 == pair[1].0;
        if vectors.last().is_some_and(|(last, _)| *last > 0) && vectors.windows(2).any(is_repeated) {
            return Err(ReadError::new("two embeddings have the same index"));
        }
        Ok(vectors.into_iter().map(|(_, vector)| vector).collect())
    }

    /// There is no vector where one should be; `at` counts from 1.
    pub(super) fn missing(at: usize) -> ReadError {
        ReadError::new(format!("invalid embedding at index {at}"))
    }

    /// The vector's numbers; `None` if they cannot be read.
    pub fn floats(&self) -> Option<Vec<f32>> {
        match self {
            Vector::Floats(json) => json.raw().elements().map(|number| Some(number.number()? as f32)).collect(),
            Vector::Base64(text) => {
                let bytes = STANDARD.decode(text.as_bytes()).ok()?;
                let (floats, rest) = bytes.as_chunks::<4>();
                rest.is_empty().then(|| floats.iter().map(|float| f32::from_le_bytes(*float)).collect())
            }
        }
    }

    /// Appends the vector in `encoding`, as it stands if that is its own.
    pub(super) fn write(&self, encoding: Encoding, out: &mut Vec<u8>) {
        match (self, encoding) {
            (Vector::Floats(json), Encoding::Float) => out.extend_from_slice(json.bytes()),
            (Vector::Base64(text), Encoding::Base64) => write_string(out, text),
            (Vector::Floats(json), Encoding::Base64) => {
                let numbers = json.raw().elements().filter_map(Raw::number);
                let bytes: Vec<u8> = numbers.flat_map(|number| (number as f32).to_le_bytes()).collect();
                write_string(out, &STANDARD.encode(bytes));
            }
            (Vector::Base64(_), Encoding::Float) => {
                let json = serde_json::to_vec(&self.floats().unwrap_or_default());
                out.extend_from_slice(json.as_deref().unwrap_or(b"[]"));
            }
        }
    }
}
