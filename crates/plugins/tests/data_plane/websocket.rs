//! Upgrades to WebSocket through a data plane, with the simulator's echo as their upstream.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use serde_json::{Value, json};
use simulator::Running;

use super::fixture::{Gateway, PATIENCE, log_entries};

/// `hello` as a client sends it, masked with zeros, and as a server sends it.
const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";
const HELLO_BACK: &[u8] = b"\x81\x05hello";
pub const CLOSE: &[u8] = b"\x88\x80\0\0\0\0";

pub const UPGRADE: [(&str, &str); 4] = [
    ("Connection", "keep-alive, Upgrade"),
    ("Upgrade", "WebSocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A gateway with WebSockets switched on, and a log of what became of them.
struct Sockets {
    gateway: Gateway,
    log: PathBuf,
    _upstream: Running,
    _folder: tempfile::TempDir,
}

impl Sockets {
    fn start() -> Self {
        Self::with(|node| json!({"type": "roundrobin", "nodes": {node: 1}}))
    }

    /// With the upstream that `upstream` makes of the simulator's address.
    fn with(upstream: impl FnOnce(String) -> Value) -> Self {
        let echo = simulator::spawn(simulator::Options::embedded()).expect("an upstream");
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("entries.log");
        let gateway = Gateway::with_route(json!({
            "enable_websocket": true, "plugins": {"file-logger": {"path": log}},
            "upstream": upstream(echo.addr.to_string()),
        }));
        Self { gateway, log, _upstream: echo, _folder: folder }
    }

    /// The head that answers an upgrade of `path`, and the connection behind it.
    fn upgrade(&self, path: &str) -> (String, TcpStream) {
        let mut stream = self.gateway.open("GET", path, &UPGRADE, "");
        (head(&mut stream), stream)
    }
}

/// The head of what comes, in lower case.
pub fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text").to_ascii_lowercase()
}

/// Sends a message and reads its echo.
pub fn says_hello(stream: &mut TcpStream) {
    stream.write_all(HELLO).expect("a message");
    let mut back = [0; HELLO_BACK.len()];
    stream.read_exact(&mut back).expect("its echo");
    assert_eq!(back, HELLO_BACK);
}

#[test]
fn messages_go_both_ways_until_a_side_closes_and_then_the_request_settles() {
    let sockets = Sockets::start();
    let (head, mut stream) = sockets.upgrade("/ws");
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    says_hello(&mut stream);
    says_hello(&mut stream);
    assert!(tidegate_plugins::observability::flush_log_files(PATIENCE));
    assert_eq!(std::fs::read_to_string(&sockets.log).unwrap_or_default(), "", "it is still open");
    stream.write_all(CLOSE).expect("a close");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest[0], 0x88, "the upstream's own close");
    drop(stream);
    let entry = &log_entries(&sockets.log, 1)[0];
    assert_eq!((&entry["outcome"], &entry["response"]["status"]), (&json!("complete"), &json!(101)), "{entry:#}");
    assert!(entry["response"]["size"].as_u64() >= Some(2 * HELLO_BACK.len() as u64), "{entry:#}");
}

#[test]
fn an_answer_that_is_no_switch_passes_with_its_body() {
    let sockets = Sockets::start();
    let (head, mut stream) = sockets.upgrade("/bytes/5000");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let mut body = vec![0; 5000];
    stream.read_exact(&mut body).expect("the body");
    let (head, _) = sockets.upgrade("/status/403");
    assert!(head.starts_with("http/1.1 403 "), "{head}");
}

#[test]
fn only_a_whole_upgrade_request_is_one() {
    let sockets = Sockets::start();
    let without = |name: &str| -> Vec<(&str, &str)> {
        let kept = UPGRADE.iter().filter(|(known, _)| *known != name);
        kept.copied().chain((name == "Connection").then_some(("Connection", "close"))).collect()
    };
    for name in ["Connection", "Upgrade"] {
        let mut stream = sockets.gateway.open("GET", "/ws", &without(name), "");
        assert!(!head(&mut stream).starts_with("http/1.1 101 "), "{name}");
    }
}

#[test]
fn other_protocols_are_switched_to_as_the_two_sides_say() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let node = listener.local_addr().expect("an address").to_string();
    let gateway = Gateway::with_route(json!({"enable_websocket": true, "upstream": {"nodes": {node: 1}}}));
    let mut client = gateway.open("GET", "/", &[("Connection", "Upgrade"), ("Upgrade", "foo")], "");
    let (mut upstream, _) = listener.accept().expect("a connection");
    let asked = head(&mut upstream);
    assert!(asked.contains("\r\nconnection: upgrade\r\n") && asked.contains("\r\nupgrade: foo\r\n"), "{asked}");
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nhi";
    upstream.write_all(switch.as_bytes()).expect("a switch");
    let told = head(&mut client);
    assert!(told.starts_with("http/1.1 101 ") && told.contains("\r\nupgrade: foo\r\n"), "{told}");
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).expect("a greeting");
    assert_eq!(&greeting, b"hi");
}

#[test]
fn an_offer_of_another_protocol_does_not_stand_in_the_way_of_a_body() {
    let sockets = Sockets::start();
    let headers = [("Connection", "Upgrade, close"), ("Upgrade", "foo")];
    let mut stream = sockets.gateway.open("GET", "/bytes/5", &headers, "body");
    assert!(head(&mut stream).starts_with("http/1.1 200 "));
}

#[test]
fn an_upgrade_with_a_body_is_refused() {
    let sockets = Sockets::start();
    let mut stream = sockets.gateway.open("GET", "/ws", &UPGRADE, "body");
    assert!(head(&mut stream).starts_with("http/1.1 400 "));
}

#[test]
fn a_node_that_refuses_is_followed_by_the_next() {
    let sockets = Sockets::with(|node| {
        let (host, port) = node.rsplit_once(':').expect("host:port");
        let port: u16 = port.parse().expect("a port");
        json!({"type": "roundrobin", "nodes": [
            {"host": "127.0.0.1", "port": closed_port(), "weight": 1, "priority": 1},
            {"host": host, "port": port, "weight": 1, "priority": 0},
        ]})
    });
    let (head, mut stream) = sockets.upgrade("/ws");
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    says_hello(&mut stream);
}

#[test]
fn what_cannot_be_opened_is_502_or_504() {
    let refused = Sockets::with(
        |_| json!({"type": "roundrobin", "nodes": {format!("127.0.0.1:{}", closed_port()): 1}, "retries": 0}),
    );
    assert!(refused.upgrade("/ws").0.starts_with("http/1.1 502 "));
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let hanging = Sockets::with(|_| {
        json!({"type": "roundrobin", "nodes": {address: 1}, "retries": 0,
               "timeout": {"connect": 1, "send": 1, "read": 0.2}})
    });
    assert!(hanging.upgrade("/ws").0.starts_with("http/1.1 504 "));
}

#[test]
fn a_silent_tunnel_is_closed_after_the_read_timeout() {
    let sockets = Sockets::with(
        |node| json!({"type": "roundrobin", "nodes": {node: 1}, "timeout": {"connect": 1, "send": 1, "read": 0.2}}),
    );
    let (_, mut stream) = sockets.upgrade("/ws");
    says_hello(&mut stream);
    assert_eq!(stream.read(&mut [0; 16]).expect("an end"), 0);
    assert_eq!(log_entries(&sockets.log, 1)[0]["outcome"], "idle_timeout");
}

#[test]
fn a_tunnel_counts_as_a_connection_and_ends_with_the_process() {
    let sockets = Sockets::start();
    let (_, mut stream) = sockets.upgrade("/ws");
    says_hello(&mut stream);
    assert_eq!(sockets.gateway.connections(), 1);
    sockets.gateway.cut();
    assert_eq!(stream.read(&mut [0; 16]).expect("an end"), 0);
    assert_eq!(log_entries(&sockets.log, 1)[0]["outcome"], "aborted");
}

/// A port on which nothing listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    listener.local_addr().expect("an address").port()
}
