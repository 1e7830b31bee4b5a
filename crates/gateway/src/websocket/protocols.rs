//! Which protocols a client may switch to: those in which no requests travel. Over HTTP/2, or inside of TLS, a client
//! could ask for whatever the upstream serves, past the gateway's routes, plugins and limits.

use http::header::{HeaderMap, UPGRADE};

/// How the names of protocols begin that carry requests: `h2c` and its drafts (`h2c-14`), `HTTP/2.0`, `TLS/1.2`.
const CARRIERS: [&str; 3] = ["h2", "http", "tls"];

/// `false` if a line of `Upgrade` names a protocol that carries requests, or something that cannot be read as one.
pub fn carry_no_requests(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().all(|line| line.to_str().is_ok_and(|line| line.split(',').all(is_harmless)))
}

/// `true` for `name` and `name/version` of a protocol without requests, and for an empty item of a list.
fn is_harmless(item: &str) -> bool {
    let item = item.trim_matches([' ', '\t']);
    let starts_with = |start: &&str| item.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    item.split('/').all(is_token) && !CARRIERS.iter().any(starts_with)
}

/// `true` for letters, digits and the marks that a token may hold (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn may_switch(lines: &[&'static str]) -> bool {
        carry_no_requests(&lines.iter().map(|line| (UPGRADE, HeaderValue::from_static(line))).collect())
    }

    #[test]
    fn protocols_without_requests_may_be_switched_to() {
        for lines in [&["websocket"][..], &["WebSocket", "tcp"], &["kinetic/2.1, IRC/6.9"], &["websocket,"]] {
            assert!(may_switch(lines), "{lines:?}");
        }
    }

    #[test]
    fn protocols_that_carry_requests_are_found_wherever_they_stand() {
        for lines in [
            &["h2c"][..],
            &["H2C"],
            &["h2"],
            &["h2c-14"],
            &["HTTP/2.0"],
            &["http/1.1"],
            &["TLS/1.2"],
            &["websocket, h2c"],
            &["websocket,\th2c"],
            &["websocket", "h2c"],
            &["websocket", "kinetic/2.1, TLS/1.0"],
        ] {
            assert!(!may_switch(lines), "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_protocol_is_not_switched_to() {
        for lines in [&["web socket"][..], &["websocket; h2c"], &["\"h2c\""]] {
            assert!(!may_switch(lines), "{lines:?}");
        }
    }
}
