//! Memory is bounded by the number of keys that matter, whatever clients send.

use std::time::Duration;

use tidegate_limits::{Limit, Limiter, Scope};

#[test]
fn there_are_never_more_counters_than_allowed() {
    for max in [1, 2, 63, 100, 1_000] {
        let limiter = Limiter::with_max_counters(max);
        let scope = Scope::new("routes/1");
        for n in 0..5_000 {
            let now = Duration::from_millis(n);
            limiter.check(&scope.key(&n.to_string()), &Limit::fixed(1, Duration::from_secs(60)), 1, now);
        }
        assert!(limiter.len() <= max, "{} counters of {max}", limiter.len());
    }
}

#[test]
fn ended_counters_make_place_for_new_ones_without_a_sweeper() {
    let limiter = Limiter::local();
    let limit = Limit::sliding(1, Duration::from_secs(1));
    let scope = Scope::new("routes/1");
    for round in 0..20 {
        for n in 0..2_000 {
            let key = scope.key(&format!("{round}/{n}"));
            limiter.check(&key, &limit, 1, Duration::from_secs(round * 10));
        }
    }
    // Every insertion removes up to two ended ones of its shard: after each round the last one is gone.
    assert!(limiter.len() < 2 * 2_000, "{} counters", limiter.len());
}

#[test]
fn a_scope_names_the_same_counters_when_it_is_made_again() {
    let limiter = Limiter::local();
    let limit = Limit::fixed(5, Duration::from_secs(60));
    limiter.check(&Scope::new("routes/1#abc").key("bob"), &limit, 1, Duration::ZERO);
    let after_reload = limiter.check(&Scope::new("routes/1#abc").key("bob"), &limit, 1, Duration::ZERO);
    assert_eq!(after_reload.remaining, 3);
    let changed = limiter.check(&Scope::new("routes/1#abd").key("bob"), &limit, 1, Duration::ZERO);
    assert_eq!(changed.remaining, 4);
}
