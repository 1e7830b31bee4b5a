//! A client that sees exactly what is on the wire, and a simulator to point it at.

#![allow(dead_code, reason = "each test file is a program of its own and uses a part of this")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tidegate_simulator::{Options, Running, spawn};

pub const CHAT: &str = "/v1/chat/completions";
pub const MESSAGES: &str = "/v1/messages";
pub const RESPONSES: &str = "/v1/responses";
pub const EMBEDDINGS: &str = "/v1/embeddings";

pub fn simulator() -> Running {
    spawn(Options::embedded()).unwrap()
}

/// An answer as it came: `body` is without its framing, `complete` tells whether the framing ended as it should.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    pub chunks: Vec<Vec<u8>>,
    pub complete: bool,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ str| line.split_once(": ").filter(|(got, _)| got.eq_ignore_ascii_case(name)).is_some();
        self.head.lines().find(|l| line(l)).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }

    /// The events of an SSE body: name (empty without one) and data.
    pub fn events(&self) -> Vec<(String, String)> {
        let text = self.text();
        let blocks = text.split("\n\n").filter(|block| !block.is_empty());
        let field = |block: &str, name: &str| {
            let lines: Vec<_> = block.lines().filter_map(|line| line.strip_prefix(name)).collect();
            lines.join("\n")
        };
        blocks.map(|block| (field(block, "event: "), field(block, "data: "))).collect()
    }

    /// The data of an OpenAI chat stream, as JSON, without `[DONE]`.
    pub fn data(&self) -> Vec<Value> {
        let events = self.events();
        let json = events.iter().filter(|(_, data)| data != "[DONE]" && !data.is_empty());
        json.map(|(_, data)| serde_json::from_str(data).unwrap()).collect()
    }
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

pub fn send(stream: &mut TcpStream, method: &str, path: &str, simulate: &str, body: &str) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: simulator\r\nContent-Type: application/json\r\nx-simulate: {simulate}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
}

pub fn post(to: &Running, path: &str, simulate: &str, body: &str) -> Answer {
    try_post(to, path, simulate, body).unwrap()
}

pub fn try_post(to: &Running, path: &str, simulate: &str, body: &str) -> io::Result<Answer> {
    let mut stream = connect(to.addr);
    send(&mut stream, "POST", path, simulate, body);
    receive(&mut stream)
}

pub fn request(to: &Running, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = connect(to.addr);
    send(&mut stream, method, path, "", body);
    receive(&mut stream).unwrap()
}

pub fn receive(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read_byte(stream)?);
    }
    let head = String::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData)?;
    let status = head.get(9..12).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let mut answer = Answer { status, head, body: Vec::new(), chunks: Vec::new(), complete: false };
    if let Some(length) = answer.header("content-length").map(|length| length.parse::<usize>().unwrap()) {
        let mut body = Vec::new();
        // An error here is a body that was cut, which `complete` tells.
        let _ = stream.take(length as u64).read_to_end(&mut body);
        answer.complete = body.len() == length;
        answer.body = body;
    } else if answer.header("transfer-encoding") == Some("chunked") {
        answer.complete = receive_chunks(stream, &mut answer.chunks).is_ok();
        answer.body = answer.chunks.concat();
    } else {
        answer.complete = true;
    }
    Ok(answer)
}

fn receive_chunks(stream: &mut TcpStream, chunks: &mut Vec<Vec<u8>>) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(read_byte(stream)?);
        }
        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(());
        }
        chunk.truncate(size);
        chunks.push(chunk);
    }
}

fn read_byte(stream: &mut TcpStream) -> io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

pub fn journal(of: &Running) -> Value {
    request(of, "GET", "/__simulator/requests", "").json()
}

/// Asks until `holds`, for at most ten seconds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}
