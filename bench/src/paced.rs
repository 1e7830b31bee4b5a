//! A fixed rate that is far from what the target can take: what is measured is the way through it, not a queue.
//!
//! Latency counts from the moment a request was really sent, so that the timer's grain stays out of it.

use std::io;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use crate::args::Paced;
use crate::closed::once;
use crate::latency::{Latencies, Percentiles};
use crate::wire::Connection;

#[derive(Debug, Serialize)]
pub struct Result {
    requests: u64,
    errors: u64,
    latency_us: Percentiles,
}

pub async fn run(args: &Paced) -> io::Result<Result> {
    let interval = Duration::from_secs_f64(args.connections as f64 / args.rate);
    let start = Instant::now();
    let end = start + args.seconds;
    let mut tasks = Vec::new();
    for index in 0..args.connections {
        let (to, request) = (args.target.to, args.target.request());
        let mut due = start + interval.mul_f64(index as f64 / args.connections as f64);
        tasks.push(tokio::spawn(async move {
            let mut latencies = Latencies::default();
            let mut connection = Connection::open(to).await?;
            // The first request opens the way to the backend, which is not what is measured.
            once(&mut connection, &request).await?;
            while due < end {
                sleep_until(due).await;
                latencies.add(once(&mut connection, &request).await?);
                due += interval;
            }
            io::Result::Ok(latencies)
        }));
    }
    let (mut latencies, mut requests, mut errors) = (Latencies::default(), 0, 0);
    for task in tasks {
        match task.await? {
            Ok(mut its) => {
                requests += its.len() as u64;
                latencies.append(&mut its);
            }
            Err(_) => errors += 1,
        }
    }
    Ok(Result { requests, errors, latency_us: latencies.percentiles() })
}
