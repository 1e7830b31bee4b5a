//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Load for bench/run; each command prints one line of JSON")]
pub struct Program {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The provider simulator, as the backend
    Backend(simulator::Options),
    /// Requests one after the other on each connection, as fast as answers come
    Closed(Closed),
    /// Requests at a fixed rate, for latency
    Paced(Paced),
    /// Streams one after the other on each connection
    Streams(Streams),
    /// Opens connections or streams and holds them until standard input ends
    Hold(Hold),
}

/// Where the load goes, and what each request is.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// Loopback address
    #[arg(long, value_parser = loopback)]
    pub to: SocketAddr,
    /// Host header
    #[arg(long, default_value = "bench.test")]
    pub host: String,
    #[arg(long, default_value = "/v1/chat/completions")]
    pub path: String,
    /// More headers, `Name: value`
    #[arg(long)]
    pub header: Vec<String>,
    /// JSON body
    #[arg(long)]
    pub body: String,
}

impl Target {
    /// The bytes of one request.
    pub fn request(&self) -> Vec<u8> {
        let headers: String = self.header.iter().map(|header| format!("{header}\r\n")).collect();
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{}",
            self.path,
            self.host,
            self.body.len(),
            self.body
        )
        .into_bytes()
    }
}

#[derive(Debug, Args)]
pub struct Closed {
    #[command(flatten)]
    pub target: Target,
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub seconds: Duration,
}

#[derive(Debug, Args)]
pub struct Paced {
    #[command(flatten)]
    pub target: Target,
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Requests per second over all connections
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub seconds: Duration,
}

#[derive(Debug, Args)]
pub struct Streams {
    #[command(flatten)]
    pub target: Target,
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub seconds: Duration,
}

#[derive(Debug, Args)]
pub struct Hold {
    #[command(flatten)]
    pub target: Target,
    #[arg(long, default_value_t = 1000)]
    pub connections: usize,
    /// Leave each connection idle after one whole answer, in place of amid a stream
    #[arg(long)]
    pub idle: bool,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "must be an address with a port".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("must be a loopback address".to_owned()) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("must be 0.1..600 seconds".to_owned()),
    }
}
