//! A client's body on its way in. Whoever lets go of one before its end leaves the rest to be read and thrown away for
//! a while (nginx's lingering close): a client that writes first and reads later would otherwise find the connection
//! closed under its hands, and never see the answer. The rest is left alone where the client waits to be asked for its
//! body, where it was too slow already, and over HTTP/2, which can refuse one body and go on. A drain ends it.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::exchange::Connection;
use crate::self_wake::poll_client;
use crate::worker::Life;

/// How long the rest of a body is read (nginx's `lingering_time`).
const LONGEST: Duration = Duration::from_secs(30);

/// How long the client may pause in it (nginx's `lingering_timeout`).
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

/// A body as it arrives on `connection`.
#[derive(Debug)]
pub struct ClientBody {
    /// Taken out on drop alone.
    incoming: Option<Incoming>,
    connection: Rc<Connection>,
    rest: Rest,
}

/// What becomes of the bytes that nobody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    ThrownAway,
    /// The client sends none before somebody reads: it waits for `100 Continue`.
    NotAskedFor,
    LeftAlone,
}

impl ClientBody {
    /// The body of a request of this head.
    pub fn new(incoming: Incoming, head: &http::request::Parts, connection: &Rc<Connection>) -> Self {
        let rest = match head.version {
            Version::HTTP_2 => Rest::LeftAlone,
            _ if head.headers.contains_key(http::header::EXPECT) => Rest::NotAskedFor,
            _ => Rest::ThrownAway,
        };
        Self { incoming: Some(incoming), connection: connection.clone(), rest }
    }

    /// The next piece, as [`poll_client`] gives it.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.rest == Rest::NotAskedFor {
            self.rest = Rest::ThrownAway;
        }
        self.incoming.as_mut().map_or(Poll::Ready(None), |incoming| poll_client(incoming, cx))
    }

    /// Waits for no more of it: the client is too slow.
    pub fn give_up(&mut self) {
        self.rest = Rest::LeftAlone;
    }

    /// `true` if nothing more will come.
    pub fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    /// How many bytes are still to come, as far as the client has said so.
    pub fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        let Some(mut incoming) = self.incoming.take() else { return };
        if self.rest != Rest::ThrownAway {
            return;
        }
        let mut cx = Context::from_waker(Waker::noop());
        // Mostly all of it has come already.
        while !incoming.is_end_stream() {
            match poll_client(&mut incoming, &mut cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None | Some(Err(_))) => return,
                Poll::Pending => {
                    tokio::task::spawn_local(discard(incoming, self.connection.clone()));
                    return;
                }
            }
        }
    }
}

/// Reads what is left of a body and throws it away, within the bounds of time.
async fn discard(mut incoming: Incoming, connection: Rc<Connection>) {
    let mut life = connection.life.clone();
    let pieces = async {
        loop {
            let next = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx));
            match tokio::time::timeout(LONGEST_SILENCE, next).await {
                Ok(Some(Ok(_))) => connection.extend_wait(),
                Ok(Some(Err(_)) | None) | Err(_) => return,
            }
        }
    };
    // What comes after it finds the connection closed.
    tokio::select! {
        _ = tokio::time::timeout(LONGEST, pieces) => {}
        _ = life.wait_for(|life| *life > Life::Serving) => {}
    }
}
