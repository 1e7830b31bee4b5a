//! Proofs that providers attach to reasoning and want back unchanged in the next turn.
//!
//! A signature is of use to the dialect that made it alone, but it must survive a client of another. Where a dialect
//! has a field for it, a foreign signature travels there under a tag that names its origin; when it comes back the
//! tag tells whose it is. Invariant: an untagged signature belongs to the dialect it was read in.

use std::borrow::Cow;

use super::Text;
use crate::dialect::Dialect;

/// What a tag begins with. A colon occurs in no base64 text.
const TAG: &str = "tg:";

/// An opaque value of one dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature<'a> {
    pub origin: Dialect,
    pub value: Text<'a>,
}

impl<'a> Signature<'a> {
    /// The signature that `carrier`'s text holds.
    pub fn read(carrier: Dialect, text: Text<'a>) -> Self {
        let tagged = text.strip_prefix(TAG).and_then(|rest| {
            let (name, value) = rest.split_once(':')?;
            Some((name.parse().ok()?, value.len()))
        });
        match tagged {
            None => Self { origin: carrier, value: text },
            Some((origin, length)) => Self { origin, value: tail(text, length) },
        }
    }

    /// The signature as a field of `carrier` holds it.
    pub fn written(&self, carrier: Dialect) -> Cow<'_, str> {
        match self.origin == carrier {
            true => Cow::Borrowed(&self.value),
            false => Cow::Owned(format!("{TAG}{}:{}", self.origin.as_str(), self.value)),
        }
    }

    /// The value, if it is `dialect`'s own and so of use to a provider that speaks it.
    pub fn native(&self, dialect: Dialect) -> Option<&str> {
        (self.origin == dialect).then_some(self.value.as_ref())
    }

    /// The same signature without a tie to the text it was read from.
    pub fn into_owned(self) -> Signature<'static> {
        Signature { origin: self.origin, value: Cow::Owned(self.value.into_owned()) }
    }
}

/// The last `length` bytes of `text`.
fn tail(text: Text<'_>, length: usize) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[text.len() - length..]),
        Cow::Owned(text) => Cow::Owned(text[text.len() - length..].to_owned()),
    }
}
