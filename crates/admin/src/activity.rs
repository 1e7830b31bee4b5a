//! Whether a connection is in use: how the listener finds out that a client holds one and asks nothing, whatever the
//! protocol. Invariant: a connection with a request in flight is in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What happens on one connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A request that is being answered. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Activity>);

impl Activity {
    /// A request begins.
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.begun.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Resolves when for a whole `period` no request began and none was in flight; at the latest after the second
    /// period without.
    pub async fn ceased(&self, period: Duration) {
        let mut known = 0;
        loop {
            tokio::time::sleep(period).await;
            let (begun, ended) = (self.begun.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed));
            if begun == known && ended == begun {
                return;
            }
            known = begun;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_has_ceased_after_one_period() {
        let began = tokio::time::Instant::now();
        Activity::default().ceased(PERIOD).await;
        assert_eq!(began.elapsed(), PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_keeps_a_connection_in_use() {
        let activity = Arc::new(Activity::default());
        let request = activity.begin();
        assert!(tokio::time::timeout(PERIOD * 10, activity.ceased(PERIOD)).await.is_err());
        drop(request);
        let began = tokio::time::Instant::now();
        activity.ceased(PERIOD).await;
        assert_eq!(began.elapsed(), PERIOD * 2);
    }
}
