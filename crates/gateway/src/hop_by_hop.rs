//! Headers that concern one connection only. They never go from one side to the other: admission takes a client's out,
//! dispatches an upstream's, and plugins set none.

use http::header::{CONNECTION, HeaderMap, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};

use crate::headers;

const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    UPGRADE,
    TE,
    TRANSFER_ENCODING,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRAILER,
];

/// `true` if a header of this name always concerns one connection only.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// Removes what `Connection` names, and the headers that always concern one connection only.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    headers::retain(headers, |name| !is_hop_by_hop(name) && !named.contains(name));
}
