//! Requests that go out again on another node.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;

use serde_json::json;

use super::fixture::{Gateway, PATIENCE, Response};

/// A node that reads requests up to `end` and says nothing, or answers 200; and what it has read.
fn node(end: &'static [u8], answers: bool) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (seen, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(end) && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                request.push(byte[0]);
            }
            // A test that has seen enough is gone.
            let _ = seen.send(String::from_utf8_lossy(&request).into_owned());
            if answers {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        }
    });
    (address, requests)
}

/// A gateway before a node that breaks off and one that answers, and what came to the second.
fn two_nodes(end: &'static [u8]) -> (Gateway, mpsc::Receiver<String>) {
    let ((broken, _), (good, requests)) = (node(end, false), node(end, true));
    let nodes = json!([
        {"host": "127.0.0.1", "port": broken.port(), "weight": 1, "priority": 1},
        {"host": "127.0.0.1", "port": good.port(), "weight": 1, "priority": 0},
    ]);
    (Gateway::with_route(json!({"upstream": {"type": "roundrobin", "nodes": nodes}})), requests)
}

#[test]
fn a_request_that_was_sent_goes_out_again_unless_its_method_forbids_it() {
    for (method, status) in [("GET", 200), ("PROPFIND", 200), ("PURGE", 200), ("LOCK", 502), ("POST", 502)] {
        let (gateway, _requests) = two_nodes(b"\r\n\r\n");
        assert_eq!(gateway.send(method, "/", &[]).status, status, "{method}");
    }
}

#[test]
fn a_short_body_of_unknown_length_is_kept_for_the_next_node() {
    let (gateway, requests) = two_nodes(b"abc");
    let mut stream = gateway.open("PUT", "/", &[("Transfer-Encoding", "chunked")], "");
    stream.write_all(b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").expect("a body");
    assert_eq!(Response::read(stream).status, 200);
    let seen = requests.recv_timeout(PATIENCE).expect("a request");
    assert!(seen.contains("content-length: 3\r\n") && seen.ends_with("\r\n\r\nabc"), "{seen}");
}
