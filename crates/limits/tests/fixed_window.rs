//! The fixed window as its callers see it, and against a model that is too simple to be wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_limits::{CounterKey, Decision, Limit, Limiter};

fn at(millis: u64) -> Duration {
    Duration::from_millis(1_700_000_000_000 + millis)
}

fn key() -> CounterKey {
    CounterKey::new("routes/1", "10.0.0.1")
}

#[test]
fn requests_pass_until_the_count_is_used_up() {
    let limiter = Limiter::local();
    let limit = Limit::fixed(2, Duration::from_secs(60));
    let table = [
        // (millis, cost, allowed, remaining, reset)
        (0, 1, true, 1, 60.0),
        (500, 1, true, 0, 59.5),
        (1_000, 1, false, 0, 59.0),
        (59_990, 1, false, 0, 0.01),
        (60_000, 1, true, 1, 60.0),
    ];
    for (millis, cost, allowed, remaining, reset) in table {
        let decision = limiter.check(&key(), &limit, cost, at(millis));
        assert_eq!(decision, Decision { allowed, limit: 2, remaining, reset }, "at {millis} ms");
    }
}

#[test]
fn the_window_starts_with_the_first_request_of_the_key() {
    let limiter = Limiter::local();
    let limit = Limit::fixed(1, Duration::from_secs(10));
    assert_eq!(limiter.check(&key(), &limit, 1, at(7_000)).reset, 10.0);
    assert!(!limiter.check(&key(), &limit, 1, at(16_999)).allowed);
    assert!(limiter.check(&key(), &limit, 1, at(17_000)).allowed);
}

#[test]
fn what_is_rejected_is_counted_too() {
    let limiter = Limiter::local();
    let limit = Limit::fixed(10, Duration::from_secs(10));
    assert!(limiter.check(&key(), &limit, 8, at(0)).allowed);
    assert!(!limiter.check(&key(), &limit, 5, at(1)).allowed);
    assert!(!limiter.check(&key(), &limit, 1, at(2)).allowed);
}

#[test]
fn a_cost_of_zero_looks_without_consuming_and_starts_the_window() {
    let limiter = Limiter::local();
    let limit = Limit::fixed(3, Duration::from_secs(10));
    assert_eq!(limiter.check(&key(), &limit, 0, at(0)).remaining, 3);
    assert_eq!(limiter.check(&key(), &limit, 0, at(4_000)).reset, 6.0);
    assert_eq!(limiter.check(&key(), &limit, 3, at(5_000)).remaining, 0);
}

#[test]
fn another_count_applies_at_once_to_what_was_consumed() {
    let limiter = Limiter::local();
    let window = Duration::from_secs(10);
    limiter.check(&key(), &Limit::fixed(5, window), 4, at(0));
    assert!(!limiter.check(&key(), &Limit::fixed(2, window), 0, at(1)).allowed);
    assert_eq!(limiter.check(&key(), &Limit::fixed(9, window), 1, at(2)).remaining, 4);
}

#[test]
fn values_and_owners_have_counters_of_their_own() {
    let limiter = Limiter::local();
    let limit = Limit::fixed(1, Duration::from_secs(10));
    for (owner, value) in [("a", "x"), ("a", "y"), ("b", "x"), ("ax", ""), ("", "ax")] {
        assert!(limiter.check(&CounterKey::new(owner, value), &limit, 1, at(0)).allowed, "{owner} {value}");
    }
}

#[test]
fn a_clock_that_was_set_back_never_announces_more_than_a_window() {
    let limiter = Limiter::local();
    let limit = Limit::fixed(1, Duration::from_secs(10));
    limiter.check(&key(), &limit, 1, at(1_000_000));
    assert_eq!(limiter.check(&key(), &limit, 1, at(0)).reset, 10.0);
}

#[test]
fn costs_beyond_all_bounds_are_rejected_and_do_not_wrap_around() {
    let limiter = Limiter::local();
    let limit = Limit::fixed(10, Duration::from_secs(10));
    assert!(!limiter.check(&key(), &limit, u64::MAX, at(0)).allowed);
    assert!(!limiter.check(&key(), &limit, u64::MAX, at(0)).allowed);
}

#[test]
fn many_threads_together_admit_exactly_the_count() {
    let limiter = Limiter::local();
    let limit = Limit::fixed(1_000, Duration::from_secs(10));
    let admitted: usize = std::thread::scope(|scope| {
        let ask = || (0..500).filter(|_| limiter.check(&key(), &limit, 1, at(0)).allowed).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 1_000);
}

/// Keeps, per key, when its window began and everything that was asked since.
#[derive(Default)]
struct Model(HashMap<u8, (u64, Vec<u64>)>);

impl Model {
    fn check(&mut self, key: u8, count: u64, window: u64, cost: u64, now: u64) -> (bool, u64, u64) {
        let (start, costs) = self.0.entry(key).or_insert((now, Vec::new()));
        if now - *start >= window {
            (*start, *costs) = (now, Vec::new());
        }
        costs.push(cost);
        let consumed: u64 = costs.iter().sum();
        let allowed = consumed <= count;
        (allowed, count.saturating_sub(consumed), window - (now - *start))
    }
}

proptest! {
    #[test]
    fn the_limiter_agrees_with_the_model(
        count in 1_u64..20,
        window in 1_u64..3_000,
        asks in prop::collection::vec((0_u8..4, 0_u64..5, 0_u64..800), 1..200),
    ) {
        let (limiter, mut model, mut now) = (Limiter::local(), Model::default(), 0);
        let limit = Limit::fixed(count, Duration::from_millis(window));
        for (name, cost, pause) in asks {
            now += pause;
            let key = CounterKey::new("model", &name.to_string());
            let decision = limiter.check(&key, &limit, cost, Duration::from_millis(now));
            let (allowed, remaining, reset) = model.check(name, count, window, cost, now);
            prop_assert_eq!(decision.allowed, allowed);
            prop_assert_eq!(decision.remaining, remaining);
            prop_assert!((decision.reset - reset as f64 / 1e3).abs() < 1e-9);
        }
    }

    #[test]
    fn no_window_ever_admits_more_than_the_count(
        count in 1_u64..50,
        window in 1_u64..2_000,
        asks in prop::collection::vec((1_u64..5, 0_u64..100), 1..300),
    ) {
        let (limiter, mut now) = (Limiter::local(), 0);
        let limit = Limit::fixed(count, Duration::from_millis(window));
        let mut admitted_in: HashMap<u64, u64> = HashMap::new();
        for (cost, pause) in asks {
            now += pause;
            let decision = limiter.check(&key(), &limit, cost, Duration::from_millis(now));
            let ends = now + (decision.reset * 1e3).round() as u64;
            if decision.allowed {
                *admitted_in.entry(ends).or_default() += cost;
            }
        }
        prop_assert!(admitted_in.values().all(|admitted| *admitted <= count), "{:?}", admitted_in);
    }
}
