//! An upstream of which a test writes every byte, and requests to it through a pool.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::resource::{KeepalivePool, Timeout};
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::transport::{BodyFault, Origin, Origins, OutgoingBody, Pool, SendError, SendFailure, UpstreamBody};

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A listening upstream, and the connections to it.
pub struct Upstream {
    listener: TcpListener,
    origin: Arc<Origin>,
    pool: Rc<Pool>,
}

/// The upstream's side of a connection.
pub struct Peer(TcpStream);

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let keepalive = KeepalivePool { size: 8, idle_timeout: PATIENCE, requests: 100 };
        let origin = Origins::default().intern("127.0.0.1", port, None, keepalive);
        Self { listener, origin, pool: Rc::new(Pool::default()) }
    }

    /// The next connection.
    pub async fn accept(&self) -> Peer {
        let accepted = tokio::time::timeout(PATIENCE, self.listener.accept()).await.expect("a connection in time");
        Peer(accepted.expect("a connection").0)
    }

    pub async fn send(&self, request: Request<OutgoingBody>) -> Result<Response<UpstreamBody>, SendFailure> {
        self.send_within(PATIENCE, PATIENCE, request).await
    }

    /// As [`Upstream::send`], with these limits on how long the upstream may take nothing and say nothing.
    pub async fn send_within(
        &self,
        send: Duration,
        read: Duration,
        mut request: Request<OutgoingBody>,
    ) -> Result<Response<UpstreamBody>, SendFailure> {
        let timeout = Timeout { connect: PATIENCE, send, read };
        self.pool.send(&self.origin, &mut request, &timeout).await.map(|sent| sent.response)
    }

    /// Sends `request` on a new connection whose upstream says `answer`.
    pub async fn ask(
        &self,
        request: Request<OutgoingBody>,
        answer: &[u8],
    ) -> (Result<Response<UpstreamBody>, SendError>, Peer) {
        let (response, peer) = tokio::join!(self.send(request), async {
            let mut peer = self.accept().await;
            peer.request().await;
            peer.say(answer).await;
            peer
        });
        (response.map_err(|failure| failure.error), peer)
    }

    /// As [`Upstream::ask`], with the whole body of an answer that is one.
    pub async fn whole(&self, request: Request<OutgoingBody>, answer: &[u8]) -> (Result<Bytes, BodyFault>, Peer) {
        let (response, peer) = self.ask(request, answer).await;
        (whole(response.expect("a response")).await, peer)
    }
}

impl Peer {
    /// The head of the next request.
    pub async fn request(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("a request"));
        }
        String::from_utf8(head).expect("a text")
    }

    /// The next `length` bytes.
    pub async fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await.expect("bytes");
        bytes
    }

    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("somebody who listens");
    }

    /// Says `bytes` and waits until they must have arrived, each time before the next.
    pub async fn say_in_pieces(&mut self, pieces: impl IntoIterator<Item = &[u8]>) {
        self.0.set_nodelay(true).expect("a socket");
        for piece in pieces {
            self.say(piece).await;
            // The other side runs on the same thread, whenever this one waits.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until the gateway has closed the connection; what it said before is lost.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        // A reset is an end as well.
        let _ = end.expect("an end in time");
    }
}

/// `method /` without a body.
pub fn request(method: Method) -> Request<OutgoingBody> {
    with_body(method, OutgoingBody::Empty)
}

pub fn with_body(method: Method, body: OutgoingBody) -> Request<OutgoingBody> {
    Request::builder().method(method).uri("/").header("host", "test.com").body(body).expect("a request")
}

pub fn get() -> Request<OutgoingBody> {
    request(Method::GET)
}

/// The whole body.
pub async fn whole(response: Response<UpstreamBody>) -> Result<Bytes, BodyFault> {
    response.into_body().collect().await.map(|body| body.to_bytes())
}
