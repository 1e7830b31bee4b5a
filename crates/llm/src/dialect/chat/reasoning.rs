//! Where reasoning stands in a message, and how it finds its way back there.
//!
//! OpenAI tells none in this dialect. Compatible providers tell it in `reasoning_content`, in `reasoning`, in
//! OpenRouter's `reasoning_details`, or as Mistral's `thinking` parts, and some refuse the next turn without it. So
//! what a provider tells is marked with its [`Home`] in place of a signature: the mark travels through a client of any
//! dialect as signatures do, and says in the next request that the text is this dialect's own and where it belongs.
//! Gemini's signatures of calls share the signature's field; they are base64 and so none of the marks.

use crate::dialect::Dialect;
use crate::json::{ArrayWriter, ObjectWriter, Raw};
use crate::model::{Part, PartBody, Reasoning, Signature, Text};

/// Stands between the pieces of a detail's mark; occurs neither in formats and identifiers nor in base64.
const SEPARATOR: &str = "|";

/// Where a message holds a piece of reasoning, as its signature's value tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home<'s> {
    /// `reasoning_content` (DeepSeek and most others).
    ReasoningContent,
    /// `reasoning` (Groq, newer vLLM, OpenRouter).
    Reasoning,
    /// A `thinking` part of the content (Mistral).
    Thinking,
    /// An element of `reasoning_details`.
    Detail(Detail<'s>),
    /// `extra_content.google.thought_signature` of the call that follows, else of the message.
    Call,
}

/// What an element of `reasoning_details` says beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Detail<'s> {
    pub kind: DetailKind,
    pub format: &'s str,
    pub id: &'s str,
    pub signature: &'s str,
}

impl<'s> Detail<'s> {
    /// What a mark remembers; `None` if `value` is no detail's mark.
    fn of(value: &'s str) -> Option<Self> {
        let mut pieces = value.splitn(4, SEPARATOR);
        let kind = DetailKind::of(pieces.next()?)?;
        Some(Self { kind, format: pieces.next()?, id: pieces.next()?, signature: pieces.next()? })
    }

    fn mark(self) -> String {
        let Self { kind, format, id, signature } = self;
        [kind.name(), format, id, signature].join(SEPARATOR)
    }
}

impl DetailKind {
    /// The kind by the last word of its type.
    fn of(name: &str) -> Option<Self> {
        match name {
            "text" => Some(DetailKind::Text),
            "summary" => Some(DetailKind::Summary),
            "encrypted" => Some(DetailKind::Encrypted),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            DetailKind::Text => "text",
            DetailKind::Summary => "summary",
            DetailKind::Encrypted => "encrypted",
        }
    }
}

impl<'s> Home<'s> {
    /// The home that a native signature's value tells.
    pub(super) fn of(value: &'s str) -> Self {
        match value {
            "reasoning_content" => Home::ReasoningContent,
            "reasoning" => Home::Reasoning,
            "thinking" => Home::Thinking,
            value => Detail::of(value).map_or(Home::Call, Home::Detail),
        }
    }

    /// The home of a reasoning part; `None` if it is no chat provider's.
    pub(super) fn of_part(reasoning: &'s Reasoning<'_>) -> Option<Self> {
        let proof = reasoning.signature.as_ref().or(reasoning.encrypted.as_ref())?;
        proof.native(Dialect::OpenAiChat).map(Home::of)
    }

    /// The mark of a home that has no signature of its own.
    pub(super) fn mark(self) -> Signature<'static> {
        let value = match self {
            Home::ReasoningContent => "reasoning_content",
            Home::Reasoning => "reasoning",
            Home::Thinking => "thinking",
            Home::Detail(_) | Home::Call => "",
        };
        Signature { origin: Dialect::OpenAiChat, value: value.into() }
    }

    /// The field of a message that holds plain text of this home.
    pub(super) fn field(self) -> &'static str {
        match self {
            Home::Reasoning => "reasoning",
            Home::ReasoningContent | Home::Thinking | Home::Detail(_) | Home::Call => "reasoning_content",
        }
    }
}

/// `true` for a mark of thoughts, `false` for Gemini's signature of a call.
pub(in crate::dialect) fn marks_thoughts(value: &str) -> bool {
    Home::of(value) != Home::Call
}

/// One element of `reasoning_details`, read.
#[derive(Default)]
pub(super) struct ReadDetail<'a> {
    pub kind: DetailKind,
    pub text: Option<Text<'a>>,
    /// The signature or the encrypted data with all that must come back beside it; `None` if nothing is told.
    pub proof: Option<Signature<'a>>,
    /// The proof holds more than a format.
    pub is_signed: bool,
}

/// What an element of `reasoning_details` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum DetailKind {
    #[default]
    Text,
    Summary,
    Encrypted,
}

/// Reads one element of `reasoning_details`; `None` if its type is unknown.
pub(super) fn read_detail(detail: Raw<'_>) -> Option<ReadDetail<'_>> {
    let mut read = ReadDetail::default();
    let (mut proof, mut format, mut id) = (None, Text::default(), Text::default());
    for (key, value) in detail.members() {
        match key {
            b"type" => {
                read.kind = DetailKind::of(value.text()?.strip_prefix("reasoning.")?)?;
            }
            b"text" | b"summary" => read.text = value.text().or(read.text),
            b"signature" | b"data" => proof = value.text().or(proof),
            b"format" => format = value.text().unwrap_or_default(),
            b"id" => id = value.text().unwrap_or_default(),
            _ => {}
        }
    }
    read.is_signed = proof.as_ref().is_some_and(|proof| !proof.is_empty());
    if read.is_signed || !format.is_empty() || !id.is_empty() {
        let proof = Signature::read(Dialect::OpenAiChat, proof.unwrap_or_default());
        read.proof = Some(match proof.origin {
            Dialect::OpenAiChat => {
                let detail = Detail { kind: read.kind, format: &format, id: &id, signature: &proof.value };
                Signature { value: detail.mark().into(), origin: proof.origin }
            }
            _ => proof,
        });
    }
    Some(read)
}

/// Reads `reasoning_details` as parts. Encrypted thoughts that follow a text which nothing signs belong to it.
pub(super) fn read_details<'a>(details: Raw<'a>, parts: &mut Vec<Part<'a>>) {
    let mut unsigned_text = false;
    for detail in details.elements().filter_map(read_detail) {
        let text = detail.text.unwrap_or_default();
        if detail.kind != DetailKind::Encrypted {
            unsigned_text = !detail.is_signed;
            let is_summary = detail.kind == DetailKind::Summary;
            let reasoning = Reasoning { text, is_summary, signature: detail.proof, ..Reasoning::default() };
            parts.push(PartBody::Reasoning(reasoning).into());
            continue;
        }
        match parts.last_mut().map(|part| &mut part.body) {
            Some(PartBody::Reasoning(last)) if unsigned_text => last.encrypted = detail.proof,
            _ => {
                let reasoning = Reasoning { encrypted: detail.proof, ..Reasoning::default() };
                parts.push(PartBody::Reasoning(reasoning).into());
            }
        }
        unsigned_text = false;
    }
}

/// Writes the elements of `reasoning_details` that `reasoning` becomes; `next` numbers them.
pub(super) fn write_details(details: &mut ArrayWriter<'_>, reasoning: &Reasoning<'_>, next: &mut u64) {
    let told_kind = if reasoning.is_summary { DetailKind::Summary } else { DetailKind::Text };
    let proofs = [(&reasoning.signature, told_kind), (&reasoning.encrypted, DetailKind::Encrypted)];
    let proofs = proofs.map(|(proof, kind)| proof.as_ref().map(|proof| (proof, kind_of(proof).unwrap_or(kind))));
    let is_text_signed = proofs.iter().flatten().any(|(_, kind)| *kind != DetailKind::Encrypted);
    if !is_text_signed && !reasoning.text.is_empty() {
        write_detail(&mut details.object(), told_kind, &reasoning.text, *next);
        *next += 1;
    }
    for (proof, kind) in proofs.into_iter().flatten() {
        let mut detail = details.object();
        write_detail(&mut detail, kind, &reasoning.text, *next);
        *next += 1;
        write_proof(&mut detail, if kind == DetailKind::Encrypted { "data" } else { "signature" }, proof);
    }
}

/// The kind that a mark remembers.
fn kind_of(proof: &Signature<'_>) -> Option<DetailKind> {
    Some(Detail::of(proof.native(Dialect::OpenAiChat)?)?.kind)
}

/// Writes the members that every element of `reasoning_details` has; `index` numbers it.
pub(super) fn write_detail(detail: &mut ObjectWriter<'_>, kind: DetailKind, text: &str, index: u64) {
    match kind {
        DetailKind::Text => {
            detail.string("type", "reasoning.text");
            detail.string("text", text);
        }
        DetailKind::Summary => {
            detail.string("type", "reasoning.summary");
            detail.string("summary", text);
        }
        DetailKind::Encrypted => detail.string("type", "reasoning.encrypted"),
    }
    detail.number("index", index);
}

/// Writes a signature into `field`, and beside it what its mark remembers.
pub(super) fn write_proof(detail: &mut ObjectWriter<'_>, field: &str, proof: &Signature<'_>) {
    match proof.native(Dialect::OpenAiChat).map(Home::of) {
        None | Some(Home::Call) => detail.string(field, &proof.written(Dialect::OpenAiChat)),
        Some(Home::Detail(told)) => {
            for (key, value) in [(field, told.signature), ("format", told.format), ("id", told.id)] {
                if !value.is_empty() {
                    detail.string(key, value);
                }
            }
        }
        Some(Home::ReasoningContent | Home::Reasoning | Home::Thinking) => {}
    }
}

/// A part holds more than plain text: its signature or its encrypted thoughts need `reasoning_details`.
pub(super) fn needs_details(reasoning: &Reasoning<'_>) -> bool {
    let plain = |proof: &Signature<'_>| {
        matches!(
            proof.native(Dialect::OpenAiChat).map(Home::of),
            Some(Home::ReasoningContent | Home::Reasoning | Home::Thinking)
        )
    };
    [&reasoning.signature, &reasoning.encrypted].into_iter().flatten().any(|proof| !plain(proof))
}
