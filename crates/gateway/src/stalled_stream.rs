//! Gives up a stream of an HTTP/2 client that takes nothing of its response for too long. On HTTP/1 a socket stands
//! still then; here one stream does, for its window is closed, while its connection is fine and hyper waits for ever.
//! Without this the stream would hold its upstream response, and what that costs. Invariant: time runs only while the
//! client is waited for, from the moment a head or a piece of a body was handed to hyper until hyper asks for the next.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body::{Body, Frame, SizeHint};

use crate::lazy_timer::LazyTimer;

thread_local! {
    /// Who is waited for, as far as it has turned out while the stream that is being polled was.
    static WAITS_FOR: Cell<Option<Party>> = const { Cell::new(None) };
    /// The stream that is being dropped is given up.
    static GIVES_UP: Cell<bool> = const { Cell::new(false) };
}

/// `true` while a stream is dropped whose client has not taken what it was given.
pub(crate) fn gives_up() -> bool {
    GIVES_UP.get()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Party {
    /// To take what it was given.
    Client,
    /// To make more of the response.
    Gateway,
}

/// Runs the streams of one HTTP/2 connection on the worker's own thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamExecutor {
    /// How long a client may take nothing of a response.
    pub send_timeout: Duration,
}

impl<F> hyper::rt::Executor<F> for StreamExecutor
where
    F: Future + 'static,
{
    fn execute(&self, stream: F) {
        tokio::task::spawn_local(until_stalled(stream, self.send_timeout));
    }
}

/// Runs `stream` until it ends or its client takes too long; dropped then, it is reset.
async fn until_stalled(stream: impl Future, limit: Duration) {
    {
        let mut stream = pin!(stream);
        let mut given: Option<Instant> = None;
        let mut timer = LazyTimer::default();
        poll_fn(|cx| {
            WAITS_FOR.set(None);
            if stream.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            match WAITS_FOR.take() {
                Some(Party::Client) => given = Some(Instant::now()),
                Some(Party::Gateway) => given = None,
                None => {}
            }
            let Some(given) = given else { return Poll::Pending };
            timer.poll_until(cx, (given + limit).into()).map(|()| GIVES_UP.set(true))
        })
        .await;
    }
    GIVES_UP.set(false);
}

/// Says that the head of a response is made: its client is waited for next.
pub(crate) fn watched<B>(response: http::Response<B>) -> http::Response<Watched<B>> {
    WAITS_FOR.set(Some(Party::Client));
    response.map(Watched)
}

/// A body that says who is waited for.
pub(crate) struct Watched<B>(B);

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.0).poll_frame(cx);
        WAITS_FOR.set(Some(if polled.is_ready() { Party::Client } else { Party::Gateway }));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
