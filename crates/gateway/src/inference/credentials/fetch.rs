//! How credentials are fetched: from variables and files of the process, and from token servers over HTTP. Every
//! source of this folder goes through [`World`], so that tests can put a world of their own around one.
//!
//! Invariants: no error holds a secret: of a server's refusal only the status and its code are told, of a URL only host
//! and port. Only regular files are read, and only short ones, so that no path makes the gateway wait or grow.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use percent_encoding::utf8_percent_encode;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;

use super::super::target::UNRESERVED;
use super::sigv4::{PayloadHash, SignError, Signing};
use crate::side::{SideClient, SideError, host_and_port};
use crate::tls::client::Verify;

/// For one exchange with a token server.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(8);

/// More than any token, key or shared file of AWS.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// A server's error code is told up to this length.
const MAX_CODE: usize = 64;

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Unreachable(#[from] SideError),
    #[error("{address} answered {status}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Refused { address: String, status: StatusCode, code: Option<String> },
    #[error("the answer of {0} holds no credential that can be used")]
    Answer(String),
    #[error("{0} is not set")]
    Unset(&'static str),
    #[error("what should be the URL of a token server is none")]
    Url,
    #[error("{path} cannot be read: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Unusable(String),
    #[error("the request for a credential cannot be signed: {0}")]
    Sign(#[from] SignError),
    #[error("no credential within {0:?}")]
    Slow(Duration),
    #[error("the fetch ended without a result")]
    Abandoned,
}

impl FetchError {
    /// What clients are told: which kind of failure it is, but nothing of the host, its files and its servers.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "the token server cannot be reached",
            Self::Refused { .. } => "the token server refused",
            Self::Answer(_) => "the token server gave no credential",
            Self::Unset(_) | Self::Url | Self::File { .. } | Self::Unusable(_) | Self::Sign(_) => {
                "the configured credentials cannot be used"
            }
            Self::Slow(_) | Self::Abandoned => "the credential did not come in time",
        }
    }
}

/// Looks up an environment variable.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What sources may look at.
#[derive(Clone)]
pub(super) struct World {
    client: Arc<SideClient>,
    variable: Arc<Variables>,
}

impl World {
    /// The process's own environment.
    pub(super) fn new(client: Arc<SideClient>) -> Self {
        Self { client, variable: Arc::new(|name| std::env::var(name).ok()) }
    }

    #[cfg(test)]
    pub(super) fn with_variables(client: Arc<SideClient>, variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: std::collections::HashMap<String, String> = variables.iter().map(owned).collect();
        Self { client, variable: Arc::new(move |name| variables.get(name).cloned()) }
    }

    /// An environment variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// An environment variable that must be set.
    pub(super) fn needed_variable(&self, name: &'static str) -> Result<String, FetchError> {
        self.variable(name).ok_or(FetchError::Unset(name))
    }

    /// A regular file of at most [`MAX_FILE_BYTES`] as text, without white space around it.
    pub(super) async fn file(&self, path: impl Into<PathBuf>) -> Result<String, FetchError> {
        let path = path.into();
        match short_text(&path).await {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(source) => Err(FetchError::File { path, source }),
        }
    }

    /// The body of a good answer to `request`.
    pub(super) async fn ask(&self, request: TokenRequest) -> Result<Answered, FetchError> {
        let uri: Uri = request.url.parse().map_err(|_| FetchError::Url)?;
        let address = host_and_port(&uri);
        let mut message = Request::new(request.body);
        *message.method_mut() = request.method;
        *message.uri_mut() = uri;
        *message.headers_mut() = request.headers;
        let answer = self.client.send(message, EXCHANGE_LIMIT, Verify::Yes).await?;
        let status = answer.status();
        match status.is_success() {
            true => Ok(Answered { address, body: answer.into_body() }),
            false => Err(FetchError::Refused { address, status, code: error_code(answer.body()) }),
        }
    }
}

/// The text of a regular file. Whether it is one is asked before it is opened: to open a pipe waits for its writer.
async fn short_text(path: &Path) -> io::Result<String> {
    if !tokio::fs::metadata(path).await?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await?;
    let length = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).await?;
    match u64::try_from(length).is_ok_and(|length| length <= MAX_FILE_BYTES) {
        true => Ok(text),
        false => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {MAX_FILE_BYTES} bytes"))),
    }
}

/// A request to a token server.
pub(super) struct TokenRequest {
    url: String,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl TokenRequest {
    pub(super) fn get(url: impl Into<String>) -> Self {
        Self { url: url.into(), method: Method::GET, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(super) fn put(url: impl Into<String>) -> Self {
        Self { method: Method::PUT, ..Self::get(url) }
    }

    /// With `fields` as a web form.
    pub(super) fn post_form(url: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        Self { url: url.into(), method: Method::POST, headers, body: form(fields).into() }
    }

    /// With `body` as JSON.
    pub(super) fn post_json(url: impl Into<String>, body: &serde_json::Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { url: url.into(), method: Method::POST, headers, body: body.to_string().into() }
    }

    /// With `bearer` as its authorization.
    pub(super) fn authorised(mut self, bearer: &HeaderValue) -> Self {
        self.headers.insert(AUTHORIZATION, bearer.clone());
        self
    }

    /// Signed as AWS wants it; nothing may be changed any more.
    ///
    /// # Errors
    /// If the URL is none, or the keys cannot be sent as they are.
    pub(super) fn signed(self, signing: &Signing<'_>) -> Result<Self, FetchError> {
        let Self { url, method, headers, body } = self;
        let uri: Uri = url.parse().map_err(|_| FetchError::Url)?;
        let host = uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        let host = host.ok_or(FetchError::Url)?;
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, host);
        signing.sign(&mut request, &PayloadHash::of(&body))?;
        let (head, ()) = request.into_parts();
        Ok(Self { url: head.uri.to_string(), method: head.method, headers: head.headers, body })
    }

    /// With one more header.
    ///
    /// # Errors
    /// If it cannot be one.
    pub(super) fn header(mut self, name: &str, value: &str) -> Result<Self, FetchError> {
        let unusable = || FetchError::Unusable(format!("{name:?} is no header's name"));
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            FetchError::Unusable(format!("the value for {name} holds characters that no header can carry"))
        })?;
        value.set_sensitive(true);
        self.headers.insert(known, value);
        Ok(self)
    }
}

/// A good answer of a token server.
pub(super) struct Answered {
    address: String,
    body: Bytes,
}

impl Answered {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, FetchError> {
        serde_json::from_slice(&self.body).map_err(|_| self.unusable())
    }

    pub(super) fn text(&self) -> Result<&str, FetchError> {
        std::str::from_utf8(&self.body).map(str::trim).map_err(|_| self.unusable())
    }

    /// The answer does not hold what it should.
    pub(super) fn unusable(&self) -> FetchError {
        FetchError::Answer(self.address.clone())
    }
}

/// `fields` as a query or a form has them.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let escaped = |text| utf8_percent_encode(text, &UNRESERVED);
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The text between `<name>` and `</name>` where it stands first.
pub(super) fn xml_element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// The code of an error: OAuth's `error`, AWS's `Code` in JSON or XML. Only what looks like a code is told: the rest of
/// an error may repeat what was sent.
fn error_code(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let code = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => ["error", "code", "Code"].iter().find_map(|name| json.get(name)?.as_str().map(str::to_owned)),
        Err(_) => xml_element(text, "Code").map(str::to_owned),
    };
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    code.filter(|code| (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(is_code))
}
