//! Writers at the same time: nothing is lost, and nothing ends up referring to what is gone.

use std::sync::Arc;

use serde_json::json;

use crate::server::{ADMIN_KEY, Admin};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_patches_of_different_fields_all_survive() {
    let admin = Arc::new(Admin::start());
    admin.put_ok("/routes/1", &json!({ "uri": "/", "plugins": {}, "labels": { "first": "1" } })).await;
    let patches: Vec<_> = (0..40)
        .map(|number| {
            let admin = Arc::clone(&admin);
            tokio::spawn(async move {
                let label = format!("label{number}");
                let answer = match number % 2 {
                    0 => admin.patch("/routes/1", &json!({ "labels": { label: "x" } })).await,
                    _ => admin.patch(&format!("/routes/1/labels/{label}"), &json!("x")).await,
                };
                assert_eq!(answer.status, 200, "{answer:?}");
            })
        })
        .collect();
    for patch in patches {
        patch.await.unwrap();
    }
    let labels = admin.get("/routes/1").await.value()["labels"].clone();
    assert_eq!(labels.as_object().unwrap().len(), 41, "{labels}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reference_and_the_deletion_of_its_target_never_both_succeed() {
    let admin = Arc::new(Admin::start());
    for round in 0..40 {
        let upstream = format!("/upstreams/u{round}");
        let service = format!("/services/s{round}");
        admin.put_ok(&upstream, &json!({ "nodes": {} })).await;
        let referring = {
            let (admin, body) = (Arc::clone(&admin), json!({ "upstream_id": format!("u{round}") }));
            tokio::spawn(async move { admin.put(&service, &body).await.status.is_success() })
        };
        let deleting = {
            let admin = Arc::clone(&admin);
            tokio::spawn(async move { admin.delete(&upstream).await.status.is_success() })
        };
        let (referred, deleted) = (referring.await.unwrap(), deleting.await.unwrap());
        assert!(referred != deleted, "round {round}: referred {referred}, deleted {deleted}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_goes_to_one_of_many_consumers() {
    let admin = Arc::new(Admin::start());
    let writes: Vec<_> = (0..20)
        .map(|number| {
            let admin = Arc::clone(&admin);
            let body = json!({ "username": format!("c{number}"), "plugins": { "key-auth": { "key": "same" } } });
            tokio::spawn(async move { admin.put("/consumers", &body).await.status.is_success() })
        })
        .collect();
    let mut accepted = 0;
    for write in writes {
        accepted += usize::from(write.await.unwrap());
    }
    assert_eq!(accepted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn posts_in_parallel_get_different_ids() {
    let admin = Arc::new(Admin::start());
    let posts: Vec<_> = (0..30)
        .map(|_| {
            let admin = Arc::clone(&admin);
            tokio::spawn(async move { admin.post("/upstreams", &json!({ "nodes": {} })).await.status })
        })
        .collect();
    for post in posts {
        assert_eq!(post.await.unwrap(), 201);
    }
    assert_eq!(admin.get("/upstreams").await.json()["total"], 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_hangs_up_leaves_the_api_usable() {
    use tokio::io::AsyncWriteExt;
    let admin = Admin::start();
    let body = json!({ "nodes": {} }).to_string();
    for _ in 0..20 {
        let mut stream = tokio::net::TcpStream::connect(admin.address).await.unwrap();
        let head = format!(
            "PUT /apisix/admin/upstreams/1 HTTP/1.1\r\nHost: a\r\nX-API-KEY: {ADMIN_KEY}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        drop(stream);
    }
    admin.put_ok("/upstreams/2", &json!({ "nodes": {} })).await;
}
