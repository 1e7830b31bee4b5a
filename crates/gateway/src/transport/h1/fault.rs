//! What can go wrong between a request and the end of its answer.

use std::io;

use crate::transport::outgoing::ClientBodyFault;

/// Why an exchange on an HTTP/1 connection failed.
#[derive(Debug, thiserror::Error)]
pub enum H1Fault {
    #[error("the upstream closed the connection before its answer was complete")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the upstream's answer cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Client(#[from] ClientBodyFault),
    #[error("the request's body is not as long as its head says")]
    BodyLength,
}

/// What of an answer is not HTTP/1.1, or more than is taken of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("head: {0}")]
    Head(httparse::Error),
    #[error("head: longer than {0} bytes")]
    HeadLength(usize),
    #[error("it switches protocols without having been asked")]
    UnaskedSwitch,
    #[error("Content-Length: no number, or several different ones")]
    ContentLength,
    #[error("Transfer-Encoding: only `chunked` is known, and that in HTTP/1.1 alone")]
    TransferEncoding,
    #[error("chunk: no size where one is due")]
    ChunkSize,
    #[error("chunk: it does not end where its size says")]
    ChunkEnd,
    #[error("chunk: extensions or trailers are too long")]
    ChunkOverhead,
}

impl H1Fault {
    /// `true` if the connection was lost, which is no answer.
    pub fn is_loss(&self) -> bool {
        match self {
            H1Fault::Closed | H1Fault::Io(_) => true,
            H1Fault::Malformed(_) | H1Fault::Client(_) | H1Fault::BodyLength => false,
        }
    }
}
