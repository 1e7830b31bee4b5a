//! Reads a request body whole, within a size and a time. Invariant: never holds more than the limit; what is beyond, or
//! was not asked for, is read and dropped (also bounded), so that the client gets to see the answer instead of a reset.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// The Admin API's limit: 1.5 MiB.
pub(crate) const MAX_BODY_BYTES: u64 = 1_572_864;
/// A body must be complete within this time.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of a refused body is still read.
const MAX_DISCARDED_BYTES: u64 = 16 * 1024 * 1024;
/// How long the rest of a body is read once its request is answered (nginx's `lingering_time`).
const LINGERING_TIME: Duration = Duration::from_secs(30);
/// How long the client may pause in it (nginx's `lingering_timeout`).
const LINGERING_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no body to work with. The text is what the client is told after `invalid request body: `.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("request size {0} is greater than the maximum size {MAX_BODY_BYTES} allowed")]
    TooLarge(u64),
    #[error("the body did not arrive within {} s", BODY_TIMEOUT.as_secs())]
    TooSlow,
    #[error("the body could not be read")]
    Broken,
}

/// The whole body; empty if there is none.
pub(crate) async fn read(body: &mut Incoming) -> Result<Bytes, BodyError> {
    tokio::time::timeout(BODY_TIMEOUT, read_bounded(body)).await.map_err(|_| BodyError::TooSlow)?
}

async fn read_bounded(body: &mut Incoming) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().exact();
    let mut seen = 0u64;
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        seen += data.len() as u64;
        if seen > MAX_DISCARDED_BYTES {
            break;
        }
        if seen <= MAX_BODY_BYTES {
            collected.extend_from_slice(&data);
        }
    }
    let size = announced.unwrap_or(seen);
    if size > MAX_BODY_BYTES { Err(BodyError::TooLarge(size)) } else { Ok(collected.freeze()) }
}

/// Reads what is left of a body, for a while, and throws it away. A client that writes first and reads later would
/// otherwise find the connection closed, and never see the answer.
pub(crate) async fn discard(mut body: Incoming) {
    let pieces = async { while let Ok(Some(Ok(_))) = tokio::time::timeout(LINGERING_TIMEOUT, body.frame()).await {} };
    // What comes after it finds the connection closed.
    let _ = tokio::time::timeout(LINGERING_TIME, pieces).await;
}
