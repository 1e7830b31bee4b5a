//! What can go wrong while a provider's answer is read, and what it means: an answer of the gateway's own as long
//! as the client has been sent nothing, an outcome afterwards.

use http::StatusCode;
use llm::ErrorKind;

use crate::answer::Answer;
use crate::settlement::Outcome;
use crate::transport::BodyFault;

/// Why an answer ends before its end. The texts are what clients and logs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum StreamFault {
    #[error("the provider's stream ended before its end")]
    Cut,
    #[error("the provider's stream cannot be read")]
    Malformed,
    /// It ended, and nothing in it could be told to the client. The text is APISIX's.
    #[error(
        "streaming response completed without producing any output; the upstream likely returned a different stream \
         format than the converter expects"
    )]
    Empty,
    #[error("the provider sent nothing more in time")]
    Silent,
    #[error("max_stream_duration_ms exceeded")]
    Duration,
    #[error("max_response_bytes exceeded")]
    Size,
}

impl StreamFault {
    /// The status where it can still be sent, as in APISIX: 504 for waiting too long, 502 for too much or
    /// nothing at all, else 500.
    pub fn status(self) -> StatusCode {
        match self {
            StreamFault::Cut | StreamFault::Malformed => StatusCode::INTERNAL_SERVER_ERROR,
            StreamFault::Silent | StreamFault::Duration => StatusCode::GATEWAY_TIMEOUT,
            StreamFault::Empty | StreamFault::Size => StatusCode::BAD_GATEWAY,
        }
    }

    /// What it means to a client that is told of it in its dialect.
    pub fn kind(self) -> ErrorKind {
        match self {
            StreamFault::Cut | StreamFault::Malformed | StreamFault::Empty | StreamFault::Size => ErrorKind::StreamCut,
            StreamFault::Silent | StreamFault::Duration => ErrorKind::Timeout,
        }
    }

    /// The answer where nothing has been sent yet: the limits name themselves.
    pub fn answer(self) -> Answer {
        match self {
            StreamFault::Cut | StreamFault::Malformed | StreamFault::Silent => Answer::page(self.status()),
            StreamFault::Empty | StreamFault::Duration | StreamFault::Size => {
                Answer::text(self.status(), self.to_string())
            }
        }
    }

    /// How the request ends where the head has been sent.
    pub fn outcome(self) -> Outcome {
        match self {
            StreamFault::Cut | StreamFault::Malformed | StreamFault::Empty | StreamFault::Silent => {
                Outcome::UpstreamCut
            }
            StreamFault::Duration | StreamFault::Size => Outcome::LimitExceeded,
        }
    }
}

impl From<BodyFault> for StreamFault {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::Idle(_) => StreamFault::Silent,
            BodyFault::Broken(_) => StreamFault::Cut,
        }
    }
}
