//! Accepting connections and spreading them evenly: one acceptor per port gives each connection to the worker
//! that has the fewest, so that a few busy connections never meet on one core while another idles.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use crate::worker::{Accepted, Life, WorkerHandle};

/// Connections waiting to be accepted, per listener.
const BACKLOG: i32 = 1024;

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
pub async fn accept(listener: Listener, workers: Arc<Vec<WorkerHandle>>, mut life: watch::Receiver<Life>) {
    let tls = listener.tls;
    let socket = match tokio::net::TcpListener::from_std(listener.socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%error, "a listener cannot be used");
            return;
        }
    };
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = life.wait_for(|life| *life > Life::Serving) => return,
        };
        match accepted {
            Ok((stream, peer)) => match stream.into_std() {
                Ok(socket) => hand_over(&workers, Accepted { socket, peer, tls }),
                Err(error) => tracing::warn!(%error, "a connection could not be handed over"),
            },
            Err(error) => {
                // Out of file descriptors, mostly: let some connections end before the next try.
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
}

fn hand_over(workers: &[WorkerHandle], accepted: Accepted) {
    if let Some(worker) = workers.iter().min_by_key(|worker| worker.load())
        && !worker.give(accepted)
    {
        tracing::error!("a worker is gone");
    }
}
