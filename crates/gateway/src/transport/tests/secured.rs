//! Whether a TLS connection is silent.

use tokio::io::AsyncWriteExt as _;
use tokio::task::coop;

use super::tls::{PATIENCE, TlsUpstream};
use crate::transport::{Dialer, UpstreamIo};

#[tokio::test]
async fn a_task_that_has_done_much_still_sees_that_a_connection_was_closed() {
    let upstream = TlsUpstream::speaking("http/1.1").await;
    let dialer = Dialer::default();
    let (dialled, mut peer) = tokio::join!(dialer.dial(&upstream.origin, PATIENCE), upstream.accept());
    let mut io = dialled.expect("a connection").io;
    peer.shutdown().await.expect("a farewell");
    drop(peer);
    let UpstreamIo::Tls(tls) = &io else { panic!("it is secured") };
    tls.get_ref().0.readable().await.expect("an end");
    // From here on whatever the task asks for would be pending.
    while coop::has_budget_remaining() {
        coop::consume_budget().await;
    }
    assert!(!io.is_silent());
}
