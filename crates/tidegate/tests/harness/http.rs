//! An HTTP/1.1 client that hides nothing: requests are written as bytes, answers can be read piece by piece.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::wait::PATIENCE;

/// A request, ready to be written.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// An answer that has been read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// In the order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
    Ended,
}

/// A connection to write requests on and read answers from. `stream` is free for bytes that are no HTTP.
pub struct Connection {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
    framing: Framing,
}

/// A GET request.
pub fn get(path: &str) -> Request {
    Request::new("GET", path)
}

/// A POST request with a JSON body.
pub fn post(path: &str, body: &Value) -> Request {
    Request::new("POST", path).json(body)
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: None }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// `Authorization: Bearer KEY`.
    pub fn bearer(self, key: &str) -> Self {
        self.header("Authorization", format!("Bearer {key}"))
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    /// Sends it on a connection of its own and reads the whole answer.
    pub fn send(self, to: SocketAddr) -> Reply {
        self.try_send(to).unwrap_or_else(|error| panic!("{to}: {error}"))
    }

    /// As [`Request::send`], for servers that may not be there.
    pub fn try_send(self, to: SocketAddr) -> io::Result<Reply> {
        let mut connection = Connection::try_open(to)?;
        connection.write(&self.header("Connection", "close"))?;
        connection.reply()
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let mut bytes = format!("{head}\r\n").into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text()))
    }
}

impl Connection {
    pub fn open(to: SocketAddr) -> Self {
        Self::try_open(to).unwrap_or_else(|error| panic!("{to}: {error}"))
    }

    pub fn try_open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader, framing: Framing::Ended })
    }

    /// Writes a request and leaves the answer to be read.
    pub fn write(&mut self, request: &Request) -> io::Result<()> {
        self.stream.write_all(&request.to_bytes())
    }

    /// Reads an answer up to its body, which [`Connection::piece`] reads on.
    pub fn head(&mut self) -> io::Result<Reply> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let reply = Reply { status, headers, body: Vec::new() };
        self.framing = framing(&reply);
        Ok(reply)
    }

    /// The next piece of the body as it arrives; `None` at its proper end. A body that breaks off is an error.
    pub fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.framing {
            Framing::Ended | Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                let piece = self.some(left)?;
                if piece.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.framing = Framing::Length(left - piece.len());
                Ok(Some(piece))
            }
            Framing::UntilClosed => Ok(Some(self.some(usize::MAX)?).filter(|piece| !piece.is_empty())),
            Framing::Chunked => self.chunk(),
        }
    }

    /// Reads pieces until `text` has arrived, and gives everything read.
    pub fn read_until(&mut self, text: &str) -> io::Result<String> {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(text) {
            read.extend(self.piece()?.ok_or_else(|| io::Error::other(format!("{text:?} did not come")))?);
        }
        Ok(String::from_utf8_lossy(&read).into_owned())
    }

    /// Reads what is left of the body.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        while let Some(piece) = self.piece()? {
            rest.extend(piece);
        }
        Ok(rest)
    }

    /// Reads a whole answer.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut reply = self.head()?;
        reply.body = self.rest()?;
        Ok(reply)
    }

    /// Everything until the other side closes.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| io::Error::other(format!("no chunk size: {line:?}")))?;
        let mut chunk = vec![0; size];
        self.reader.read_exact(&mut chunk)?;
        while !self.line()?.is_empty() {}
        if size == 0 {
            self.framing = Framing::Ended;
            return Ok(None);
        }
        Ok(Some(chunk))
    }

    fn some(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let available = self.reader.fill_buf()?;
        let piece = available[..available.len().min(most)].to_vec();
        self.reader.consume(piece.len());
        Ok(piece)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn framing(reply: &Reply) -> Framing {
    let is_chunked = reply.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    let length = reply.header("content-length").and_then(|length| length.parse().ok());
    match (is_chunked, length) {
        _ if matches!(reply.status, 100..=199 | 204 | 304) => Framing::Ended,
        (true, _) => Framing::Chunked,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::UntilClosed,
    }
}
