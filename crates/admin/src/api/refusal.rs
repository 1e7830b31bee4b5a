//! Every way in which the Admin API says no, and the one place that turns them into status and body.

use config::check::Rejection;
use http::StatusCode;
use serde_json::json;
use store::StoreError;

use crate::access::Denied;
use crate::reply::Reply;

/// A request that is not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("failed to check token: {0}")]
    Denied(#[from] Denied),
    /// What was sent, or what refers to it, is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// A bare text instead of an object: the paging arguments' error.
    #[error("{0}")]
    Argument(&'static str),
    /// The body is not JSON; it is shown back to its sender.
    #[error("invalid request body: {error}")]
    NotJson { error: String, body: String },
    /// The resource itself, or the collection, is not there.
    #[error("Key not found")]
    KeyNotFound,
    /// Something that the path goes through is not there, or has no such verb.
    #[error("{0}")]
    NotFound(String),
    #[error("not supported `{verb}` method for {label}")]
    VerbDisabled { verb: String, label: &'static str },
    #[error("please use PUT method to reload the plugins, {0} method is not allowed.")]
    ReloadVerb(String),
    /// `config.yaml` cannot be used as it is now.
    #[error("{0}")]
    NotReloaded(String),
    /// A PATCH lost against another writer.
    #[error("value changed before overwritten")]
    Overtaken,
    #[error("{0}")]
    Store(StoreError),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        match rejection.status {
            404 => Refusal::NotFound(rejection.message),
            _ => Refusal::Invalid(rejection.message),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Refusal::Overtaken,
            other => Refusal::Store(other),
        }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        let status = match &refusal {
            Refusal::Denied(_) => StatusCode::UNAUTHORIZED,
            Refusal::Invalid(_) | Refusal::Argument(_) | Refusal::NotJson { .. } => StatusCode::BAD_REQUEST,
            Refusal::KeyNotFound | Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::VerbDisabled { .. } | Refusal::ReloadVerb(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Overtaken | Refusal::Store(_) | Refusal::NotReloaded(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        match refusal {
            Refusal::Denied(denied) => {
                let body = json!({ "error_msg": "failed to check token", "description": denied.to_string() });
                Reply::json(status, &body)
            }
            Refusal::Argument(text) => Reply::bare(status, text),
            Refusal::NotJson { body, .. } => Reply::json(status, &json!({ "error_msg": text, "req_body": body })),
            Refusal::KeyNotFound => Reply::json(status, &json!({ "message": text })),
            _ => Reply::error(status, &text),
        }
    }
}
