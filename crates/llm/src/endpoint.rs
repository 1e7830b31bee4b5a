//! LLM endpoints as data: one row per protocol says what it is called and who speaks it, how a request is recognised,
//! how its stream is framed and where the facts stand in its bodies. Adding an endpoint adds a row.
//!
//! Invariant: rows are in order of precedence, and the first that matches wins. [`passing`] is asked once per request,
//! before its body is read, and [`detect`] once for each whose body is.

mod passed;
mod path;
mod table;

use std::borrow::Cow;

pub use path::{BodyKind, IdPlace, NamesModel, PathForm, RequestPath};

use path::KnownPath;
use table::{PLACES, ROWS};

use crate::dialect::{ClientDialect, Dialect, ProviderDialect};
use crate::json::Kind;
use crate::protocol::Protocol;
use crate::scan::BodyScan;

/// What a request body must be for a row to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyRule {
    /// A top-level field that is an array or an object.
    HasList(&'static str),
    /// A top-level field that is there, if only as `null`.
    HasField(&'static str),
    /// Any object or array.
    Container,
    /// An object or array with something in it.
    NonEmpty,
    /// No request matches.
    Never,
}

impl BodyRule {
    fn accepts(self, scan: &BodyScan) -> bool {
        let container = matches!(scan.top_level(), Kind::Object | Kind::Array);
        match self {
            BodyRule::HasList(name) => {
                matches!(scan.kind_of(name), Some(Kind::Array | Kind::Object))
            }
            BodyRule::HasField(name) => scan.kind_of(name).is_some(),
            BodyRule::Container => container,
            BodyRule::NonEmpty => container && !scan.is_empty(),
            BodyRule::Never => false,
        }
    }
}

/// How a request says that it wants a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFlag {
    Never,
    /// The body's `stream` is the literal `true`.
    Body,
    /// The path alone says so.
    Always,
}

/// Who holds conversations in a protocol, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversation {
    /// Nobody: it is of something else.
    None,
    /// Clients and providers.
    Shared(Dialect),
    /// Clients alone.
    OfClients(ClientDialect),
    /// Providers alone; or clients, too, whose bodies tell how they speak.
    OfProviders(ProviderDialect),
}

/// What becomes of a request whose protocol the provider's row does not list, if it is neither translated nor mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// It is sent as it came, to the path it came to.
    Passed,
    /// APISIX refuses it, or it would mean nothing elsewhere.
    Refused,
    /// The gateway knows the answer: it counts the tokens.
    Counted,
}

/// Whether an endpoint's path, where the configuration gives one, takes the place of the protocol's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointPath {
    /// A model answers there.
    Obeyed,
    /// A count of tokens must not become a conversation, and what a provider keeps is found under its identifier.
    Ignored,
}

/// Where a body says again which model its path names, in Google's `models/ID`. The provider refuses two that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelAgain {
    Nowhere,
    /// In each element of this top-level list.
    InEach(&'static str),
    /// In these top-level objects, where they are there: the spellings of one.
    In(&'static [&'static str]),
}

/// How a streamed answer is cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// This endpoint never streams.
    None,
    /// Server-sent events whose kind is told by their data.
    Sse,
    /// Server-sent events whose kind is told by their name, or by `type` in their data.
    NamedSse,
    /// `application/vnd.amazon.eventstream`, binary frames.
    AwsEventStream,
}

/// Where the counts stand in a usage object. Each list holds alternatives: the first that is there wins.
#[derive(Debug)]
pub struct UsageFields {
    pub prompt: &'static str,
    pub completion: &'static str,
    pub total: &'static str,
    pub cached: &'static [&'static [&'static str]],
    pub cache_creation: &'static [&'static [&'static str]],
    pub reasoning: &'static [&'static [&'static str]],
}

/// What an answer may be when it is no stream of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// JSON, which is read whole.
    Json,
    /// Anything. JSON is read whole where it tells usage; all else passes piece by piece.
    Any,
}

/// One row of the table.
#[derive(Debug)]
pub struct Endpoint {
    pub protocol: Protocol,
    /// The protocol's name in APISIX's configuration; ours for those that APISIX does not know.
    pub name: &'static str,
    pub conversation: Conversation,
    /// The dialect in which the protocol's errors are told: its own, or that of the family it belongs to.
    pub family: Dialect,
    pub unlisted: Unlisted,
    /// The request's path has one of these forms; any path if there are none.
    pub paths: &'static [PathForm],
    /// How a stream is asked for where any path will do; a form of path says so itself.
    pub stream: StreamFlag,
    pub body: BodyRule,
    pub answer: AnswerKind,
    pub framing: Framing,
    /// How large an unfinished event of the stream may get before it is passed over.
    pub max_event_bytes: usize,
    /// Events that end a stream well: data for [`Framing::Sse`], names for [`Framing::NamedSse`].
    pub terminators: &'static [&'static str],
    /// Request fields that hold what the model reads.
    pub prompt_fields: &'static [&'static str],
    /// Where the usage object is in a buffered answer; empty if there is none.
    pub usage_at: &'static [&'static str],
    pub usage: &'static UsageFields,
    /// Where the request names its end user; the first that is a string wins.
    pub end_user: &'static [&'static [&'static str]],
    pub model_again: ModelAgain,
    pub endpoint_path: EndpointPath,
}

/// The rows in order of precedence.
pub fn endpoints() -> &'static [Endpoint] {
    &ROWS
}

/// The row of `protocol`.
pub fn endpoint(protocol: Protocol) -> &'static Endpoint {
    &ROWS[PLACES[protocol as usize]]
}

impl Endpoint {
    /// Requests cost tokens that can be told from their text: counting tokens costs none.
    pub fn costs_tokens(&self) -> bool {
        !self.prompt_fields.is_empty() && self.unlisted != Unlisted::Counted
    }

    /// `true` if `path` has one of the row's forms.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        let path = KnownPath::from(RequestPath { normal: path, sent: path });
        self.paths.iter().any(|form| form.is(&path))
    }
}

/// What a request's path and body tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected<'a> {
    pub protocol: Protocol,
    /// The model, from the path where that names it, else from the body.
    pub model: Option<Cow<'a, str>>,
    /// A streamed answer is asked for.
    pub stream: bool,
}

/// Which protocol a request to `path` with this body speaks; `None` if no row matches. A path that only some rows have
/// never hides a conversation from its own row.
pub fn detect<'a>(path: RequestPath<'a>, scan: &'a BodyScan) -> Option<Detected<'a>> {
    let known = KnownPath::from(path);
    ROWS.iter().find_map(|row| {
        let form = row.paths.iter().find(|form| form.is(&known));
        if (form.is_none() && !row.paths.is_empty()) || !row.body.accepts(scan) {
            return None;
        }
        let stream = match form.map_or(row.stream, |form| form.stream) {
            StreamFlag::Never => false,
            StreamFlag::Body => scan.stream(),
            StreamFlag::Always => true,
        };
        let model = form.and_then(|form| form.model(path)).or_else(|| scan.model());
        Some(Detected { protocol: row.protocol, model, stream })
    })
}

/// What a request brings beside its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Nothing,
    Json,
    Other,
}

/// A request whose body passes unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passing {
    pub protocol: Protocol,
    pub body: BodyKind,
}

/// How a request to `path` passes with its body unread; `None` if the body is to be read, and be JSON. A path of an
/// earlier row is never of a later one.
pub fn passing(path: RequestPath<'_>, content: Content) -> Option<Passing> {
    let path = KnownPath::from(path);
    let of_row = |row: &'static Endpoint| Some((row, row.paths.iter().find(|form| form.is(&path))?));
    let (row, form) = ROWS.iter().find_map(of_row)?;
    let passes = match form.body {
        BodyKind::Json => false,
        BodyKind::Multipart => content != Content::Json,
        BodyKind::Any => true,
        BodyKind::None | BodyKind::WebSocket => content == Content::Nothing,
    };
    passes.then_some(Passing { protocol: row.protocol, body: form.body })
}
