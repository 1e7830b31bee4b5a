//! From any dialect to any other: a client's request to its provider, the provider's answer back to the client.
//!
//! Each direction is read → model → fitted → written. Names, identifiers and what results answer are fitted alike for
//! all pairs; what only some targets ask for stands in modules of its own. Invariant: nothing is left out in silence:
//! see [`Losses`]. The data plane calls it where client and provider speak different dialects, or the client speaks a
//! form of its own ([`own_form`]); elsewhere bytes pass and none of this runs.

mod betas;
mod defaults;
mod filtered;
mod kept;
mod names;
mod own_form;
mod pieces;
mod refused;
mod results;
mod stream;

pub use names::Renames;
pub use stream::{StreamTranslator, TranslatedEnd};

use crate::dialect::{ClientDialect, Dialect, ProviderDialect, Quirks, ReadError, Reply, chat};
use crate::errors::ApiError;
use crate::json::{Raw, unescape};
use crate::model::{Event, Extras, Feature, Json, Losses, Part, PartBody, Request, Response, Signature, TokenCounts};

/// Why a request cannot be translated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranslateError {
    /// The client's mistake.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The client refers to what the provider does not have.
    #[error("{}", .0.message)]
    NotFound(ApiError<'static>),
    /// The configuration wants nothing to be left out.
    #[error("{dialect} has no words for: {losses}")]
    Lossy { dialect: ProviderDialect, losses: Losses },
}

/// Why an answer cannot be told as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The provider has given it up, and says so in a finish reason.
    #[error("{}", .0.message)]
    Failed(ApiError<'static>),
}

/// What is to be done about what the target dialect has no words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LossPolicy {
    /// Leave it out and tell.
    #[default]
    Drop,
    /// Refuse the request.
    Refuse,
}

/// A request's body is not all of it: some dialects name the model and streaming in the path, and
/// Anthropic's previews in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathFacts<'a> {
    pub model: Option<&'a str>,
    pub stream: bool,
    /// What `anthropic-beta` says.
    pub betas: Option<&'a str>,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub dialect: ProviderDialect,
    pub quirks: Quirks,
    pub losses: LossPolicy,
}

/// A request in its provider's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    pub body: Vec<u8>,
    pub losses: Losses,
    /// To be undone in the answer.
    pub renames: Renames,
    /// The client wants usage in the stream.
    pub include_usage: bool,
    /// The previews that Anthropic's API is to be asked for in the header `anthropic-beta`.
    pub betas: Option<String>,
}

/// Translates a request's `body`, JSON that has been scanned, from the client's dialect to the target's.
///
/// # Errors
/// If the body is not what its dialect says, or if something would be left out and the policy forbids it.
pub fn translate_request(
    client: impl Into<ClientDialect>,
    target: &Target,
    body: Raw<'_>,
    path: PathFacts<'_>,
) -> Result<Translated, TranslateError> {
    let client = client.into();
    let mut request = client.read_request(body)?;
    if client.is_foreign_to(target.dialect)
        && let Some(error) = kept::not_found(&request)
    {
        return Err(TranslateError::NotFound(error));
    }
    if let Some(model) = path.model {
        request.model = Some(model.into());
    }
    request.stream |= path.stream;
    let include_usage = request.include_usage;
    let mut losses = Losses::default();
    let codec = target.dialect.codec();
    let betas =
        (target.dialect == ProviderDialect::Shared(Dialect::Anthropic)).then(|| betas::take(&mut request)).flatten();
    let at_converse = target.dialect == ProviderDialect::Shared(Dialect::BedrockConverse);
    let asked_for = path.betas.filter(|_| at_converse || target.dialect == ProviderDialect::BedrockInvoke);
    let left_out = asked_for.map(|told| betas::add(&mut request, told)).unwrap_or_default();
    let renames = names::fit_names(&mut request, codec.names);
    names::fit_calls(&mut request, target.quirks.call_ids(codec.call_ids));
    pieces::join(&mut request.turns);
    match client.is_foreign_to(target.dialect) {
        true => {
            defaults::leave_unsaid(&mut request, codec.carries);
            names::fit_end_user(&mut request);
            results::move_behind_calls(&mut request.turns);
            // Converse passes previews on to Claude, so there they are no foreign field.
            let previews = at_converse.then(|| betas::take_list(&mut request)).flatten();
            drop_foreign(&mut request, target.dialect.dialect(), &mut losses);
            request.extras.0.extend(previews);
        }
        false => {
            own_form::drop_own(&mut request, client, &mut losses);
            drop_unprovable(&mut request, target.dialect.dialect(), &mut losses);
        }
    }
    // Also for Mistral's clients, who speak this dialect: thoughts that they send back may be another provider's.
    if target.dialect.dialect() == Some(Dialect::OpenAiChat) {
        chat::move_thoughts(&mut request, target.quirks.thoughts, &mut losses);
    }
    refused::leave_out(&mut request, target.quirks.refuses, &mut losses);
    let body = target.dialect.write_request(&request, &target.quirks, &mut losses);
    if target.losses == LossPolicy::Refuse && !losses.is_empty() {
        return Err(TranslateError::Lossy { dialect: target.dialect, losses });
    }
    // Previews that a header asks for are told, but no reason to refuse: clients send it with every request.
    losses.add(&left_out);
    Ok(Translated { body, losses, renames, include_usage, betas })
}

/// Names by which items are found again at their own provider, and the question for what only it can read. Leaving
/// them out loses nothing.
const BOOKKEEPING: [&str; 3] = ["id", "status", "include"];

/// Empties `extras`, and tells what they held. What holds nothing is no loss.
fn lose_extras(extras: &mut Extras<'_>, losses: &mut Losses) {
    let held = std::mem::take(extras);
    let is_loss = |(name, value): &(&str, &Json<'_>)| {
        !BOOKKEEPING.contains(name)
            && *name != Extras::AS_WRITTEN
            && !value.says_nothing()
            && !defaults::is_default(name, value)
    };
    held.iter().filter(is_loss).for_each(|(name, _)| losses.lose_field(name));
}

/// Kinds of parts that their own dialect alone knows and that are no doing of a provider's tool.
const OTHER_KINDS: [&str; 15] = [
    "audio",
    "cachePoint",
    "custom_tool_call",
    "custom_tool_call_output",
    "custom",
    "document",
    "file",
    "guardContent",
    "image",
    "image_url",
    "input_audio",
    "item_reference",
    "text",
    "video",
    "video_url",
];

/// Tells that a part or a tool is left out whole: by its kind, which its type or its only member tells.
fn lose_opaque(json: &Json<'_>, losses: &mut Losses) {
    let raw = json.raw();
    let only = || raw.members().next().map(|(key, _)| unescape(key));
    let kind = raw.first("type").and_then(Raw::text).or_else(only).unwrap_or_default();
    match OTHER_KINDS.contains(&kind.as_ref()) {
        true => losses.lose_field(&kind),
        false => losses.lose(Feature::ServerTools),
    }
}

/// Takes out what only another dialect knows: opaque parts and tools, fields beyond the model, and signatures that
/// the target's provider could not check.
fn drop_foreign(request: &mut Request<'_>, target: Option<Dialect>, losses: &mut Losses) {
    use crate::model::{ResponseFormat, ToolBody, ToolChoice};
    lose_extras(&mut request.extras, losses);
    request.tools.retain_mut(|tool| {
        lose_extras(&mut tool.extras, losses);
        match &tool.body {
            ToolBody::Opaque(json) => {
                lose_opaque(json, losses);
                false
            }
            ToolBody::Function(_) => true,
        }
    });
    if let Some(ToolChoice::Opaque(_)) = &request.tool_choice {
        losses.lose(Feature::ToolChoice);
        request.tool_choice = None;
    }
    if let Some(ResponseFormat::Opaque(_)) = &request.response_format {
        losses.lose_field("response_format");
        request.response_format = None;
    }
    if request.tools.is_empty() {
        // Providers refuse a choice among no tools.
        request.tool_choice = None;
        request.parallel_tool_calls = None;
    }
    for turn in &mut request.turns {
        lose_extras(&mut turn.extras, losses);
        turn.parts.retain_mut(|part| {
            lose_extras(&mut part.extras, losses);
            keep_part(&mut part.body, target, losses)
        });
    }
    // There, what tools of the provider did is a turn of its own; elsewhere a message stands
    // though nothing of it can be said.
    let items_are_turns = request.dialect == Dialect::OpenAiResponses;
    request.turns.retain(|turn| !items_are_turns || !turn.parts.is_empty());
}

/// Takes out thoughts with a proof that another dialect's provider made: an answer of that provider which the client
/// sends to one of its own dialect.
fn drop_unprovable(request: &mut Request<'_>, target: Option<Dialect>, losses: &mut Losses) {
    let is_foreign = |proof: &Option<Signature<'_>>| proof.as_ref().is_some_and(|proof| target != Some(proof.origin));
    let is_unprovable = |part: &Part<'_>| match &part.body {
        PartBody::Reasoning(thought) => is_foreign(&thought.signature) || is_foreign(&thought.encrypted),
        _ => false,
    };
    for turn in &mut request.turns {
        let before = turn.parts.len();
        turn.parts.retain(|part| !is_unprovable(part));
        if turn.parts.len() < before {
            losses.lose(Feature::Reasoning);
            losses.lose(Feature::ReasoningSignature);
        }
    }
}

/// `true` if `body` means something in `target`.
fn keep_part(body: &mut PartBody<'_>, target: Option<Dialect>, losses: &mut Losses) -> bool {
    let foreign = |signature: &Option<Signature<'_>>| {
        signature.as_ref().is_some_and(|signature| target != Some(signature.origin))
    };
    match body {
        PartBody::Opaque(json) => {
            lose_opaque(json, losses);
            return false;
        }
        PartBody::Text { signature, .. } => {
            if foreign(signature) {
                *signature = None;
                losses.lose(Feature::ReasoningSignature);
            }
        }
        PartBody::ToolCall(call) => {
            if foreign(&call.signature) {
                call.signature = None;
                losses.lose(Feature::ReasoningSignature);
            }
        }
        PartBody::ToolResult(result) => result.content.retain_mut(|part| {
            lose_extras(&mut part.extras, losses);
            match &part.body {
                PartBody::Opaque(json) => {
                    lose_opaque(json, losses);
                    false
                }
                _ => true,
            }
        }),
        PartBody::Reasoning(reasoning) => {
            for proof in [&mut reasoning.signature, &mut reasoning.encrypted] {
                if foreign(proof) {
                    *proof = None;
                    losses.lose(Feature::ReasoningSignature);
                }
            }
            reasoning.id = None;
            return !reasoning.text.is_empty() || reasoning.signature.is_some() || reasoning.encrypted.is_some();
        }
        PartBody::Media(_) | PartBody::Refusal(_) => {}
    }
    true
}

/// A whole answer in its client's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslatedAnswer {
    pub body: Vec<u8>,
    pub losses: Losses,
    /// What it tells of tokens; `None` if the provider has told nothing.
    pub counts: Option<TokenCounts>,
}

/// Translates a whole answer's `body` from the provider's dialect to the client's.
///
/// # Errors
/// If the body is not what its dialect says, or no whole answer.
pub fn translate_response(
    provider: impl Into<ProviderDialect>,
    client: impl Into<ClientDialect>,
    body: Raw<'_>,
    reply: &Reply,
    renames: &Renames,
) -> Result<TranslatedAnswer, AnswerError> {
    let (provider, client) = (provider.into(), client.into());
    let mut response = provider.read_response(body)?;
    if let Some(error) = response.failure() {
        return Err(AnswerError::Failed(error));
    }
    let mut losses = Losses::default();
    let id = if response.id.is_empty() { &reply.id } else { response.id.as_ref() };
    response.id = name(id).to_owned().into();
    fit_answer(&mut response, client, renames, &mut losses);
    if filtered::is_an_end(provider, client) {
        response.choices.iter_mut().filter_map(|choice| choice.stop.as_mut()).for_each(filtered::end);
    }
    let body = client.write_response(&response, reply, &mut losses);
    Ok(TranslatedAnswer { body, losses, counts: response.usage })
}

/// Names functions as the client knows them, makes identifiers up where there are none, brings counts to sums that
/// hold, and takes out what only the provider's dialect knows. Signatures stay: they travel with a tag.
fn fit_answer(response: &mut Response<'_>, client: ClientDialect, renames: &Renames, losses: &mut Losses) {
    let foreign = client.dialect() != Some(response.dialect);
    let places_citations = foreign && places_citations(client);
    response.usage = response.usage.map(|counts| counts.bounded());
    let seed = response.id.clone();
    let mut calls = 0;
    for choice in &mut response.choices {
        choice.parts.retain_mut(|part| match &mut part.body {
            PartBody::ToolCall(call) => {
                call.name = renames.restore(std::mem::take(&mut call.name));
                if call.id.is_empty() {
                    call.id = call_id(&seed, calls).into();
                }
                calls += 1;
                true
            }
            PartBody::Opaque(_) if foreign => {
                losses.lose(Feature::ServerTools);
                false
            }
            PartBody::Text { citations, .. } if places_citations => {
                let told = citations.len();
                citations.retain(|citation| !citation.is_lost());
                if citations.len() < told {
                    losses.lose(Feature::Citations);
                }
                true
            }
            _ => true,
        });
    }
}

/// In these dialects a citation has a place in the text or the address of its source.
fn places_citations(client: ClientDialect) -> bool {
    match client.dialect() {
        Some(Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Cohere) => true,
        Some(Dialect::Anthropic | Dialect::Gemini | Dialect::BedrockConverse) | None => false,
    }
}

/// Longer names of answers, models and tiers are cut: a stream repeats them in every chunk, and items are named after
/// their answer.
const MOST_NAME_BYTES: usize = 256;

/// The name, if it is not too long; else its beginning.
fn name(told: &str) -> &str {
    &told[..told.floor_char_boundary(MOST_NAME_BYTES)]
}

/// An identifier for a call whose provider gave none: letters, digits and `_`, different for every answer.
fn call_id(seed: &str, number: usize) -> String {
    let seed: String = seed.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("call_{seed}{number}")
}

/// An event as the client is to read it; `None` if it means nothing in its dialect.
fn fit_event<'a>(event: Event<'a>, foreign: bool, renames: &Renames) -> Option<Event<'a>> {
    match event {
        Event::Opaque { .. } if foreign => None,
        Event::ToolCall { choice, call, id, name, signature } => {
            Some(Event::ToolCall { choice, call, id, name: renames.restore(name), signature })
        }
        other => Some(other),
    }
}
