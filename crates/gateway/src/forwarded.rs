//! What stands between the client and us, as `X-Forwarded-*` and `Forwarded` tell it. Admission takes out what the
//! peer may not tell, before routes and plugins look; the dispatch adds what is true where no plugin has said
//! otherwise. The variables `original_x_forwarded_*` still know what was sent.

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::exchange::{Exchange, ForwardsTrust};
use crate::headers;
use crate::path::port_of;

const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Removes what the peer is not believed, and returns the headers as they were if anything was removed.
pub(crate) fn sanitize(headers: &mut HeaderMap, trust: ForwardsTrust) -> Option<Box<HeaderMap>> {
    let disbelieved: &[HeaderName] = match trust {
        ForwardsTrust::Trusted => return None,
        ForwardsTrust::Unconfigured => &[X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT, FORWARDED],
        ForwardsTrust::Untrusted => {
            &[X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT, FORWARDED, X_FORWARDED_FOR]
        }
    };
    if !headers.keys().any(|name| disbelieved.contains(name)) {
        return None;
    }
    let sent = headers.iter().filter(|(name, _)| **name == X_FORWARDED_FOR || disbelieved.contains(name));
    let original = sent.map(|(name, value)| (name.clone(), value.clone())).collect();
    headers::retain(headers, |name| !disbelieved.contains(name));
    Some(Box::new(original))
}

/// Tells the upstream where the request comes from. `client_host` is the Host that the client asked for.
pub(crate) fn add(headers: &mut HeaderMap, exchange: &Exchange, client_host: Option<&HeaderValue>) {
    let connection = &exchange.connection;
    let address = if exchange.remote_addr == connection.peer.ip().to_canonical() {
        connection.peer_text.clone()
    } else {
        crate::proxy::address_text(exchange.remote_addr)
    };
    headers.insert(X_FORWARDED_FOR, continued(headers, &address));
    headers.insert(X_REAL_IP, address);
    let mut add = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    add(X_FORWARDED_PROTO, HeaderValue::from_static(connection.scheme()));
    if let Some(host) = client_host {
        let port = host.to_str().ok().and_then(port_of).and_then(|port| HeaderValue::from_str(port).ok());
        add(X_FORWARDED_PORT, port.unwrap_or_else(|| connection.port_text.clone()));
        add(X_FORWARDED_HOST, host.clone());
    }
}

/// The addresses that came with the request, and `address` behind them.
fn continued(headers: &HeaderMap, address: &HeaderValue) -> HeaderValue {
    let mut chain = Vec::new();
    for before in headers.get_all(X_FORWARDED_FOR) {
        chain.extend_from_slice(before.as_bytes());
        chain.extend_from_slice(b", ");
    }
    if chain.is_empty() {
        return address.clone();
    }
    chain.extend_from_slice(address.as_bytes());
    HeaderValue::from_bytes(&chain).unwrap_or_else(|_| address.clone())
}
