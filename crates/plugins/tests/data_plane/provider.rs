//! A provider that gives one answer to everything and keeps what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::fixture::PATIENCE;

pub struct Provider {
    address: SocketAddr,
    requests: Receiver<Request>,
}

/// A request as the provider got it.
#[derive(Debug)]
pub struct Request {
    pub path: String,
    /// The head, in lower case.
    pub head: String,
    pub body: Value,
}

impl Provider {
    /// Answers `status`, with `headers` (each with its line end) and `body`.
    pub fn answering(status: u16, headers: &str, body: &str) -> Self {
        Self::sending(&format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}"), body.as_bytes())
    }

    /// Answers with `head` (without what frames the body) and `body`.
    pub fn sending(head: &str, body: &[u8]) -> Self {
        let length = body.len();
        let frame = format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        Self::closing_after([frame.as_bytes(), body].concat())
    }

    /// Answers with these very bytes, and closes the connection.
    pub fn closing_after(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &answer, &sender);
            }
        });
        Self { address, requests }
    }

    /// Its address without a path.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next request that it got.
    pub fn asked(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    /// It has got no request that has not been looked at.
    pub fn is_idle(&self) -> bool {
        self.requests.try_recv().is_err()
    }
}

fn serve(stream: TcpStream, answer: &[u8], requests: &Sender<Request>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    // Nobody may be interested, in the request or in the answer.
    let _ = requests.send(Request { path, head, body });
    let _ = reader.get_mut().write_all(answer);
}

/// `text` in gzip.
pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("gzip")
}
