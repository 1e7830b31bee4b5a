//! Variables of what happened to the request: what it matched, who called, the attempts and the response.

use std::borrow::Cow;

use config::vars::Var;

use super::{borrowed, number, optional, seconds};
use crate::exchange::{Dispatch, Exchange, ResponseSource};
use crate::plan::route::UpstreamChoice;
use crate::plan::upstream::Upstream;
use crate::settlement::AttemptRecord;

pub(super) fn var<'e>(exchange: &'e Exchange, name: &str) -> Option<Var<'e>> {
    let route = exchange.route.as_ref().map(|matched| &*matched.route);
    let (response, settlement) = (&exchange.response, &exchange.settlement);
    Some(match name {
        "route_id" => optional(route.map(|route| &*route.id)),
        "route_name" => optional(route.and_then(|route| route.name.as_deref())),
        "service_id" => optional(route.and_then(|route| route.service_id.as_deref())),
        "service_name" => optional(route.and_then(|route| route.service_name.as_deref())),
        "matched_uri" => optional(exchange.route.as_ref().map(|matched| exchange.plan.pattern(matched))),
        "matched_host" => optional(exchange.route.as_ref().and_then(|matched| matched.host.as_deref())),
        "consumer_name" => optional(exchange.consumer_name()),
        "consumer_group_id" => {
            optional(exchange.consumer.as_ref().and_then(|attached| attached.consumer.group_id.as_deref()))
        }
        "status" if response.status > 0 => number(response.status),
        "body_bytes_sent" => number(settlement.body_bytes_sent),
        "bytes_sent" => number(settlement.bytes_sent()),
        "request_time" => seconds(settlement.request_time()),
        "request_completion" => borrowed(if settlement.outcome.as_str() == "complete" { "OK" } else { "" }),
        "outcome" => borrowed(settlement.outcome.as_str()),
        "response_source" => borrowed(response.source.as_str()),
        "resp_body" if !exchange.captured_response.is_empty() => {
            Var::Text(String::from_utf8_lossy(&exchange.captured_response))
        }
        "balancer_ip" => balancer_ip(exchange),
        "balancer_port" => settlement.attempts.last().map_or(Var::Nil, |attempt| Var::Number(f64::from(attempt.port))),
        name => return name.strip_prefix("upstream_").map(|fact| upstream(exchange, fact)),
    })
}

/// The node that was called last; for providers, the configured instance.
fn balancer_ip(exchange: &Exchange) -> Var<'_> {
    match &exchange.llm {
        Some(call) if !call.instance.is_empty() => borrowed(&call.instance),
        _ => optional(exchange.settlement.attempts.last().map(AttemptRecord::called_ip)),
    }
}

/// The Host that the node called last was sent; until one has been called, the one that would be passed.
fn host(exchange: &Exchange) -> Var<'_> {
    let Some(upstream) = chosen(exchange) else { return Var::Nil };
    let passed = exchange.forward.host.as_ref().or_else(|| exchange.request.headers.get(http::header::HOST));
    let called = exchange.settlement.attempts.last().and_then(|attempt| upstream.node_at(&attempt.host, attempt.port));
    let host = called.map(|node| upstream.host_for(node, passed)).or(passed);
    optional(host.and_then(|host| host.to_str().ok()))
}

fn upstream<'e>(exchange: &'e Exchange, fact: &str) -> Var<'e> {
    let attempts = &exchange.settlement.attempts[..];
    match fact {
        "addr" => listed(attempts, |attempt| Cow::Borrowed(attempt.called_address())),
        "status" => listed(attempts, |attempt| match attempt.status {
            // The client left before there was one.
            0 => Cow::Borrowed("-"),
            status => digits(status),
        }),
        "response_time" => listed(attempts, |attempt| time(attempt.response_time)),
        "header_time" => listed(attempts, |attempt| time(attempt.header_time)),
        // A connection that was there already took no time.
        "connect_time" => {
            listed(attempts, |attempt| time(attempt.connect_time.or(attempt.header_time.map(|_| Default::default()))))
        }
        // Of the bodies only the last attempt's was read.
        "response_length" => listed(attempts, |attempt| digits(body_bytes(exchange, attempt))),
        "bytes_received" => listed(attempts, |attempt| digits(attempt.head_bytes + body_bytes(exchange, attempt))),
        "bytes_sent" => listed(attempts, |attempt| match attempt.sent_bytes {
            Some(bytes) => digits(bytes),
            None => Cow::Borrowed("-"),
        }),
        "unresolved_host" => optional(attempts.last().map(|attempt| &*attempt.host)),
        "scheme" => match &exchange.dispatch {
            Dispatch::Llm(backend) => borrowed(if backend.origin.tls.is_some() { "https" } else { "http" }),
            Dispatch::Upstream => chosen(exchange).map_or(Var::Nil, |upstream| borrowed(upstream.scheme.as_str())),
        },
        "host" => match &exchange.dispatch {
            Dispatch::Llm(_) => optional(attempts.last().map(|attempt| &*attempt.host)),
            Dispatch::Upstream => host(exchange),
        },
        "uri" => match &exchange.forward.uri {
            Some(uri) => borrowed(uri),
            None => borrowed(exchange.request.sent_target()),
        },
        _ => fact.strip_prefix("http_").map_or(Var::Nil, |name| upstream_header(exchange, name)),
    }
}

/// Bytes of the body that came in this attempt.
fn body_bytes(exchange: &Exchange, attempt: &AttemptRecord) -> u64 {
    let settlement = &exchange.settlement;
    if settlement.attempts.last().is_some_and(|last| std::ptr::eq(last, attempt)) {
        settlement.upstream_bytes
    } else {
        0
    }
}

fn digits(value: impl itoa::Integer) -> Cow<'static, str> {
    Cow::Owned(itoa::Buffer::new().format(value).to_owned())
}

/// A header of the upstream's response, as plugins have left it.
fn upstream_header<'e>(exchange: &'e Exchange, name: &str) -> Var<'e> {
    let headers = exchange.response.headers.as_deref();
    let headers = headers.filter(|_| exchange.response.source == ResponseSource::Upstream);
    headers.and_then(|headers| super::head::header(headers, name)).unwrap_or(Var::Nil)
}

/// The upstream a plugin chose, or the route's.
fn chosen(exchange: &Exchange) -> Option<&Upstream> {
    if let Some(upstream) = &exchange.upstream {
        return Some(upstream);
    }
    match &exchange.route.as_ref()?.route.upstream {
        UpstreamChoice::Ready(upstream) => Some(upstream),
        UpstreamChoice::Missing | UpstreamChoice::None => None,
    }
}

/// One value for each attempt, with commas between; borrowed if there is one attempt and it can be.
fn listed<'e>(attempts: &'e [AttemptRecord], value: impl Fn(&'e AttemptRecord) -> Cow<'e, str>) -> Var<'e> {
    match attempts {
        [] => Var::Nil,
        [only] => Var::Text(value(only)),
        [first, rest @ ..] => {
            let mut list = value(first).into_owned();
            for attempt in rest {
                list.push_str(", ");
                list.push_str(&value(attempt));
            }
            Var::Text(Cow::Owned(list))
        }
    }
}

fn time(time: Option<std::time::Duration>) -> Cow<'static, str> {
    match time.map(seconds) {
        Some(Var::Text(text)) => text,
        _ => Cow::Borrowed("-"),
    }
}
