//! Requests and their answers.

use std::time::Duration;

use http::header::UPGRADE;
use http::{Method, StatusCode};
use http_body::Body as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::upstream::{PATIENCE, Upstream, get, request, whole};
use crate::transport::h1::{H1, H1Fault, Malformed, head_due};
use crate::transport::{Breakage, SendError, UpstreamBody};

fn malformed(error: SendError) -> Option<Malformed> {
    match error {
        SendError::Broken(Breakage::Http1(H1Fault::Malformed(fault))) => Some(fault),
        _ => None,
    }
}

#[tokio::test]
async fn an_answer_of_known_length_is_read_and_its_connection_used_again() {
    let upstream = Upstream::start().await;
    let (response, mut peer) = upstream.ask(get(), b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    let response = response.expect("a response");
    assert_eq!(response.body().size_hint().exact(), Some(5));
    assert_eq!(whole(response).await.expect("a body"), "hello");
    let (second, head) = tokio::join!(upstream.send(get()), async {
        let head = peer.request().await;
        peer.say("HTTP/1.1 204 No Content\r\n\r\n").await;
        head
    });
    assert_eq!(head, "GET / HTTP/1.1\r\nhost: test.com\r\n\r\n");
    assert_eq!(second.expect("a response").status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_answer_may_arrive_byte_by_byte() {
    let answer =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let upstream = Upstream::start().await;
    let (body, ()) = tokio::join!(async { whole(upstream.send(get()).await.expect("a response")).await }, async {
        let mut peer = upstream.accept().await;
        peer.request().await;
        peer.say_in_pieces(answer.chunks(1)).await;
    });
    assert_eq!(body.expect("a body"), "hello");
}

#[tokio::test]
async fn heads_that_announce_an_answer_are_passed_over() {
    let upstream = Upstream::start().await;
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (body, _peer) = upstream.whole(get(), answer).await;
    assert_eq!(body.expect("a body"), "ok");
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_but_may_tell_its_length() {
    let upstream = Upstream::start().await;
    let (response, mut peer) =
        upstream.ask(request(Method::HEAD), b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").await;
    let response = response.expect("a response");
    assert_eq!(response.headers()["content-length"], "5");
    assert!(response.body().is_end_stream());
    let (again, ()) = tokio::join!(upstream.send(get()), async {
        peer.request().await;
        peer.say("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n").await;
    });
    assert!(again.expect("a response").body().is_end_stream());
}

#[tokio::test]
async fn a_body_without_a_length_ends_with_the_connection() {
    let upstream = Upstream::start().await;
    let (response, peer) = upstream.ask(get(), b"HTTP/1.1 200 OK\r\n\r\nhello").await;
    drop(peer);
    assert_eq!(whole(response.expect("a response")).await.expect("a body"), "hello");
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_a_fault() {
    let answers = ["content-length: 9\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"];
    for answer in answers {
        let upstream = Upstream::start().await;
        let answer = format!("HTTP/1.1 200 OK\r\n{answer}");
        let (response, peer) = upstream.ask(get(), answer.as_bytes()).await;
        drop(peer);
        assert!(whole(response.expect("a response")).await.is_err(), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_answer_fails_at_once() {
    let cases: [(&[u8], Malformed); 4] = [
        (b"SSH-2.0-OpenSSH_9\r\n", Malformed::Head(httparse::Error::Version)),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", Malformed::UnaskedSwitch),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", Malformed::ContentLength),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", Malformed::TransferEncoding),
    ];
    for (answer, fault) in cases {
        let upstream = Upstream::start().await;
        let (response, _peer) = upstream.ask(get(), answer).await;
        assert_eq!(response.err().and_then(malformed), Some(fault));
    }
}

#[tokio::test]
async fn a_switch_hands_over_the_bytes_that_came_behind_the_head() {
    let upstream = Upstream::start().await;
    let mut asks = get();
    asks.headers_mut().insert(UPGRADE, "x".parse().expect("a value"));
    let (response, mut peer) = upstream.ask(asks, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nhello").await;
    let mut switched = response.expect("a response").into_body().take_upgrade().expect("a switch");
    let mut greeting = [0; 5];
    switched.read_exact(&mut greeting).await.expect("bytes");
    assert_eq!(&greeting, b"hello");
    switched.write_all(b"and back").await.expect("a listener");
    assert_eq!(peer.bytes(8).await, b"and back");
}

#[tokio::test]
async fn an_upstream_that_does_not_switch_has_its_answer_read() {
    let upstream = Upstream::start().await;
    let mut asks = get();
    asks.headers_mut().insert(UPGRADE, "x".parse().expect("a value"));
    let (response, _peer) = upstream.ask(asks, b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let mut response = response.expect("a response");
    assert!(response.body_mut().take_upgrade().is_none());
    assert_eq!(whole(response).await.expect("a body"), "no");
}

#[test]
fn what_waits_is_small() {
    assert!(size_of::<H1>() <= 200, "{}", size_of::<H1>());
    assert!(size_of::<UpstreamBody>() <= 64, "{}", size_of::<UpstreamBody>());
}

#[test]
fn a_head_may_pause_again_and_again_but_not_for_ever() {
    let read = Duration::from_secs(6);
    let asked = Instant::now();
    // In seconds since the request's last byte.
    for (heard_at, due) in [(None, 6), (Some(0), 6), (Some(1), 7), (Some(6), 12), (Some(53), 59), (Some(58), 60)] {
        let heard_at = heard_at.map(|seconds| asked + Duration::from_secs(seconds));
        let expected = asked + Duration::from_secs(due);
        assert_eq!(head_due(asked + read, heard_at, read), expected, "heard at {heard_at:?}");
    }
}

#[tokio::test]
async fn an_upstream_may_take_longer_for_a_head_than_for_its_next_piece() {
    let read = Duration::from_millis(900);
    let upstream = Upstream::start().await;
    let began = Instant::now();
    let (response, _peer) = tokio::join!(upstream.send_within(PATIENCE, read, get()), async {
        let mut peer = upstream.accept().await;
        peer.request().await;
        for piece in ["HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 200", " OK\r\n", "content-length: 0\r\n", "\r\n"] {
            tokio::time::sleep(read / 4).await;
            peer.say(piece).await;
        }
        peer
    });
    assert_eq!(response.expect("a response").status(), StatusCode::OK);
    assert!(began.elapsed() > read, "it paused for no longer than it may at once");
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_waited_for() {
    let read = Duration::from_millis(50);
    let upstream = Upstream::start().await;
    let drip = async {
        let mut peer = upstream.accept().await;
        peer.request().await;
        peer.say("HTTP/1.1 200 OK\r\n").await;
        loop {
            peer.say("x: a\r\n").await;
            tokio::time::sleep(read / 5).await;
        }
    };
    let response = tokio::select! {
        response = upstream.send_within(PATIENCE, read, get()) => response,
        () = drip => unreachable!("it drips for ever"),
    };
    assert!(response.err().expect("a failure").error.is_timeout());
}
