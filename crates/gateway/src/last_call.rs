//! The last call: the process is about to end, and whoever holds something that is not yet delivered, such as a batch
//! of log entries, delivers it now. Invariant: everybody who listens has gone when the call is over, or time is up. The
//! binary calls once the data plane has settled its last request.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long after the end of the call listeners may take to notice it.
const GRACE: Duration = Duration::from_millis(500);

/// The calling end; one for the process.
#[derive(Debug)]
pub struct LastCall(watch::Sender<Option<Instant>>);

/// A task that has something to deliver. The call waits until it is dropped.
#[derive(Debug)]
pub struct Listening(watch::Receiver<Option<Instant>>);

impl Default for LastCall {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl LastCall {
    /// For a task that will deliver what it holds.
    pub fn listen(&self) -> Listening {
        Listening(self.0.subscribe())
    }

    /// Calls, and waits for at most `limit` until every listener has delivered. `true` if all have.
    pub async fn call(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        self.0.send_replace(Some(until));
        tokio::time::timeout_at(until + GRACE, self.0.closed()).await.is_ok()
    }
}

impl Listening {
    /// Ready once the process is about to end.
    pub async fn called(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            // Whoever could call is gone, and will not.
            std::future::pending::<()>().await;
        }
    }

    /// `true` once the process is about to end.
    pub fn is_called(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Ready when there is no time left to deliver anything.
    pub async fn over(&mut self) {
        self.called().await;
        let until = *self.0.borrow();
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_call_waits_for_those_who_deliver() {
        let last_call = LastCall::default();
        let mut listening = last_call.listen();
        assert!(!listening.is_called());
        let task = tokio::spawn(async move {
            listening.called().await;
            listening.is_called()
        });
        assert!(last_call.call(Duration::from_secs(20)).await);
        assert!(task.await.expect("no panic"));
    }

    #[tokio::test]
    async fn the_call_is_over_for_those_who_do_not() {
        let last_call = LastCall::default();
        let mut listening = last_call.listen();
        let (waited, ()) = tokio::join!(last_call.call(Duration::from_millis(10)), listening.over());
        assert!(!waited);
    }
}
