//! What a drain waits for.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use super::fixture::{Gateway, PATIENCE, status};

/// Shorter than the pause in a refused body that a client is granted otherwise.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);

/// Reads up to the end of a head.
fn head(stream: &TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_rest_of_a_refused_body_holds_up_no_drain() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let node = upstream.local_addr().expect("an address").to_string();
    let route = json!({"uri": "/*", "upstream": {"type": "roundrobin", "nodes": {node: 1}}});
    let gateway = Gateway::serving(&[("/apisix/routes/1", route)]);
    let mut client = TcpStream::connect(gateway.plain).expect("a connection");
    client.write_all(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nhello").expect("a server");
    let (mut asked, _) = upstream.accept().expect("a request");
    head(&asked);
    let drained = std::thread::scope(|scope| {
        let drain = scope.spawn(|| gateway.drain(DRAIN_LIMIT));
        let started = Instant::now();
        while TcpStream::connect(gateway.plain).is_ok() {
            assert!(started.elapsed() < PATIENCE, "it accepts as before");
            std::thread::yield_now();
        }
        asked.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").expect("a gateway");
        assert_eq!(status(&head(&client)), 413);
        drain.join().expect("no panic")
    });
    assert!(drained);
    let _ = client.read_to_end(&mut Vec::new());
}
