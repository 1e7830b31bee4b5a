//! Answers that leave before the request's body has come whole: they reach clients that write first and read later.

use std::io::{Read, Write};

use serde_json::json;

use crate::harness::{ADMIN_KEY, Connection, Launch, Request, Upstream, get, post, route};

/// More than all buffers on the way hold.
const LARGE: usize = 8 << 20;

fn upload(path: &str) -> Request {
    Request::new("POST", path).body(vec![b'x'; LARGE])
}

#[test]
fn a_refusal_reaches_who_writes_everything_before_reading_and_the_connection_stays() {
    let upstream = Upstream::saying("served");
    let limits = json!({"nginx_config": {"http": {"client_max_body_size": "1m"}}});
    let gateway = Launch::new().admin_key(ADMIN_KEY).config(limits).start();
    gateway.put("/routes/open", &route("/open", upstream.addr));
    let mut closed = route("/closed", upstream.addr);
    closed["plugins"] = json!({"key-auth": {}});
    gateway.put("/routes/closed", &closed);
    gateway.put("/routes/mocked", &json!({"uri": "/mocked", "plugins": {"mocking": {"response_example": "mocked"}}}));
    // The routes below are asked without their length being announced, or it alone would be the reason.
    let chunked = |path: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{LARGE:x}\r\n");
        [head.into_bytes(), vec![b'x'; LARGE], b"\r\n0\r\n\r\n".to_vec()].concat()
    };
    for (name, wire, status) in [
        ("no route", chunked("/nowhere"), 404),
        ("no key", chunked("/closed"), 401),
        ("a plugin that answers", chunked("/mocked"), 200),
        ("a length over the limit", upload("/open").to_bytes(), 413),
        ("chunks over the limit", chunked("/open"), 413),
    ] {
        let mut connection = gateway.connect();
        connection.stream.write_all(&wire).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(connection.reply().unwrap_or_else(|error| panic!("{name}: {error}")).status, status, "{name}");
        connection.write(&get("/open")).unwrap();
        assert_eq!(connection.reply().unwrap().text(), "served", "{name}: the connection is good for more");
    }
    let mut connection = Connection::open(gateway.admin);
    connection.write(&upload("/apisix/admin/routes").header("X-API-KEY", "wrong")).unwrap();
    assert_eq!(connection.reply().unwrap().status, 401);
    for listener in [gateway.control, gateway.metrics] {
        let mut connection = Connection::open(listener);
        connection.write(&upload("/nowhere")).unwrap();
        assert_eq!(connection.reply().unwrap().status, 404);
    }
}

#[test]
fn an_upstream_that_answers_early_is_heard() {
    let upstream = Upstream::scripted(|_, mut stream| {
        let mut head = [0; 16];
        stream.read_exact(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno").unwrap();
        // Reads no more, but stays.
        loop {
            std::thread::park();
        }
    });
    let gateway = crate::harness::Gateway::start();
    gateway.put("/routes/early", &route("/early", upstream.addr));
    let mut connection = gateway.connect();
    connection.write(&upload("/early")).unwrap();
    let reply = connection.reply().unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (401, "no"));
    connection.write(&get("/nowhere")).unwrap();
    assert_eq!(connection.reply().unwrap().status, 404);
}

#[test]
fn who_waits_to_be_asked_for_the_body_is_not_asked_after_the_answer() {
    let gateway = crate::harness::Gateway::start();
    let mut connection = gateway.connect();
    connection
        .stream
        .write_all(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        .unwrap();
    assert_eq!(connection.reply().unwrap().status, 404);
    assert_eq!(connection.read_to_end().unwrap(), b"");
}

#[test]
fn a_body_that_nobody_wants_holds_no_exit_for_longer_than_the_drain_limit() {
    let limits = json!({"tidegate": {"drain_timeout": "1s"}});
    let mut gateway = Launch::new().admin_key(ADMIN_KEY).config(limits).start();
    let mut connection = gateway.connect();
    let request = post("/nowhere", &json!("x")).to_bytes();
    connection.stream.write_all(&request[..request.len() - 1]).unwrap();
    assert_eq!(connection.reply().unwrap().status, 404);
    let began = std::time::Instant::now();
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
}
