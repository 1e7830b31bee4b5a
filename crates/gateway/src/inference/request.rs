//! The request that goes to a provider: the client's body as the configuration shapes it, and of its headers and
//! query what concerns the provider. Invariant: no credential of the gateway's consumers is among them.

use std::borrow::Cow;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, PROXY_AUTHORIZATION, USER_AGENT,
};
use http::{Method, StatusCode, Uri};
use llm::{
    Asked, BodyScan, Capability, ClientDialect, Course, Dialect, ErrorKind, KeyPlace, Protocol, Shaped, UsageChunk,
};

use super::backend::Backend;
use super::call::LlmCall;
use super::counted;
use super::keys::{self, StaysBehind};
use super::retelling::{Forms, JSON, MappedForm, Retelling, told};
use super::target::{self, Wanted};
use super::translation::{Pair, Translation};
use crate::answer::Answer;
use crate::credential;
use crate::exchange::Exchange;
use crate::headers;
use crate::transport::OutgoingBody;

/// What concerns the client's connection or is said to the gateway, or what that told the request about the consumer;
/// no provider's business.
const NOT_PASSED: [HeaderName; 6] = [
    ACCEPT_ENCODING,
    EXPECT,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("x-consumer-username"),
    HeaderName::from_static("x-credential-identifier"),
    HeaderName::from_static("x-consumer-custom-id"),
];

/// A request that is ready to be sent, and how its answer is to be taken.
pub(super) struct Prepared {
    pub request: http::Request<OutgoingBody>,
    pub usage: UsageChunk,
    pub retelling: Retelling,
}

/// What is sent of a request's body, and where.
struct Shape {
    uri: Uri,
    body: Shaped,
    retelling: Retelling,
    /// `None` if it passes as it came.
    capability: Option<&'static Capability>,
}

/// The request for the provider.
///
/// # Errors
/// The answer for one that cannot be sent, or need not be, for the gateway knows it itself.
pub(super) fn prepare(backend: &Backend, exchange: &mut Exchange) -> Result<Prepared, Answer> {
    let call = exchange.llm.as_mut().ok_or_else(missing_call)?;
    if let Some(model) = &backend.fixed_model {
        call.model = model.as_str().into();
    }
    begin(backend, call);
    let passes = call.protocol == Protocol::Passthrough;
    let stream = call.stream;
    let Shape { uri, body, retelling, capability } = shape(backend, exchange)?;
    let length = body.body.len();
    let mut request = http::Request::new(OutgoingBody::Full(body.body));
    *request.method_mut() = if passes { exchange.request.method.clone() } else { Method::POST };
    *request.uri_mut() = uri;
    let key_place = capability.map_or(backend.provider.key, |known| backend.provider.key_place(known.protocol));
    *request.headers_mut() = request_headers(backend, exchange, &retelling, key_place);
    if let Some(told) = request.headers_mut().get_mut(CONTENT_LENGTH) {
        *told = HeaderValue::from(length);
    }
    if let Some(capability) = capability {
        for (name, value) in capability.stream_headers.iter().filter(|_| stream) {
            request.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        if capability.protocol.family() == Dialect::Gemini {
            keys::show_bearer(request.headers_mut(), backend.provider.key);
        }
    }
    let usage = if body.asked_usage { UsageChunk::Hide } else { UsageChunk::Forward };
    Ok(Prepared { request, usage, retelling })
}

/// The client's query, without keys where the operator has credentials.
pub(super) fn without_keys<'q>(backend: &Backend, query: Cow<'q, str>) -> Cow<'q, str> {
    match backend.has_credentials() {
        true => keys::forget_arguments(query),
        false => query,
    }
}

/// Notes in `call` which provider is called.
pub(super) fn begin(backend: &Backend, call: &mut LlmCall) {
    call.instance = backend.name.clone();
    call.log_summary = backend.log_summary;
    call.log_payload = backend.log_payload;
}

/// The body in the provider's protocol, as the configuration wants it, and where it goes.
fn shape(backend: &Backend, exchange: &Exchange) -> Result<Shape, Answer> {
    let call = exchange.llm.as_ref().ok_or_else(missing_call)?;
    let scan = call.scan().ok_or_else(missing_call)?;
    let uri = &exchange.request.uri;
    let query = uri.query().map(|query| credential::strip_query(query, exchange.credential_places()));
    let place = |capability, client_query| {
        let is_configured = backend.fixed_model.is_some();
        let wanted = Wanted { model: &call.model, is_configured, stream: call.stream, client_query };
        backend.targets.of(capability, wanted).ok_or_else(no_path)
    };
    let agent = exchange.request.headers.get(USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
    let client = ClientDialect::of(call.protocol, scan, &call.request_model).map(|client| client.of_agent(agent));
    let asked = Asked {
        protocol: call.protocol,
        client,
        model: &call.model,
        host: Some(&backend.dialled_host),
        endpoint_path: backend.targets.endpoint_path(),
    };
    match backend.provider.course(asked) {
        Some(Course::Same(capability)) => Ok(Shape {
            uri: place(capability, Some(query.as_deref().unwrap_or_default()))?,
            body: llm::shape_request_for(scan, &backend.rules, capability),
            retelling: Retelling::AsItIs,
            capability: Some(capability),
        }),
        Some(Course::Translated { client, provider, capability }) => {
            let quirks = backend.provider.quirks;
            let stream_form = target::stream_form(query.as_deref().unwrap_or_default());
            let pair = Pair { client, provider, quirks, losses: backend.losses, stream_form };
            let (translated, translation) = Translation::of_request(pair, call, scan, &exchange.request.headers)?;
            Ok(Shape {
                uri: place(capability, None)?,
                body: llm::shape_request_for(&translated, &backend.rules, capability),
                retelling: Retelling::Translated(Box::new(translation)),
                capability: Some(capability),
            })
        }
        Some(Course::Mapped { map, capability }) => {
            let (client, provider) = (call.protocol, capability.protocol);
            let forms = Forms { map, client, provider, losses: backend.losses };
            let (body, form) = MappedForm::of_request(forms, scan.raw(), &call.model)?;
            let body = BodyScan::parse(&body.into(), usize::MAX).map_err(|_| missing_call())?;
            Ok(Shape {
                uri: place(capability, None)?,
                body: llm::shape_request_for(&body, &backend.rules, capability),
                retelling: Retelling::Mapped(Box::new(form)),
                capability: Some(capability),
            })
        }
        Some(Course::Passed) => {
            let query = query.map(|query| without_keys(backend, query));
            Ok(Shape {
                uri: backend.targets.passed(call.protocol, uri.path(), query.as_deref()).ok_or_else(no_path)?,
                body: llm::shape_request(scan, &backend.rules, Protocol::Passthrough),
                retelling: Retelling::AsItIs,
                capability: None,
            })
        }
        Some(Course::Counted) => Err(counted::count(call.protocol, scan)),
        None => Err(not_spoken(backend, call.protocol)),
    }
}

pub(super) fn no_path() -> Answer {
    let message = "could not resolve upstream path: ensure the route or request body specifies a model, \
                   or that override.endpoint includes a path";
    Answer::error_msg(StatusCode::BAD_REQUEST, message)
}

fn not_spoken(backend: &Backend, protocol: Protocol) -> Answer {
    if protocol == Protocol::BedrockInvoke {
        let message = format!(
            "provider {} cannot be asked so: of the bodies of invoke, those with the messages of Anthropic's and Amazon \
             Nova's models are translated, and all others are for Bedrock alone",
            backend.provider.name
        );
        return told(Dialect::BedrockConverse, ErrorKind::InvalidRequest, &message);
    }
    let supported: Vec<&str> = backend.provider.capabilities.iter().map(|known| known.protocol.as_str()).collect();
    let message = format!(
        "provider {} does not support {protocol} protocol (supported: {})",
        backend.provider.name,
        supported.join(", ")
    );
    Answer::text(StatusCode::BAD_REQUEST, message)
}

/// Only admitted requests are dispatched to a provider.
pub(super) fn missing_call() -> Answer {
    Answer::page(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The key that a client of Google's dialect shows in its query.
fn key_argument(exchange: &Exchange) -> Option<HeaderValue> {
    exchange.llm.as_ref().filter(|call| call.protocol.family() == Dialect::Gemini)?;
    keys::argument(&credential::strip_query(exchange.request.uri.query()?, exchange.credential_places()))
}

/// The client's headers, its own key at `key_place`, and over them the provider's credentials.
fn request_headers(
    backend: &Backend,
    exchange: &mut Exchange,
    retelling: &Retelling,
    key_place: KeyPlace,
) -> HeaderMap {
    let (told, places) = (&exchange.request.headers, exchange.credential_places());
    let (stays_behind, key) = match (retelling.keeps_bytes(), backend.has_credentials()) {
        (true, true) => (StaysBehind::Keys, None),
        (true, false) => (StaysBehind::Nothing, key_argument(exchange).filter(|_| !keys::are_in(told, places))),
        (false, true) => (StaysBehind::KeysAndDialect, None),
        (false, false) => (StaysBehind::KeysAndDialect, keys::shown(told, places).or_else(|| key_argument(exchange))),
    };
    let mut headers = client_headers(exchange, stays_behind);
    key.into_iter().for_each(|key| keys::show(&mut headers, key, key_place));
    if let Some((name, value)) = retelling.header() {
        headers.insert(name, value);
    }
    add_own(backend, &mut headers);
    headers.insert(CONTENT_TYPE, JSON);
    headers
}

/// The client's headers, but for those that concern its connection, the gateway or a credential of the gateway's.
pub(super) fn client_headers(exchange: &mut Exchange, stays_behind: StaysBehind) -> HeaderMap {
    let keep = exchange.needs().headers;
    let all = if keep { None } else { Some(std::mem::take(&mut exchange.request.headers)) };
    let places = exchange.credential_places();
    let passes = |name: &HeaderName| {
        !NOT_PASSED.contains(name) && !stays_behind.holds(name) && !credential::is_header(places, name)
    };
    let mut headers = match all {
        None => headers::copy(&exchange.request.headers, passes),
        Some(mut all) => {
            headers::retain(&mut all, passes);
            all
        }
    };
    credential::strip_cookies(&mut headers, places);
    headers
}

/// Puts the provider's credentials over a client's headers, and what else it must have.
pub(super) fn add_own(backend: &Backend, headers: &mut HeaderMap) {
    for (name, value) in &backend.headers {
        headers.insert(name.clone(), value.clone());
    }
    for (name, value) in &backend.required_headers {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    headers.insert(HOST, backend.host.clone());
    for (_, value) in headers.iter_mut().filter(|(name, _)| **name == AUTHORIZATION || **name == COOKIE) {
        value.set_sensitive(true);
    }
}
