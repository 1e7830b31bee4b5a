//! Spares a client connection's task from waking itself for nothing.
//!
//! Whoever takes a piece out of one of hyper's bodies wakes the connection that put it there, so that it reads on. Here
//! both are mostly one and the same task, which is running at that moment: the wake would only poll it once more, for
//! each request and for each chunk of a stream. The connection's task therefore hands out a [`TaskWaker`], and who
//! takes a piece does it [`quietly`] and passes on only a wake that is of use.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;

thread_local! {
    /// What becomes of a wake on this thread.
    static WAKES: Cell<Wakes> = const { Cell::new(Wakes::PassOn) };
}

#[derive(Default)]
enum Wakes {
    /// They reach their task.
    #[default]
    PassOn,
    /// They are held back; there was none yet.
    HoldBack,
    /// One was held back.
    Held(Waker),
}

/// A task's waker whose wakes can be held back.
pub(crate) struct TaskWaker {
    task: Waker,
    handed_out: Waker,
}

struct Relay(Waker);

impl TaskWaker {
    pub fn new(task: &Waker) -> Self {
        Self { task: task.clone(), handed_out: Arc::new(Relay(task.clone())).into() }
    }

    /// The waker to poll with in the place of `task`.
    pub fn following(&mut self, task: &Waker) -> &Waker {
        if !self.task.will_wake(task) {
            *self = Self::new(task);
        }
        &self.handed_out
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        WAKES.with(|wakes| match wakes.take() {
            Wakes::PassOn => self.0.wake_by_ref(),
            Wakes::HoldBack | Wakes::Held(_) => wakes.set(Wakes::Held(self.0.clone())),
        });
    }
}

/// As long as it lives, wakes are held back.
struct Quiet;

impl Quiet {
    fn begin() -> Self {
        WAKES.set(Wakes::HoldBack);
        Self
    }

    /// The wake that was held back.
    fn end(self) -> Option<Waker> {
        match WAKES.take() {
            Wakes::PassOn | Wakes::HoldBack => None,
            Wakes::Held(waker) => Some(waker),
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        WAKES.set(Wakes::PassOn);
    }
}

/// Runs `take` and gives its result with the wake that it would have caused.
fn quietly<T>(take: impl FnOnce() -> T) -> (T, Option<Waker>) {
    let quiet = Quiet::begin();
    (take(), quiet.end())
}

/// The next frame of a client's body; its connection is woken where there is more to read.
pub(crate) fn poll_client(
    incoming: &mut Incoming,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    let (polled, held) = quietly(|| Pin::new(&mut *incoming).poll_frame(cx));
    if let Some(waker) = held
        && !incoming.is_end_stream()
    {
        waker.wake();
    }
    polled
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wake_is_held_back_only_while_something_is_taken_quietly() {
        let wakes = Arc::new(Wakes::default());
        let count = || wakes.0.load(Ordering::Relaxed);
        let task = Waker::from(wakes.clone());
        let mut handed_out = TaskWaker::new(&task);
        let waker = handed_out.following(&task).clone();

        waker.wake_by_ref();
        assert_eq!(count(), 1);
        let ((), held) = quietly(|| waker.wake_by_ref());
        assert_eq!(count(), 1);
        held.expect("a wake").wake();
        assert_eq!(count(), 2);
        assert!(quietly(|| ()).1.is_none());
        let panicked = std::panic::catch_unwind(|| quietly(|| panic!("on purpose")));
        assert!(panicked.is_err());
        waker.wake_by_ref();
        assert_eq!(count(), 3);
    }
}
