//! A client in the middle of its request.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::sync::oneshot;

use super::tls::PATIENCE;
use crate::client_body::ClientBody;
use crate::plan::tests::fixture::connection;
use crate::transport::{ClientStream, OutgoingBody};

/// A client in the middle of its request, and its body as hyper passes it on.
pub(in crate::transport) async fn client(head: &str) -> (DuplexStream, OutgoingBody) {
    patient_client(head, PATIENCE).await
}

/// As [`client`], with a client that may be silent for `idle`.
pub(in crate::transport) async fn patient_client(head: &str, idle: Duration) -> (DuplexStream, OutgoingBody) {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let (give, given) = oneshot::channel();
    let give = Rc::new(RefCell::new(Some(give)));
    tokio::task::spawn_local(async move {
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let give = give.borrow_mut().take().expect("one request");
            let (head, body) = request.into_parts();
            let _ = give.send(ClientBody::new(body, &head, &Rc::new(connection())));
            // The body is read as long as its request is not answered.
            std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>()
        });
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service).await;
    });
    client.write_all(format!("POST / HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n").as_bytes()).await.expect("a server");
    let stream = ClientStream::new(given.await.expect("a request"), 1 << 30, idle);
    (client, OutgoingBody::Stream(Box::new(stream)))
}
