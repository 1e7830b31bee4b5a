//! What is particular to each kind: shares, affinity, loads and latencies.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::ewma::Latency;
use super::*;

#[test]
fn four_to_one_gives_eight_of_ten() {
    let balancer = balancer(Kind::RoundRobin, &[4, 1]);
    assert_eq!(shares(&picks(&balancer, 10, &|_| true), 2), [8, 2]);
}

#[test]
fn the_rotation_is_smooth() {
    let balancer = balancer(Kind::RoundRobin, &[5, 1, 1]);
    let picks = picks(&balancer, 14, &|_| true);
    let longest_run = picks.chunk_by(|a, b| a == b).map(<[usize]>::len).max();
    // a a b a c a a, and again: at the seam four of the heavy node meet.
    assert_eq!(longest_run, Some(4), "{picks:?}");
    assert_eq!(shares(&picks, 3), [10, 2, 2]);
}

#[test]
fn the_turns_of_an_absent_node_go_to_the_others_by_weight() {
    let balancer = balancer(Kind::RoundRobin, &[2, 2, 1, 1]);
    assert_eq!(shares(&picks(&balancer, 600, &|node| node != 1), 4), [300, 0, 150, 150]);
}

#[test]
fn weights_with_a_long_cycle_are_still_exact() {
    let balancer = balancer(Kind::RoundRobin, &[3000, 1999, 1]);
    assert_eq!(shares(&picks(&balancer, 5000, &|_| true), 3), [3000, 1999, 1]);
}

#[test]
fn workers_share_one_rotation() {
    let balancer = balancer(Kind::RoundRobin, &[3, 2, 1]);
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| picks(&balancer, 600, &|_| true))).collect();
        all.extend(workers.into_iter().flat_map(|worker| worker.join().expect("worker ends well")));
    });
    assert_eq!(shares(&all, 3), [1200, 800, 400]);
}

proptest! {
    #[test]
    fn every_cycle_gives_exact_shares(weights in prop::collection::vec(0_u32..12, 2..8)) {
        let total: u32 = weights.iter().sum();
        prop_assume!(total > 0);
        let balancer = balancer(Kind::RoundRobin, &weights);
        let seen = shares(&picks(&balancer, total as usize, &|_| true), weights.len());
        prop_assert_eq!(seen, weights.iter().map(|weight| *weight as usize).collect::<Vec<_>>());
    }

    #[test]
    fn removing_a_node_moves_only_its_own_keys(count in 2_usize..6, removed in 0_usize..6, seed in any::<u32>()) {
        let removed = removed % count;
        let names = |skip: Option<usize>| (0..count).filter(|at| Some(*at) != skip).map(|at| node(at, 1, 0)).collect();
        let (all, fewer) = (Balancer::new(names(None), Kind::Chash), Balancer::new(names(Some(removed)), Kind::Chash));
        for key in 0..200_u32 {
            let key = (key ^ seed).to_le_bytes();
            let owner = |balancer: &Balancer, healthy: &dyn Fn(usize) -> bool| {
                let at = balancer.pick(Some(&key), &TriedSet::new(), healthy).expect("a node");
                balancer.nodes()[at].host.clone()
            };
            let before = owner(&all, &|_| true);
            let after = owner(&fewer, &|_| true);
            if before == format!("node-{removed}") {
                // A node that is only ill loses its keys to the same heirs.
                prop_assert_eq!(after, owner(&all, &|at| at != removed));
            } else {
                prop_assert_eq!(before, after);
            }
        }
    }
}

#[test]
fn a_key_stays_with_its_node_and_keys_spread_by_weight() {
    let balancer = balancer(Kind::Chash, &[1, 2, 1]);
    let first = picks(&balancer, 8000, &|_| true);
    assert_eq!(first, picks(&balancer, 8000, &|_| true));
    let seen = shares(&first, 3);
    for (node, expected) in [(0, 2000.0), (1, 4000.0), (2, 2000.0)] {
        let ratio = seen[node] as f64 / expected;
        assert!((0.75..1.25).contains(&ratio), "node {node} got {} of about {expected}", seen[node]);
    }
}

#[test]
fn odd_weights_keep_the_ring_small_and_fair() {
    let balancer = balancer(Kind::Chash, &[60_001, 29_999]);
    let seen = shares(&picks(&balancer, 9000, &|_| true), 2);
    assert!((5400..6600).contains(&seen[0]), "{seen:?}");
}

#[test]
fn least_conn_follows_attempts_in_flight_and_their_end() {
    let balancer = balancer(Kind::LeastConn, &[2, 1]);
    let pick = || balancer.pick(None, &TriedSet::new(), &|_| true).expect("a node");
    let mut held = Vec::new();
    let mut order = Vec::new();
    for _ in 0..6 {
        let node = pick();
        order.push(node);
        held.push((node, balancer.begin(node)));
    }
    assert_eq!(shares(&order, 2), [4, 2]);
    held.retain(|(node, _)| *node == 0);
    assert_eq!(pick(), 1, "the node whose attempts ended is free again");
}

#[test]
fn attempts_in_flight_count_on_after_a_change_of_nodes() {
    let old = balancer(Kind::LeastConn, &[1, 1]);
    let busy = old.begin(0);
    let new = Balancer::succeeding(vec![node(2, 1, 0), node(0, 1, 0)], Kind::LeastConn, Some(&old));
    let first = new.begin(0);
    let second = new.begin(0);
    assert_eq!(new.pick(None, &TriedSet::new(), &|_| true), Some(1), "one in flight is fewer than two");
    drop((first, second));
    assert_eq!(new.pick(None, &TriedSet::new(), &|_| true), Some(0));
    drop(busy);
}

#[test]
fn the_faster_of_two_wins() {
    let balancer = balancer(Kind::Ewma, &[1, 1]);
    let now = Instant::now();
    balancer.observe(0, Duration::from_millis(200), now);
    balancer.observe(1, Duration::from_millis(20), now);
    assert_eq!(shares(&picks(&balancer, 50, &|_| true), 2), [0, 50]);
}

#[test]
fn the_slowest_of_three_is_never_chosen_and_each_other_is() {
    let balancer = balancer(Kind::Ewma, &[1, 1, 1]);
    let now = Instant::now();
    for (node, millis) in [(0, 10), (1, 20), (2, 900)] {
        balancer.observe(node, Duration::from_millis(millis), now);
    }
    let seen = shares(&picks(&balancer, 300, &|_| true), 3);
    assert!(seen[0] > seen[1] && seen[1] > 0 && seen[2] == 0, "{seen:?}");
}

#[test]
fn latency_rises_at_once_falls_slowly_and_is_forgotten() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let latency = Latency::default();
    assert_eq!(latency.score(start), 0.0);
    latency.observe(Duration::from_secs(1), start);
    latency.observe(Duration::from_secs(4), at(1));
    assert_eq!(latency.score(at(1)), 4.0);
    latency.observe(Duration::from_secs(1), at(11));
    let after_one_decay = 1.0 + 3.0 / std::f64::consts::E;
    assert!((latency.score(at(11)) - after_one_decay).abs() < 1e-9, "{}", latency.score(at(11)));
    assert!(latency.score(at(21)) < after_one_decay / 2.0);
    assert_eq!(latency.score(at(72)), 0.0);
}
