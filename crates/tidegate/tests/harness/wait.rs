//! Waiting for conditions.

use std::time::{Duration, Instant};

/// Generous: it only passes when a test fails anyway.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until there is a value; panics after [`PATIENCE`], saying what did not come.
pub fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = ask() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
