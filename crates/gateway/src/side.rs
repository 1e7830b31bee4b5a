//! An HTTP client for the side runtime: log batches, tokens and other small messages to servers that are no upstreams.
//! Each message has a connection of its own: there is one every few seconds, and no idle one to find dead. Its futures
//! are `Send`, unlike those of the data plane's transport.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
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

/// Longer bodies of answers are not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Why a message did not get an answer.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    #[error("{address:?} is not reached by an http or https URL with a host")]
    Url { address: String },
    #[error("no connection to {address}: {source}")]
    Connect { address: String, source: std::io::Error },
    #[error("{address} did not take the message: {source}")]
    Exchange { address: String, source: hyper::Error },
    #[error("no answer from {address} within {limit:?}")]
    Timeout { address: String, limit: Duration },
    #[error("the answer of {address} broke off, or is longer than {MAX_ANSWER_BYTES} bytes")]
    Body { address: String },
}

/// Sends single messages.
#[derive(Debug, Clone)]
pub struct SideClient {
    verified: Arc<ClientConfig>,
    unverified: Arc<ClientConfig>,
}

/// An answer; without its body if that could not be read whole.
type Answered = Response<Option<Bytes>>;

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
            let mut config = ClientConfig::clone(tls.unprepared(verify));
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
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        let (_, answer) = self.exchange(request, limit, verify).await?;
        Ok(answer.status())
    }

    /// Sends `request`, whose URI is absolute, and gives the answer. `limit` is for everything together. Redirections
    /// are not followed.
    ///
    /// # Errors
    /// If no whole answer came; one of any status is none.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        limit: Duration,
        verify: Verify,
    ) -> Result<Response<Bytes>, SideError> {
        let (address, answer) = self.exchange(request, limit, verify).await?;
        let (head, body) = answer.into_parts();
        Ok(Response::from_parts(head, body.ok_or(SideError::Body { address })?))
    }

    async fn exchange(
        &self,
        request: Request<Bytes>,
        limit: Duration,
        verify: Verify,
    ) -> Result<(String, Answered), SideError> {
        let destination =
            Destination::of(request.uri()).ok_or_else(|| SideError::Url { address: host_and_port(request.uri()) })?;
        let request = for_the_wire(request, &destination);
        let address = destination.address();
        match tokio::time::timeout(limit, self.connect_and_send(&destination, request, verify)).await {
            Ok(answered) => answered.map(|answer| (address, answer)),
            Err(_) => Err(SideError::Timeout { address, limit }),
        }
    }

    async fn connect_and_send(
        &self,
        destination: &Destination,
        request: Request<Full<Bytes>>,
        verify: Verify,
    ) -> Result<Answered, SideError> {
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

/// Where `uri` leads, as errors tell it: its host, and its port if it names one. Empty without a host.
pub(crate) fn host_and_port(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    // What stands before the last `@` may be a password.
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

/// `request` as HTTP/1.1 writes it.
fn for_the_wire(request: Request<Bytes>, destination: &Destination) -> Request<Full<Bytes>> {
    let (mut head, body) = request.into_parts();
    if !body.is_empty() || head.method != Method::GET {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    head.headers.entry(HOST).or_insert_with(|| destination.host_header.clone());
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    head.uri = target.parse().unwrap_or_else(|_| Uri::from_static("/"));
    Request::from_parts(head, Full::new(body))
}

/// One request and its answer; the body is read so that the server can end in peace.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> hyper::Result<Answered>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        Ok(Response::from_parts(head, body.ok().map(|body| body.to_bytes())))
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
