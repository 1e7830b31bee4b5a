//! The sliding window as its callers see it, and against a model that keeps every admitted request.

use std::time::Duration;

use proptest::prelude::*;
use tidegate_limits::{CounterKey, Decision, Limit, Limiter};

fn key() -> CounterKey {
    CounterKey::new("routes/1", "10.0.0.1")
}

/// Buckets of ten seconds; the origin is the beginning of one.
fn at(millis: u64) -> Duration {
    Duration::from_millis(1_700_000_000_000 + millis)
}

fn ten_per_ten_seconds() -> Limit {
    Limit::sliding(10, Duration::from_secs(10))
}

#[test]
fn the_previous_bucket_counts_for_the_share_that_is_still_covered() {
    let limiter = Limiter::local();
    let limit = ten_per_ten_seconds();
    let table = [
        // (millis, cost, allowed, remaining, reset)
        (2_000, 8, true, 2, 8.0),
        // Half of the previous 8 counts: 10 - 1 - 4.
        (15_000, 1, true, 5, 5.0),
        // A quarter of 8 counts: 10 - 5 - 2.
        (17_500, 4, true, 3, 2.5),
        // The bucket before the previous one is forgotten: of 5, a tenth counts; floor(10 - 1 - 0.5).
        (29_000, 1, true, 8, 1.0),
        (45_000, 1, true, 9, 5.0),
    ];
    for (millis, cost, allowed, remaining, reset) in table {
        let decision = limiter.check(&key(), &limit, cost, at(millis));
        assert_eq!(decision, Decision { allowed, limit: 10, remaining, reset }, "at {millis} ms");
    }
}

#[test]
fn a_full_bucket_rejects_until_it_ends() {
    let limiter = Limiter::local();
    let limit = ten_per_ten_seconds();
    limiter.check(&key(), &limit, 10, at(1_000));
    let decision = limiter.check(&key(), &limit, 1, at(4_000));
    assert_eq!(decision, Decision { allowed: false, limit: 10, remaining: 0, reset: 6.0 });
}

#[test]
fn a_full_estimate_rejects_until_it_has_fallen_below_the_count() {
    let limiter = Limiter::local();
    let limit = ten_per_ten_seconds();
    limiter.check(&key(), &limit, 10, at(0));
    limiter.check(&key(), &limit, 4, at(15_000));
    // Estimate at 12 s into the second bucket's life would be 10 * 0.5 + 4 = 9: still below.
    limiter.check(&key(), &limit, 2, at(15_000));
    // Now 10 * 0.5 + 6 = 11: it falls by one per second, so in one second it is down to the count.
    let decision = limiter.check(&key(), &limit, 1, at(15_000));
    assert_eq!(decision, Decision { allowed: false, limit: 10, remaining: 0, reset: 1.0 });
    assert!(!limiter.check(&key(), &limit, 1, at(16_000)).allowed, "at the count is not below it");
    assert!(limiter.check(&key(), &limit, 1, at(16_001)).allowed);
}

#[test]
fn what_is_rejected_is_not_counted() {
    let limiter = Limiter::local();
    let limit = Limit::sliding(1, Duration::from_secs(10));
    assert!(limiter.check(&key(), &limit, 1, at(0)).allowed);
    for millis in 1..1_000 {
        assert!(!limiter.check(&key(), &limit, 1, at(millis)).allowed);
    }
    assert!(limiter.check(&key(), &limit, 1, at(10_001)).allowed);
}

#[test]
fn the_last_admitted_cost_may_overshoot_and_leaves_nothing() {
    let limiter = Limiter::local();
    let limit = ten_per_ten_seconds();
    limiter.check(&key(), &limit, 9, at(0));
    let decision = limiter.check(&key(), &limit, 5, at(1));
    assert!(decision.allowed);
    assert_eq!(decision.remaining, 0);
}

#[test]
fn another_window_length_starts_the_counter_anew() {
    let limiter = Limiter::local();
    limiter.check(&key(), &ten_per_ten_seconds(), 10, at(0));
    let decision = limiter.check(&key(), &Limit::sliding(10, Duration::from_secs(20)), 1, at(1));
    assert_eq!(decision.remaining, 9);
}

#[test]
fn a_clock_that_was_set_back_forgets_nothing() {
    let limiter = Limiter::local();
    let limit = ten_per_ten_seconds();
    limiter.check(&key(), &limit, 10, at(20_000));
    let decision = limiter.check(&key(), &limit, 1, at(5_000));
    assert_eq!((decision.allowed, decision.reset), (false, 10.0));
}

/// Every admitted request: when, and at what cost.
#[derive(Default)]
struct Model(Vec<(u64, u64)>);

impl Model {
    fn spent_in(&self, bucket: Option<u64>, window: u64) -> u64 {
        let inside = |at: u64| Some(at / window) == bucket;
        self.0.iter().filter(|(at, _)| inside(*at)).map(|(_, cost)| cost).sum()
    }

    /// (previous bucket's share times the window, current bucket)
    fn load(&self, window: u64, now: u64) -> (u64, u64) {
        let bucket = now / window;
        let left = window - now % window;
        let previous = self.spent_in(bucket.checked_sub(1), window);
        (previous * left, self.spent_in(Some(bucket), window))
    }

    fn check(&mut self, count: u64, window: u64, cost: u64, now: u64) -> (bool, u64) {
        let (weighted, current) = self.load(window, now);
        if current >= count || weighted + current * window >= count * window {
            return (false, 0);
        }
        self.0.push((now, cost));
        let (weighted, current) = self.load(window, now);
        (true, (count * window).saturating_sub(current * window + weighted) / window)
    }
}

proptest! {
    #[test]
    fn the_limiter_agrees_with_the_model(
        count in 1_u64..20,
        window in 1_u64..3_000,
        asks in prop::collection::vec((0_u64..4, 0_u64..900), 1..200),
    ) {
        let (limiter, mut model, mut now) = (Limiter::local(), Model::default(), 0);
        let limit = Limit::sliding(count, Duration::from_millis(window));
        for (cost, pause) in asks {
            now += pause;
            let decision = limiter.check(&key(), &limit, cost, Duration::from_millis(now));
            let (allowed, remaining) = model.check(count, window, cost, now);
            prop_assert_eq!((decision.allowed, decision.remaining), (allowed, remaining), "at {}", now);
        }
    }

    #[test]
    fn no_bucket_and_no_estimate_ever_holds_more_than_the_count(
        count in 1_u64..30,
        window in 1_u64..500,
        pauses in prop::collection::vec(0_u64..60, 1..400),
    ) {
        let (limiter, mut log, mut now) = (Limiter::local(), Model::default(), 0);
        let limit = Limit::sliding(count, Duration::from_millis(window));
        for pause in pauses {
            now += pause;
            if limiter.check(&key(), &limit, 1, Duration::from_millis(now)).allowed {
                let (weighted, current) = log.load(window, now);
                prop_assert!(weighted + current * window < count * window);
                log.0.push((now, 1));
                prop_assert!(log.load(window, now).1 <= count);
            }
        }
    }

    #[test]
    fn the_announced_reset_is_when_requests_pass_again(
        count in 1_u64..20,
        window in 10_u64..500,
        pauses in prop::collection::vec(0_u64..40, 1..200),
    ) {
        let (limiter, mut now) = (Limiter::local(), 0);
        let limit = Limit::sliding(count, Duration::from_millis(window));
        for pause in pauses {
            now += pause * 1_000_000;
            let decision = limiter.check(&key(), &limit, 1, Duration::from_nanos(now));
            // Full by its own bucket: then the estimate may still be in the way afterwards.
            let by_estimate = decision.reset < (window - (now / 1_000_000) % window) as f64 / 1e3;
            if !decision.allowed && by_estimate {
                now += (decision.reset * 1e9).ceil() as u64 + 1_000;
                let again = limiter.check(&key(), &limit, 1, Duration::from_nanos(now));
                prop_assert!(again.allowed, "{:?} at {}", again, now);
            }
        }
    }
}
