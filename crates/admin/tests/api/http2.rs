//! HTTP/2 with prior knowledge, on the port where HTTP/1.1 is served as well.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::server::{ADMIN_KEY, Admin};

async fn client(admin: &Admin) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(admin.address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn call(sender: &mut SendRequest<Full<Bytes>>, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://admin.test/apisix/admin{path}"))
        .header("x-api-key", ADMIN_KEY)
        .body(Full::from(if body.is_null() { String::new() } else { body.to_string() }))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap())
}

#[tokio::test]
async fn one_http_2_connection_writes_and_reads() {
    let admin = Admin::start();
    let mut sender = client(&admin).await;
    let upstream = json!({ "nodes": { "127.0.0.1:80": 1 } });
    assert_eq!(call(&mut sender, "PUT", "/upstreams/1", &upstream).await.0, 201);
    let (status, body) = call(&mut sender, "GET", "/upstreams/1", &Value::Null).await;
    assert_eq!((status, &body["value"]["nodes"]), (200, &upstream["nodes"]));
    assert_eq!(admin.get("/upstreams/1").await.status, 200, "HTTP/1.1 is served beside it");
}

#[tokio::test]
async fn requests_of_one_http_2_connection_are_answered_side_by_side() {
    let admin = Admin::start();
    let sender = client(&admin).await;
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                call(&mut sender, "PUT", &format!("/upstreams/{number}"), &json!({ "nodes": {} })).await.0
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 201);
    }
    assert_eq!(admin.get("/upstreams").await.json()["total"], 20);
}
