//! The forms of paths that requests to endpoints have, and the identifiers that stand in them.
//!
//! Invariant: a form is a suffix of the path, with at most one identifier before it; what the path begins with is the
//! operator's. Every request is held against all forms, so that what they ask of a path is worked out once, and nearly
//! all of them are told apart by two bytes.

use std::borrow::Cow;
use std::fmt;

use super::StreamFlag;

/// Whether a path names the model, as `…/model/ID/…` (Amazon's) or `…/models/ID:…` (Google's).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamesModel {
    No,
    IfThere,
    /// Without it the path is none of this form.
    Must,
}

/// What kind of body requests to a path have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// JSON. Any other content type is refused, and so is an empty body.
    Json,
    /// A form with files in it, which passes unread. JSON in its place is read as JSON.
    Multipart,
    /// Any bytes or none. They pass unread, whatever their type: options would make no sense in them.
    Any,
    /// None: what is wanted stands in the path. A request with a body is none of this form.
    None,
    /// None, but for what both sides say once the connection has switched to WebSocket.
    WebSocket,
}

/// Where a path names something that was made before. Only the provider that gave the identifier out knows what it
/// names, so that such a request can go to no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdPlace {
    Nowhere,
    /// One segment, between these characters and the form's suffix.
    Behind(&'static str),
}

/// One form of an endpoint's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathForm {
    /// The path must end so. A plain suffix: `/llm/v1/messages` matches, a trailing slash does not.
    pub suffix: &'static str,
    pub id: IdPlace,
    pub stream: StreamFlag,
    pub names_model: NamesModel,
    pub body: BodyKind,
    /// The suffix's.
    pub(super) ending: Ending,
}

impl PathForm {
    pub(super) const fn of(suffix: &'static str, stream: StreamFlag) -> Self {
        let ending = ending(suffix);
        Self { suffix, id: IdPlace::Nowhere, stream, names_model: NamesModel::No, body: BodyKind::Json, ending }
    }

    pub(super) const fn of_model(suffix: &'static str, stream: StreamFlag) -> Self {
        Self { names_model: NamesModel::Must, ..Self::of(suffix, stream) }
    }

    /// `true` if `path` has this form.
    pub(super) fn is(&self, path: &KnownPath<'_>) -> bool {
        match self.id {
            IdPlace::Nowhere => {
                self.ends(path.normal)
                    && (self.names_model != NamesModel::Must || self.model_name(path.sent.text).is_some())
            }
            // An escaped slash belongs to the identifier.
            IdPlace::Behind(before) => {
                self.has_id(before, path.normal) || (path.is_rewritten && self.has_id(before, path.sent))
            }
        }
    }

    fn has_id(&self, before: &str, path: Segmented<'_>) -> bool {
        let head = match self.suffix {
            "" => path,
            suffix if self.ends(path) => Segmented::of(&path.text[..path.text.len() - suffix.len()]),
            _ => return false,
        };
        let (collection, id) = head.text.split_at(head.last);
        !id.is_empty() && ending(collection) == ending(before) && collection.ends_with(before)
    }

    fn ends(&self, path: Segmented<'_>) -> bool {
        path.ending == self.ending && path.text.ends_with(self.suffix)
    }

    /// The model that a path of this form names.
    pub(super) fn model<'a>(&self, path: RequestPath<'a>) -> Option<Cow<'a, str>> {
        Some(percent_encoding::percent_decode_str(self.model_name(path.sent)?).decode_utf8_lossy())
    }

    /// What stands between the collection of models and the suffix. Names of open models hold slashes, which some SDKs
    /// send as they are, so that the first collection counts, behind the last version where Google's paths have one:
    /// what a path begins with is the operator's.
    fn model_name<'a>(&self, sent: &'a str) -> Option<&'a str> {
        let before = sent.strip_suffix(self.suffix).filter(|_| self.names_model != NamesModel::No)?;
        let collection = if self.suffix.starts_with(':') { "/models/" } else { "/model/" };
        let version = VERSIONS.iter().filter_map(|version| before.rfind(version)).max().unwrap_or(0);
        let start = version + before[version..].find(collection)? + collection.len();
        Some(&before[start..]).filter(|name| !name.is_empty())
    }
}

/// Segments of versions in the paths of Google's APIs.
const VERSIONS: [&str; 4] = ["/v1/", "/v1beta/", "/v1alpha/", "/v1beta1/"];

/// With `{id}` where the identifier is.
impl fmt::Display for PathForm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            IdPlace::Nowhere => out.write_str(self.suffix),
            IdPlace::Behind(before) => write!(out, "{before}{{id}}{}", self.suffix),
        }
    }
}

/// A request's path, without query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestPath<'a> {
    /// Decoded and normalised.
    pub normal: &'a str,
    /// As the client sent it: a model's name may hold an escaped slash.
    pub sent: &'a str,
}

/// A request's path with what all forms want to know of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownPath<'a> {
    normal: Segmented<'a>,
    sent: Segmented<'a>,
    /// The two differ.
    is_rewritten: bool,
}

impl<'a> From<RequestPath<'a>> for KnownPath<'a> {
    fn from(path: RequestPath<'a>) -> Self {
        let normal = Segmented::of(path.normal);
        let is_rewritten = path.normal != path.sent;
        Self { normal, sent: if is_rewritten { Segmented::of(path.sent) } else { normal }, is_rewritten }
    }
}

/// A path, and where its last segment begins.
#[derive(Debug, Clone, Copy)]
struct Segmented<'a> {
    text: &'a str,
    last: usize,
    ending: Ending,
}

impl<'a> Segmented<'a> {
    fn of(text: &'a str) -> Self {
        let last = memchr::memrchr(b'/', text.as_bytes()).map_or(0, |slash| slash + 1);
        Self { text, last, ending: ending(text) }
    }
}

/// The last two bytes of a text, by which nearly all suffixes are told apart. No suffix but the empty one is shorter.
pub(super) type Ending = [u8; 2];

const fn ending(text: &str) -> Ending {
    match text.as_bytes() {
        [.., before, last] => [*before, *last],
        _ => [0; 2],
    }
}
