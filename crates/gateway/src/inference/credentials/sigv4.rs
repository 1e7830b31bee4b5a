//! AWS Signature Version 4 over a request that is ready to be sent. Pure: the time and the keys are given.
//!
//! Invariant: what is signed is what goes over the wire. So the path is brought into its one escaped form first, and
//! traces of another signature, such as that of the client's own SDK, are taken out. Called by [`super::aws`] as the
//! last change to a request. The scheme is AWS's "Signature Version 4 signing process".

use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use config::secret::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Uri};
use percent_encoding::{percent_decode_str, percent_encode, utf8_percent_encode};

use super::super::target::UNRESERVED;
use crate::headers;
use crate::variables::timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// Keys to sign with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKeys {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// Goes with keys that expire.
    pub session_token: Option<Secret>,
}

/// Why a request cannot be signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    #[error("its path cannot be escaped")]
    Path,
    #[error("the access key id or the session token holds characters that no header can carry")]
    Header,
    #[error("its body is not at hand")]
    Body,
}

/// A SHA-256 in hexadecimal.
pub(super) struct PayloadHash(String);

impl PayloadHash {
    pub(super) fn of(body: &[u8]) -> Self {
        Self(hex(digest(&SHA256, body).as_ref()))
    }
}

/// Who signs, for which service, and when.
pub(super) struct Signing<'a> {
    pub keys: &'a AwsKeys,
    pub region: &'a str,
    pub service: &'a str,
    /// Since the Unix epoch. AWS takes signatures that are at most five minutes off.
    pub at: Duration,
}

impl Signing<'_> {
    /// Signs the host, the content type and everything of AWS's, and adds the signature to the headers.
    ///
    /// # Errors
    /// If the path or the keys cannot be sent as they are.
    pub(super) fn sign<B>(&self, request: &mut Request<B>, payload: &PayloadHash) -> Result<(), SignError> {
        *request.uri_mut() = escaped(request.uri())?;
        let time = timestamp::compact(self.at);
        let headers = request.headers_mut();
        headers::retain(headers, |name| ![AUTHORIZATION, DATE, SECURITY_TOKEN, CONTENT_HASH].contains(name));
        headers.insert(DATE, HeaderValue::from_str(&time).map_err(|_| SignError::Header)?);
        if let Some(token) = &self.keys.session_token {
            headers.insert(SECURITY_TOKEN, sensitive(token.expose())?);
        }
        let names = signed_names(request.headers());
        let canonical = canonical_request(request, &names, payload);
        let date = time.get(..8).unwrap_or_default();
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", PayloadHash::of(canonical.as_bytes()).0);
        let signature = hex(hmac_sha256(self.key(date).as_ref(), &to_sign).as_ref());
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.keys.access_key_id,
            names.join(";")
        );
        request.headers_mut().insert(AUTHORIZATION, sensitive(&authorization)?);
        Ok(())
    }

    /// The key for one day, region and service.
    fn key(&self, date: &str) -> hmac::Tag {
        let secret = format!("AWS4{}", self.keys.secret_access_key.expose());
        let parts = [self.region, self.service, "aws4_request"];
        let of_day = hmac_sha256(secret.as_bytes(), date);
        parts.iter().fold(of_day, |key, part| hmac_sha256(key.as_ref(), part))
    }
}

/// `uri` with each segment of its path escaped once, whether it came escaped or not.
fn escaped(uri: &Uri) -> Result<Uri, SignError> {
    let once = |segment| -> String {
        let plain: Vec<u8> = percent_decode_str(segment).collect();
        percent_encode(&plain, &UNRESERVED).collect()
    };
    let mut target = uri.path().split('/').map(once).collect::<Vec<_>>().join("/");
    if let Some(query) = uri.query() {
        target.push('?');
        target.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| SignError::Path)?);
    Uri::from_parts(parts).map_err(|_| SignError::Path)
}

/// Names of the headers that are signed, in order.
fn signed_names(headers: &HeaderMap) -> Vec<String> {
    let is_signed =
        |name: &&HeaderName| **name == HOST || **name == CONTENT_TYPE || name.as_str().starts_with("x-amz-");
    let mut names: Vec<_> = headers.keys().filter(is_signed).map(|name| name.as_str().to_owned()).collect();
    names.sort_unstable();
    names
}

fn canonical_request<B>(request: &Request<B>, names: &[String], payload: &PayloadHash) -> String {
    let mut text = String::new();
    let path = canonical_path(request.uri().path());
    // Writing to a text cannot fail.
    let _ = write!(text, "{}\n{path}\n{}\n", request.method(), canonical_query(request.uri().query()));
    for name in names {
        let values = request.headers().get_all(name).iter().map(canonical_value);
        let _ = writeln!(text, "{name}:{}", values.collect::<Vec<_>>().join(","));
    }
    let _ = write!(text, "\n{}\n{}", names.join(";"), payload.0);
    text
}

/// Every service but S3 signs the escaped path escaped once more.
fn canonical_path(wire: &str) -> String {
    wire.split('/').map(|segment| utf8_percent_encode(segment, &UNRESERVED).to_string()).collect::<Vec<_>>().join("/")
}

/// Arguments by name, then value. They are in their one escaped form already.
fn canonical_query(query: Option<&str>) -> String {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Without spaces around it, and with single ones in it.
fn canonical_value(value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn sensitive(text: &str) -> Result<HeaderValue, SignError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| SignError::Header)?;
    value.set_sensitive(true);
    Ok(value)
}

fn hmac_sha256(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
