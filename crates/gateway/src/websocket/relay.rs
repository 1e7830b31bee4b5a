//! Bytes between two connections, both ways, until one side closes, neither says anything, or the process ends.

use std::cell::Cell;
use std::pin::pin;
use std::time::{Duration, Instant};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::transport::Switched;
use crate::worker::Life;

const COPY_BUFFER_BYTES: usize = 8 * 1024;

/// How long the other side has to finish once one has closed: a WebSocket answers a close with a close.
const CLOSING_TIME: Duration = Duration::from_secs(2);

/// Why a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// One side closed.
    Closed,
    /// Neither said anything for too long.
    Idle,
    /// The process ends and waits no longer.
    Cut,
}

/// Bytes that have passed.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// From the client to the upstream.
    pub up: Cell<u64>,
    /// From the upstream to the client.
    pub down: Cell<u64>,
}

/// Passes bytes on until there is a reason to end, then closes both sides.
pub(super) async fn relay(
    client: Upgraded,
    upstream: Switched,
    moved: &Moved,
    idle: Duration,
    mut life: watch::Receiver<Life>,
) -> Ending {
    let (mut client_read, mut client_write) = tokio::io::split(TokioIo::new(client));
    let (mut upstream_read, mut upstream_write) = tokio::io::split(upstream);
    let ending = {
        let last = Cell::new(Instant::now());
        let mut up = pin!(copy(&mut client_read, &mut upstream_write, &moved.up, &last));
        let mut down = pin!(copy(&mut upstream_read, &mut client_write, &moved.down, &last));
        let silent = async {
            while last.get().elapsed() < idle {
                tokio::time::sleep_until((last.get() + idle).into()).await;
            }
        };
        tokio::select! {
            () = &mut up => {
                // Whether it made it or not: both are closed next.
                let _ = timeout(CLOSING_TIME, down).await;
                Ending::Closed
            }
            () = &mut down => {
                let _ = timeout(CLOSING_TIME, up).await;
                Ending::Closed
            }
            () = silent => Ending::Idle,
            _ = life.wait_for(|life| *life == Life::Ending) => Ending::Cut,
        }
    };
    // A side that is gone already needs no goodbye.
    let _ = timeout(CLOSING_TIME, async { tokio::join!(client_write.shutdown(), upstream_write.shutdown()) }).await;
    ending
}

/// Copies until `from` ends or `to` takes no more, then tells `to` that nothing more comes.
async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    moved: &Cell<u64>,
    last: &Cell<Instant>,
) {
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    while let Ok(length) = from.read(&mut buffer).await {
        last.set(Instant::now());
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() || to.flush().await.is_err() {
            break;
        }
        moved.set(moved.get() + length as u64);
    }
    let _ = to.shutdown().await;
}
