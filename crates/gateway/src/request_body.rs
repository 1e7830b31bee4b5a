//! The client's body: passed on as a stream unless somebody needs it whole, and then read once and shared.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::client_body::ClientBody;
use crate::lazy_timer::LazyTimer;

/// The body of a request in one of its states.
#[derive(Debug)]
pub enum RequestBody {
    /// The request has none.
    Empty,
    /// Not read yet.
    Stream(ClientBody),
    /// Its beginning was looked at.
    Begun(Box<Begun>),
    /// Read whole.
    Buffered(Bytes),
    /// Handed to the upstream; cannot be read again.
    Sent,
}

/// A body whose beginning has been read.
#[derive(Debug)]
pub struct Begun {
    pub beginning: Bytes,
    /// What follows.
    pub rest: ClientBody,
}

/// Why a body could not be read whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// `size` is what the client announced, or what had arrived when the limit was passed.
    #[error("request size {size} is greater than the maximum size {limit} allowed")]
    TooLarge { size: u64, limit: u64 },
    #[error("the client sent no more of the body within {0:?}")]
    Timeout(Duration),
    /// All bodies together are longer than the process may hold.
    #[error("there is no room for the body at the moment")]
    NoRoom,
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
        self.read_while(limit, idle, |_| true).await
    }

    /// As [`RequestBody::read`], as long as `has_room` for the bytes that have come.
    ///
    /// # Errors
    /// Also if there is no room.
    pub async fn read_while(
        &mut self,
        limit: u64,
        idle: Duration,
        has_room: impl FnMut(u64) -> bool,
    ) -> Result<Bytes, BodyError> {
        let bounds = Bounds { limit, idle, has_room };
        let read = match self {
            RequestBody::Stream(incoming) => Some(collect(Bytes::new(), incoming, bounds).await?),
            RequestBody::Begun(begun) => Some(collect(begun.beginning.clone(), &mut begun.rest, bounds).await?),
            RequestBody::Empty | RequestBody::Buffered(_) | RequestBody::Sent => None,
        };
        if let Some(body) = read {
            *self = RequestBody::Buffered(body);
        }
        match self {
            RequestBody::Empty => Ok(Bytes::new()),
            RequestBody::Buffered(body) if body.len() as u64 > limit => {
                Err(BodyError::TooLarge { size: body.len() as u64, limit })
            }
            RequestBody::Buffered(body) => Ok(body.clone()),
            RequestBody::Stream(_) | RequestBody::Begun(_) | RequestBody::Sent => Err(BodyError::Sent),
        }
    }

    /// The body's beginning: as much as `suffices`, or all that there is, or what has come when it is `limit` bytes or
    /// more. It stays part of the body.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn look_ahead(
        &mut self,
        limit: usize,
        idle: Duration,
        mut suffices: impl FnMut(&[u8]) -> bool,
    ) -> Result<Bytes, BodyError> {
        let mut beginning = BytesMut::new();
        // Looked at again when there is twice as much: it may come a byte at a time.
        let mut looked_at = 0;
        let mut suffices = |beginning: &[u8]| {
            let grown = beginning.len() >= 2 * looked_at;
            looked_at = if grown { beginning.len() } else { looked_at };
            grown && suffices(beginning)
        };
        if let RequestBody::Stream(incoming) = self {
            while beginning.len() < limit && !suffices(&beginning) {
                let Some(data) = next_data(incoming, idle).await? else { break };
                beginning.extend_from_slice(&data);
            }
        }
        *self = match std::mem::replace(self, RequestBody::Sent) {
            RequestBody::Stream(rest) => RequestBody::Begun(Box::new(Begun { beginning: beginning.freeze(), rest })),
            known => known,
        };
        Ok(match self {
            RequestBody::Begun(begun) => begun.beginning.clone(),
            RequestBody::Buffered(body) => body.clone(),
            RequestBody::Empty | RequestBody::Stream(_) | RequestBody::Sent => Bytes::new(),
        })
    }

    /// Reads a body of at most `limit` bytes whole, if it comes within `patience`. Of another one the beginning is
    /// read, and it comes further as it comes.
    ///
    /// # Errors
    /// If it breaks off.
    pub async fn read_if_short(&mut self, limit: usize, patience: Duration) -> Result<(), BodyError> {
        let RequestBody::Stream(incoming) = self else { return Ok(()) };
        let end = Instant::now() + patience;
        let mut beginning = BytesMut::new();
        let mut is_whole = false;
        while !is_whole && beginning.len() <= limit {
            match tokio::time::timeout_at(end, poll_fn(|cx| incoming.poll_frame(cx))).await {
                Err(_) => break,
                Ok(None) => is_whole = true,
                Ok(Some(frame)) => {
                    let data = frame.map_err(|_| BodyError::Broken)?.into_data();
                    data.into_iter().for_each(|data| beginning.extend_from_slice(&data));
                }
            }
        }
        let beginning = beginning.freeze();
        *self = match std::mem::replace(self, RequestBody::Sent) {
            RequestBody::Stream(rest) if !is_whole => RequestBody::Begun(Box::new(Begun { beginning, rest })),
            RequestBody::Stream(_) => RequestBody::Buffered(beginning),
            known => known,
        };
        Ok(())
    }

    /// `true` if nothing of it can come any more, and nothing has.
    pub fn is_empty(&self) -> bool {
        match self {
            RequestBody::Empty => true,
            RequestBody::Buffered(body) => body.is_empty(),
            RequestBody::Stream(_) | RequestBody::Begun(_) | RequestBody::Sent => false,
        }
    }

    /// Puts `body` in the place of what the client sent.
    pub fn replace(&mut self, body: Bytes) {
        *self = RequestBody::Buffered(body);
    }
}

/// The next bytes of a body; `None` at its end.
async fn next_data(incoming: &mut ClientBody, idle: Duration) -> Result<Option<Bytes>, BodyError> {
    let mut timer = LazyTimer::default();
    loop {
        // Set when the client is waited for: mostly it has sent its body with the head.
        let mut due = None;
        let next = poll_fn(|cx| match incoming.poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
            Poll::Pending => {
                let due = *due.get_or_insert_with(|| Instant::now() + idle);
                timer.poll_until(cx, due).map(|()| Err(BodyError::Timeout(idle)))
            }
        });
        let Some(frame) = next.await.inspect_err(|_| incoming.give_up())? else { return Ok(None) };
        if let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
}

/// How much may come, and how slowly.
struct Bounds<F> {
    limit: u64,
    idle: Duration,
    has_room: F,
}

/// All of a body that begins with `beginning`.
async fn collect(
    beginning: Bytes,
    incoming: &mut ClientBody,
    bounds: Bounds<impl FnMut(u64) -> bool>,
) -> Result<Bytes, BodyError> {
    let Bounds { limit, idle, mut has_room } = bounds;
    let announced = beginning.len() as u64 + incoming.size_hint().lower();
    if announced > limit {
        return Err(BodyError::TooLarge { size: announced, limit });
    }
    let mut first = (!beginning.is_empty()).then_some(beginning);
    let mut whole = BytesMut::new();
    while let Some(data) = next_data(incoming, idle).await? {
        let size = first.as_ref().map_or(whole.len(), Bytes::len) + data.len();
        if size as u64 > limit {
            return Err(BodyError::TooLarge { size: size as u64, limit });
        }
        if !has_room(size as u64) {
            return Err(BodyError::NoRoom);
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
