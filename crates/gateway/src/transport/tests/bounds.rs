//! How many idle connections a node keeps that is greeted by many names.

use std::sync::Arc;

use http::Method;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::http2::Peer;
use super::tls::{KEPT, PATIENCE, TlsUpstream, with_body};
use crate::transport::{Origin, Origins, OutgoingBody};

/// More names than connections are kept.
const NAMES: usize = KEPT + 3;

fn names(node: &Origin) -> Vec<Arc<Origin>> {
    let origins = Origins::default();
    let name = |at| ServerName::try_from(format!("{at}.test")).expect("a name");
    (0..NAMES).map(|at| origins.intern_named(node, name(at)).expect("an origin")).collect()
}

fn get() -> http::Request<OutgoingBody> {
    with_body(Method::GET, OutgoingBody::Empty)
}

#[tokio::test]
async fn names_share_their_nodes_bound_on_idle_connections() {
    let upstream = TlsUpstream::speaking("http/1.1").await;
    let mut peers = Vec::new();
    for origin in names(&upstream.origin) {
        let (sent, peer) = tokio::join!(upstream.send_to(&origin, get()), async {
            let mut peer = upstream.accept().await;
            peer.read_buf(&mut Vec::new()).await.expect("a request");
            peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("somebody who listens");
            peer.flush().await.expect("somebody who listens");
            peer
        });
        sent.expect("a response");
        peers.push(peer);
    }
    // Those that were used first are closed, the others are not.
    let kept = peers.split_off(NAMES - KEPT);
    for mut peer in peers {
        let end = tokio::time::timeout(PATIENCE, peer.read(&mut [0])).await;
        // An end without a farewell is one as well.
        assert_eq!(end.expect("an end in time").unwrap_or(0), 0);
    }
    assert_eq!(upstream.pool.idle_connections(), kept.len());
}

#[tokio::test]
async fn names_share_their_nodes_bound_on_idle_http2_connections() {
    let test = async {
        let upstream = TlsUpstream::speaking("h2").await;
        let mut peers = Vec::new();
        for origin in names(&upstream.origin) {
            let (sent, peer) = tokio::join!(upstream.send_to(&origin, get()), async {
                let mut peer = Peer::greet(upstream.accept().await).await;
                peer.serve().await;
                peer
            });
            sent.expect("a response");
            peers.push(peer);
        }
        upstream.pool.sweep();
        assert_eq!(upstream.pool.idle_connections(), KEPT);
        for peer in &mut peers[..NAMES - KEPT] {
            peer.closed().await;
        }
    };
    tokio::task::LocalSet::new().run_until(Box::pin(test)).await;
}
