//! One probe: connect, say one request that was written beforehand, read one line.
//!
//! The rest of the answer is of no interest, so there is no HTTP client here and at most [`LONGEST_STATUS_LINE`]
//! bytes are read from a peer that may be broken.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::resource::{ActiveCheck, CheckType};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Outcome;
use super::checker::{CheckedNode, unbracketed};

/// In bytes; no known server needs more than 100.
const LONGEST_STATUS_LINE: usize = 1024;

/// What must not stand in a request line as it is.
const NOT_IN_TARGET: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');

/// Headers that the probe writes itself unless the user has.
const HOST: &str = "host";
const CONNECTION: &str = "connection";

/// Everything needed to probe one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProbeRequest {
    pub host_header: String,
    kind: CheckType,
    /// Name or address to connect to.
    host: String,
    port: u16,
    server_name: String,
    timeout: Duration,
    /// Head and body as sent; empty for `tcp`.
    text: Box<str>,
}

impl ProbeRequest {
    /// `upstream_host` comes before the node's domain, which comes before `active.host`.
    pub(super) fn new(check: &ActiveCheck, node: &CheckedNode, upstream_host: Option<&str>) -> Self {
        let named = upstream_host.or_else(|| node.domain()).or(check.host.as_deref());
        let host_header = named.unwrap_or(&node.host).to_owned();
        let server_name = unbracketed(without_port(check.host.as_deref().unwrap_or(&host_header))).to_owned();
        Self {
            kind: check.kind,
            host: unbracketed(&node.host).to_owned(),
            port: check.port.unwrap_or(node.port),
            server_name,
            timeout: check.timeout,
            text: if check.kind == CheckType::Tcp { "".into() } else { request_text(check, &host_header).into() },
            host_header,
        }
    }

    /// Probes; never longer than the check's timeout. Notes the address that was `reached`.
    pub(super) async fn send(&self, tls: &Arc<rustls::ClientConfig>, reached: &Mutex<Option<IpAddr>>) -> Outcome {
        match tokio::time::timeout(self.timeout, self.exchange(tls, reached)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Outcome::Timeout,
            Ok(Err(_)) => Outcome::TcpFailure,
            Err(_) => Outcome::Timeout,
        }
    }

    async fn exchange(&self, tls: &Arc<rustls::ClientConfig>, reached: &Mutex<Option<IpAddr>>) -> io::Result<Outcome> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        *reached.lock() = tcp.peer_addr().ok().map(|peer| peer.ip());
        match self.kind {
            CheckType::Tcp => Ok(Outcome::Connected),
            CheckType::Http => ask(tcp, &self.text).await,
            CheckType::Https => {
                let name = ServerName::try_from(self.server_name.clone()).map_err(io::Error::other)?;
                let session = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await?;
                ask(session, &self.text).await
            }
        }
    }
}

async fn ask(mut peer: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> io::Result<Outcome> {
    peer.write_all(request.as_bytes()).await?;
    peer.flush().await?;
    let mut line = [0; LONGEST_STATUS_LINE];
    let mut filled = 0;
    while filled < line.len() {
        let read = peer.read(&mut line[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let fresh = filled..filled + read;
        filled = fresh.end;
        if let Some(end) = memchr::memchr(b'\n', &line[fresh.clone()]) {
            return Ok(read_status(&line[..fresh.start + end]));
        }
    }
    Ok(Outcome::Malformed)
}

/// `HTTP/1.1 200 OK`, with or without the reason.
fn read_status(line: &[u8]) -> Outcome {
    let status = std::str::from_utf8(line).ok().and_then(|line| {
        let (version, rest) = line.strip_prefix("HTTP/")?.split_once(' ')?;
        let code = rest.trim_start().split_ascii_whitespace().next()?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        (digits(version) && code.len() == 3).then(|| code.parse().ok()).flatten()
    });
    status.map_or(Outcome::Malformed, Outcome::Status)
}

/// Head and body. Header lines that are no headers are left out rather than sent.
fn request_text(check: &ActiveCheck, host_header: &str) -> String {
    let target = utf8_percent_encode(&check.http_path, NOT_IN_TARGET);
    let mut text = format!("{} {target} HTTP/1.1\r\n", check.http_method);
    let mut header = |name: &str, value: &str| {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    };
    let own: Vec<(&str, &str)> = check.req_headers.iter().filter_map(|line| split_header(line)).collect();
    let has = |wanted: &str| own.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if !has(HOST) {
        header("Host", host_header);
    }
    if !has(CONNECTION) {
        header("Connection", "close");
    }
    for (name, value) in &own {
        // The length is that of the body below, whatever a user wrote.
        if !name.eq_ignore_ascii_case("content-length") && !name.eq_ignore_ascii_case("transfer-encoding") {
            header(name, value);
        }
    }
    if !check.http_req_body.is_empty() {
        header("Content-Length", &check.http_req_body.len().to_string());
    }
    text.push_str("\r\n");
    text.push_str(&check.http_req_body);
    text
}

fn split_header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    let valid = http::HeaderName::from_bytes(name.as_bytes()).is_ok() && http::HeaderValue::from_str(value).is_ok();
    valid.then_some((name, value))
}

/// `a.com:8080` as `a.com`; a bare IPv6 address has no port.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && (!host.contains(':') || host.ends_with(']')) => host,
        _ => authority,
    }
}
