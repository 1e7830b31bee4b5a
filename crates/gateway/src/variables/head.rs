//! Variables of the client's connection and of the request's head: addresses, line, arguments, headers, cookies.

use std::borrow::Cow;

use config::vars::Var;
use http::header::{COOKIE, HeaderMap};
use http::{HeaderValue, Version};
use percent_encoding::percent_decode_str;

use super::{borrowed, non_empty, number, optional};
use crate::exchange::Exchange;
use crate::tls::client_identity;

/// Longer header names are never asked for.
const LONGEST_NAME: usize = 128;

pub(super) fn var<'e>(exchange: &'e Exchange, name: &str) -> Option<Var<'e>> {
    let (request, connection) = (&exchange.request, &*exchange.connection);
    Some(match name {
        "uri" | "document_uri" => borrowed(request.path()),
        "request_uri" => Var::Text(request.target()),
        "real_request_uri" => borrowed(request.sent_target()),
        "args" | "query_string" => optional(request.query()),
        "is_args" => borrowed(if request.query().is_some() { "?" } else { "" }),
        "method" | "request_method" => borrowed(request.method.as_str()),
        "request" | "request_line" => Var::Text(request_line(exchange).into()),
        "server_protocol" => borrowed(protocol(request.version)),
        "request_length" => number(request.length),
        "host" => Var::Text(request.host()),
        "scheme" => borrowed(connection.scheme()),
        "https" => borrowed(if connection.tls.is_some() { "on" } else { "" }),
        "remote_addr" => remote_addr(exchange),
        "realip_remote_addr" => header_text(&connection.peer_text),
        "remote_port" | "realip_remote_port" => number(connection.peer.port()),
        "remote_user" => remote_user(&request.headers),
        "server_addr" => Var::Text(connection.local.ip().to_string().into()),
        "server_port" => header_text(&connection.port_text),
        "connection" => number(connection.serial),
        "connection_requests" => number(connection.requests.get()),
        "server_name" => borrowed("_"),
        "content_type" => optional(request.header("content-type")),
        "content_length" => optional(request.header("content-length")),
        "proxy_add_x_forwarded_for" => forwarded_for(exchange),
        "request_id" | "apisix_request_id" => borrowed(exchange.request_id()),
        name => match name.split_once('_')? {
            (
                "original",
                header @ ("x_forwarded_for" | "x_forwarded_proto" | "x_forwarded_host" | "x_forwarded_port"),
            ) => as_sent(exchange, header),
            ("original", "forwarded") => as_sent(exchange, "forwarded"),
            ("ssl", fact) => tls(exchange, fact),
            _ => return None,
        },
    })
}

/// For logs, so that keys are hidden.
fn request_line(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let (method, version) = (&request.method, protocol(request.version));
    match exchange.shown_query() {
        Some(query) => format!("{method} {}?{query} {version}", request.uri.path()),
        None => format!("{method} {} {version}", request.sent_target()),
    }
}

pub(super) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

fn remote_addr(exchange: &Exchange) -> Var<'_> {
    if exchange.remote_addr == exchange.connection.peer.ip() {
        return header_text(&exchange.connection.peer_text);
    }
    Var::Text(exchange.remote_addr.to_string().into())
}

fn forwarded_for(exchange: &Exchange) -> Var<'_> {
    let remote = remote_addr(exchange);
    match (exchange.request.header("x-forwarded-for"), remote.to_text()) {
        (Some(chain), Some(remote)) => Var::Text(format!("{chain}, {remote}").into()),
        _ => remote,
    }
}

/// A forwarding header as the client sent it, believed or not.
fn as_sent<'e>(exchange: &'e Exchange, name: &str) -> Var<'e> {
    let headers = exchange.request.overruled.as_deref().unwrap_or(&exchange.request.headers);
    header(headers, name).unwrap_or(Var::Nil)
}

/// What `http_NAME` is where the request has no such header: HTTP/2 names the host elsewhere, and where the request
/// came from is known without being told.
pub(super) fn implied<'e>(exchange: &'e Exchange, name: &str) -> Var<'e> {
    let host = exchange.request.host_with_port();
    match name {
        "host" => non_empty(host),
        "x_forwarded_proto" => borrowed(exchange.connection.scheme()),
        "x_forwarded_host" => non_empty(host),
        "x_forwarded_port" => match crate::path::port_of(host) {
            Some(port) => borrowed(port),
            None => header_text(&exchange.connection.port_text),
        },
        _ => Var::Nil,
    }
}

/// The user name of Basic credentials, checked or not.
fn remote_user(headers: &HeaderMap) -> Var<'static> {
    use base64::Engine as _;
    let name = || {
        let credentials = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = credentials.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        text.split_once(':').map(|(name, _)| name.to_owned())
    };
    name().map_or(Var::Nil, |name| Var::Text(name.into()))
}

fn tls<'e>(exchange: &'e Exchange, fact: &str) -> Var<'e> {
    let Some(tls) = &exchange.connection.tls else { return Var::Nil };
    match fact {
        "protocol" => borrowed(tls.protocol),
        "cipher" => non_empty(&tls.cipher),
        "server_name" => optional(tls.server_name.as_deref()),
        "client_verify" => borrowed(if tls.verified_for.is_some() { "SUCCESS" } else { "NONE" }),
        fact => {
            let certificate = tls.client_certificate.as_ref();
            let told = certificate
                .zip(fact.strip_prefix("client_"))
                .and_then(|(shown, fact)| client_identity::fact(shown, fact));
            told.map_or(Var::Nil, |text| Var::Text(text.into()))
        }
    }
}

/// `arg_NAME`: the first value, decoded; an argument without `=` is `true`.
pub(super) fn argument<'e>(exchange: &'e Exchange, name: &str) -> Var<'e> {
    let pairs = exchange.request.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    for pair in pairs {
        match pair.split_once('=') {
            Some((key, value)) if decoded(key) == name => return Var::Text(decoded(value)),
            None if decoded(pair) == name => return Var::Bool(true),
            _ => {}
        }
    }
    Var::Nil
}

/// Percent-decoded, `+` as a space.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// A header by its name as variables write it: lower case, `_` for `-`. Several values are joined.
pub(super) fn header<'e>(headers: &'e HeaderMap, name: &str) -> Option<Var<'e>> {
    let mut buffer = [0; LONGEST_NAME];
    let written = buffer.get_mut(..name.len())?;
    for (to, from) in written.iter_mut().zip(name.bytes()) {
        *to = if from == b'_' { b'-' } else { from };
    }
    let name = std::str::from_utf8(written).ok()?;
    let mut values = headers.get_all(name).iter();
    let first = header_text(values.next()?);
    let Some(second) = values.next() else { return Some(first) };
    let joint = if name == "cookie" { "; " } else { ", " };
    let mut all = first.to_text().unwrap_or_default().into_owned();
    for value in std::iter::once(second).chain(values) {
        all.push_str(joint);
        all.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    Some(Var::Text(Cow::Owned(all)))
}

fn header_text(value: &HeaderValue) -> Var<'_> {
    Var::Text(String::from_utf8_lossy(value.as_bytes()))
}

/// `cookie_NAME`; names are case-sensitive.
pub(super) fn cookie<'e>(exchange: &'e Exchange, name: &str) -> Var<'e> {
    let headers = exchange.request.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    optional(pairs.find(|(key, _)| *key == name).map(|(_, value)| value))
}

/// `uri_param_NAME`.
pub(super) fn path_parameter<'e>(exchange: &'e Exchange, name: &str) -> Var<'e> {
    let Some(matched) = &exchange.route else { return Var::Nil };
    optional(exchange.plan.path_param(matched, exchange.request.routed_path(), name))
}
