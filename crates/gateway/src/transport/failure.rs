//! Why a request brought no answer, and whether it may go out again.

use super::body::Breakage;
use super::connect::ConnectError;
use super::h1::H1Fault;
use super::outgoing::ClientBodyFault;

/// A failed attempt to send a request.
#[derive(Debug)]
pub struct SendFailure {
    pub error: SendError,
    /// The upstream has not seen any of the request, or has told that it did nothing with it, and it is as it was: it
    /// can go out again whatever its method. Otherwise it may have had its effect.
    pub is_unsent: bool,
}

/// Why no response came.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the upstream took the request, or answered it, too slowly")]
    Timeout,
    #[error("the connection broke: {0}")]
    Broken(#[from] Breakage),
}

impl SendFailure {
    /// Before the upstream did anything with the request.
    pub(super) fn unsent(error: impl Into<SendError>) -> Self {
        Self { error: error.into(), is_unsent: true }
    }

    /// When some of the request may have arrived.
    pub(super) fn underway(error: impl Into<SendError>) -> Self {
        Self { error: error.into(), is_unsent: false }
    }
}

impl SendError {
    /// `true` if nobody knows where the origin is.
    pub fn is_unresolved(&self) -> bool {
        matches!(self, SendError::Connect(ConnectError::Resolve { .. }))
    }

    /// `true` if waiting too long was the fault.
    pub fn is_timeout(&self) -> bool {
        matches!(self, SendError::Timeout | SendError::Connect(ConnectError::Timeout { .. }))
    }

    /// `true` if a connection was lost, which is no answer.
    pub(super) fn is_loss(&self) -> bool {
        match self {
            SendError::Broken(Breakage::Http1(fault)) => fault.is_loss(),
            SendError::Broken(Breakage::Http2(error)) => source::<std::io::Error>(error).is_some(),
            SendError::Connect(_) | SendError::Timeout => false,
        }
    }

    /// What was wrong with the client's body, if that was the fault.
    pub fn client_fault(&self) -> Option<&ClientBodyFault> {
        match self {
            SendError::Broken(Breakage::Http1(H1Fault::Client(fault))) => Some(fault),
            SendError::Broken(Breakage::Http2(error)) => source(error),
            SendError::Broken(Breakage::Http1(_)) | SendError::Connect(_) | SendError::Timeout => None,
        }
    }
}

/// `true` if the upstream has told that it did nothing with a request, and will not: it refused the stream, or it is
/// about to close the connection and the stream came too late (RFC 9113, section 8.7).
pub(super) fn is_refusal(error: &hyper::Error) -> bool {
    source::<h2::Error>(error).is_some_and(|error| {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (refused || error.is_go_away())
    })
}

/// What made hyper fail, if it is an `E`.
fn source<E: std::error::Error + 'static>(error: &hyper::Error) -> Option<&E> {
    std::error::Error::source(error)?.downcast_ref()
}

impl From<H1Fault> for SendError {
    fn from(fault: H1Fault) -> Self {
        SendError::Broken(Breakage::Http1(fault))
    }
}
