//! The command line of `tidegate simulate`, which is also what an embedder sets.

use std::net::SocketAddr;
use std::path::PathBuf;

/// How the simulator listens, and how it behaves where neither a script nor an `x-simulate` header says otherwise.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8089", value_name = "ADDR")]
    pub listen: SocketAddr,

    /// Milliseconds before the first token.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub ttft_ms: u64,

    /// Tokens per second after the first one; 0 sends as fast as possible.
    #[arg(long, default_value_t = 0.0, value_name = "N", value_parser = parse_rate)]
    pub tokens_per_second: f64,

    /// How far each delay may differ from the even pace: 0 is even, 1 is anything from nothing to twice the delay.
    #[arg(long, default_value_t = 0.0, value_name = "0..1", value_parser = parse_share)]
    pub jitter: f64,

    /// Two simulators with the same seed say the same.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// A JSON file of rules: which requests behave how.
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,

    /// Worker threads; 0 takes one per core.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,

    /// How many recent requests, headers and bodies included, can be read at /__simulator/requests.
    #[arg(long, default_value_t = 256, value_name = "N")]
    pub keep_requests: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8089)),
            ttft_ms: 0,
            tokens_per_second: 0.0,
            jitter: 0.0,
            seed: 0,
            script: None,
            threads: 0,
            keep_requests: 256,
        }
    }
}

impl Options {
    /// The defaults on a free port of the loopback interface with one thread: what tests and an embedding gateway want.
    pub fn embedded() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), threads: 1, ..Self::default() }
    }

    pub(crate) fn worker_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }
}

pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 0.0 => Ok(rate),
        _ => Err(format!("must be a number from 0 up, got {text:?}")),
    }
}

pub(crate) fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("must be a number from 0 to 1, got {text:?}")),
    }
}
