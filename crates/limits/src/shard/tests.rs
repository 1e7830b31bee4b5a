use std::time::Duration;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn key(name: &str) -> CounterKey {
    CounterKey::new("route/1", name)
}

fn per(secs: u64) -> Limit {
    Limit::fixed(10, Duration::from_secs(secs))
}

fn knows(shard: &Shard, name: &str) -> bool {
    shard.counters.contains_key(&key(name))
}

#[test]
fn a_full_shard_gives_up_the_counter_that_ends_first() {
    let mut shard = Shard::new(2);
    shard.check(key("long"), &per(100), 1, 0);
    shard.check(key("short"), &per(10), 1, 0);
    shard.check(key("new"), &per(50), 1, SECOND);
    assert!(knows(&shard, "long") && knows(&shard, "new") && !knows(&shard, "short"));
}

#[test]
fn a_full_shard_looks_at_when_a_sliding_counter_really_ends() {
    let mut shard = Shard::new(2);
    let sliding = Limit::sliding(10, Duration::from_secs(10));
    shard.check(key("sliding"), &sliding, 1, 0);
    shard.check(key("fixed"), &per(25), 1, 0);
    shard.check(key("sliding"), &sliding, 1, 19 * SECOND);
    shard.check(key("new"), &per(50), 1, 20 * SECOND);
    assert!(knows(&shard, "sliding") && knows(&shard, "new") && !knows(&shard, "fixed"));
}

#[test]
fn known_keys_are_served_in_a_full_shard_without_displacing_anything() {
    let mut shard = Shard::new(2);
    shard.check(key("a"), &per(10), 1, 0);
    shard.check(key("b"), &per(10), 1, 0);
    assert_eq!(shard.check(key("a"), &per(10), 1, 0).remaining, 8);
    assert_eq!(shard.check(key("b"), &per(10), 1, 0).remaining, 8);
}

#[test]
fn every_visit_removes_counters_that_have_ended() {
    let mut shard = Shard::new(100);
    for n in 0..10 {
        shard.check(key(&n.to_string()), &per(10), 1, 0);
    }
    shard.check(key("visitor"), &per(10), 1, 10 * SECOND);
    assert_eq!(shard.len(), 10 - REMOVED_PER_VISIT + 1);
    for _ in 0..5 {
        shard.check(key("visitor"), &per(10), 1, 10 * SECOND);
    }
    assert_eq!(shard.len(), 1);
}

#[test]
fn an_ended_counter_that_is_still_held_starts_anew() {
    let mut shard = Shard::new(100);
    for name in ["a", "b", "c"] {
        shard.check(key(name), &per(1), 1, 0);
    }
    shard.check(key("late"), &per(2), 5, 0);
    // The visit removes two of the three that ended before it.
    assert_eq!(shard.check(key("late"), &per(2), 1, 2 * SECOND).remaining, 9);
}

#[test]
fn a_sliding_counter_in_use_is_never_removed() {
    let mut shard = Shard::new(100);
    let sliding = Limit::sliding(1_000, Duration::from_secs(1));
    for second in 0..50 {
        let decision = shard.check(key("busy"), &sliding, 10, second * SECOND + SECOND / 2);
        let of_previous_bucket = if second == 0 { 0 } else { 5 };
        assert_eq!(decision.remaining, 1_000 - 10 - of_previous_bucket, "second {second}");
    }
}

#[test]
fn the_heap_holds_one_entry_per_counter() {
    let mut shard = Shard::new(8);
    for n in 0..1_000_u64 {
        let limit = if n % 3 == 0 { Limit::sliding(5, Duration::from_secs(1)) } else { per(1 + n % 4) };
        shard.check(key(&(n % 13).to_string()), &limit, 1, n * SECOND / 10);
        assert_eq!(shard.ends.len(), shard.counters.len(), "after {n}");
        assert!(shard.len() <= 8);
    }
}
