//! Writes that SQLite refuses: they are reported, they change nothing, and they harm no neighbour.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::json;
use tidegate_store::{Expect, Store, StoreError, Write};

fn put(key: &str) -> Write {
    Write::Put { key: key.to_owned(), value: json!(key), expect: Expect::Any, ttl: None }
}

/// What an operator must never do: change the file of a running process.
fn sql(dir: &Path, statement: &str) {
    let connection = rusqlite::Connection::open(dir.join("tidegate.db")).unwrap();
    connection.execute_batch(statement).unwrap();
}

#[tokio::test]
async fn a_refused_write_changes_nothing_and_the_store_works_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.write(vec![put("/a")]).await.unwrap();
    let changes = store.subscribe();
    sql(dir.path(), "ALTER TABLE item RENAME TO elsewhere");
    let error = store.write(vec![put("/b")]).await.unwrap_err();
    assert!(matches!(error, StoreError::NotWritten { .. }), "{error}");
    assert!(error.to_string().contains("tidegate.db: no such table: item"), "{error}");
    assert_eq!((store.snapshot().revision, store.snapshot().len()), (1, 1));
    assert!(!changes.has_changed().unwrap());

    sql(dir.path(), "ALTER TABLE elsewhere RENAME TO item");
    assert_eq!(store.write(vec![put("/b")]).await.unwrap()[0].revision, 2);
    drop(store);
    assert_eq!(Store::open(dir.path()).unwrap().snapshot().len(), 2);
}

#[tokio::test]
async fn one_refused_write_does_not_take_those_with_it_that_shared_its_flush() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    sql(
        dir.path(),
        "CREATE TRIGGER refuse BEFORE INSERT ON item WHEN NEW.key = '/13'
         BEGIN SELECT RAISE(ABORT, 'an unlucky number'); END",
    );
    let writes: Vec<_> = (0..40)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.write(vec![put(&format!("/{n}"))]).await.map(|_| n) })
        })
        .collect();
    let mut refused = Vec::new();
    for write in writes {
        if let Err(error) = write.await.unwrap() {
            refused.push(error.to_string());
        }
    }
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].contains("an unlucky number"), "{refused:?}");
    let snapshot = store.snapshot();
    assert_eq!((snapshot.revision, snapshot.len(), snapshot.get("/13")), (39, 39, None));
}
