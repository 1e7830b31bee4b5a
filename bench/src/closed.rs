//! Closed loop: each connection sends its next request when the answer to the last has come.

use std::io;
use std::time::Instant;

use serde::Serialize;

use crate::args::Closed;
use crate::latency::{Latencies, Percentiles};
use crate::wire::Connection;

#[derive(Debug, Serialize)]
pub struct Result {
    requests: u64,
    errors: u64,
    seconds: f64,
    per_second: f64,
    latency_us: Percentiles,
}

pub async fn run(args: &Closed) -> io::Result<Result> {
    let start = Instant::now();
    let end = start + args.seconds;
    let mut tasks = Vec::new();
    for _ in 0..args.connections {
        let (target, request) = (args.target.clone(), args.target.request());
        tasks.push(tokio::spawn(async move {
            let (mut latencies, mut requests, mut errors) = (Latencies::default(), 0u64, 0u64);
            while Instant::now() < end {
                let Ok(mut connection) = Connection::open(target.to).await else {
                    errors += 1;
                    continue;
                };
                while Instant::now() < end {
                    match once(&mut connection, &request).await {
                        Ok(nanoseconds) => {
                            latencies.add(nanoseconds);
                            requests += 1;
                        }
                        Err(_) => {
                            errors += 1;
                            break;
                        }
                    }
                }
            }
            (latencies, requests, errors)
        }));
    }
    let (mut latencies, mut requests, mut errors) = (Latencies::default(), 0, 0);
    for task in tasks {
        let (mut its, done, failed) = task.await?;
        latencies.append(&mut its);
        requests += done;
        errors += failed;
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Result { requests, errors, seconds, per_second: requests as f64 / seconds, latency_us: latencies.percentiles() })
}

/// Sends a request, awaits its answer, and tells the nanoseconds it took.
pub async fn once(connection: &mut Connection, request: &[u8]) -> io::Result<u64> {
    let sent = Instant::now();
    connection.send(request).await?;
    connection.receive(|_| ()).await?;
    Ok(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX))
}
