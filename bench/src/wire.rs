//! One HTTP/1.1 connection, as cheap as it can be: requests are ready-made bytes, answers are read only as far as their
//! framing demands. The load generator shares its cores with what it measures.

use std::io;
use std::net::SocketAddr;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BUFFER: usize = 32 * 1024;

/// A connection and what was read from it beyond the answer before.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// How an answer's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    pub async fn open(to: SocketAddr) -> io::Result<Self> {
        Self::with_buffer(to, BUFFER).await
    }

    /// With a buffer of `bytes`, for those who hold thousands.
    pub async fn with_buffer(to: SocketAddr, bytes: usize) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; bytes], start: 0, end: 0 })
    }

    pub async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await
    }

    /// Reads one answer; hands its body, in pieces as they come, to `take`. Any status but 200 is an error.
    pub async fn receive(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        match self.head().await? {
            Framing::Length(mut left) => {
                while left > 0 {
                    let piece = self.some(left).await?;
                    take(&self.buffer[piece.clone()]);
                    left -= piece.len();
                }
                Ok(())
            }
            Framing::Chunked => loop {
                let mut left = self.chunk_size().await?;
                if left == 0 {
                    return self.line().await.map(drop);
                }
                while left > 0 {
                    let piece = self.some(left).await?;
                    take(&self.buffer[piece.clone()]);
                    left -= piece.len();
                }
                self.line().await?;
            },
        }
    }

    async fn head(&mut self) -> io::Result<Framing> {
        let end = loop {
            if let Some(at) = memmem::find(&self.buffer[self.start..self.end], b"\r\n\r\n") {
                break self.start + at + 4;
            }
            self.fill().await?;
        };
        let head = &self.buffer[self.start..end];
        if !head.starts_with(b"HTTP/1.1 200") {
            return Err(io::Error::other(String::from_utf8_lossy(head).into_owned()));
        }
        let framing = framing(head).ok_or_else(|| io::Error::other("an answer without framing"))?;
        self.start = end;
        Ok(framing)
    }

    async fn chunk_size(&mut self) -> io::Result<usize> {
        let line = self.line().await?;
        let digits = self.buffer[line].split(|&byte| byte == b';' || byte == b'\r').next().unwrap_or_default();
        let text = std::str::from_utf8(digits).map_err(io::Error::other)?;
        usize::from_str_radix(text, 16).map_err(io::Error::other)
    }

    /// Where the next line is, with its line feed.
    async fn line(&mut self) -> io::Result<std::ops::Range<usize>> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.start..self.end]) {
                let line = self.start..self.start + at + 1;
                self.start = line.end;
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    /// Where the next bytes are, at least one and at most `most`.
    async fn some(&mut self, most: usize) -> io::Result<std::ops::Range<usize>> {
        if self.start == self.end {
            self.fill().await?;
        }
        let piece = self.start..self.end.min(self.start + most);
        self.start = piece.end;
        Ok(piece)
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        match self.stream.read(&mut self.buffer[self.end..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.end += count;
                Ok(())
            }
        }
    }
}

fn framing(head: &[u8]) -> Option<Framing> {
    let text = std::str::from_utf8(head).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            return value.trim().parse().ok().map(Framing::Length);
        }
        name.eq_ignore_ascii_case("transfer-encoding").then_some(Framing::Chunked)
    })
}
