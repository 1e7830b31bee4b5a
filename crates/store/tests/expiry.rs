//! Items with a time to live, on a clock that the test moves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidegate_store::{Expect, ManualClock, Store, Write};

const START: u64 = 1_700_000_000;

fn put(key: &str, ttl: Option<Duration>) -> Write {
    Write::Put { key: key.to_owned(), value: json!(key), expect: Expect::Any, ttl }
}

fn secs(secs: u64) -> Option<Duration> {
    Some(Duration::from_secs(secs))
}

fn store_at_start() -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(START));
    let time: Arc<ManualClock> = Arc::clone(&clock);
    (Store::in_memory_with_clock(time), clock)
}

async fn pass(store: &Store, clock: &ManualClock, time: Duration) {
    clock.advance(time);
    store.expire_due().await.unwrap();
}

#[tokio::test]
async fn an_item_goes_away_when_its_time_has_come() {
    let (store, clock) = store_at_start();
    let written = store.write(vec![put("/a", secs(10)), put("/b", None)]).await.unwrap();
    assert_eq!(written[0].item.as_ref().unwrap().expires_at, Some(START + 10));

    pass(&store, &clock, Duration::from_millis(9_999)).await;
    assert_eq!((store.snapshot().revision, store.snapshot().len()), (1, 2));

    pass(&store, &clock, Duration::from_millis(1)).await;
    assert!(store.snapshot().get("/a").is_none());
    assert!(store.snapshot().get("/b").is_some());
    assert_eq!(store.snapshot().revision, 2, "an expiry is a change like any other");
}

#[tokio::test]
async fn subscribers_hear_of_an_expiry() {
    let (store, clock) = store_at_start();
    store.write(vec![put("/a", secs(1))]).await.unwrap();
    let changes = store.subscribe();
    pass(&store, &clock, Duration::from_secs(1)).await;
    assert!(changes.has_changed().unwrap());
}

#[tokio::test]
async fn parts_of_a_second_are_rounded_up() {
    let (store, clock) = store_at_start();
    clock.advance(Duration::from_millis(300));
    store.write(vec![put("/a", Some(Duration::from_millis(1_500)))]).await.unwrap();
    assert_eq!(store.snapshot().get("/a").unwrap().expires_at, Some(START + 2));
}

#[tokio::test]
async fn a_later_put_decides_anew() {
    let (store, clock) = store_at_start();
    store.write(vec![put("/kept", secs(5)), put("/longer", secs(5))]).await.unwrap();
    store.write(vec![put("/kept", None), put("/longer", secs(60))]).await.unwrap();
    pass(&store, &clock, Duration::from_secs(59)).await;
    assert_eq!(store.snapshot().len(), 2);
    pass(&store, &clock, Duration::from_secs(1)).await;
    assert!(store.snapshot().get("/kept").is_some() && store.snapshot().get("/longer").is_none());
}

#[tokio::test]
async fn a_deleted_item_does_not_expire_again() {
    let (store, clock) = store_at_start();
    store.write(vec![put("/a", secs(5))]).await.unwrap();
    store.write(vec![Write::Delete { key: "/a".to_owned() }]).await.unwrap();
    store.write(vec![put("/a", None)]).await.unwrap();
    pass(&store, &clock, Duration::from_secs(10)).await;
    assert_eq!(store.snapshot().revision, 3);
    assert!(store.snapshot().get("/a").is_some());
}

#[tokio::test]
async fn a_write_finds_what_has_expired_gone() {
    let (store, clock) = store_at_start();
    store.write(vec![put("/a", secs(5))]).await.unwrap();
    clock.advance(Duration::from_secs(5));
    let again = Write::Put { key: "/a".to_owned(), value: json!(2), expect: Expect::Absent, ttl: None };
    let outcome = store.write(vec![again]).await.unwrap().remove(0);
    assert!(outcome.created);
    assert_eq!(outcome.item.unwrap().created_index, 3, "after the revision of the expiry");
}

#[tokio::test]
async fn items_that_expire_together_are_one_revision() {
    let (store, clock) = store_at_start();
    for key in ["/a", "/b", "/c"] {
        store.write(vec![put(key, secs(5))]).await.unwrap();
    }
    pass(&store, &clock, Duration::from_secs(5)).await;
    assert_eq!((store.snapshot().revision, store.snapshot().len()), (4, 0));
}

#[tokio::test]
async fn what_expired_while_nobody_ran_is_gone_when_the_store_opens() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START));
    let store = Store::open_with_clock(dir.path(), clock).unwrap();
    store.write(vec![put("/a", secs(5)), put("/b", secs(500))]).await.unwrap();
    drop(store);

    let later = Arc::new(ManualClock::at(START + 5));
    let store = Store::open_with_clock(dir.path(), later).unwrap();
    let snapshot = store.snapshot();
    assert_eq!((snapshot.revision, snapshot.get("/a"), snapshot.len()), (2, None, 1));
    assert_eq!(snapshot.get("/b").unwrap().expires_at, Some(START + 500));
}

#[tokio::test]
async fn the_writer_wakes_by_itself_on_the_machines_clock() {
    let store = Store::in_memory();
    let mut changes = store.subscribe();
    store.write(vec![put("/a", Some(Duration::from_millis(1)))]).await.unwrap();
    let gone = changes.wait_for(|snapshot| snapshot.revision == 2 && snapshot.is_empty());
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap().unwrap();
}
