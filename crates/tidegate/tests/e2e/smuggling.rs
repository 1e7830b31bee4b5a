//! Where one request ends and the next begins, and whom it is for, has one answer for the client, the gateway and the
//! upstream, whatever a request looks like.

use std::io::Write;

use super::bad_input::{Fixture, Listener, get_with, post_with};

/// One request to the client is one request to the upstream: the body of a probe holds a second request, which must
/// never be taken for one.
#[test]
fn requests_are_not_smuggled() {
    let fixture = Fixture::new();
    let inner = "GET /plain/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunk = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    let length = format!("Content-Length: {}\r\n", inner.len());
    for (name, status, wire) in [
        ("a length beside chunked", 200, post_with("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", &chunk)),
        (
            "chunked beside a length",
            200,
            post_with(&format!("Transfer-Encoding: chunked\r\n{length}"), &format!("0\r\n\r\n{inner}")),
        ),
        ("two equal lengths", 200, post_with(&length.repeat(2), inner)),
        ("a list of equal lengths", 400, post_with(&format!("Content-Length: {0}, {0}\r\n", inner.len()), inner)),
        ("a plus in the length", 400, post_with(&format!("Content-Length: +{}\r\n", inner.len()), inner)),
        ("chunked twice", 501, post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", &chunk)),
        ("a tab before chunked", 200, post_with("Transfer-Encoding:\tchunked\r\n", &chunk)),
        ("chunked in capitals", 200, post_with("Transfer-Encoding: CHUNKED\r\n", &chunk)),
        ("bare line feeds", 200, format!("POST /plain/x HTTP/1.1\nHost: a\n{}\n\n{inner}", length.trim()).into_bytes()),
        (
            "a chunk extension",
            400,
            post_with("Transfer-Encoding: chunked\r\n", &format!("{:x};a=\"\n\"\r\n{inner}\r\n0\r\n\r\n", inner.len())),
        ),
        ("Connection names the length", 200, post_with(&format!("Connection: content-length\r\n{length}"), inner)),
        (
            "Connection names the coding",
            200,
            post_with("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", &chunk),
        ),
    ] {
        let before = fixture.upstream.request_count();
        let mut connection = fixture.connect(Listener::Proxy);
        connection.stream.write_all(&wire).unwrap();
        let first = connection.reply().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(first.status, status, "{name}: {}", first.text());
        // If the connection is still good, what was hidden would be served before this.
        let last = get_with("Host: a\r\nConnection: close\r\n");
        let _ = connection.stream.write_all(&last);
        let _ = connection.read_to_end();
        let seen = fixture.upstream.requests().split_off(before);
        assert!(seen.iter().all(|request| request.target != "/plain/smuggled"), "{name}: {seen:?}");
        for request in &seen {
            let framed = (request.header("content-length"), request.header("transfer-encoding"));
            assert!(!matches!(framed, (Some(_), Some(_))), "{name}: {request:?}");
        }
    }
}

#[test]
fn the_host_of_an_absolute_target_is_the_host() {
    let fixture = Fixture::new();
    let mut connection = fixture.connect(Listener::Proxy);
    connection.stream.write_all(b"GET http://inside/plain/x?a=1 HTTP/1.1\r\nHost: outside\r\n\r\n").unwrap();
    assert_eq!(connection.reply().unwrap().status, 200);
    let seen = fixture.upstream.last();
    assert_eq!((seen.target.as_str(), seen.header("host")), ("/plain/x?a=1", Some("inside")));
    assert_eq!(seen.headers.iter().filter(|(name, _)| name == "host").count(), 1);
}
