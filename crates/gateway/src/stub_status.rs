//! nginx' stub status, which old dashboards read: `GET /apisix/nginx_status` on the data plane's listeners. The path is
//! the gateway's own, whatever routes say, and answered to this machine alone. Called for every request once it is
//! admitted.

use std::net::IpAddr;

use http::header::HeaderValue;
use http::{Method, StatusCode};

use crate::answer::Answer;
use crate::metrics::TrafficTotals;

const PATH: &str = "/apisix/nginx_status";
const TYPE: HeaderValue = HeaderValue::from_static("text/plain");

/// `true` for the path that no route can have.
pub(crate) fn is_reserved(path: &str) -> bool {
    path == PATH
}

/// The answer to `client` under that path.
pub(crate) fn answer(method: &Method, client: IpAddr, totals: TrafficTotals) -> Answer {
    if !client.to_canonical().is_loopback() {
        return Answer::page(StatusCode::FORBIDDEN);
    }
    if method != Method::GET && method != Method::HEAD {
        return Answer::page(StatusCode::METHOD_NOT_ALLOWED);
    }
    Answer::text(StatusCode::OK, totals.stub_status()).with_content_type(TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_read_it() {
        let totals = TrafficTotals { active: 3, accepted: 4, requests: 5, in_flight: 1 };
        let status = |method: &Method, client: &str| answer(method, client.parse().expect("an address"), totals).status;
        for client in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(status(&Method::GET, client), StatusCode::OK, "{client}");
        }
        assert_eq!(status(&Method::GET, "10.0.0.1"), StatusCode::FORBIDDEN);
        assert_eq!(status(&Method::POST, "127.0.0.1"), StatusCode::METHOD_NOT_ALLOWED);
    }
}
