use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::{Checker, ProbeTls, Prober, Registry, Status};
use super::*;

const CERTIFICATE: &[u8] = include_bytes!("certificate/cert.pem");
const KEY: &[u8] = include_bytes!("certificate/key.pem");

/// Not a status: the node takes the request and never answers.
const SILENT: u16 = 0;
/// Not a status: the node answers something that is not HTTP.
const GARBAGE: u16 = 1;

/// An upstream node whose answers a test changes.
struct Node {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    probes: Arc<AtomicUsize>,
    last_request: Arc<Mutex<String>>,
}

impl Node {
    async fn start(status: u16, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let node = Self {
            address: listener.local_addr().expect("bound"),
            status: Arc::new(AtomicU16::new(status)),
            probes: Arc::default(),
            last_request: Arc::default(),
        };
        let (status, probes, last_request) = (node.status.clone(), node.probes.clone(), node.last_request.clone());
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("accepts");
                probes.fetch_add(1, Ordering::Relaxed);
                let (status, last_request, tls) = (status.clone(), last_request.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(socket, &status, &last_request).await,
                        Some(tls) => {
                            if let Ok(session) = tls.accept(socket).await {
                                answer(session, &status, &last_request).await;
                            }
                        }
                    }
                });
            }
        });
        node
    }

    fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn probes(&self) -> usize {
        self.probes.load(Ordering::Relaxed)
    }
}

async fn answer(mut peer: impl AsyncRead + AsyncWrite + Unpin, status: &AtomicU16, last_request: &Mutex<String>) {
    let mut request = vec![0; 4096];
    let read = peer.read(&mut request).await.unwrap_or(0);
    *last_request.lock() = String::from_utf8_lossy(&request[..read]).into_owned();
    let status = status.load(Ordering::Relaxed);
    let text = match status {
        SILENT => std::future::pending().await,
        GARBAGE => "SSH-2.0-nothing_of_yours\r\n".to_owned(),
        _ => format!("HTTP/1.1 {status} Reason\r\nContent-Length: 0\r\n\r\n"),
    };
    // The prober may be gone; that is its business.
    let _ = peer.write_all(text.as_bytes()).await;
}

fn client_tls(trusts_node: bool) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    if trusts_node {
        roots.add(CertificateDer::from_pem_slice(CERTIFICATE).expect("certificate")).expect("accepted");
    }
    Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

fn server_tls() -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).expect("certificate")];
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("key");
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.expect("certificate and key fit")))
}

/// A registry that probes on the runtime of the test. "Verifying" trusts nobody, "trusting" the test's certificate.
fn registry() -> Registry {
    let tls = ProbeTls { verifying: client_tls(false), trusting: client_tls(true) };
    Registry::new(Some(Prober::new(tokio::runtime::Handle::current(), tls)))
}

/// Checks whose first counted outcome decides, probing every few milliseconds.
fn eager(kind: &str) -> HealthChecks {
    let mut checks = checks(json!({"active": {
        "type": kind,
        "healthy": {"successes": 1},
        "unhealthy": {"http_failures": 1, "tcp_failures": 1, "timeouts": 1},
    }}));
    let every = Some(Duration::from_millis(5));
    checks.active.healthy.interval = every;
    checks.active.unhealthy.interval = every;
    checks
}

fn at(address: SocketAddr) -> Vec<CheckedNode> {
    vec![CheckedNode { host: address.ip().to_string(), port: address.port() }]
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn failures(checker: &Checker) -> Counters {
    checker.to_report().nodes[0].counter
}

#[tokio::test]
async fn a_node_falls_ill_and_recovers_with_its_answers() {
    let node = Node::start(200, None).await;
    let registry = registry();
    let checker = registry.apply("k", &eager("http"), &at(node.address), None);
    until("first probe", || node.probes() > 0).await;
    assert!(checker.is_healthy(0));
    node.answer_with(503);
    until("unhealthy", || !checker.is_healthy(0)).await;
    assert_eq!(failures(&checker), counters([0, 1, 0, 0]));
    node.answer_with(404);
    let seen = node.probes();
    until("probes of an unhealthy node", || node.probes() > seen).await;
    node.answer_with(302);
    until("healthy again", || checker.status(0) == Some(Status::Healthy)).await;
}

#[tokio::test]
async fn each_way_to_fail_has_its_counter() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let refused = gone.local_addr().expect("bound");
    drop(gone);
    let silent = Node::start(SILENT, None).await;
    let garbage = Node::start(GARBAGE, None).await;
    let plain = Node::start(200, None).await;
    let table = [
        ("http", refused, [0, 0, 1, 0]),
        ("tcp", refused, [0, 0, 1, 0]),
        ("http", silent.address, [0, 0, 0, 1]),
        ("http", garbage.address, [0, 1, 0, 0]),
        ("https", plain.address, [0, 0, 1, 0]),
    ];
    for (kind, address, expected) in table {
        let registry = registry();
        let mut checks = eager(kind);
        checks.active.timeout = Duration::from_millis(if address == silent.address { 30 } else { 5000 });
        let checker = registry.apply("k", &checks, &at(address), None);
        until("unhealthy", || !checker.is_healthy(0)).await;
        assert_eq!(failures(&checker), counters(expected), "{kind} {address}");
    }
}

#[tokio::test]
async fn a_tcp_probe_asks_for_nothing_but_a_connection() {
    let node = Node::start(SILENT, None).await;
    let registry = registry();
    let checker = registry.apply("k", &eager("tcp"), &at(node.address), None);
    until("three probes", || node.probes() >= 3).await;
    assert_eq!(checker.status(0), Some(Status::Healthy));
    assert_eq!(*node.last_request.lock(), "");
}

#[tokio::test]
async fn the_request_is_as_configured() {
    let node = Node::start(200, None).await;
    let mut checks = eager("http");
    checks.active.http_method = "POST".to_owned();
    checks.active.http_path = "/ready?deep=1 2".to_owned();
    checks.active.http_req_body = "{}".to_owned();
    let headers = ["User-Agent: probe/1", "X-Evil: a\r\nInjected: b", "no header", "Content-Length: 99"];
    checks.active.req_headers = headers.map(str::to_owned).to_vec();
    let registry = registry();
    registry.apply("k", &checks, &at(node.address), Some("up.test"));
    until("a request", || !node.last_request.lock().is_empty()).await;
    let expected = "POST /ready?deep=1%202 HTTP/1.1\r\nHost: up.test\r\nConnection: close\r\n\
                    User-Agent: probe/1\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(*node.last_request.lock(), expected);
}

#[tokio::test]
async fn https_probes_verify_the_certificate_unless_told_not_to() {
    let node = Node::start(200, Some(server_tls())).await;
    let registry = registry();
    let mut checks = eager("https");
    checks.active.host = Some("node.test".to_owned());
    let verified = registry.apply("verified", &checks, &at(node.address), None);
    checks.active.https_verify_certificate = false;
    let trusted = registry.apply("trusted", &checks, &at(node.address), None);
    until("the certificate is refused", || !verified.is_healthy(0)).await;
    assert_eq!(failures(&verified), counters([0, 0, 1, 0]));
    until("a request arrives", || node.last_request.lock().contains("Host: node.test\r\n")).await;
    assert_eq!(trusted.status(0), Some(Status::Healthy));
}

#[tokio::test]
async fn probes_end_when_the_resource_goes_away() {
    let node = Node::start(SILENT, None).await;
    let registry = registry();
    let checker = registry.apply("k", &eager("http"), &at(node.address), None);
    until("a probe is under way", || node.probes() == 1).await;
    let held = Arc::strong_count(&checker);
    registry.retain(|_| false);
    // The task has let go of the checker, and with it of the registry's own handle.
    until("the task ended", || Arc::strong_count(&checker) == held - 2).await;
}

#[tokio::test]
async fn without_intervals_nothing_is_probed() {
    let (probed, left_alone) = (Node::start(200, None).await, Node::start(200, None).await);
    let registry = registry();
    let quiet = registry.apply("quiet", &checks(json!({"active": {}})), &at(left_alone.address), None);
    registry.apply("loud", &eager("http"), &at(probed.address), None);
    until("the other resource is probed", || probed.probes() >= 5).await;
    assert_eq!(left_alone.probes(), 0);
    assert!(quiet.is_healthy(0));
}

#[tokio::test]
async fn where_a_named_node_is_can_be_told_before_it_is_probed() {
    let registry = registry();
    let node = CheckedNode { host: "localhost".to_owned(), port: 1 };
    let checker = registry.apply("k", &checks(json!({"active": {}})), &[node], None);
    let address = || checker.to_report().nodes[0].ip.parse::<std::net::IpAddr>();
    until("an address", || address().is_ok_and(|ip| ip.is_loopback())).await;
}

#[tokio::test]
async fn a_bracketed_ipv6_node_is_reached() {
    // Machines without IPv6 have nothing to show here.
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let node = CheckedNode { host: "[::1]".to_owned(), port: listener.local_addr().expect("bound").port() };
    let registry = registry();
    registry.apply("k", &eager("tcp"), &[node], None);
    let accepted = tokio::time::timeout(Duration::from_secs(10), listener.accept()).await;
    accepted.expect("probed in time").expect("accepted");
}
