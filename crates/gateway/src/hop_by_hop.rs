//! Headers that concern one connection only. They never go from one side to the other: admission takes a client's out,
//! dispatches an upstream's, and plugins set none.

use http::header::{CONNECTION, HeaderMap, HeaderName};

use crate::headers;

/// `true` if a header of this name always concerns one connection only.
#[inline]
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "upgrade" | "te" | "transfer-encoding" | "keep-alive" | "proxy-connection" | "trailer"
    )
}

/// Removes from a request what `Connection` names, and the headers that always concern one connection only. The others
/// keep their order.
pub(crate) fn remove_from_request(headers: &mut HeaderMap) {
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    let named = named(headers);
    headers::retain(headers, |name| !is_hop_by_hop(name) && !named.contains(name));
}

/// As [`remove_from_request`], for an answer, whose order means nothing: no map is made anew for it.
pub(crate) fn remove_from_answer(headers: &mut HeaderMap) {
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    let own: Vec<HeaderName> = headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    for name in named(headers).iter().chain(&own) {
        headers.remove(name);
    }
}

/// What `Connection` names.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}
