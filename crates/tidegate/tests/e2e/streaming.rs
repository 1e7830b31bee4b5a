//! Bodies pass while they are made, in both directions, and the ends of connections pass as well.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::harness::{
    ADMIN_KEY, Connection, Gateway, Launch, Request, Upstream, ai_proxy, get, post, read_head, read_request, route,
    wait_until,
};

/// An upstream whose connections arrive at the test, to be read and written there.
fn manual() -> (Upstream, Receiver<TcpStream>) {
    let (give, take): (Sender<TcpStream>, _) = channel();
    let give = Mutex::new(give);
    (Upstream::scripted(move |_, stream| drop(give.lock().unwrap().send(stream))), take)
}

fn reader(stream: &TcpStream) -> BufReader<TcpStream> {
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    BufReader::new(stream.try_clone().unwrap())
}

/// An AI route to `upstream`.
fn ai(gateway: &Gateway, upstream: &Upstream) {
    let route = json!({"uri": "/v1/*", "plugins": {"ai-proxy": ai_proxy(upstream.addr)}});
    gateway.put("/routes/1", &route);
}

fn streamed() -> Request {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    post("/v1/chat/completions", &json!({"model": "m", "stream": true, "messages": messages}))
}

const EVENTS_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

fn delta(text: &str) -> String {
    let delta = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    format!("data: {delta}\n\n")
}

#[test]
fn an_upload_reaches_the_upstream_while_it_is_sent() {
    let gateway = Gateway::start();
    let (upstream, connections) = manual();
    gateway.put("/routes/1", &route("/*", upstream.addr));
    for (framing, parts) in [
        ("Content-Length: 10\r\n", ["first", "secnd"].map(|part| part.as_bytes().to_vec())),
        ("Transfer-Encoding: chunked\r\n", ["first", "secnd"].map(chunk)),
    ] {
        let mut client = gateway.connect();
        client.stream.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n").as_bytes()).unwrap();
        client.stream.write_all(&parts[0]).unwrap();
        let mut server = connections.recv().unwrap();
        let mut reader = reader(&server);
        read_head(&mut reader).unwrap();
        let mut first = vec![0; parts[0].len()];
        reader.read_exact(&mut first).unwrap();
        assert_eq!(first, parts[0], "{framing}");
        client.stream.write_all(&parts[1]).unwrap();
        if framing.starts_with("Transfer") {
            client.stream.write_all(b"0\r\n\r\n").unwrap();
        }
        let mut second = vec![0; parts[1].len()];
        reader.read_exact(&mut second).unwrap();
        assert_eq!(second, parts[1], "{framing}");
        server.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndone").unwrap();
        assert_eq!(client.reply().unwrap().text(), "done");
    }
}

#[test]
fn an_upload_that_pauses_is_not_held_back_so_that_it_could_be_sent_again() {
    let gateway = Gateway::start();
    let (upstream, connections) = manual();
    let mut configured = route("/*", upstream.addr);
    configured["upstream"]["retries"] = json!(1);
    gateway.put("/routes/1", &configured);
    let mut client = gateway.connect();
    client.stream.write_all(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let mut server: Option<(TcpStream, BufReader<TcpStream>)> = None;
    for part in ["first", "secnd", "third"].map(chunk) {
        // The next part is written only when this one has come through.
        client.stream.write_all(&part).unwrap();
        let (_, reader) = server.get_or_insert_with(|| {
            let stream = connections.recv().unwrap();
            let mut reader = reader(&stream);
            read_head(&mut reader).unwrap();
            (stream, reader)
        });
        let mut seen = vec![0; part.len()];
        reader.read_exact(&mut seen).unwrap();
        assert_eq!(seen, part);
    }
    client.stream.write_all(b"0\r\n\r\n").unwrap();
    let (mut server, _reader) = server.unwrap();
    server.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndone").unwrap();
    assert_eq!(client.reply().unwrap().text(), "done");
}

#[test]
fn a_download_reaches_the_client_while_it_is_made() {
    let gateway = Gateway::start();
    let (upstream, connections) = manual();
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut client = gateway.connect();
    client.write(&get("/")).unwrap();
    let mut server = connections.recv().unwrap();
    read_request(&mut reader(&server)).unwrap();
    server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n").unwrap();
    assert_eq!(client.head().unwrap().status, 200);
    for part in ["first", "secnd", "third"] {
        // The next part is written only when this one has come through.
        server.write_all(part.as_bytes()).unwrap();
        assert_eq!(client.read_until(part).unwrap(), part);
    }
}

#[test]
fn an_answer_may_come_before_the_upload_ends() {
    let gateway = Gateway::start();
    let (upstream, connections) = manual();
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut client = gateway.connect();
    client.stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\npart").unwrap();
    let mut server = connections.recv().unwrap();
    read_head(&mut reader(&server)).unwrap();
    server.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").unwrap();
    let reply = client.reply().unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (403, "no"));
}

#[test]
fn each_event_of_a_model_leaves_when_it_arrives_and_as_it_is() {
    let gateway = Gateway::start();
    let (upstream, connections) = manual();
    ai(&gateway, &upstream);
    let mut client = gateway.connect();
    client.write(&streamed()).unwrap();
    let mut server = connections.recv().unwrap();
    read_request(&mut reader(&server)).unwrap();
    server.write_all(EVENTS_HEAD).unwrap();
    let mut received = String::new();
    let mut sent = String::new();
    for number in 0..5 {
        let event = delta(&format!("token {number} "));
        server.write_all(&chunk(&event)).unwrap();
        if number == 0 {
            assert_eq!(client.head().unwrap().status, 200);
        }
        received += &client.read_until(&format!("token {number} ")).unwrap();
        sent += &event;
    }
    server.write_all(&chunk("data: [DONE]\n\n")).unwrap();
    server.write_all(b"0\r\n\r\n").unwrap();
    received += &String::from_utf8(client.rest().unwrap()).unwrap();
    assert_eq!(received, sent + "data: [DONE]\n\n");
}

#[test]
fn an_event_that_comes_in_pieces_is_whole_at_the_client() {
    let gateway = Gateway::start();
    let (upstream, connections) = manual();
    ai(&gateway, &upstream);
    let mut client = gateway.connect();
    client.write(&streamed()).unwrap();
    let mut server = connections.recv().unwrap();
    read_request(&mut reader(&server)).unwrap();
    server.write_all(EVENTS_HEAD).unwrap();
    let events = delta("häppchenweise") + "data: [DONE]\n\n";
    for byte in events.as_bytes() {
        server.write_all(&[b"1\r\n", &[*byte][..], b"\r\n"].concat()).unwrap();
    }
    server.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(client.reply().unwrap().text(), events);
}

#[test]
fn a_model_that_breaks_off_is_an_error_at_the_client() {
    let gateway = Gateway::start();
    for (name, end) in [("a closed connection", &b""[..]), ("a proper end without [DONE]", b"0\r\n\r\n")] {
        let (upstream, connections) = manual();
        ai(&gateway, &upstream);
        let mut client = gateway.connect();
        client.write(&streamed()).unwrap();
        let mut server = connections.recv().unwrap();
        read_request(&mut reader(&server)).unwrap();
        server.write_all(EVENTS_HEAD).unwrap();
        server.write_all(&chunk(&delta("begun"))).unwrap();
        assert_eq!(client.head().unwrap().status, 200, "{name}");
        client.read_until("begun").unwrap();
        server.write_all(end).unwrap();
        drop(server);
        let mut rest = String::new();
        // An error event, a cut, or both; never the terminator.
        let ended = loop {
            match client.piece() {
                Ok(Some(piece)) => rest += &String::from_utf8_lossy(&piece),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        assert!(!rest.contains("[DONE]"), "{name}: {rest}");
        assert!(rest.contains("\"error\"") || !ended, "{name}: {rest}");
    }
}

#[test]
fn a_client_that_leaves_ends_the_upstreams_work() {
    let gateway = Gateway::start();
    let (upstream, connections) = manual();
    gateway.put("/routes/plain", &route("/plain", upstream.addr));
    let ai = json!({"uri": "/v1/*", "plugins": {"ai-proxy": ai_proxy(upstream.addr)}});
    gateway.put("/routes/ai", &ai);
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let whole = post("/v1/chat/completions", &json!({"model": "m", "messages": messages}));
    for (name, request, begin) in [
        ("before an answer", get("/plain"), &b""[..]),
        ("in a download", get("/plain"), b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"),
        ("before a model's answer", whole, b""),
        ("before a model's stream", streamed(), b""),
        ("in a model's stream", streamed(), EVENTS_HEAD),
    ] {
        let mut client = gateway.connect();
        client.write(&request).unwrap();
        let mut server = connections.recv().unwrap();
        let mut reader = reader(&server);
        read_request(&mut reader).unwrap();
        if !begin.is_empty() {
            server.write_all(begin).unwrap();
            if begin == EVENTS_HEAD {
                server.write_all(&chunk(&delta("begun"))).unwrap();
            }
            client.head().unwrap();
            client.piece().unwrap();
        }
        drop(client);
        // The upstream sees the end of its connection, in the middle of its work.
        let mut rest = Vec::new();
        let end = reader.read_to_end(&mut rest);
        assert!(end.is_ok() || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset), "{name}");
    }
}

#[test]
fn a_client_that_reads_slowly_slows_the_upstream_down() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 200;
    let gateway = Gateway::start();
    let written = Arc::new(Mutex::new(0));
    let count = written.clone();
    let upstream = Upstream::scripted(move |_, mut stream| {
        read_request(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", PIECE * PIECES).unwrap();
        for _ in 0..PIECES {
            stream.write_all(&vec![b'x'; PIECE]).unwrap();
            *count.lock().unwrap() += 1;
        }
    });
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let memory = gateway.resident_bytes();
    let mut client = gateway.connect();
    client.write(&get("/")).unwrap();
    client.head().unwrap();
    client.piece().unwrap();
    // It stops where the sockets' buffers are full.
    let mut before = None;
    wait_until("the upstream is held up", || {
        let now = *written.lock().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        (before.replace(now) == Some(now)).then_some(())
    });
    assert!(*written.lock().unwrap() < PIECES, "the whole answer was taken from the upstream");
    let grown = gateway.resident_bytes().saturating_sub(memory);
    assert!(grown < 8 << 20, "{grown} bytes are held for one slow client");
    // It goes on as soon as the client does.
    let mut read = 0;
    while let Some(piece) = client.piece().unwrap() {
        read += piece.len();
    }
    assert!(read <= PIECE * PIECES && *written.lock().unwrap() == PIECES);
}

/// A client's request to speak WebSocket at `/ws`.
fn upgrade() -> Request {
    get("/ws")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// Sends a short text, which is to come back.
fn echo(client: &mut Connection, text: &str) {
    // A masked text frame; the mask is zero, so that the payload reads as it is.
    let frame = [&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0][..], text.as_bytes()].concat();
    client.stream.write_all(&frame).unwrap();
    let mut echo = vec![0; 2 + text.len()];
    client.stream.read_exact(&mut echo).unwrap();
    assert_eq!(echo[2..], *text.as_bytes());
}

#[test]
fn a_websocket_passes_messages_both_ways() {
    let gateway = Gateway::start();
    let simulator = crate::harness::simulator();
    let mut configured = route("/ws", simulator.addr);
    gateway.put("/routes/1", &configured);
    assert_ne!(gateway.send(upgrade()).status, 101, "a route must allow WebSockets");

    configured["enable_websocket"] = json!(true);
    gateway.put("/routes/1", &configured);
    let mut client = gateway.connect();
    client.write(&upgrade()).unwrap();
    let head = client.head().unwrap();
    assert_eq!(head.status, 101, "{head:?}");
    assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(head.header("upgrade"), Some("websocket"));
    for text in ["hello", "again"] {
        echo(&mut client, text);
    }
    drop(client);
    wait_until("the tunnel is gone", || {
        (gateway.metric("apisix_nginx_http_current_connections{state=\"active\"}") == 0.0).then_some(())
    });
}

#[test]
fn a_websocket_runs_on_while_the_process_drains() {
    let simulator = crate::harness::simulator();
    for client_leaves in [true, false] {
        let launch = Launch::new().admin_key(ADMIN_KEY).config(json!({"tidegate": {"drain_timeout": "3s"}}));
        let mut gateway = launch.start();
        let log = gateway.folder.path().join("requests.log");
        let mut configured = route("/ws", simulator.addr);
        configured["enable_websocket"] = json!(true);
        configured["plugins"] = json!({"file-logger": {"path": log, "log_format": {"outcome": "$outcome"}}});
        gateway.put("/routes/1", &configured);
        let mut client = gateway.connect();
        client.write(&upgrade()).unwrap();
        assert_eq!(client.head().unwrap().status, 101);
        gateway.signal(rustix::process::Signal::TERM);
        wait_until("it drains", || Connection::try_open(gateway.proxy).is_err().then_some(()));
        echo(&mut client, "still there");
        assert!(gateway.is_running());
        if client_leaves {
            drop(client);
        }
        assert_eq!(gateway.wait().code(), Some(0));
        let outcome = if client_leaves { r#""outcome":"complete""# } else { r#""outcome":"aborted""# };
        let logged = std::fs::read_to_string(&log).unwrap();
        assert!(logged.contains(outcome), "{logged}");
    }
}
