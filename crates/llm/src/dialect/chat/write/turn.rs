//! A conversation's turns, written as messages.
//!
//! A turn of the model may become several messages: each tool result is one of its own and comes before what the same
//! turn says otherwise. Media in results, which OpenAI refuses there, follow in a user's message after the last result.
//! Invariant: between a call and its result stands no other message.

use super::super::reasoning::{self, Home};
use super::Writer;
use super::tools::{write_call, write_signature};
use crate::dialect::{Dialect, Origin};
use crate::json::{ArrayWriter, Kind, ObjectWriter};
use crate::model::{
    ContentForm, Feature, Media, MediaSource, Part, PartBody, Reasoning, Role, Signature, Text, ToolResult, Turn,
};

impl Writer<'_> {
    pub(super) fn messages(&mut self, turns: &[Turn<'_>], out: &mut Vec<u8>) {
        let mut messages = ArrayWriter::new(out);
        let mut carried = Vec::new();
        for turn in turns {
            let is_result = |part: &&Part<'_>| matches!(part.body, PartBody::ToolResult(_));
            let has_results = turn.parts.iter().any(|part| is_result(&part));
            if !has_results {
                self.carried_media(&mut carried, &mut messages);
            }
            for part in turn.parts.iter().filter(is_result) {
                if let PartBody::ToolResult(result) = &part.body {
                    self.result(turn, part, result, &mut messages);
                    carried.extend(result.content.iter().filter(|part| self.is_carried(part)));
                }
            }
            let rest: Vec<&Part<'_>> = turn.parts.iter().filter(|part| !is_result(part)).collect();
            if has_results && rest.is_empty() {
                continue;
            }
            self.carried_media(&mut carried, &mut messages);
            match turn.role {
                Role::Assistant => self.assistant(turn, &rest, &mut messages),
                Role::System | Role::Developer => self.instructions(turn, &rest, &mut messages),
                Role::User | Role::Tool => self.user(turn, &rest, &mut messages),
            }
        }
        self.carried_media(&mut carried, &mut messages);
    }

    fn is_carried(&self, part: &Part<'_>) -> bool {
        let is_text = |media: &Media<'_>| matches!(media.source, MediaSource::PlainText(_));
        self.origin == Origin::Foreign && matches!(&part.body, PartBody::Media(media) if !is_text(media))
    }

    /// Writes a tool's answer.
    fn result(&mut self, turn: &Turn<'_>, part: &Part<'_>, result: &ToolResult<'_>, messages: &mut ArrayWriter<'_>) {
        if result.is_error {
            self.losses.lose(Feature::ToolResultError);
        }
        let mut message = messages.object();
        message.string("role", "tool");
        message.string("tool_call_id", &result.call_id);
        if self.origin == Origin::Own {
            message.maybe_string("name", result.name.as_deref());
        }
        match &result.json {
            Some(json) => message.string("content", &String::from_utf8_lossy(json.bytes())),
            None => {
                let told: Vec<&Part<'_>> = result.content.iter().filter(|part| !self.is_carried(part)).collect();
                match self.result_lines(&told) {
                    Some(text) => message.string("content", &text),
                    None => self.content(&told, &mut message),
                }
            }
        }
        self.cache(part.cache.as_ref(), &mut message);
        if turn.role == Role::Tool {
            self.extras(&turn.extras, &mut message);
        }
    }

    /// The texts of a result a line each, documents that are plain text among them. Those of Anthropic's clients are
    /// joined as APISIX joins them, unless there are documents.
    fn result_lines(&mut self, parts: &[&Part<'_>]) -> Option<String> {
        let has_documents = parts.iter().any(|part| matches!(part.body, PartBody::Media(_)));
        if self.origin == Origin::Own || parts.len() < 2 && !has_documents {
            return None;
        }
        if self.dialect == Dialect::Anthropic && !has_documents {
            return None;
        }
        let line = |part: &&Part<'_>| match &part.body {
            PartBody::Text { text, .. } => Some(text.clone().into_owned()),
            PartBody::Media(media) => media.plain_text(),
            _ => None,
        };
        let lines = parts.iter().map(line).collect::<Option<Vec<_>>>()?;
        parts.iter().for_each(|part| self.losses.lose_some(Feature::CacheControl, part.cache.as_ref()));
        Some(lines.join("\n"))
    }

    /// Writes the media of the results just told as the user's.
    fn carried_media(&mut self, carried: &mut Vec<&Part<'_>>, messages: &mut ArrayWriter<'_>) {
        if carried.is_empty() {
            return;
        }
        let mut message = messages.object();
        message.string("role", "user");
        let mut content = message.array("content");
        let mut note = content.object();
        note.string("type", "text");
        note.string("text", "Attached by the tool:");
        drop(note);
        carried.drain(..).for_each(|part| self.part(part, &mut content));
    }

    fn instructions(&mut self, turn: &Turn<'_>, parts: &[&Part<'_>], messages: &mut ArrayWriter<'_>) {
        let role = match turn.role {
            Role::Developer if self.quirks.developer_role => "developer",
            _ => "system",
        };
        let mut message = messages.object();
        message.string("role", role);
        message.maybe_string("name", turn.name.as_deref());
        self.content(parts, &mut message);
        self.extras(&turn.extras, &mut message);
    }

    fn user(&mut self, turn: &Turn<'_>, parts: &[&Part<'_>], messages: &mut ArrayWriter<'_>) {
        let mut message = messages.object();
        message.string("role", "user");
        message.maybe_string("name", turn.name.as_deref());
        match turn.form {
            ContentForm::List if self.origin == Origin::Foreign => self.list(parts, &mut message),
            ContentForm::Any | ContentForm::List => self.content(parts, &mut message),
        }
        self.extras(&turn.extras, &mut message);
    }

    fn assistant(&mut self, turn: &Turn<'_>, parts: &[&Part<'_>], messages: &mut ArrayWriter<'_>) {
        let mut message = messages.object();
        message.string("role", "assistant");
        message.maybe_string("name", turn.name.as_deref());
        self.thoughts(parts, &mut message);
        self.said(parts, &mut message);
        self.calls(parts, &mut message);
        self.extras(&turn.extras, &mut message);
    }

    /// Writes reasoning that a chat provider told where it told it. No other may go back: strict providers refuse
    /// fields they do not know.
    fn thoughts(&mut self, parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
        let mut plain: Option<(&'static str, String)> = None;
        let mut detailed: Vec<&Reasoning<'_>> = Vec::new();
        for part in parts {
            let PartBody::Reasoning(thought) = &part.body else { continue };
            let home = Home::of_part(thought).or((self.origin == Origin::Own).then_some(Home::ReasoningContent));
            match home {
                None => self.losses.lose(Feature::Reasoning),
                Some(Home::Thinking) => {}
                Some(Home::Call) if thought.text.is_empty() => {}
                Some(Home::Detail(_) | Home::Call) => detailed.push(thought),
                Some(home @ (Home::ReasoningContent | Home::Reasoning)) => {
                    plain.get_or_insert_with(|| (home.field(), String::new())).1.push_str(&thought.text);
                }
            }
        }
        if let Some((field, text)) = plain {
            message.string(field, &text);
        }
        if !detailed.is_empty() {
            let mut details = message.array("reasoning_details");
            let mut next = 0;
            detailed.iter().for_each(|thought| reasoning::write_details(&mut details, thought, &mut next));
        }
    }

    /// Writes what the model said: text, refusals, and Mistral's thoughts.
    fn said(&mut self, parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
        let mut told: Vec<&Part<'_>> = Vec::new();
        let mut refusal: Option<&str> = None;
        let mut signature: Option<&Signature<'_>> = None;
        let has_thinking = parts.iter().any(|part| is_thinking(part));
        for (at, part) in parts.iter().enumerate() {
            match &part.body {
                PartBody::Text { citations, signature: proof, .. } => {
                    if !citations.is_empty() && self.origin == Origin::Foreign {
                        self.losses.lose(Feature::Citations);
                    }
                    signature = signature.or(proof.as_ref());
                    told.push(part);
                }
                PartBody::Refusal(text) if !has_thinking => refusal = Some(text),
                PartBody::Media(_) if self.origin == Origin::Foreign => self.losses.lose(Feature::MediaOutput),
                PartBody::Opaque(json) if json.raw().get("custom").is_some() => {}
                PartBody::Reasoning(_) if is_thinking(part) => told.push(part),
                PartBody::Reasoning(thought) if is_google_signature(thought) && !signs_next(parts, at) => {
                    signature = signature.or(thought.signature.as_ref());
                }
                PartBody::Reasoning(_) | PartBody::ToolCall(_) | PartBody::ToolResult(_) => {}
                PartBody::Media(_) | PartBody::Opaque(_) | PartBody::Refusal(_) => told.push(part),
            }
        }
        let calls = parts.iter().any(|part| is_call(part));
        match told.is_empty() && (calls || refusal.is_some()) {
            true => message.null("content"),
            false => self.content(&told, message),
        }
        message.maybe_string("refusal", refusal);
        if let Some(signature) = signature {
            write_signature(signature, message);
        }
        if self.origin == Origin::Own {
            write_annotations(parts, message);
        }
    }

    fn calls(&mut self, parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
        if !parts.iter().any(|part| is_call(part)) {
            return;
        }
        let mut calls = message.array("tool_calls");
        let mut before: Option<&Signature<'_>> = None;
        for part in parts {
            match &part.body {
                PartBody::ToolCall(call) => {
                    let mut object = calls.object();
                    write_call(call, before.take(), &mut object);
                    self.marks(part, &mut object);
                }
                PartBody::Opaque(json) if is_call(part) && self.origin == Origin::Own => calls.raw(json.bytes()),
                PartBody::Reasoning(thought) => {
                    before = thought.signature.as_ref().filter(|_| is_google_signature(thought));
                }
                _ => {}
            }
        }
    }

    /// Writes `content`: a string if there is nothing but plain text, else an array.
    fn content(&mut self, parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
        match self.plain_text(parts) {
            Some(text) => message.string("content", &text),
            None => self.list(parts, message),
        }
    }

    /// Writes `content` as an array, unless nothing is in it.
    fn list(&mut self, parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
        let mut out = Vec::new();
        let mut content = ArrayWriter::new(&mut out);
        for part in parts {
            match &part.body {
                PartBody::Reasoning(thought) if is_thinking(part) => write_thinking(&thought.text, None, &mut content),
                _ => self.part(part, &mut content),
            }
        }
        let is_empty = content.is_empty();
        drop(content);
        match is_empty {
            true => message.string("content", ""),
            false => message.raw("content", &out),
        }
    }

    /// The text of `parts`, if it is all they hold. Several texts of another dialect are joined: that is how their
    /// providers read them too, and not every chat provider takes arrays.
    fn plain_text<'p>(&mut self, parts: &[&'p Part<'_>]) -> Option<Text<'p>> {
        let text = |part: &'p Part<'_>| match &part.body {
            PartBody::Text { text, .. } => Some(Text::Borrowed(text.as_ref())),
            _ => None,
        };
        match (self.origin, parts) {
            (_, []) => Some(Text::default()),
            (Origin::Own, [part]) if part.cache.is_none() && part.extras.is_empty() => text(part),
            (Origin::Own, _) => None,
            (Origin::Foreign, [first, rest @ ..]) => {
                let first = text(first)?;
                let joined = rest.iter().try_fold(first, |joined, part| Some(joined + text(part)?))?;
                for part in parts {
                    self.losses.lose_some(Feature::CacheControl, part.cache.as_ref());
                    self.losses.lose_extras(&part.extras);
                }
                Some(joined)
            }
        }
    }
}

/// Nothing but a signature of Google's: of the call that follows, else of the message.
fn is_google_signature(thought: &Reasoning<'_>) -> bool {
    thought.text.is_empty() && Home::of_part(thought) == Some(Home::Call)
}

/// The part at `at` is followed by the call that it signs.
fn signs_next(parts: &[&Part<'_>], at: usize) -> bool {
    matches!(parts.get(at + 1).map(|part| &part.body), Some(PartBody::ToolCall(_)))
}

fn is_thinking(part: &Part<'_>) -> bool {
    matches!(&part.body, PartBody::Reasoning(thought) if Home::of_part(thought) == Some(Home::Thinking))
}

/// A call, of a function or of one of OpenAI's custom tools.
pub(in super::super) fn is_call(part: &Part<'_>) -> bool {
    match &part.body {
        PartBody::ToolCall(_) => true,
        PartBody::Opaque(json) => json.raw().get("custom").is_some_and(|custom| custom.kind == Kind::Object),
        _ => false,
    }
}

/// Writes Mistral's part for thoughts, which may be empty, and what proves them.
pub(in crate::dialect) fn write_thinking(text: &str, proof: Option<&str>, content: &mut ArrayWriter<'_>) {
    let mut part = content.object();
    part.string("type", "thinking");
    let mut pieces = part.array("thinking");
    if !text.is_empty() {
        let mut piece = pieces.object();
        piece.string("type", "text");
        piece.string("text", text);
    }
    drop(pieces);
    part.maybe_string("signature", proof);
}

/// Writes the citations of all texts.
pub(in super::super) fn write_annotations(parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
    let mut cited = parts.iter().filter_map(|part| match &part.body {
        PartBody::Text { citations, .. } => Some(citations),
        _ => None,
    });
    let mut cited = cited.by_ref().flatten().peekable();
    if cited.peek().is_none() {
        return;
    }
    let mut annotations = message.array("annotations");
    cited.for_each(|citation| super::super::citation::write(citation, annotations.element()));
}
