//! Upstreams that tests script: what arrives is kept, what goes back is the test's own bytes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it arrived at an upstream.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub method: String,
    pub target: String,
    /// In the order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Without its framing.
    pub body: Vec<u8>,
}

/// A server on a free port; it closes the port when dropped.
pub struct Upstream {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Upstream {
    /// Answers every request with the bytes that `answer` makes of it, on connections that stay open. Where there
    /// are none, or they say `Connection: close`, it closes the connection.
    pub fn answering(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let kept = seen.clone();
        Self::start(seen, move |_, stream| serve(stream, &kept, &answer))
    }

    /// As [`Upstream::answering`], over TLS.
    pub fn secure(tls: Arc<ServerConfig>, answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let kept = seen.clone();
        Self::start(seen, move |_, stream| {
            let session = ServerConnection::new(tls.clone()).unwrap();
            serve(StreamOwned::new(session, stream), &kept, &answer);
        })
    }

    /// Answers every request with `200` and `body`.
    pub fn saying(body: &'static str) -> Self {
        Self::answering(move |_| ok(body))
    }

    /// Hands each connection, with its number from 0 on, to `script`, on a thread of its own.
    pub fn scripted(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        Self::start(Arc::default(), script)
    }

    fn start(seen: Arc<Mutex<Vec<Seen>>>, handle: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (connections, stopping) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, stop, handle) = (connections.clone(), stopping.clone(), Arc::new(handle));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let number = count.fetch_add(1, Ordering::SeqCst);
                let handle = handle.clone();
                let _ = stream.set_nodelay(true);
                thread::spawn(move || handle(number, stream));
            }
        });
        Self { addr, seen, connections, stopping, acceptor: Some(acceptor) }
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn request_count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The latest request.
    pub fn last(&self) -> Seen {
        self.requests().pop().expect("a request has arrived")
    }

    pub fn connection_count(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
        let _ = self.acceptor.take().map(JoinHandle::join);
    }
}

/// `200` with `body`.
pub fn ok(body: &str) -> Vec<u8> {
    answer("200 OK", "Content-Type: text/plain\r\n", body)
}

/// An answer; each line of `headers` ends in CR LF.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn serve<S: Read + Write>(stream: S, seen: &Mutex<Vec<Seen>>, answer: &dyn Fn(&Seen) -> Vec<u8>) {
    let mut stream = BufReader::new(stream);
    while let Ok(request) = read_request(&mut stream) {
        let bytes = answer(&request);
        seen.lock().unwrap().push(request);
        let last = bytes.is_empty() || String::from_utf8_lossy(&bytes).contains("Connection: close");
        if stream.get_mut().write_all(&bytes).and_then(|()| stream.get_mut().flush()).is_err() || last {
            return;
        }
    }
}

/// Reads one request, its body included.
pub fn read_request(from: &mut impl BufRead) -> io::Result<Seen> {
    let mut request = read_head(from)?;
    if request.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        loop {
            let size = usize::from_str_radix(line(from)?.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size];
            from.read_exact(&mut chunk)?;
            line(from)?;
            if size == 0 {
                return Ok(request);
            }
            request.body.extend(chunk);
        }
    }
    if let Some(length) = request.header("content-length").map(str::parse::<usize>) {
        request.body = vec![0; length.map_err(io::Error::other)?];
        from.read_exact(&mut request.body)?;
    }
    Ok(request)
}

/// Reads one request's head.
pub fn read_head(from: &mut impl BufRead) -> io::Result<Seen> {
    let start = line(from)?;
    let mut words = start.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Seen { method, target, ..Seen::default() };
    loop {
        let line = line(from)?;
        let Some((name, value)) = line.split_once(':') else { return Ok(request) };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
}
