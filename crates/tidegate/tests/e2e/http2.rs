//! HTTP/2 clients that go too far: their streams or connections end, the gateway does not.

use std::io::{Read, Write};

use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;

use crate::harness::{ADMIN_KEY, Connection, Gateway, Launch, Upstream, get, ok, route, wait_until};

/// How long a connection may take to end whose times are a second long.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame with this type, flags and stream.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[test]
fn broken_frames_end_their_connection() {
    let mut gateway = Gateway::start();
    gateway.put("/routes/1", &route("/*", gateway.control));
    let settings = frame(4, 0, 0, &[]);
    for (name, frames) in [
        ("no SETTINGS", vec![b'x'; 100]),
        ("a frame too long", [settings.clone(), frame(0, 0, 1, &vec![0; 100_000])].concat()),
        ("DATA on an idle stream", [settings.clone(), frame(0, 0, 1, b"abc")].concat()),
        ("HEADERS on an even stream", [settings.clone(), frame(1, 5, 2, &[0x82])].concat()),
        ("HEADERS that are no HPACK", [settings.clone(), frame(1, 5, 1, &[0xff; 20])].concat()),
        ("CONTINUATION of nothing", [settings.clone(), frame(9, 4, 1, &[])].concat()),
        ("a WINDOW_UPDATE of zero", [settings.clone(), frame(8, 0, 0, &[0; 4])].concat()),
        ("a PING of the wrong size", [settings.clone(), frame(6, 0, 0, &[0; 3])].concat()),
    ] {
        let mut connection = gateway.connect();
        let _ = connection.stream.write_all(&[PREFACE, &frames].concat());
        // The gateway says goodbye and closes, or resets.
        let mut rest = Vec::new();
        let ended = connection.stream.read_to_end(&mut rest);
        let timed_out = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!timed_out, "{name}: the connection stays open");
    }
    wait_until("no connection is left", || {
        (gateway.metric("apisix_nginx_http_current_connections{state=\"active\"}") == 0.0).then_some(())
    });
    assert!(gateway.is_running() && !gateway.log().contains("panicked"));
}

async fn client(gateway: &Gateway) -> SendRequest<Empty<bytes::Bytes>> {
    let stream = tokio::net::TcpStream::connect(gateway.proxy).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn a_header_list_too_long_is_refused_and_the_next_request_served() {
    let gateway = Gateway::start();
    let upstream = Upstream::saying("served");
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut sender = client(&gateway).await;
    let mut bomb = hyper::Request::get("http://a/").body(Empty::new()).unwrap();
    for number in 0..200 {
        let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
        bomb.headers_mut().insert(name, "x".repeat(1000).parse().unwrap());
    }
    match sender.send_request(bomb).await {
        Ok(answer) => assert_eq!(answer.status(), http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(error) => assert!(!error.is_timeout(), "{error}"),
    }
    assert_eq!(upstream.request_count(), 0);
    let mut sender = client(&gateway).await;
    let request = hyper::Request::get("http://a/").body(Empty::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "served");
    assert_eq!(gateway.send(get("/")).text(), "served");
}

#[tokio::test]
async fn as_many_header_fields_are_allowed_as_over_http1() {
    let gateway = Gateway::start();
    let upstream = Upstream::saying("served");
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut sender = client(&gateway).await;
    for (fields, status) in [(100, 200), (101, 431), (1000, 431), (100, 200)] {
        let mut request = hyper::Request::get("http://a/").body(Empty::new()).unwrap();
        for number in 0..fields {
            let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
            request.headers_mut().insert(name, http::HeaderValue::from_static("1"));
        }
        assert_eq!(sender.send_request(request).await.unwrap().status(), status, "{fields} fields");
    }
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn cookies_in_fields_of_their_own_go_on_as_one() {
    let gateway = Gateway::start();
    let upstream = Upstream::saying("served");
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut sender = client(&gateway).await;
    let request =
        hyper::Request::get("http://a/").header("cookie", "a=1").header("cookie", "b=2").header("cookie", "c=3");
    let answer = sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let cookies: Vec<_> = upstream.last().headers.into_iter().filter(|(name, _)| name == "cookie").collect();
    assert_eq!(cookies, [("cookie".to_owned(), "a=1; b=2; c=3".to_owned())]);
}

#[tokio::test]
async fn streams_that_are_opened_and_given_up_at_once_cost_nothing() {
    let gateway = Gateway::start();
    let upstream = Upstream::saying("served");
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut sender = client(&gateway).await;
    for _ in 0..500 {
        let request = hyper::Request::get("http://a/").body(Empty::new()).unwrap();
        // Dropping the answer resets the stream.
        let answer = sender.send_request(request);
        let _ = tokio::time::timeout(std::time::Duration::ZERO, answer).await;
        if sender.ready().await.is_err() {
            break;
        }
    }
    drop(sender);
    wait_until("nothing is under way", || {
        (gateway.metric("apisix_nginx_http_current_connections{state=\"writing\"}") == 0.0).then_some(())
    });
    assert_eq!(gateway.send(get("/")).text(), "served");
}

/// The head of `GET /` for host `a`, which is the whole request.
fn request_head(stream: u32) -> Vec<u8> {
    frame(1, 5, stream, &[0x82, 0x84, 0x86, 0x41, 1, b'a'])
}

/// A gateway whose times for clients are a second long, with a route to an upstream.
fn impatient() -> (Gateway, Upstream) {
    let http = json!({"client_header_timeout": "1s", "send_timeout": "1s"});
    let launch = Launch::new().admin_key(ADMIN_KEY).config(json!({"nginx_config": {"http": http}}));
    let gateway = launch.start();
    let upstream = Upstream::saying("served");
    let mut configured = route("/*", upstream.addr);
    let log = gateway.folder.path().join("requests.log");
    configured["plugins"] = json!({"file-logger": {"path": log, "log_format": {"outcome": "$outcome"}}});
    gateway.put("/routes/1", &configured);
    (gateway, upstream)
}

const PING: u8 = 6;

/// Sends PINGs, as a client does that is well and asks for nothing, until `client` is closed.
fn ping_on(client: &Connection) {
    let mut client = client.stream.try_clone().unwrap();
    std::thread::spawn(move || {
        while client.write_all(&frame(PING, 0, 0, &[0; 8])).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
}

#[test]
fn connections_without_a_whole_request_end() {
    let (gateway, _upstream) = impatient();
    let settings = frame(4, 0, 0, &[]);
    let whole = request_head(1);
    let begun = [
        ("the preface alone", settings.clone()),
        ("half a HEADERS frame", [&settings[..], &whole[..whole.len() - 3]].concat()),
        ("HEADERS without their end", [settings.clone(), frame(1, 1, 1, &[0x82, 0x84])].concat()),
        ("a request, then nothing", [settings.clone(), whole.clone()].concat()),
        ("PINGs alone", settings.clone()),
        ("a request, then PINGs", [settings, whole].concat()),
    ];
    let clients = begun.map(|(name, bytes)| {
        let mut client = gateway.connect();
        client.stream.write_all(&[PREFACE, &bytes].concat()).unwrap();
        if name.contains("PING") {
            ping_on(&client);
        }
        (name, client)
    });
    for (name, mut client) in clients {
        assert!(ends(&mut client), "{name}: the connection stays open");
    }
}

/// Whether the gateway closes or resets the connection before the time to wait for bytes, or for the end, is over.
fn ends(client: &mut Connection) -> bool {
    let began = std::time::Instant::now();
    let mut some = [0; 1024];
    while began.elapsed() < PATIENCE {
        match client.stream.read(&mut some) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
    false
}

#[test]
fn a_client_that_sends_nothing_but_pings_does_not_hold_up_the_end() {
    let (mut gateway, _upstream) = impatient();
    let mut client = gateway.connect();
    client.stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).unwrap();
    let mut greeting = [0; 9];
    client.stream.read_exact(&mut greeting).unwrap();
    ping_on(&client);
    let began = std::time::Instant::now();
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert!(!gateway.log().contains("have been cut"), "{}", gateway.log());
}

#[test]
fn a_stream_that_takes_nothing_is_reset() {
    const RST_STREAM: u8 = 3;
    let (gateway, _upstream) = impatient();
    let no_window = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let mut client = gateway.connect();
    client.stream.write_all(&[PREFACE, &no_window, &request_head(1)].concat()).unwrap();
    loop {
        let mut head = [0; 9];
        client.stream.read_exact(&mut head).expect("a frame before the connection ends");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        client.stream.read_exact(&mut vec![0; length as usize]).unwrap();
        if head[3] == RST_STREAM {
            break;
        }
    }
    let log = gateway.folder.path().join("requests.log");
    wait_until("it is logged", || {
        std::fs::read_to_string(&log).ok().filter(|text| text.contains(r#""outcome":"client_gone""#))
    });
}

#[test]
fn a_client_that_says_nothing_after_its_last_stream_does_not_hold_up_the_end() {
    let (asked, asks) = std::sync::mpsc::channel();
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new((asked, opened));
    let mut gateway = Gateway::start();
    let upstream = Upstream::answering(move |_| {
        let (asked, opened) = &*gate.lock().unwrap();
        asked.send(()).unwrap();
        opened.recv().unwrap();
        ok("served")
    });
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut client = gateway.connect();
    client.stream.write_all(&[PREFACE, &frame(4, 0, 0, &[]), &request_head(1)].concat()).unwrap();
    asks.recv().unwrap();
    gateway.signal(rustix::process::Signal::TERM);
    wait_until("it drains", || Connection::try_open(gateway.proxy).is_err().then_some(()));
    open.send(()).unwrap();
    let began = std::time::Instant::now();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert!(rest.windows(6).any(|bytes| bytes == b"served"), "the answer was cut");
}
