//! Slots count what is in flight, and nothing else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tidegate_limits::{Concurrency, CounterKey};

fn key() -> CounterKey {
    CounterKey::new("routes/1", "10.0.0.1")
}

#[test]
fn a_dropped_slot_makes_room_for_the_next() {
    let concurrency = Concurrency::local();
    let first = concurrency.acquire(&key(), 2).unwrap();
    let second = concurrency.acquire(&key(), 2).unwrap();
    assert_eq!((first.position(), second.position()), (1, 2));
    assert!(concurrency.acquire(&key(), 2).is_none());
    drop(first);
    assert_eq!(concurrency.acquire(&key(), 2).unwrap().position(), 2);
}

#[test]
fn a_refused_request_takes_no_slot() {
    let concurrency = Concurrency::local();
    assert!(concurrency.acquire(&key(), 0).is_none());
    let _held = concurrency.acquire(&key(), 1).unwrap();
    for _ in 0..10 {
        assert!(concurrency.acquire(&key(), 1).is_none());
    }
    assert_eq!(concurrency.in_flight(&key()), 1);
}

#[test]
fn a_key_without_slots_takes_no_memory() {
    let concurrency = Concurrency::local();
    let slots: Vec<_> =
        (0..100).map(|n| concurrency.acquire(&CounterKey::new("routes/1", &n.to_string()), 1).unwrap()).collect();
    assert_eq!(concurrency.keys(), 100);
    drop(slots);
    assert_eq!(concurrency.keys(), 0);
}

#[test]
fn slots_are_given_back_when_their_holder_panics() {
    let concurrency = Concurrency::local();
    let holder = concurrency.clone();
    let request = std::thread::spawn(move || {
        let _slot = holder.acquire(&key(), 1).unwrap();
        panic!("the request failed");
    });
    assert!(request.join().is_err());
    assert_eq!(concurrency.in_flight(&key()), 0);
}

#[test]
fn many_threads_never_hold_more_slots_than_allowed() {
    let concurrency = Concurrency::local();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    if let Some(slot) = concurrency.acquire(&key(), 3) {
                        assert!(slot.position() <= 3);
                        assert!(concurrency.in_flight(&key()) <= 3);
                    }
                }
            });
        }
    });
    assert_eq!(concurrency.in_flight(&key()), 0);
}
