//! What the operating system says to the process.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// A signal, by what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: drain and exit.
    End,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGUSR1: open log files again.
    ReopenLogs,
}

/// The signals of a serving process. From its making on, none of them ends the process by itself.
pub struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hang_up: Stream,
    user: Stream,
}

impl Signals {
    /// Must be called within a runtime.
    ///
    /// # Errors
    /// If a handler cannot be installed.
    pub fn listen() -> io::Result<Self> {
        // By itself it would end the process; the write that it is about fails then, as one to a full disk does.
        signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::End,
            _ = self.interrupt.recv() => Signal::End,
            _ = self.hang_up.recv() => Signal::Reload,
            _ = self.user.recv() => Signal::ReopenLogs,
        }
    }

    /// Waits for SIGTERM or SIGINT; passes over the others.
    pub async fn end(&mut self) {
        while self.next().await != Signal::End {}
    }
}
