//! An HTTP client for the side runtime: log batches and other small messages to servers that are no upstreams. Each
//! message has a connection of its own: there is one every few seconds, and no idle one to find dead. Its futures are
//! `Send`, unlike those of the data plane's transport.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls::client::{ClientConfigs, Verify};

#[cfg(test)]
mod tests;

/// Of an answer's body, more is not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Why a message did not get an answer.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    #[error("{0} is no http or https URL with a host")]
    Url(Uri),
    #[error("no connection to {address}: {source}")]
    Connect { address: String, source: std::io::Error },
    #[error("{address} did not take the message: {source}")]
    Exchange { address: String, source: hyper::Error },
    #[error("no answer from {address} within {limit:?}")]
    Timeout { address: String, limit: Duration },
}

/// Sends single messages.
#[derive(Debug, Clone)]
pub struct SideClient {
    verified: Arc<ClientConfig>,
    unverified: Arc<ClientConfig>,
}

/// Where a URL leads.
struct Destination {
    host: String,
    port: u16,
    tls: bool,
    host_header: HeaderValue,
}

impl SideClient {
    /// A client that trusts whom upstream connections trust.
    pub fn new(tls: &ClientConfigs) -> Self {
        let http1 = |verify| {
            let mut config = ClientConfig::clone(tls.plain(verify));
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(config)
        };
        Self { verified: http1(Verify::Yes), unverified: http1(Verify::No) }
    }

    /// POSTs `body` to `uri` and gives the answer's status. `limit` is for everything together.
    ///
    /// # Errors
    /// If no answer came; an answer of any status is none.
    pub async fn post(
        &self,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
        verify: Verify,
    ) -> Result<StatusCode, SideError> {
        let destination = Destination::of(uri).ok_or_else(|| SideError::Url(uri.clone()))?;
        let request = request(uri, headers, body, &destination);
        match tokio::time::timeout(limit, self.send(&destination, request, verify)).await {
            Ok(answered) => answered,
            Err(_) => Err(SideError::Timeout { address: destination.address(), limit }),
        }
    }

    async fn send(
        &self,
        destination: &Destination,
        request: Request<Full<Bytes>>,
        verify: Verify,
    ) -> Result<StatusCode, SideError> {
        let failed = |source| SideError::Connect { address: destination.address(), source };
        let tcp = TcpStream::connect((destination.host.as_str(), destination.port)).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let answered = if destination.tls {
            let name = ServerName::try_from(destination.host.clone()).map_err(std::io::Error::other).map_err(failed)?;
            let config = match verify {
                Verify::Yes => &self.verified,
                Verify::No => &self.unverified,
            };
            exchange(TlsConnector::from(config.clone()).connect(name, tcp).await.map_err(failed)?, request).await
        } else {
            exchange(tcp, request).await
        };
        answered.map_err(|source| SideError::Exchange { address: destination.address(), source })
    }
}

fn request(uri: &Uri, headers: HeaderMap, body: Bytes, destination: &Destination) -> Request<Full<Bytes>> {
    let length = HeaderValue::from(body.len());
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers;
    request.headers_mut().insert(CONTENT_LENGTH, length);
    request.headers_mut().entry(HOST).or_insert_with(|| destination.host_header.clone());
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse().unwrap_or_else(|_| Uri::from_static("/"));
    request
}

/// One request and its answer; the body is read so that the server can end in peace.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> hyper::Result<StatusCode>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let _ = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        Ok(status)
    };
    tokio::pin!(connection, answer);
    tokio::select! {
        biased;
        answered = &mut answer => answered,
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}

impl Destination {
    fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return None;
        }
        let host_and_port = authority.as_str().rsplit('@').next()?;
        Some(Self {
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            host_header: HeaderValue::from_str(host_and_port).ok()?,
        })
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}
