//! An upstream over TLS, and requests to it through a pool.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::resource::{KeepalivePool, Timeout};
use http::{Method, Request, Response};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::client::{ClientConfigs, Verify};
use crate::transport::{Origin, OriginTls, Origins, OutgoingBody, Pool, SendFailure, UpstreamBody};

const CERTIFICATE: &[u8] = include_bytes!("../../tls/testdata/server.pem");
const KEY: &[u8] = include_bytes!("../../tls/testdata/server.key.pem");

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Idle connections that are kept to it.
pub const KEPT: usize = 2;

/// A listening upstream, and the connections to it.
pub struct TlsUpstream {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    pub origin: Arc<Origin>,
    pub pool: Rc<Pool>,
}

impl TlsUpstream {
    /// One that speaks `protocol`, by its name in ALPN.
    pub async fn speaking(protocol: &str) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let trust = ClientConfigs::new(None).expect("a configuration");
        let tls = OriginTls {
            config: trust.unprepared(Verify::No).clone(),
            server_name: ServerName::try_from("a.test").expect("a name"),
        };
        let keepalive = KeepalivePool { size: KEPT as u32, idle_timeout: PATIENCE, requests: 100 };
        let origin = Origins::default().intern("127.0.0.1", port, Some(tls), keepalive);
        Self { listener, acceptor: acceptor(protocol), origin, pool: Rc::new(Pool::default()) }
    }

    /// From now on it speaks `protocol` on new connections.
    pub fn speak(&mut self, protocol: &str) {
        self.acceptor = acceptor(protocol);
    }

    /// The next connection.
    pub async fn accept(&self) -> TlsStream<TcpStream> {
        let accepted = tokio::time::timeout(PATIENCE, self.listener.accept()).await.expect("a connection in time");
        self.acceptor.accept(accepted.expect("a connection").0).await.expect("a handshake")
    }

    pub async fn send(&self, request: Request<OutgoingBody>) -> Result<Response<UpstreamBody>, SendFailure> {
        self.send_within(PATIENCE, PATIENCE, request).await
    }

    /// As [`TlsUpstream::send`], to the upstream by another name.
    pub async fn send_to(
        &self,
        origin: &Arc<Origin>,
        mut request: Request<OutgoingBody>,
    ) -> Result<Response<UpstreamBody>, SendFailure> {
        let timeout = Timeout { connect: PATIENCE, send: PATIENCE, read: PATIENCE };
        self.pool.send(origin, &mut request, &timeout).await.map(|sent| sent.response)
    }

    /// As [`TlsUpstream::send`], with these limits on how long the upstream may take nothing and say nothing.
    pub async fn send_within(
        &self,
        send: Duration,
        read: Duration,
        mut request: Request<OutgoingBody>,
    ) -> Result<Response<UpstreamBody>, SendFailure> {
        let timeout = Timeout { connect: PATIENCE, send, read };
        self.pool.send(&self.origin, &mut request, &timeout).await.map(|sent| sent.response)
    }
}

fn acceptor(protocol: &str) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_slice_iter(CERTIFICATE).map(|certificate| certificate.expect("PEM")).collect();
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.expect("versions").with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.expect("a pair");
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

pub fn with_body(method: Method, body: OutgoingBody) -> Request<OutgoingBody> {
    Request::builder().method(method).uri("/").header("host", "a.test").body(body).expect("a request")
}
