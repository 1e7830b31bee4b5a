//! The gateway's own calls to providers, for plugins that ask a model or an embedder before the request goes on.
//!
//! A plugin compiles a [`Backend`] (and an [`Embedder`], if it wants vectors) when the plan is built. In `access` it
//! takes a [`Caller`] off the exchange and waits for the answer:
//!
//! ```ignore
//! let caller = exchange.caller();
//! let answer = caller.ask(&self.backend, &request).await?;
//! let vectors = self.embedder.embed(&caller, &["text"], Some(EmbedTask::Query)).await?.vectors;
//! ```
//!
//! Calls run on the worker's own connections and their answers come whole. Invariant: nothing of the client's goes
//! along but what the plugin puts into the request; the credentials are the backend's.

mod embedder;
mod model;

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use llm::{BodyScan, Capability};

pub use embedder::{Embedded, Embedder, EmbedderConfig, NoEmbeddings};
pub use model::Said;

use super::backend::Backend;
use super::request::add_own;
use super::retelling::JSON;
use super::target::Wanted;
use crate::content_coding::Encoding;
use crate::transport::{OutgoingBody, Pool, SendError};

/// Longer answers are given up, in bytes, unless the backend says less.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// A worker's way to providers. Cheap to clone; taken off an exchange by
/// [`Exchange::caller`](crate::exchange::Exchange::caller).
#[derive(Clone)]
pub struct Caller {
    pool: Rc<Pool>,
}

/// Why a call brought no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Of the configuration, not of this call.
    #[error("provider {0} speaks no protocol for this")]
    NotSpoken(&'static str),
    /// Of the configuration, not of this call.
    #[error("the path at provider {0} needs a model or provider_conf, or an endpoint with a path")]
    NoPath(&'static str),
    /// The log tells why.
    #[error("no credentials could be had for provider {0}")]
    Credentials(&'static str),
    #[error(transparent)]
    Unreachable(#[from] SendError),
    #[error("the answer broke off: {0}")]
    Broken(String),
    #[error("the answer is longer than {0} bytes")]
    TooLong(u64),
    /// `message` is the provider's own, without the backend's keys.
    #[error("the provider answered {status}: {message}")]
    Refused { status: StatusCode, message: String },
    #[error("the answer cannot be used: {0}")]
    Unreadable(String),
}

impl Caller {
    /// A way over the connections of `pool`, which must be used on one thread.
    pub fn new(pool: Rc<Pool>) -> Self {
        Self { pool }
    }

    /// POSTs `body`, shaped by the backend's rules, and gives the whole answer of status 200.
    async fn call(
        &self,
        backend: &Backend,
        capability: &'static Capability,
        model: &str,
        body: Vec<u8>,
    ) -> Result<Bytes, AskError> {
        let scan =
            BodyScan::parse(&Bytes::from(body), usize::MAX).map_err(|error| AskError::Unreadable(error.to_string()))?;
        let shaped = llm::shape_request_for(&scan, &backend.rules, capability);
        let wanted = Wanted { model, is_configured: true, stream: false, client_query: None };
        let name = backend.provider.name;
        let mut request = http::Request::new(OutgoingBody::Full(shaped.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = backend.targets.of(capability, wanted).ok_or(AskError::NoPath(name))?;
        *request.headers_mut() = own_headers(backend);
        if let Some(credentials) = &backend.credentials {
            let authorised = Box::pin(credentials.authorise(backend.provider, &mut request)).await;
            authorised.map_err(|_| AskError::Credentials(name))?;
        }
        let sent = self.pool.send(&backend.origin, &mut request, &backend.timeout).await;
        let response = sent.map_err(|failure| failure.error)?.response;
        let status = response.status();
        let coding = Encoding::of(response.headers()).coding();
        let limit = backend.max_response_bytes.unwrap_or(MAX_ANSWER_BYTES);
        let length = usize::try_from(limit).unwrap_or(usize::MAX);
        let body = Limited::new(response.into_body(), length).collect().await;
        let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
            Ok(_) => AskError::TooLong(limit),
            Err(error) => AskError::Broken(error.to_string()),
        })?;
        let mut body = body.to_bytes();
        if let Some(coding) = coding {
            body = coding.decode(&body, limit).map_err(|error| AskError::Unreadable(error.to_string()))?;
        }
        if status == StatusCode::OK {
            return Ok(body);
        }
        let error = llm::read_error(capability.protocol.family(), status.as_u16(), None, &body);
        Err(AskError::Refused { status, message: without_keys(backend, error.message.into_owned()) })
    }
}

/// A provider's text as a log may show it: some providers repeat the key that they refuse.
fn without_keys(backend: &Backend, mut text: String) -> String {
    let headers = backend.headers.iter().filter_map(|(_, value)| value.to_str().ok());
    // A header may name its scheme before the key.
    let of_headers = headers.map(|value| value.rsplit(' ').next().unwrap_or(value));
    for key in of_headers.chain(backend.targets.keys()).filter(|key| !key.is_empty()) {
        text = text.replace(key, "[hidden]");
    }
    text
}

/// The backend's own headers, and nobody else's.
fn own_headers(backend: &Backend) -> HeaderMap {
    let mut headers = HeaderMap::new();
    add_own(backend, &mut headers);
    headers.insert(CONTENT_TYPE, JSON);
    headers
}
