//! Requests that pass with their bodies unread: recordings, pictures, files, what a provider keeps, WebSockets.
//!
//! Invariant: what the client sends as the body is what the provider gets, byte by byte and as it arrives; options that
//! the configuration lays over JSON have no place in it. Of the request no more is known than its head tells, and of a
//! form the model, if that comes before the files. Called by [`admit`](super::admit) and by the dispatch.

use std::rc::Rc;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use llm::{BodyKind, Passing, UsageChunk};

use super::admit::{Admission, refuse_body};
use super::backend::Backend;
use super::call::LlmCall;
use super::credentials::Credentials;
use super::keys::StaysBehind;
use super::request::{self, Prepared};
use super::retelling::Retelling;
use super::target::parse_query;
use crate::answer::Answer;
use crate::credential;
use crate::exchange::Exchange;
use crate::headers;
use crate::multipart::{self, Field, MULTIPART};
use crate::proxy;
use crate::request_body::RequestBody;
use crate::worker::Worker;

/// How much of a form is waited for to find the model.
const MODEL_WITHIN_BYTES: usize = 64 << 10;

/// By which browsers show a key to OpenAI, for they cannot set headers on a WebSocket.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// Where a WebSocket's query names its model: OpenAI's argument, Azure's.
const MODEL_ARGUMENTS: [&str; 2] = ["model", "deployment"];

/// Makes the request, which is `passing`, the exchange's [`LlmCall`].
///
/// # Errors
/// The answer for a form whose beginning does not come.
pub(super) async fn admit(exchange: &mut Exchange, passing: Passing, admission: Admission) -> Result<(), Answer> {
    let model = match passing.body {
        BodyKind::Multipart => model_of_form(exchange, admission).await?,
        BodyKind::WebSocket => exchange.request.query().and_then(model_of_query),
        BodyKind::Json | BodyKind::Any | BodyKind::None => None,
    };
    exchange.llm = Some(Box::new(LlmCall::passing(passing, model.as_deref().unwrap_or_default())));
    Ok(())
}

async fn model_of_form(exchange: &mut Exchange, admission: Admission) -> Result<Option<String>, Answer> {
    let Some(content_type) = exchange.request.header(CONTENT_TYPE.as_str()).map(str::to_owned) else { return Ok(None) };
    if !content_type.starts_with(MULTIPART) {
        return Ok(None);
    }
    let suffices = |beginning: &[u8]| multipart::field(&content_type, beginning, "model") != Field::NotYet;
    let beginning = exchange.body.look_ahead(MODEL_WITHIN_BYTES, admission.body_timeout, suffices).await;
    let beginning = beginning.map_err(|error| refuse_body(&error))?;
    Ok(match multipart::field(&content_type, &beginning, "model") {
        Field::Text(model) => Some(model.into_owned()),
        Field::NotYet | Field::Nowhere => None,
    })
}

fn model_of_query(query: &str) -> Option<String> {
    let arguments = parse_query(query);
    let argument = |wanted: &str| arguments.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    MODEL_ARGUMENTS.into_iter().find_map(argument)
}

/// The request for the provider.
///
/// # Errors
/// The answer for one that cannot be sent.
pub(super) async fn prepare(
    worker: &Rc<Worker>,
    backend: &Backend,
    exchange: &mut Exchange,
) -> Result<Prepared, Answer> {
    let call = exchange.llm.as_mut().ok_or_else(request::missing_call)?;
    request::begin(backend, call);
    let protocol = call.protocol;
    if backend.credentials.as_ref().is_some_and(Credentials::sign_bodies) {
        read_whole(worker, exchange).await?;
    }
    let uri = &exchange.request.uri;
    let query = uri.query().map(|query| credential::strip_query(query, exchange.credential_places()));
    let query = query.map(|query| request::without_keys(backend, query));
    let uri = backend.targets.passed(protocol, uri.path(), query.as_deref()).ok_or_else(request::no_path)?;
    let method = exchange.request.method.clone();
    let stays_behind = if backend.has_credentials() { StaysBehind::Keys } else { StaysBehind::Nothing };
    let mut headers = request::client_headers(exchange, stays_behind);
    if stays_behind == StaysBehind::Keys {
        forget_key_protocol(&mut headers);
    }
    request::add_own(backend, &mut headers);
    proxy::frame(&mut headers, &exchange.body, &method);
    let mut request = http::Request::new(proxy::take_body(worker, exchange));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(Prepared { request, usage: UsageChunk::Forward, retelling: Retelling::AsItIs })
}

/// A signature is made of all of a body.
async fn read_whole(worker: &Worker, exchange: &mut Exchange) -> Result<(), Answer> {
    let is_coming = matches!(exchange.body, RequestBody::Stream(_) | RequestBody::Begun(_));
    let read = exchange.body.read(worker.max_buffered_body(), worker.client_body_timeout()).await;
    let length = read.map_err(|error| refuse_body(&error))?.len() as u64;
    exchange.request.length += if is_coming { length } else { 0 };
    Ok(())
}

/// The subprotocols that a browser offers hold a key, so that no log shows them.
pub fn offers_key(subprotocols: &HeaderValue) -> bool {
    String::from_utf8_lossy(subprotocols.as_bytes()).contains(KEY_PROTOCOL)
}

/// Takes the key out of the subprotocols that a browser offers. Servers choose another of them.
fn forget_key_protocol(headers: &mut HeaderMap) {
    let offered: Vec<&str> =
        headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok()).collect();
    let names = offered.iter().flat_map(|value| value.split(',')).map(str::trim);
    let kept: Vec<&str> = names.filter(|name| !name.starts_with(KEY_PROTOCOL)).collect();
    let kept = HeaderValue::from_str(&kept.join(", ")).ok().filter(|value| !value.is_empty());
    match kept {
        Some(kept) => drop(headers.insert(SEC_WEBSOCKET_PROTOCOL, kept)),
        None => drop(headers::remove(headers, &SEC_WEBSOCKET_PROTOCOL)),
    }
}
