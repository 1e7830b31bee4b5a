//! Requests over HTTP/2 to an upstream of which a test writes every frame.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::client;
use super::tls::{PATIENCE, TlsUpstream, with_body};
use crate::transport::{OutgoingBody, SendFailure};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 5;
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;

/// Too short a time for anything.
const NO_TIME: Duration = Duration::from_millis(1);
const A_WHILE: Duration = Duration::from_millis(200);

/// The upstream's side of a connection.
pub struct Peer(TlsStream<TcpStream>);

impl Peer {
    pub async fn greet(mut stream: TlsStream<TcpStream>) -> Self {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.expect("a preface");
        let mut peer = Self(stream);
        peer.write(SETTINGS, 0, 0, &[]).await;
        peer
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short one").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).await.expect("somebody who listens");
        self.0.flush().await.expect("somebody who listens");
    }

    /// The stream of the next request.
    async fn request(&mut self) -> u32 {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.expect("a frame");
            let [a, b, c, kind, _, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await.expect("a payload");
            if kind == HEADERS {
                return u32::from_be_bytes(stream);
            }
        }
    }

    /// Answers the next request with 200.
    pub async fn serve(&mut self) {
        let stream = self.request().await;
        // `:status: 200` by its place in the static table.
        self.write(HEADERS, END_STREAM_AND_HEADERS, stream, &[0x88]).await;
    }

    /// Waits until the gateway has closed the connection.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        // An end without a farewell is one as well.
        let _ = end.expect("an end in time");
    }

    /// Takes the next request and refuses it.
    async fn refuse(&mut self) {
        let stream = self.request().await;
        self.write(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes()).await;
    }

    /// Takes the next request and says that the one before was the last.
    async fn go_away(&mut self) {
        let stream = self.request().await;
        self.write(GOAWAY, 0, 0, &[(stream - 2).to_be_bytes(), NO_ERROR.to_be_bytes()].concat()).await;
    }
}

async fn local<T>(test: impl Future<Output = T>) -> T {
    tokio::task::LocalSet::new().run_until(test).await
}

fn request(method: Method) -> http::Request<OutgoingBody> {
    with_body(method, OutgoingBody::Full(Bytes::from_static(b"hello")))
}

/// What becomes of the second request on a connection to which `happens`.
async fn second<M>(method: Method, happens: impl AsyncFnOnce(Peer) -> M) -> Result<StatusCode, SendFailure> {
    let upstream = TlsUpstream::speaking("h2").await;
    let (first, peer) = tokio::join!(upstream.send(request(Method::POST)), async {
        let mut peer = Peer::greet(upstream.accept().await).await;
        peer.serve().await;
        peer
    });
    assert_eq!(first.expect("a response").status(), StatusCode::OK);
    let upstream = &upstream;
    let sent = upstream.send(request(method));
    let served = async {
        let _peer = happens(peer).await;
        Peer::greet(upstream.accept().await).await.serve().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        sent = sent => sent.map(|response| response.status()),
        () = served => unreachable!("it waits for ever"),
    }
}

#[tokio::test]
async fn a_request_with_which_nothing_was_done_goes_out_again_on_a_new_connection() {
    local(Box::pin(async {
        let refused = second(Method::POST, async |mut peer: Peer| {
            peer.refuse().await;
            peer
        });
        assert_eq!(refused.await.expect("a response"), StatusCode::OK);
        let too_late = second(Method::POST, async |mut peer: Peer| {
            peer.go_away().await;
            peer
        });
        assert_eq!(too_late.await.expect("a response"), StatusCode::OK);
    }))
    .await;
}

#[tokio::test]
async fn a_request_that_a_close_met_half_way_is_repeated_if_that_does_no_harm() {
    local(Box::pin(async {
        let lost = async |mut peer: Peer| {
            peer.request().await;
            drop(peer);
        };
        assert_eq!(second(Method::PUT, lost).await.expect("a response"), StatusCode::OK);
        let failure = second(Method::POST, lost).await.expect_err("a failure");
        assert!(!failure.is_unsent);
    }))
    .await;
}

#[tokio::test]
async fn a_request_that_was_lost_goes_out_once_more_and_only_on_a_new_connection() {
    local(Box::pin(async {
        let mut upstream = TlsUpstream::speaking("http/1.1").await;
        let (first, mut old) = tokio::join!(upstream.send(request(Method::PUT)), async {
            let mut old = upstream.accept().await;
            old.read_buf(&mut Vec::new()).await.expect("a request");
            old.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.expect("somebody who listens");
            old.flush().await.expect("somebody who listens");
            old
        });
        upstream.speak("h2");
        let (second, mut shared) = tokio::join!(upstream.send(request(Method::PUT)), async {
            let mut shared = Peer::greet(upstream.accept().await).await;
            shared.serve().await;
            shared
        });
        second.expect("a response");
        // The connection of the first is idle as well from here on.
        old.write_all(b"ok").await.expect("somebody who listens");
        old.flush().await.expect("somebody who listens");
        first.expect("a response").into_body().collect().await.expect("a body");
        assert_eq!(upstream.pool.idle_connections(), 2);

        let (third, ()) = tokio::join!(upstream.send(request(Method::PUT)), async {
            shared.request().await;
            drop(shared);
            Peer::greet(upstream.accept().await).await.serve().await;
        });
        assert_eq!(third.expect("a response").status(), StatusCode::OK);
    }))
    .await;
}

/// How long it takes until an upstream that says nothing is given up.
async fn given_up_after(send: Duration, read: Duration, body: OutgoingBody) -> Duration {
    let upstream = TlsUpstream::speaking("h2").await;
    let started = Instant::now();
    let (sent, _peer) = tokio::join!(upstream.send_within(send, read, with_body(Method::POST, body)), async {
        Peer::greet(upstream.accept().await).await
    });
    assert!(sent.err().expect("a failure").error.is_timeout());
    started.elapsed()
}

#[tokio::test]
async fn an_upstream_owes_its_answer_once_the_request_is_up_and_not_before() {
    local(Box::pin(async {
        // More than the upstream's window takes.
        let large = OutgoingBody::Full(vec![0; 1 << 20].into());
        assert!(given_up_after(A_WHILE, NO_TIME, large).await >= A_WHILE);
        // Only its last piece does not go into the window.
        let nearly_fitting = OutgoingBody::Full(vec![0; 74 << 10].into());
        assert!(given_up_after(A_WHILE, NO_TIME, nearly_fitting).await >= A_WHILE);
        let small = OutgoingBody::Full(Bytes::from_static(b"hello"));
        assert!(given_up_after(PATIENCE, NO_TIME, small).await < PATIENCE);
    }))
    .await;
}

#[tokio::test]
async fn an_upstream_owes_its_answer_once_the_client_is_through() {
    local(Box::pin(async {
        let (mut client, body) = client("content-length: 10").await;
        let (waited, ()) = tokio::join!(given_up_after(PATIENCE, NO_TIME, body), async {
            // So that the wait has begun before there is anything to send.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            client.write_all(b"0123456789").await.expect("a server");
        });
        assert!(waited < PATIENCE);
    }))
    .await;
}
