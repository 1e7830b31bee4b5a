//! The plain endpoints, WebSocket and HTTP/2.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;
use support::*;

#[test]
fn echo_tells_what_arrived() {
    let answer = post(&simulator(), "/echo/deep?a=1&b=%20", "tokens=1", "body").json();
    assert_eq!(
        (&answer["method"], &answer["path"], &answer["query"]),
        (&json!("POST"), &json!("/echo/deep"), &json!("a=1&b=%20"))
    );
    assert_eq!((&answer["headers"]["host"], &answer["body"]), (&json!("simulator"), &json!("body")));
}

#[test]
fn as_many_bytes_come_as_were_asked_for() {
    for count in [0, 1, 65_536, 65_537, 1_000_000] {
        let answer = request(&simulator(), "GET", &format!("/bytes/{count}"), "");
        assert_eq!((answer.body.len(), answer.complete), (count, true));
    }
}

#[test]
fn plain_paths_answer_plainly() {
    let simulator = simulator();
    for (path, status) in [
        ("/status/204", 204),
        ("/status/503", 503),
        ("/status/x", 400),
        ("/health", 200),
        ("/nothing", 404),
        ("/stream?n=x", 400),
    ] {
        assert_eq!(request(&simulator, "GET", path, "").status, status, "{path}");
    }
    let mut stream = connect(simulator.addr);
    send(&mut stream, "HEAD", "/health", "close-after", "");
    let head = receive(&mut stream).unwrap();
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("3"), 0));
}

#[test]
fn slow_and_stream_take_their_time() {
    let simulator = simulator();
    let start = Instant::now();
    assert_eq!(request(&simulator, "GET", "/slow?ms=50", "").text(), "ok\n");
    assert!(start.elapsed() >= Duration::from_millis(50));
    let start = Instant::now();
    let chunks = request(&simulator, "GET", "/stream?n=3&interval_ms=20", "").chunks;
    assert_eq!(chunks, [b"chunk 1\n", b"chunk 2\n", b"chunk 3\n"]);
    assert!(start.elapsed() >= Duration::from_millis(40));
}

#[test]
fn a_websocket_sends_back_each_message() {
    let simulator = simulator();
    let mut stream = connect(simulator.addr);
    let handshake = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(handshake.as_bytes()).unwrap();
    let answer = receive(&mut stream).unwrap();
    assert_eq!((answer.status, answer.header("sec-websocket-accept")), (101, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
    for (sent, echoed) in [
        (&b"\x81\x82\x01\x02\x03\x04ik"[..], &b"\x81\x02hi"[..]),
        (b"\x89\x80\0\0\0\0", b"\x8a\x00"),
        (b"\x88\x82\0\0\0\0\x03\xe8", b"\x88\x02\x03\xe8"),
    ] {
        stream.write_all(sent).unwrap();
        let mut got = vec![0; echoed.len()];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(got, echoed);
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn the_journal_remembers_headers_and_bodies() {
    let simulator = simulator();
    post(&simulator, "/echo?q=1", "", "body");
    wait_until("the answer is complete", || journal(&simulator)["completed"] == 1);
    let entry = journal(&simulator)["requests"][0].clone();
    assert_eq!(
        (&entry["uri"], &entry["body"], &entry["status"], &entry["end"]),
        (&json!("/echo?q=1"), &json!("body"), &json!(200), &json!("completed"))
    );
    assert_eq!(entry["headers"]["host"], "simulator");
}

#[test]
fn http2_with_prior_knowledge_is_understood() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let simulator = simulator();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(simulator.addr).await.unwrap();
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let body =
            Full::new(bytes::Bytes::from(r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#));
        let request = http::Request::post("http://simulator/v1/chat/completions").body(body).unwrap();
        let answer = client.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        driver.abort();
        String::from_utf8(answer.to_vec()).unwrap()
    });
    assert!(text.ends_with("data: [DONE]\n\n"));
}
