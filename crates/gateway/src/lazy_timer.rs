//! A timer for limits that begin anew all the time and are seldom reached: how long a peer may be silent, how long a
//! head may take. Setting a timer costs more than most of what it watches, so this one stays set, and is set anew only
//! when it fires too early.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

/// A timer without a moment of its own: whoever polls it says when it is due.
#[derive(Debug, Default)]
pub(crate) struct LazyTimer(Option<Pin<Box<Sleep>>>);

impl LazyTimer {
    /// Ready when `due` has come. Until then the task is woken then, or for nothing at the moment of an earlier call.
    pub fn poll_until(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    async fn is_due(timer: &mut LazyTimer, due: Instant) -> bool {
        poll_fn(|cx| Poll::Ready(timer.poll_until(cx, due).is_ready())).await
    }

    #[tokio::test]
    async fn it_is_due_when_its_last_caller_says() {
        let (soon, late) = (Duration::from_millis(20), Duration::from_secs(600));
        let start = Instant::now();
        let mut timer = LazyTimer::default();
        assert!(!is_due(&mut timer, start + late).await);
        poll_fn(|cx| timer.poll_until(cx, start + soon)).await;
        assert!(start.elapsed() >= soon);
        // It has fired, and is set anew for who waits longer.
        assert!(!is_due(&mut timer, start + late).await);
        poll_fn(|cx| timer.poll_until(cx, start + 2 * soon)).await;
        assert!(start.elapsed() >= 2 * soon);
    }
}
