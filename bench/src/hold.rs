//! Opens connections and keeps them, so that the memory they cost elsewhere can be read.
//!
//! Prints how many stand, then waits for the end of standard input. Answers are read on, or a stream's target would
//! have to queue, which is another measurement.

use std::io::{self, Read};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::args::Hold;
use crate::closed::once;
use crate::wire::Connection;

const BUFFER: usize = 4096;
/// Connections opened at once, so that no accept queue overflows.
const WAVE: usize = 64;
/// For one connection of a wave; when it is over, the target has stopped answering.
const PATIENCE: Duration = Duration::from_secs(20);

pub async fn run(args: &Hold) -> io::Result<()> {
    let (ready, mut readies) = mpsc::channel::<bool>(args.connections.max(1));
    let mut standing = 0;
    'waves: for wave in 0..args.connections.div_ceil(WAVE) {
        let size = WAVE.min(args.connections - wave * WAVE);
        for _ in 0..size {
            let (to, request, idle, ready) = (args.target.to, args.target.request(), args.idle, ready.clone());
            tokio::spawn(async move {
                if hold(to, &request, idle, &ready).await.is_err() {
                    // Nobody listens any more when the run is over.
                    let _ = ready.send(false).await;
                }
            });
        }
        for _ in 0..size {
            match tokio::time::timeout(PATIENCE, readies.recv()).await {
                Ok(Some(stands)) => standing += usize::from(stands),
                Ok(None) | Err(_) => break 'waves,
            }
        }
    }
    println!("{}", serde_json::json!({"standing": standing}));
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await?.map(drop)
}

async fn hold(to: std::net::SocketAddr, request: &[u8], idle: bool, ready: &mpsc::Sender<bool>) -> io::Result<()> {
    let mut connection = Connection::with_buffer(to, BUFFER).await?;
    if idle {
        once(&mut connection, request).await?;
        let _ = ready.send(true).await;
        std::future::pending().await
    } else {
        connection.send(request).await?;
        let mut begun = false;
        connection
            .receive(|_| {
                if !std::mem::replace(&mut begun, true) {
                    let _ = ready.try_send(true);
                }
            })
            .await
    }
}
