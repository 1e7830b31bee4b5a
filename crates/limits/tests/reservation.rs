//! Reserve, then commit or give back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use proptest::prelude::*;
use tidegate_limits::{CounterKey, Limit, Limiter};

fn key() -> CounterKey {
    CounterKey::new("consumers/bob", "tokens")
}

fn at(secs: u64) -> Duration {
    Duration::from_secs(1_700_000_000 + secs)
}

fn kinds(count: u64) -> [Limit; 2] {
    [Limit::fixed(count, Duration::from_secs(10)), Limit::sliding(count, Duration::from_secs(10))]
}

fn left(limiter: &Limiter, limit: &Limit, secs: u64) -> u64 {
    limiter.check(&key(), limit, 0, at(secs)).remaining
}

#[test]
fn a_commit_replaces_the_estimate_by_what_it_was() {
    for limit in kinds(100) {
        let limiter = Limiter::local();
        let reservation = limiter.reserve(&key(), &limit, 60, at(0)).unwrap();
        assert_eq!((reservation.reserved(), left(&limiter, &limit, 1)), (60, 40));
        reservation.commit(25);
        assert_eq!(left(&limiter, &limit, 2), 75);
    }
}

#[test]
fn a_dropped_reservation_gives_everything_back() {
    for limit in kinds(100) {
        let limiter = Limiter::local();
        drop(limiter.reserve(&key(), &limit, 60, at(0)).unwrap());
        limiter.reserve(&key(), &limit, 60, at(0)).unwrap().release();
        assert_eq!(left(&limiter, &limit, 1), 100);
    }
}

#[test]
fn a_reservation_that_does_not_fit_counts_nothing() {
    for limit in kinds(100) {
        let limiter = Limiter::local();
        let _held = limiter.reserve(&key(), &limit, 60, at(0)).unwrap();
        let refused = limiter.reserve(&key(), &limit, 41, at(4)).unwrap_err();
        assert_eq!((refused.allowed, refused.remaining, refused.reset), (false, 0, 6.0));
        assert!(limiter.reserve(&key(), &limit, 40, at(4)).is_ok());
    }
}

#[test]
fn a_commit_above_the_estimate_overdraws_the_window() {
    for limit in kinds(100) {
        let limiter = Limiter::local();
        limiter.reserve(&key(), &limit, 60, at(0)).unwrap().commit(150);
        assert_eq!(left(&limiter, &limit, 1), 0);
        assert!(limiter.reserve(&key(), &limit, 1, at(1)).is_err());
    }
}

#[test]
fn the_cost_belongs_to_the_fixed_window_that_admitted_it() {
    let limit = Limit::fixed(100, Duration::from_secs(10));
    let limiter = Limiter::local();
    let long = limiter.reserve(&key(), &limit, 60, at(0)).unwrap();
    assert_eq!(left(&limiter, &limit, 11), 100);
    long.commit(500);
    assert_eq!(left(&limiter, &limit, 12), 100);
}

#[test]
fn the_previous_bucket_of_a_sliding_window_is_corrected_too() {
    let limit = Limit::sliding(100, Duration::from_secs(10));
    let limiter = Limiter::local();
    let long = limiter.reserve(&key(), &limit, 60, at(0)).unwrap();
    assert_eq!(left(&limiter, &limit, 15), 70);
    long.commit(20);
    assert_eq!(left(&limiter, &limit, 15), 90);
}

#[test]
fn a_sliding_reservation_says_when_it_would_fit() {
    let limit = Limit::sliding(100, Duration::from_secs(10));
    let limiter = Limiter::local();
    limiter.reserve(&key(), &limit, 100, at(0)).unwrap().commit(100);
    let refused = limiter.reserve(&key(), &limit, 60, at(15)).unwrap_err();
    assert_eq!(refused.reset, 1.0);
    assert!(limiter.reserve(&key(), &limit, 60, at(16)).is_ok());
}

proptest! {
    #[test]
    fn reservations_never_hold_more_than_the_count(
        count in 1_u64..100,
        sliding in any::<bool>(),
        steps in prop::collection::vec((0_u64..40, 0_u64..40, any::<bool>()), 1..100),
    ) {
        let limiter = Limiter::local();
        let limit = kinds(count)[usize::from(sliding)];
        let (mut held, mut spent) = (Vec::new(), 0);
        for (amount, actual, settle) in steps {
            if let Ok(reservation) = limiter.reserve(&key(), &limit, amount, at(0)) {
                held.push(reservation);
            }
            if settle && let Some(reservation) = held.pop() {
                let actual = actual.min(reservation.reserved());
                spent += actual;
                reservation.commit(actual);
            }
            let open: u64 = held.iter().map(|reservation| reservation.reserved()).sum();
            prop_assert!(open + spent <= count);
            prop_assert_eq!(left(&limiter, &limit, 0), count - open - spent);
        }
    }
}
