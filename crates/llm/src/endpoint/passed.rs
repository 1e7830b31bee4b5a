//! Rows of what passes as it came: pictures, recordings, films, files and all else that a provider keeps under
//! identifiers of its own. Of such requests the gateway reads no more than it counts by. The paths are those of
//! OpenAI's, Anthropic's and Google's API references.

use super::table::{IMAGE_EVENT_BYTES, PLAIN, RESPONSES_USAGE};
use super::{
    AnswerKind, BodyKind, BodyRule, Endpoint, EndpointPath, Framing, IdPlace, PathForm, StreamFlag, UsageFields,
};
use crate::dialect::Dialect;
use crate::protocol::Protocol;

/// As in Responses; recordings have another name for the details.
static MEDIA_USAGE: UsageFields = UsageFields {
    prompt: "input_tokens",
    completion: "output_tokens",
    total: "total_tokens",
    cached: &[&["input_tokens_details", "cached_tokens"], &["input_token_details", "cached_tokens"]],
    cache_creation: &[],
    reasoning: &[],
};

/// What these rows have in common.
const PASSED: Endpoint = Endpoint { body: BodyRule::Never, answer: AnswerKind::Any, ..PLAIN };

const fn json(suffix: &'static str) -> PathForm {
    PathForm::of(suffix, StreamFlag::Body)
}

const fn form(suffix: &'static str) -> PathForm {
    PathForm { body: BodyKind::Multipart, ..json(suffix) }
}

const fn any(suffix: &'static str) -> PathForm {
    PathForm { body: BodyKind::Any, ..PathForm::of(suffix, StreamFlag::Never) }
}

const fn none(suffix: &'static str) -> PathForm {
    PathForm { body: BodyKind::None, ..any(suffix) }
}

const fn socket(suffix: &'static str) -> PathForm {
    PathForm { body: BodyKind::WebSocket, ..PathForm::of(suffix, StreamFlag::Always) }
}

/// `collection`, the identifier, then `suffix`.
const fn by_id(collection: &'static str, suffix: &'static str) -> PathForm {
    PathForm { id: IdPlace::Behind(collection), ..any(suffix) }
}

/// As [`by_id`], without a body.
const fn look_up(collection: &'static str, suffix: &'static str) -> PathForm {
    PathForm { id: IdPlace::Behind(collection), ..none(suffix) }
}

/// Streams hold pictures that are not finished yet.
pub(super) const IMAGES: Endpoint = Endpoint {
    protocol: Protocol::Images,
    name: "images",
    paths: &[json("/images/generations"), form("/images/edits"), form("/images/variations")],
    body: BodyRule::NonEmpty,
    stream: StreamFlag::Body,
    framing: Framing::NamedSse,
    max_event_bytes: IMAGE_EVENT_BYTES,
    usage_at: &["usage"],
    usage: &MEDIA_USAGE,
    end_user: &[&["user"]],
    ..PASSED
};

pub(super) const SPEECH: Endpoint = Endpoint {
    protocol: Protocol::Speech,
    name: "speech",
    paths: &[json("/audio/speech")],
    body: BodyRule::NonEmpty,
    framing: Framing::NamedSse,
    usage_at: &["usage"],
    usage: &MEDIA_USAGE,
    ..PASSED
};

pub(super) const TRANSCRIPTIONS: Endpoint = Endpoint {
    protocol: Protocol::Transcriptions,
    name: "transcriptions",
    paths: &[form("/audio/transcriptions"), form("/audio/translations")],
    body: BodyRule::NonEmpty,
    stream: StreamFlag::Body,
    framing: Framing::NamedSse,
    usage_at: &["usage"],
    usage: &MEDIA_USAGE,
    ..PASSED
};

pub(super) const VIDEOS: Endpoint = Endpoint {
    protocol: Protocol::Videos,
    name: "videos",
    paths: &[
        form("/v1/videos"),
        by_id("/v1/videos/", ""),
        by_id("/v1/videos/", "/content"),
        by_id("/v1/videos/", "/remix"),
    ],
    body: BodyRule::NonEmpty,
    endpoint_path: EndpointPath::Ignored,
    ..PASSED
};

pub(super) const FILES: Endpoint = Endpoint {
    protocol: Protocol::Files,
    name: "files",
    paths: &[
        any("/v1/files"),
        by_id("/v1/files/", ""),
        by_id("/v1/files/", "/content"),
        any("/v1/uploads"),
        by_id("/v1/uploads/", "/parts"),
        by_id("/v1/uploads/", "/complete"),
        by_id("/v1/uploads/", "/cancel"),
        any("/v1beta/files"),
        by_id("/v1beta/files/", ""),
    ],
    endpoint_path: EndpointPath::Ignored,
    ..PASSED
};

pub(super) const BATCHES: Endpoint = Endpoint {
    protocol: Protocol::Batches,
    name: "batches",
    paths: &[
        any("/v1/batches"),
        by_id("/v1/batches/", ""),
        by_id("/v1/batches/", "/cancel"),
        any("/v1/messages/batches"),
        by_id("/v1/messages/batches/", ""),
        by_id("/v1/messages/batches/", "/cancel"),
        by_id("/v1/messages/batches/", "/results"),
        by_id("/v1beta/batches/", ""),
        by_id("/v1beta/batches/", ":cancel"),
    ],
    endpoint_path: EndpointPath::Ignored,
    ..PASSED
};

/// What compacts a conversation or counts its tokens has paths like those of identifiers, but a body and a model.
pub(super) const STORED_RESPONSES: Endpoint = Endpoint {
    protocol: Protocol::StoredResponses,
    name: "stored-responses",
    family: Dialect::OpenAiResponses,
    paths: &[
        json("/v1/responses/compact"),
        json("/v1/responses/input_tokens"),
        look_up("/v1/responses/", ""),
        by_id("/v1/responses/", "/cancel"),
        look_up("/v1/responses/", "/input_items"),
        look_up("/v1/chat/completions/", ""),
        look_up("/v1/chat/completions/", "/messages"),
    ],
    body: BodyRule::NonEmpty,
    usage_at: &["usage"],
    usage: &RESPONSES_USAGE,
    endpoint_path: EndpointPath::Ignored,
    ..PASSED
};

pub(super) const REALTIME: Endpoint = Endpoint {
    protocol: Protocol::Realtime,
    name: "realtime",
    paths: &[
        socket("/realtime"),
        any("/v1/realtime/client_secrets"),
        any("/v1/realtime/sessions"),
        any("/v1/realtime/transcription_sessions"),
        any("/v1/realtime/calls"),
        socket(".GenerativeService.BidiGenerateContent"),
    ],
    ..PASSED
};

pub(super) const GEMINI_PREDICT: Endpoint = Endpoint {
    protocol: Protocol::GeminiPredict,
    name: "gemini-predict",
    family: Dialect::Gemini,
    paths: &[
        PathForm::of_model(":predict", StreamFlag::Never),
        PathForm::of_model(":predictLongRunning", StreamFlag::Never),
        look_up("/operations/", ""),
    ],
    body: BodyRule::NonEmpty,
    ..PASSED
};

pub(super) const MODELS: Endpoint = Endpoint {
    protocol: Protocol::Models,
    name: "models",
    paths: &[none("/models"), look_up("/models/", "")],
    endpoint_path: EndpointPath::Ignored,
    ..PASSED
};
