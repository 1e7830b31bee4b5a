//! Requests with bodies, in memory and as a client sends them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::io::AsyncWriteExt as _;

use super::upstream::{PATIENCE, Peer, Upstream, whole, with_body};
use crate::transport::h1::H1Fault;
use crate::transport::tests::{client, patient_client};
use crate::transport::{BodyFault, Breakage, ClientBodyFault, OutgoingBody};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn local<T>(test: impl Future<Output = T>) -> T {
    tokio::task::LocalSet::new().run_until(test).await
}

async fn say_ok(peer: &mut Peer) {
    peer.say(OK).await;
}

#[tokio::test]
async fn a_body_in_memory_goes_out_behind_its_head() {
    let upstream = Upstream::start().await;
    let body = OutgoingBody::Full(Bytes::from_static(b"hello"));
    let (response, ()) = tokio::join!(upstream.send(with_body(Method::POST, body)), async {
        let mut peer = upstream.accept().await;
        assert_eq!(peer.request().await, "POST / HTTP/1.1\r\nhost: test.com\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(peer.bytes(5).await, b"hello");
        say_ok(&mut peer).await;
    });
    assert!(response.is_ok());
}

#[tokio::test]
async fn a_body_larger_than_the_socket_takes_goes_out_whole() {
    let upstream = Upstream::start().await;
    let body: Bytes = (0..32 << 20).map(|at: u32| (at / 1000) as u8).collect::<Vec<u8>>().into();
    let sending = upstream.send(with_body(Method::POST, OutgoingBody::Full(body.clone())));
    let (response, ()) = tokio::join!(sending, async {
        let mut peer = upstream.accept().await;
        peer.request().await;
        assert!(peer.bytes(body.len()).await == body);
        say_ok(&mut peer).await;
    });
    assert!(response.is_ok());
}

#[tokio::test]
async fn a_clients_body_of_unknown_length_goes_out_in_chunks_as_it_comes() {
    local(async {
        let upstream = Upstream::start().await;
        let (mut client, body) = client("transfer-encoding: chunked").await;
        let (response, _peer) = tokio::join!(upstream.send(with_body(Method::POST, body)), async {
            let mut peer = upstream.accept().await;
            assert_eq!(peer.request().await, "POST / HTTP/1.1\r\nhost: test.com\r\ntransfer-encoding: chunked\r\n\r\n");
            client.write_all(b"5\r\nhello\r\n").await.expect("a server");
            assert_eq!(peer.bytes(10).await, b"5\r\nhello\r\n");
            client.write_all(b"10\r\n0123456789abcdef\r\n0\r\nx-sum: 1\r\n\r\n").await.expect("a server");
            assert_eq!(peer.bytes(27).await, b"10\r\n0123456789abcdef\r\n0\r\n\r\n");
            say_ok(&mut peer).await;
            peer
        });
        assert_eq!(whole(response.expect("a response")).await.expect("a body"), "ok");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_through_is_passed_on_and_the_rest_of_the_body_sent() {
    local(async {
        let upstream = Upstream::start().await;
        let (mut client, body) = client("content-length: 10").await;
        let (response, mut peer) = tokio::join!(upstream.send(with_body(Method::POST, body)), async {
            let mut peer = upstream.accept().await;
            peer.request().await;
            peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            peer
        });
        let ((), body) = tokio::join!(
            async {
                client.write_all(b"0123456789").await.expect("a server");
                assert_eq!(peer.bytes(10).await, b"0123456789");
                peer.say("2\r\nok\r\n0\r\n\r\n").await;
            },
            whole(response.expect("a response")),
        );
        assert_eq!(body.expect("a body"), "ok");
        // Nothing is left undone: the connection goes on.
        let (again, ()) = tokio::join!(upstream.send(with_body(Method::GET, OutgoingBody::Empty)), async {
            peer.request().await;
            say_ok(&mut peer).await;
        });
        assert!(again.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_connection_whose_answer_is_over_before_the_request_is_closed() {
    local(async {
        let upstream = Upstream::start().await;
        let (_client, body) = client("content-length: 10").await;
        let (response, mut peer) = tokio::join!(upstream.send(with_body(Method::POST, body)), async {
            let mut peer = upstream.accept().await;
            peer.request().await;
            peer.say("HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno").await;
            peer
        });
        let response = response.expect("a response");
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(whole(response).await.expect("a body"), "no");
        peer.closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_breaks_off_is_at_fault() {
    local(async {
        let upstream = Upstream::start().await;
        let (client, body) = client("content-length: 10").await;
        let (response, ()) = tokio::join!(upstream.send(with_body(Method::POST, body)), async {
            let mut peer = upstream.accept().await;
            peer.request().await;
            drop(client);
            peer.closed().await;
        });
        let failure = response.err().expect("a failure");
        assert!(matches!(failure.error.client_fault(), Some(ClientBodyFault::Broken(_))));
    })
    .await;
}

/// Too short a time for anything.
const NO_TIME: Duration = Duration::from_millis(1);
const A_WHILE: Duration = Duration::from_millis(200);

#[tokio::test]
async fn an_upstream_owes_no_answer_while_a_body_in_memory_goes_up() {
    let upstream = Upstream::start().await;
    let started = Instant::now();
    let body = OutgoingBody::Full(vec![0; 64 << 20].into());
    let (response, _peer) =
        tokio::join!(upstream.send_within(A_WHILE, NO_TIME, with_body(Method::POST, body)), async {
            upstream.accept().await
        },);
    // It has taken a part, and then no more.
    assert!(response.err().expect("a failure").error.is_timeout());
    assert!(started.elapsed() >= A_WHILE);
}

#[tokio::test]
async fn an_upstream_owes_its_answer_once_a_body_in_memory_is_up() {
    let upstream = Upstream::start().await;
    let body = OutgoingBody::Full(Bytes::from_static(b"hello"));
    let (response, _peer) =
        tokio::join!(upstream.send_within(PATIENCE, NO_TIME, with_body(Method::POST, body)), async {
            upstream.accept().await
        },);
    assert!(response.err().expect("a failure").error.is_timeout());
}

/// An upstream that answers at once and a client that pauses for `A_WHILE` in its body: how the answer ends.
async fn early_answer(sent: &[u8]) -> BodyFault {
    let upstream = Upstream::start().await;
    let (mut client, body) = patient_client("content-length: 10", A_WHILE).await;
    let (response, _peer) =
        tokio::join!(upstream.send_within(PATIENCE, NO_TIME, with_body(Method::POST, body)), async {
            let mut peer = upstream.accept().await;
            peer.request().await;
            peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            peer
        },);
    client.write_all(sent).await.expect("a server");
    whole(response.expect("a response")).await.expect_err("a fault")
}

#[tokio::test]
async fn an_upstream_that_answers_early_may_be_silent_until_the_request_is_up() {
    local(async {
        let fault = early_answer(b"01234").await;
        let client = |fault: &BodyFault| match fault {
            BodyFault::Broken(Breakage::Http1(H1Fault::Client(fault))) => matches!(fault, ClientBodyFault::Idle(_)),
            BodyFault::Broken(_) | BodyFault::Idle(_) => false,
        };
        assert!(client(&fault), "{fault}");
        let fault = early_answer(b"0123456789").await;
        assert!(matches!(fault, BodyFault::Idle(NO_TIME)), "{fault}");
    })
    .await;
}
