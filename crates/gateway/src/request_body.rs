//! The client's body: passed on as a stream unless somebody needs it whole, and then read once and shared.

use std::future::poll_fn;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::client_body::ClientBody;

/// The body of a request in one of its states.
#[derive(Debug)]
pub enum RequestBody {
    /// The request has none.
    Empty,
    /// Not read yet.
    Stream(ClientBody),
    /// Read whole.
    Buffered(Bytes),
    /// Handed to the upstream; cannot be read again.
    Sent,
}

/// Why a body could not be read whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// `size` is what the client announced, or what had arrived when the limit was passed.
    #[error("request size {size} is greater than the maximum size {limit} allowed")]
    TooLarge { size: u64, limit: u64 },
    #[error("the client sent no more of the body within {0:?}")]
    Timeout(Duration),
    #[error("the client broke off in the middle of the body")]
    Broken,
    #[error("the body has already been sent to the upstream")]
    Sent,
}

impl RequestBody {
    /// The body as it arrives.
    pub fn new(body: ClientBody) -> Self {
        if body.is_end_stream() { RequestBody::Empty } else { RequestBody::Stream(body) }
    }

    /// The whole body, of at most `limit` bytes, with at most `idle` between two reads. Reads it the first time.
    ///
    /// # Errors
    /// If it is too long, does not come, or is gone.
    pub async fn read(&mut self, limit: u64, idle: Duration) -> Result<Bytes, BodyError> {
        if let RequestBody::Stream(body) = self {
            let body = collect(body, limit, idle).await?;
            *self = RequestBody::Buffered(body);
        }
        match self {
            RequestBody::Empty => Ok(Bytes::new()),
            RequestBody::Buffered(body) if body.len() as u64 > limit => {
                Err(BodyError::TooLarge { size: body.len() as u64, limit })
            }
            RequestBody::Buffered(body) => Ok(body.clone()),
            RequestBody::Stream(_) | RequestBody::Sent => Err(BodyError::Sent),
        }
    }

    /// Puts `body` in the place of what the client sent.
    pub fn replace(&mut self, body: Bytes) {
        *self = RequestBody::Buffered(body);
    }
}

async fn collect(body: &mut ClientBody, limit: u64, idle: Duration) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().lower();
    if announced > limit {
        return Err(BodyError::TooLarge { size: announced, limit });
    }
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    loop {
        let Ok(frame) = tokio::time::timeout(idle, poll_fn(|cx| body.poll_frame(cx))).await else {
            body.give_up();
            return Err(BodyError::Timeout(idle));
        };
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        let size = first.as_ref().map_or(whole.len(), Bytes::len) + data.len();
        if size as u64 > limit {
            return Err(BodyError::TooLarge { size: size as u64, limit });
        }
        if first.is_none() && whole.is_empty() {
            // Most bodies come in one piece: keep it as it is.
            first = Some(data);
            continue;
        }
        if let Some(piece) = first.take() {
            whole.reserve(announced.max(size as u64) as usize);
            whole.extend_from_slice(&piece);
        }
        whole.extend_from_slice(&data);
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}
