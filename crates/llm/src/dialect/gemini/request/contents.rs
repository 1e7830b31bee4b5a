//! Turns as `contents`, and instructions as `systemInstruction`.
//!
//! Invariant: requests of other dialects become what Vertex's checks demand: neighbouring turns of one side are one
//! turn, all results of a turn's calls stand together and first in the next, and no turn is empty. A request that was
//! Gemini's keeps its turns as they are.

use std::borrow::Cow;

use super::thinking;
use crate::dialect::gemini::media;
use crate::dialect::gemini::signature;
use crate::dialect::{Dialect, Origin};
use crate::json::{ArrayWriter, ObjectWriter, Raw, write_string};
use crate::model::{Extras, Feature, Losses, Part, PartBody, Reasoning, Request, Role, ToolCall, ToolResult, Turn};

/// Stands for the signature of a call that another model made: Gemini 3 refuses calls without one, and documents this
/// word for histories that are not its own.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Writes `systemInstruction` and `contents`.
pub(super) fn write(request: &Request<'_>, body: &mut ObjectWriter<'_>, losses: &mut Losses) {
    let is_own = request.dialect == Dialect::Gemini;
    let model = request.model.as_deref().unwrap_or_default();
    let mut writer = Writer {
        origin: Origin::of(request.dialect, Dialect::Gemini),
        is_third_generation: !is_own && thinking::takes_levels(model),
        losses,
    };
    let (system, others): (Vec<_>, Vec<_>) = request.turns.iter().partition(|turn| is_system(turn));
    let leading = request.turns.iter().take_while(|turn| is_system(turn)).count();
    if leading < system.len() {
        writer.losses.lose(Feature::SystemPosition);
    }
    let mut parts = Vec::new();
    writer.group(&system, &mut parts);
    let has_system = parts != b"[]";
    // Without a turn of its own there is nothing to answer: the instructions are then what the user says.
    let system_is_turn = !is_own && others.is_empty();
    if has_system && !system_is_turn {
        body.object("systemInstruction").raw("parts", &parts);
    }
    let mut contents = body.array("contents");
    if has_system && system_is_turn {
        write_turn(&mut contents, "user", &parts, &Extras::default());
    }
    for group in others.chunk_by(|one, next| !is_own && role(one) == role(next)) {
        parts.clear();
        writer.group(group, &mut parts);
        if is_own || parts != b"[]" {
            write_turn(&mut contents, role(group[0]), &parts, &group[0].extras);
        }
    }
}

fn write_turn(contents: &mut ArrayWriter<'_>, role: &str, parts: &[u8], extras: &Extras<'_>) {
    let mut turn = contents.object();
    turn.string("role", role);
    turn.raw("parts", parts);
    extras.iter().for_each(|(key, value)| turn.raw(key, value.bytes()));
}

fn is_system(turn: &Turn<'_>) -> bool {
    matches!(turn.role, Role::System | Role::Developer)
}

fn role(turn: &Turn<'_>) -> &'static str {
    match turn.role {
        Role::Assistant => "model",
        Role::System | Role::Developer | Role::User | Role::Tool => "user",
    }
}

struct Writer<'l> {
    origin: Origin,
    /// The request comes from elsewhere and goes to Gemini 3 or later.
    is_third_generation: bool,
    losses: &'l mut Losses,
}

impl Writer<'_> {
    /// Writes the parts of turns that become one.
    fn group(&mut self, turns: &[&Turn<'_>], out: &mut Vec<u8>) {
        let mut parts = ArrayWriter::new(out);
        if self.origin == Origin::Foreign {
            for result in turns.iter().flat_map(|turn| &turn.parts).filter(|part| is_result(part)) {
                self.part(result, None, &mut parts);
            }
        }
        for turn in turns {
            self.losses.lose_some(Feature::TurnName, turn.name.as_ref());
            self.turn(turn, &mut parts);
        }
    }

    fn turn(&mut self, turn: &Turn<'_>, parts: &mut ArrayWriter<'_>) {
        // A signature that travelled before its call, and whether the turn's first call is still to come.
        let mut proof = None;
        let mut is_first_call = true;
        for (at, part) in turn.parts.iter().enumerate() {
            match &part.body {
                PartBody::ToolResult(result) if self.origin == Origin::Foreign => self.result_media(result, parts),
                PartBody::Reasoning(reasoning) if signs_next(reasoning, turn.parts.get(at + 1)) => {
                    proof = native(reasoning);
                }
                PartBody::ToolCall(_) => {
                    let missing = (is_first_call && self.is_third_generation).then_some(NO_SIGNATURE);
                    self.part(part, proof.take().or(missing), parts);
                    is_first_call = false;
                }
                _ => self.part(part, None, parts),
            }
        }
    }

    /// Writes one part; `call_proof` signs a call that has no signature of its own.
    fn part(&mut self, part: &Part<'_>, call_proof: Option<&str>, parts: &mut ArrayWriter<'_>) {
        self.losses.lose_some(Feature::CacheControl, part.cache.as_ref());
        match &part.body {
            PartBody::Text { text, signature: proof, .. } => {
                let proof = proof.as_ref().map(signature::write);
                if text.is_empty() && proof.is_none() && self.origin == Origin::Foreign {
                    return;
                }
                let mut object = parts.object();
                object.string("text", text);
                object.maybe_string("thoughtSignature", proof.as_deref());
                self.write_extras(part, &mut object);
            }
            PartBody::Media(medium) => self.media(part, medium, parts),
            PartBody::ToolCall(call) => {
                let mut object = parts.object();
                write_call(&mut object, call);
                let own = call.signature.as_ref().map(signature::write);
                object.maybe_string("thoughtSignature", own.as_deref().or(call_proof));
                self.write_extras(part, &mut object);
            }
            PartBody::ToolResult(result) => self.result(part, result, parts),
            PartBody::Reasoning(reasoning) => self.reasoning(part, reasoning, parts),
            PartBody::Refusal(text) => {
                self.losses.lose(Feature::Refusal);
                parts.object().string("text", text);
            }
            PartBody::Opaque(json) if self.origin == Origin::Own => parts.raw(json.bytes()),
            PartBody::Opaque(_) => self.losses.lose(Feature::ServerTools),
        }
    }

    fn media(&mut self, part: &Part<'_>, medium: &crate::model::Media<'_>, parts: &mut ArrayWriter<'_>) {
        if let Some(context) = &medium.context {
            parts.object().string("text", context);
        }
        let mut json = Vec::new();
        let mut object = ObjectWriter::new(&mut json);
        let is_written = media::write(&mut object, medium, self.origin, self.losses);
        self.write_extras(part, &mut object);
        drop(object);
        if is_written {
            parts.raw(&json);
        }
    }

    fn reasoning(&mut self, part: &Part<'_>, reasoning: &Reasoning<'_>, parts: &mut ArrayWriter<'_>) {
        let proof = native(reasoning);
        if reasoning.text.is_empty() && proof.is_none() && self.origin == Origin::Foreign {
            return;
        }
        let mut object = parts.object();
        object.string("text", &reasoning.text);
        // A proof alone signs no thought but what was said or called.
        if self.origin == Origin::Own || !reasoning.text.is_empty() {
            object.boolean("thought", true);
        }
        object.maybe_string("thoughtSignature", proof);
        self.write_extras(part, &mut object);
    }

    fn result(&mut self, part: &Part<'_>, result: &ToolResult<'_>, parts: &mut ArrayWriter<'_>) {
        let mut object = parts.object();
        let mut response = object.object("functionResponse");
        if !result.call_id.is_empty() {
            response.string("id", &result.call_id);
        }
        response.string("name", result.name.as_deref().unwrap_or("function"));
        write_outcome(response.key("response"), result);
        let media = || result.content.iter().filter(|part| !matches!(part.body, PartBody::Text { .. }));
        if self.nests_media() && media().next().is_some() {
            let mut nested = response.array("parts");
            media().for_each(|part| self.part(part, None, &mut nested));
        }
        self.write_extras(part, &mut response);
    }

    fn write_extras(&self, part: &Part<'_>, object: &mut ObjectWriter<'_>) {
        if self.origin == Origin::Own {
            part.extras.iter().for_each(|(key, value)| object.raw(key, value.bytes()));
        }
    }

    /// Media of results stand in the result; models before the third generation want them beside it.
    fn nests_media(&self) -> bool {
        self.origin == Origin::Own || self.is_third_generation
    }

    /// Writes media of a result where they may not stand in it.
    fn result_media(&mut self, result: &ToolResult<'_>, parts: &mut ArrayWriter<'_>) {
        if !self.nests_media() {
            let media = result.content.iter().filter(|part| matches!(part.body, PartBody::Media(_)));
            media.for_each(|part| self.part(part, None, parts));
        }
    }
}

fn is_result(part: &Part<'_>) -> bool {
    matches!(part.body, PartBody::ToolResult(_))
}

/// `true` if `reasoning` is only there to carry the signature of the call after it.
fn signs_next(reasoning: &Reasoning<'_>, next: Option<&Part<'_>>) -> bool {
    let is_unsigned_call = |part: &Part<'_>| match &part.body {
        PartBody::ToolCall(call) => call.signature.is_none(),
        _ => false,
    };
    reasoning.text.is_empty() && native(reasoning).is_some() && next.is_some_and(is_unsigned_call)
}

fn native<'r>(reasoning: &'r Reasoning<'_>) -> Option<&'r str> {
    let proofs = [&reasoning.signature, &reasoning.encrypted];
    proofs.into_iter().flatten().find_map(|proof| proof.native(Dialect::Gemini))
}

/// Writes a call as the member `functionCall`.
pub(in crate::dialect::gemini) fn write_call(part: &mut ObjectWriter<'_>, call: &ToolCall<'_>) {
    let mut object = part.object("functionCall");
    if !call.id.is_empty() {
        object.string("id", &call.id);
    }
    object.string("name", &call.name);
    write_arguments(object.key("args"), &call.arguments);
}

/// Writes arguments as an object, which is all that Gemini takes: an empty one for whatever else the model wrote.
fn write_arguments(out: &mut Vec<u8>, arguments: &str) {
    let object = Raw::checked(arguments.as_bytes()).and_then(Raw::object);
    out.extend_from_slice(object.map_or(b"{}", |object| object.bytes));
}

/// Writes what a tool answered as an object: by Google's convention `output` is what it gave, `error` what went wrong.
fn write_outcome(out: &mut Vec<u8>, result: &ToolResult<'_>) {
    let key = if result.is_error { "error" } else { "output" };
    let json = result.json.as_ref().map(|json| json.raw());
    match json {
        Some(json) if json.is_object() && (!result.is_error || is_error_object(json)) => {
            out.extend_from_slice(json.bytes);
        }
        Some(json) => ObjectWriter::new(out).raw(key, json.bytes),
        None => write_string(ObjectWriter::new(out).key(key), &joined_text(&result.content)),
    }
}

fn is_error_object(json: Raw<'_>) -> bool {
    json.members().any(|(key, _)| key == b"error")
}

/// The texts of a result, a line each.
fn joined_text<'p>(content: &'p [Part<'_>]) -> Cow<'p, str> {
    let mut texts = content.iter().filter_map(|part| match &part.body {
        PartBody::Text { text, .. } => Some(text.as_ref()),
        _ => None,
    });
    let first = texts.next().unwrap_or_default();
    match texts.next() {
        None => Cow::Borrowed(first),
        Some(second) => {
            let rest: String = std::iter::once(second).chain(texts).map(|text| format!("\n{text}")).collect();
            Cow::Owned(first.to_owned() + &rest)
        }
    }
}
