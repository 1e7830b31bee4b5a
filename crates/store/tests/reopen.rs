//! What is there after closing and opening again, and who may open at all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::json;
use tidegate_store::{Expect, Store, StoreError, Write};

fn put(key: &str) -> Write {
    Write::Put { key: key.to_owned(), value: json!({"key": key}), expect: Expect::Any, ttl: None }
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.write(vec![put("/a"), put("/b")]).await.unwrap();
    store.write(vec![Write::Delete { key: "/a".to_owned() }]).await.unwrap();
    let before = store.snapshot();
    drop(store);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.snapshot().revision, 2);
    assert_eq!(store.snapshot().get("/b"), before.get("/b"));
    assert_eq!(store.snapshot().len(), 1);
}

#[tokio::test]
async fn an_id_is_never_given_twice_even_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).unwrap().next_id().await.unwrap();
    let second = Store::open(dir.path()).unwrap().next_id().await.unwrap();
    assert_eq!((first, second), (1, 2));
}

#[tokio::test]
async fn meta_values_are_kept_beside_the_resources() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.get_meta("admin_key"), None);
    store.put_meta("admin_key", "one").await.unwrap();
    store.put_meta("admin_key", "two").await.unwrap();
    assert_eq!(store.get_meta("admin_key").as_deref(), Some("two"));
    assert_eq!((store.snapshot().revision, store.snapshot().len()), (0, 0));
    drop(store);
    assert_eq!(Store::open(dir.path()).unwrap().get_meta("admin_key").as_deref(), Some("two"));
}

#[tokio::test]
async fn reading_what_nobody_has_open_leaves_no_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("100% sure? #1");
    Store::open(&folder).unwrap().write(vec![put("/a")]).await.unwrap();
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    assert_eq!(Store::read(&folder).unwrap().len(), 1);
    assert_eq!(names(), before);
    let with_two_slashes = std::path::PathBuf::from(format!("/{}", folder.display()));
    assert_eq!(Store::read(&with_two_slashes).unwrap().len(), 1);
}

#[tokio::test]
async fn missing_parents_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("var").join("lib").join("tidegate");
    Store::open(&deep).unwrap().write(vec![put("/a")]).await.unwrap();
    assert_eq!(Store::open(&deep).unwrap().snapshot().len(), 1);
}

#[test]
fn a_second_opener_is_refused_until_the_last_handle_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let handle = store.clone();
    drop(store);
    let refused = Store::open(dir.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains(&dir.path().display().to_string()), "{refused}");
    drop(handle);
    Store::open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_reader_sees_what_a_running_process_has_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Store::read(&dir.path().join("nothing")).unwrap().is_empty());
    let store = Store::open(dir.path()).unwrap();
    assert!(Store::read(dir.path()).unwrap().is_empty());
    store.write(vec![put("/a")]).await.unwrap();
    assert_eq!(Store::read(dir.path()).unwrap().get("/a"), store.snapshot().get("/a"));
    store.write(vec![put("/b")]).await.unwrap();
    assert_eq!(Store::read(dir.path()).unwrap().revision, 2);
}

#[tokio::test]
async fn what_was_queued_before_closing_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let writes: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.write(vec![put(&format!("/{n}"))]).await })
        })
        .collect();
    drop(store);
    for write in writes {
        tokio::time::timeout(Duration::from_secs(30), write).await.unwrap().unwrap().unwrap();
    }
    assert_eq!(Store::open(dir.path()).unwrap().snapshot().len(), 50);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tidegate.db"), "").unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.write(vec![put("/a")]).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["tidegate.db", "tidegate.db-shm", "tidegate.db-wal", "tidegate.lock"]);
}
