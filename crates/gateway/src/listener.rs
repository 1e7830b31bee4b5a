//! Accepting connections and spreading them evenly: one acceptor per port gives each connection to the worker
//! that has the fewest, so that a few busy connections never meet on one core while another idles.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use crate::worker::{Accepted, Life, WorkerHandle};

/// Connections waiting to be accepted, per listener.
const BACKLOG: i32 = 1024;

/// Between two tries to accept, after a failure.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// How often failures are told of, and idle connections asked to go.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A port on which requests come in.
pub struct Listener {
    pub socket: TcpListener,
    pub tls: bool,
}

/// Opens a listening socket. The address can be taken again right after a restart.
///
/// # Errors
/// If the address is in use or not this machine's.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts on `listener` until the process drains.
pub async fn accept(listener: Listener, workers: Arc<Vec<WorkerHandle>>, life: Arc<watch::Sender<Life>>) {
    let tls = listener.tls;
    let socket = match tokio::net::TcpListener::from_std(listener.socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%error, "a listener cannot be used");
            return;
        }
    };
    let mut failures = Failures::default();
    let mut lived = life.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = lived.wait_for(|life| *life > Life::Serving) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                if failures.end() {
                    change(&life, Life::Crowded, Life::Serving);
                }
                match stream.into_std() {
                    Ok(socket) => hand_over(&workers, Accepted { socket, peer, tls }),
                    Err(error) => tracing::warn!(%error, "a connection could not be handed over"),
                }
            }
            Err(error) => {
                if failures.are_to_be_told() {
                    tracing::warn!(%error, failures = failures.count, "accepting connections fails");
                    if is_exhaustion(&error) {
                        // Also where it is crowded already: whoever has been idle since goes now.
                        change(&life, Life::Crowded, Life::Crowded);
                        change(&life, Life::Serving, Life::Crowded);
                    }
                }
                // Let some connections end before the next try.
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// Tells everybody that life is `new`, if it was `old`.
fn change(life: &watch::Sender<Life>, old: Life, new: Life) {
    life.send_if_modified(|life| {
        let fits = *life == old;
        if fits {
            *life = new;
        }
        fits
    });
}

/// `true` if the process or the machine is out of file descriptors or memory for sockets.
fn is_exhaustion(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| exhausted.iter().any(|errno| errno.raw_os_error() == code))
}

/// Failures to accept since the last success.
#[derive(Default)]
struct Failures {
    count: u64,
    told: Option<Instant>,
}

impl Failures {
    /// Counts one more. `true` if it is to be told: the first, and one each second.
    fn are_to_be_told(&mut self) -> bool {
        self.count += 1;
        let is_time = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if is_time {
            self.told = Some(Instant::now());
        }
        is_time
    }

    /// An attempt has succeeded. `true` if there were failures.
    fn end(&mut self) -> bool {
        std::mem::take(&mut self.count) > 0
    }
}

fn hand_over(workers: &[WorkerHandle], accepted: Accepted) {
    if let Some(worker) = workers.iter().min_by_key(|worker| worker.load())
        && !worker.give(accepted)
    {
        tracing::error!("a worker is gone");
    }
}
