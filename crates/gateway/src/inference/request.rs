//! The request that goes to a provider: the client's body as the configuration shapes it, and of its headers and
//! query what concerns the provider. Invariant: no credential of the gateway's consumers is among them.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue,
};
use http::{Method, StatusCode};
use llm::{Protocol, Shaped, UsageChunk};

use super::backend::Backend;
use crate::answer::Answer;
use crate::credential;
use crate::exchange::Exchange;
use crate::transport::OutgoingBody;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What the gateway itself told the request about the consumer; no provider's business.
const OWN_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-consumer-username"),
    HeaderName::from_static("x-credential-identifier"),
    HeaderName::from_static("x-consumer-custom-id"),
];

/// The request for the provider, and whether usage is asked for on the client's behalf only.
pub(super) fn prepare(
    backend: &Backend,
    exchange: &mut Exchange,
) -> Result<(http::Request<OutgoingBody>, UsageChunk), Answer> {
    let protocol = exchange.llm.as_ref().map(|call| call.protocol).ok_or_else(missing_call)?;
    let query = exchange.request.uri.query().map(|query| credential::strip_query(query, exchange.credential_places()));
    let uri = backend.target(protocol, exchange.request.uri.path(), query.as_deref())?;
    let scan = exchange.llm.as_ref().and_then(|call| call.scan()).ok_or_else(missing_call)?;
    let Shaped { body, asked_usage, .. } = llm::shape_request(scan, &backend.rules, protocol);
    let call = exchange.llm.as_mut().ok_or_else(missing_call)?;
    if let Some(model) = &backend.fixed_model {
        call.model = model.as_str().into();
    }
    call.instance = backend.name.clone();
    call.log_summary = backend.log_summary;
    call.log_payload = backend.log_payload;
    let mut request = http::Request::new(OutgoingBody::Full(body));
    *request.method_mut() =
        if protocol == Protocol::Passthrough { exchange.request.method.clone() } else { Method::POST };
    *request.uri_mut() = uri;
    *request.headers_mut() = request_headers(backend, exchange);
    Ok((request, if asked_usage { UsageChunk::Hide } else { UsageChunk::Forward }))
}

/// Only admitted requests are dispatched to a provider.
pub(super) fn missing_call() -> Answer {
    Answer::page(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The client's headers, but for those that concern its connection, the gateway or a credential of the gateway's;
/// over them the provider's credentials.
fn request_headers(backend: &Backend, exchange: &mut Exchange) -> HeaderMap {
    let keep = exchange.plan.global_chain().needs().merge(exchange.chain.needs()).headers;
    let mut headers =
        if keep { exchange.request.headers.clone() } else { std::mem::take(&mut exchange.request.headers) };
    for name in [CONTENT_LENGTH, ACCEPT_ENCODING, EXPECT].iter().chain(&OWN_HEADERS) {
        headers.remove(name);
    }
    credential::strip_headers(&mut headers, exchange.credential_places());
    for (name, value) in &backend.headers {
        headers.insert(name.clone(), value.clone());
    }
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(HOST, backend.host.clone());
    for name in [AUTHORIZATION, COOKIE] {
        if let Some(value) = headers.get_mut(name) {
            value.set_sensitive(true);
        }
    }
    headers
}
