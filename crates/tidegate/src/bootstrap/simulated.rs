//! The simulator as a provider, for those who have no provider's key yet.

use std::io::ErrorKind;
use std::net::SocketAddr;

use crate::failure::Failure;

/// The simulator, running inside this process.
#[derive(Debug)]
pub struct Simulated {
    running: simulator::Running,
}

impl Simulated {
    /// Starts it on its usual port of the loopback interface, or on any if that one is taken.
    ///
    /// # Errors
    /// If no port or thread is to be had.
    pub fn start() -> Result<Self, Failure> {
        let usual = simulator::Options { threads: 1, ..simulator::Options::default() };
        let running = match simulator::spawn(usual) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => simulator::spawn(simulator::Options::embedded()),
            other => other,
        };
        let running = running.map_err(|error| Failure::runtime(format!("the simulator cannot be started: {error}")))?;
        Ok(Self { running })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.addr
    }
}
