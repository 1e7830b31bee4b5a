//! What a conversation means, whatever dialect it is written in: the one form between all readers and all writers.
//!
//! A dialect's reader turns its JSON into these types and its writer turns them into JSON again; nothing is written
//! per pair of dialects. Invariant: values borrow from the text they were read from wherever that text spells them
//! plainly, and what a dialect says beyond the model is kept in [`Extras`], so that writing it back in the same
//! dialect loses nothing. Used by `dialect/*` and [`translate`](crate::translate).

mod event;
mod feature;
mod fold;
mod request;
mod response;
mod signature;
mod tokens;

pub use event::{Event, StreamStart};
pub use feature::{Feature, Losses};
pub use fold::Fold;
pub(crate) use request::Callable;
pub use request::{
    CacheControl, ContentForm, Effort, FunctionTool, Media, MediaKind, MediaSource, Part, PartBody, Reasoning,
    ReasoningRequest, Request, ResponseFormat, Role, Tool, ToolBody, ToolCall, ToolChoice, ToolResult, Turn,
};
pub use response::{Choice, Citation, Response, Stop, StopReason};
pub use signature::Signature;
pub use tokens::TokenCounts;

use std::borrow::Cow;

use crate::json::{Kind, Raw};

/// Text, borrowed where the source spells it without escapes.
pub type Text<'a> = Cow<'a, str>;

/// One JSON value that is carried as it is written. Invariant: it is well-formed where it was read from a scanned
/// body or built by [`Json::owned`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<'a>(pub Cow<'a, [u8]>);

impl<'a> Json<'a> {
    /// A value built by us; `json` must be one well-formed JSON text.
    pub fn owned(json: Vec<u8>) -> Self {
        Self(Cow::Owned(json))
    }

    /// The value's text.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A look at the value; malformed or empty text reads as `null`.
    pub fn raw(&self) -> Raw<'_> {
        Raw::new(&self.0).unwrap_or(Raw { bytes: b"null", kind: Kind::Null })
    }

    /// An object, an array or a text without anything in it.
    pub(crate) fn says_nothing(&self) -> bool {
        let raw = self.raw();
        match raw.kind {
            Kind::Object => raw.members().next().is_none(),
            Kind::Array => raw.elements().next().is_none(),
            Kind::String => raw.bytes == b"\"\"",
            Kind::Number | Kind::Bool | Kind::Null => false,
        }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        self.raw().number()
    }

    /// The same value without a tie to the text it was read from.
    pub fn into_owned(self) -> Json<'static> {
        Json(Cow::Owned(self.0.into_owned()))
    }
}

impl<'a> From<Raw<'a>> for Json<'a> {
    fn from(raw: Raw<'a>) -> Self {
        Self(Cow::Borrowed(raw.bytes))
    }
}

/// Members that only their own dialect knows, in their order. Written back by that dialect's writer; any other
/// reports them as lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extras<'a>(pub Vec<(Text<'a>, Json<'a>)>);

impl<'a> Extras<'a> {
    /// The name under which a part keeps itself as its own dialect wrote it, where the model tells it in other words.
    pub(crate) const AS_WRITTEN: &'static str = "(as written)";

    /// Keeps a whole part for its own dialect's writer; any other loses nothing by it.
    pub(crate) fn keep_as_written(&mut self, part: Raw<'a>) {
        self.0.push((Cow::Borrowed(Self::AS_WRITTEN), part.into()));
    }

    /// The part as its own dialect wrote it.
    pub(crate) fn as_written(&self) -> Option<&Json<'a>> {
        self.get(Self::AS_WRITTEN)
    }

    /// Keeps a member; `key` as it stands between its quotes.
    pub fn keep(&mut self, key: &'a [u8], value: Raw<'a>) {
        self.0.push((crate::json::unescape(key), value.into()));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members' names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// The member called `name`.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The same members without a tie to the text they were read from.
    pub fn into_owned(self) -> Extras<'static> {
        Extras(self.0.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect())
    }
}
