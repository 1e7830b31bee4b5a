//! How far a request's body has come on its way up, as whoever waits for the answer needs to know it: only a request
//! that is through leaves the upstream in debt of an answer. Until then the upstream owes nothing but to take the next
//! piece, and that only if the client has given one.
//!
//! Over HTTP/1 the connection writes the body and keeps the account itself (`h1`); over HTTP/2 hyper's task takes it
//! piece by piece (`shared`).

use std::time::Duration;

use tokio::time::Instant;

/// Who an upload waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadStage {
    /// The client, for the next piece. The body itself tells when it has been silent for too long.
    AwaitsClient,
    /// The upstream, which has to take some more of the body by this moment: `timeout.send` after it last did.
    AwaitsUpstream(Instant),
    /// Nobody: the last byte went up at this moment.
    Over(Instant),
}

impl UploadStage {
    /// When to wait no longer for an upstream that says nothing, if it is its turn. Its answer is due within `read` of
    /// the request's last byte.
    pub fn due(self, read: Duration) -> Option<Instant> {
        match self {
            UploadStage::AwaitsClient => None,
            UploadStage::AwaitsUpstream(due) => Some(due),
            UploadStage::Over(at) => Some(at + read),
        }
    }
}
