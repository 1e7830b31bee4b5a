//! Batches, expectations, revisions, and who sees what when.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_store::{Expect, Store, StoreError, Write};

fn put(key: &str, value: Value) -> Write {
    put_if(key, value, Expect::Any)
}

fn put_if(key: &str, value: Value, expect: Expect) -> Write {
    Write::Put { key: key.to_owned(), value, expect, ttl: None }
}

fn delete(key: &str) -> Write {
    Write::Delete { key: key.to_owned() }
}

fn keys_under(store: &Store, prefix: &str) -> Vec<String> {
    store.snapshot().under(prefix).map(|item| item.key.to_string()).collect()
}

#[tokio::test]
async fn an_item_remembers_its_creation_and_its_last_change() {
    let store = Store::in_memory();
    let first = store.write(vec![put("/apisix/routes/1", json!({"uri": "/a"}))]).await.unwrap();
    assert!(first[0].created);
    store.write(vec![put("/apisix/routes/2", json!({}))]).await.unwrap();
    let second = store.write(vec![put("/apisix/routes/1", json!({"uri": "/b"}))]).await.unwrap();
    assert!(!second[0].created);

    let item = Arc::clone(store.snapshot().get("/apisix/routes/1").unwrap());
    assert_eq!((item.created_index, item.modified_index), (1, 3));
    assert_eq!(*item.value, json!({"uri": "/b"}));
    assert_eq!(second[0].item.as_ref(), Some(&item));
    assert_eq!((second[0].revision, store.snapshot().revision), (3, 3));
}

#[tokio::test]
async fn a_batch_is_one_revision() {
    let store = Store::in_memory();
    let outcomes = store.write(vec![put("/a", json!(1)), put("/b", json!(2))]).await.unwrap();
    assert_eq!(outcomes.iter().map(|outcome| outcome.revision).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(store.snapshot().revision, 1);
}

#[tokio::test]
async fn the_writes_of_a_batch_see_each_other() {
    let store = Store::in_memory();
    let batch = vec![
        put_if("/a", json!(1), Expect::Absent),
        put_if("/a", json!(2), Expect::Revision(1)),
        delete("/a"),
        put_if("/a", json!(3), Expect::Absent),
        put("/b", json!(4)),
        delete("/b"),
    ];
    let created: Vec<bool> = store.write(batch).await.unwrap().iter().map(|outcome| outcome.created).collect();
    assert_eq!(created, [true, false, false, true, true, false]);
    assert_eq!(*store.snapshot().get("/a").unwrap().value, json!(3));
    assert_eq!(store.snapshot().len(), 1);
}

#[tokio::test]
async fn a_deletion_returns_what_was_removed() {
    let store = Store::in_memory();
    store.write(vec![put("/a", json!("here"))]).await.unwrap();
    let outcome = store.write(vec![delete("/a")]).await.unwrap().remove(0);
    assert_eq!(*outcome.item.unwrap().value, json!("here"));
    assert_eq!(outcome.revision, 2);
    assert!(store.snapshot().is_empty());
}

#[tokio::test]
async fn deleting_nothing_makes_no_revision() {
    let store = Store::in_memory();
    store.write(vec![put("/a", json!(1))]).await.unwrap();
    let outcome = store.write(vec![delete("/none")]).await.unwrap().remove(0);
    assert!(outcome.item.is_none());
    assert_eq!((outcome.revision, store.snapshot().revision), (1, 1));
    assert!(store.write(vec![]).await.unwrap().is_empty());
    assert_eq!(store.snapshot().revision, 1);
}

#[tokio::test]
async fn expectations_decide() {
    // "/here" stands at revision 1, "/gone" does not exist.
    let table = [
        ("/here", Expect::Any, Ok(())),
        ("/gone", Expect::Any, Ok(())),
        ("/gone", Expect::Absent, Ok(())),
        ("/here", Expect::Absent, Err(Some(1))),
        ("/here", Expect::Revision(1), Ok(())),
        ("/here", Expect::Revision(2), Err(Some(1))),
        ("/gone", Expect::Revision(1), Err(None)),
    ];
    for (name, expect, expected) in table {
        let store = Store::in_memory();
        store.write(vec![put("/here", json!(1))]).await.unwrap();
        let result = store.write(vec![put_if(name, json!(2), expect)]).await;
        let result = match result {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict { key, found }) => {
                assert_eq!(key, name);
                Err(found)
            }
            Err(other) => panic!("{name} {expect:?}: {other}"),
        };
        assert_eq!(result, expected, "{name} {expect:?}");
    }
}

#[tokio::test]
async fn a_conflict_takes_its_whole_batch_with_it_and_nothing_else() {
    let store = Store::in_memory();
    store.write(vec![put("/taken", json!(1))]).await.unwrap();
    let error = store.write(vec![put("/new", json!(1)), put_if("/taken", json!(2), Expect::Absent)]).await.unwrap_err();
    assert_eq!(error.to_string(), "/taken was changed meanwhile: it now stands at revision 1");
    assert_eq!(keys_under(&store, "/"), ["/taken"]);
    let next = store.write(vec![put("/new", json!(1))]).await.unwrap();
    assert_eq!(next[0].revision, 2, "a refused batch uses up no revision");
}

#[tokio::test]
async fn a_prefix_selects_a_collection_in_key_order() {
    let store = Store::in_memory();
    for key in ["/apisix/routes/2", "/apisix/routes/10", "/apisix/routes_x/1", "/apisix/services/1"] {
        store.write(vec![put(key, json!({}))]).await.unwrap();
    }
    assert_eq!(keys_under(&store, "/apisix/routes/"), ["/apisix/routes/10", "/apisix/routes/2"]);
    assert_eq!(keys_under(&store, "/apisix/").len(), 4);
    assert!(keys_under(&store, "/apisix/upstreams/").is_empty());
}

#[tokio::test]
async fn a_held_snapshot_does_not_change() {
    let store = Store::in_memory();
    store.write(vec![put("/a", json!(1))]).await.unwrap();
    let held = store.snapshot();
    store.write(vec![put("/a", json!(2)), put("/b", json!(3))]).await.unwrap();
    assert_eq!((held.revision, held.len()), (1, 1));
    assert_eq!(*held.get("/a").unwrap().value, json!(1));
}

#[tokio::test]
async fn ids_are_revisions_and_wake_nobody() {
    let store = Store::in_memory();
    store.write(vec![put("/a", json!(1))]).await.unwrap();
    let mut changes = store.subscribe();
    assert_eq!(store.next_id().await.unwrap(), 2);
    assert_eq!(store.next_id().await.unwrap(), 3);
    assert!(!changes.has_changed().unwrap());
    assert_eq!(changes.borrow().revision, 3);

    let written = store.write(vec![put("/b", json!(1))]).await.unwrap();
    assert_eq!(written[0].revision, 4);
    assert!(changes.has_changed().unwrap());
    assert!(changes.borrow_and_update().get("/b").is_some());
}

#[tokio::test]
async fn values_keep_the_order_of_their_fields_and_the_kind_of_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"z":1,"a":{"y":1.0,"b":-5,"big":18446744073709551615},"m":[null,true,"ü\u0000\""]}"#;
    let store = Store::open(dir.path()).unwrap();
    store.write(vec![put("/a", serde_json::from_str(text).unwrap())]).await.unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.snapshot().get("/a").unwrap().value.to_string(), text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_lose_no_increment() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.write(vec![put("/counter", json!(0))]).await.unwrap();
    let writers: Vec<_> = (0..8).map(|_| tokio::spawn(increment(store.clone(), 25))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let item = Arc::clone(store.snapshot().get("/counter").unwrap());
    assert_eq!(*item.value, json!(200));
    assert_eq!(item.modified_index, 201, "one revision per change, none for conflicts");
}

/// Adds one, `times` times, by compare and swap.
async fn increment(store: Store, times: u64) {
    for _ in 0..times {
        loop {
            let item = Arc::clone(store.snapshot().get("/counter").unwrap());
            let next = json!(item.value.as_u64().unwrap() + 1);
            match store.write(vec![put_if("/counter", next, Expect::Revision(item.modified_index))]).await {
                Ok(_) => break,
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_reads_after_an_acknowledgement_sees_the_write() {
    let store = Store::in_memory();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..100 {
                    let key = format!("/{writer}/{n}");
                    let outcome = store.write(vec![put(&key, json!(n))]).await.unwrap().remove(0);
                    let snapshot = store.snapshot();
                    assert!(snapshot.revision >= outcome.revision);
                    assert_eq!(snapshot.get(&key), outcome.item.as_ref());
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!((store.snapshot().revision, store.snapshot().len()), (800, 800));
}

#[tokio::test]
async fn a_subscriber_is_told_of_a_change_at_once() {
    let store = Store::in_memory();
    let mut changes = store.subscribe();
    let waiting = tokio::spawn(async move {
        changes.changed().await.unwrap();
        changes.borrow().get("/a").map(|item| item.value.to_string())
    });
    store.write(vec![put("/a", json!("x"))]).await.unwrap();
    assert_eq!(waiting.await.unwrap().as_deref(), Some("\"x\""));
}

#[tokio::test]
async fn a_write_whose_caller_went_away_still_happens() {
    let store = Store::in_memory();
    {
        let mut writing = std::pin::pin!(store.write(vec![put("/a", json!(1))]));
        // One poll hands the batch to the writer.
        std::future::poll_fn(|context| {
            let _ = writing.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
    }
    store.expire_due().await.unwrap();
    assert!(store.snapshot().get("/a").is_some());
}
