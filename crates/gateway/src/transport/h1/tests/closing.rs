//! When a connection is used again, when it is closed, and what becomes of a request that meets a close.

use http::Method;
use http_body_util::BodyExt as _;

use super::upstream::{Upstream, get, request};
use crate::transport::h1::{H1, H1Fault};
use crate::transport::{Breakage, SendError};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_connection_is_closed_after_an_answer_that_leaves_doubts() {
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ];
    for answer in answers {
        let upstream = Upstream::start().await;
        let (body, mut peer) = upstream.whole(get(), answer.as_bytes()).await;
        assert_eq!(body.expect("a body"), "ok");
        peer.closed().await;
    }
}

#[tokio::test]
async fn dropping_a_body_closes_its_connection_at_once() {
    let upstream = Upstream::start().await;
    let (response, mut peer) = upstream.ask(get(), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    let mut body = response.expect("a response").into_body();
    body.frame().await.expect("a piece").expect("no fault");
    drop(body);
    peer.closed().await;
}

/// A request on a connection that was idle while `meanwhile` happened to it comes to a new one.
async fn is_sent_anew(meanwhile: &[u8], method: Method) {
    let upstream = Upstream::start().await;
    let (body, mut peer) = upstream.whole(get(), OK).await;
    assert_eq!(body.expect("a body"), "ok");
    peer.say(meanwhile).await;
    let old = if meanwhile.is_empty() {
        drop(peer);
        None
    } else {
        Some(peer)
    };
    // So that the gateway's side has heard of it.
    tokio::task::yield_now().await;
    let (body, _peer) = upstream.whole(request(method), OK).await;
    assert_eq!(body.expect("a body"), "ok");
    drop(old);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_used() {
    is_sent_anew(b"", Method::GET).await;
    is_sent_anew(b"", Method::POST).await;
}

#[tokio::test]
async fn a_connection_on_which_the_upstream_spoke_unasked_is_not_used() {
    is_sent_anew(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", Method::POST).await;
}

#[tokio::test]
async fn a_request_that_a_close_met_half_way_is_repeated_if_that_does_no_harm() {
    let upstream = Upstream::start().await;
    let (body, mut peer) = upstream.whole(get(), OK).await;
    assert_eq!(body.expect("a body"), "ok");
    let (response, _new) = tokio::join!(upstream.send(get()), async {
        peer.request().await;
        drop(peer);
        let mut new = upstream.accept().await;
        let head = new.request().await;
        assert_eq!(head, "GET / HTTP/1.1\r\nhost: test.com\r\n\r\n");
        new.say(OK).await;
        new
    });
    assert!(response.is_ok());
}

#[tokio::test]
async fn a_request_that_may_have_had_its_effect_is_not_repeated() {
    let upstream = Upstream::start().await;
    let (body, mut peer) = upstream.whole(get(), OK).await;
    assert_eq!(body.expect("a body"), "ok");
    let (response, ()) = tokio::join!(upstream.send(request(Method::POST)), async {
        peer.request().await;
        drop(peer);
    });
    let failure = response.err().expect("a failure");
    assert!(!failure.is_unsent);
    assert!(matches!(failure.error, SendError::Broken(Breakage::Http1(H1Fault::Closed | H1Fault::Io(_)))));
}

#[tokio::test]
async fn an_idle_connection_is_swept_when_its_upstream_has_closed_it() {
    let (ours, theirs) = pair().await;
    let origin = crate::transport::Origins::default().intern("127.0.0.1", 1, None, keepalive());
    let mut connection = H1::new(crate::transport::UpstreamIo::Plain(ours), origin);
    assert!(connection.is_usable());
    drop(theirs);
    while connection.is_usable() {
        tokio::task::yield_now().await;
    }
}

async fn pair() -> (tokio::net::TcpStream, tokio::net::TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (ours, accepted) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
    (ours.expect("a connection"), accepted.expect("a connection").0)
}

fn keepalive() -> config::resource::KeepalivePool {
    config::resource::KeepalivePool { size: 1, idle_timeout: super::upstream::PATIENCE, requests: 100 }
}
