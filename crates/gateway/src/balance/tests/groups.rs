//! What holds for every kind: tries, health, weight 0 and priorities.

use proptest::prelude::*;

use super::*;

#[test]
fn each_node_is_tried_once_and_then_there_is_none() {
    for kind in KINDS {
        let balancer = balancer(kind, &[1, 5, 2]);
        let mut set = TriedSet::new();
        let mut order: Vec<usize> = Vec::new();
        while let Some(node) = balancer.pick(Some(b"k"), &set, &|_| true) {
            set.insert(node);
            order.push(node);
        }
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2], "{kind:?}");
    }
}

#[test]
fn weight_0_gets_no_traffic_even_as_the_last_resort() {
    for kind in KINDS {
        let balancer = balancer(kind, &[0, 1, 1]);
        assert_eq!(shares(&picks(&balancer, 100, &|_| true), 3)[0], 0, "{kind:?}");
        assert_eq!(shares(&picks(&balancer, 100, &|node| node == 0), 3)[0], 0, "{kind:?}");
        assert_eq!(balancer.pick(None, &tried(&[1, 2]), &|_| true), None, "{kind:?}");
    }
}

#[test]
fn an_upstream_without_usable_nodes_gives_none() {
    for kind in KINDS {
        assert_eq!(balancer(kind, &[]).pick(None, &TriedSet::new(), &|_| true), None, "{kind:?}");
        assert_eq!(balancer(kind, &[0, 0]).pick(None, &TriedSet::new(), &|_| true), None, "{kind:?}");
    }
}

#[test]
fn a_single_node_is_given_again_on_every_try() {
    for kind in [Kind::RoundRobin, Kind::Chash, Kind::Ewma] {
        assert_eq!(balancer(kind, &[1]).pick(None, &tried(&[0]), &|_| false), Some(0), "{kind:?}");
    }
    assert_eq!(balancer(Kind::LeastConn, &[1]).pick(None, &tried(&[0]), &|_| true), None);
}

#[test]
fn a_lower_priority_waits_until_the_higher_is_used_up() {
    for kind in KINDS {
        let nodes = vec![node(0, 1, -1), node(1, 1, 10), node(2, 1, 10), node(3, 1, 0)];
        let balancer = Balancer::new(nodes, kind);
        assert_eq!(shares(&picks(&balancer, 40, &|_| true), 4)[1..3].iter().sum::<usize>(), 40, "{kind:?}");
        assert_eq!(balancer.pick(Some(b"k"), &tried(&[1]), &|_| true), Some(2), "{kind:?}");
        assert_eq!(balancer.pick(Some(b"k"), &tried(&[1, 2]), &|_| true), Some(3), "{kind:?}");
        assert_eq!(balancer.pick(Some(b"k"), &tried(&[1, 2, 3]), &|_| true), Some(0), "{kind:?}");
        assert_eq!(balancer.pick(Some(b"k"), &tried(&[1]), &|node| node == 0), Some(0), "{kind:?}");
    }
}

#[test]
fn when_all_are_unhealthy_every_node_is_used_and_otherwise_no_unhealthy_one() {
    for kind in KINDS {
        let balancer = balancer(kind, &[1, 1, 1]);
        let seen = shares(&picks(&balancer, 300, &|_| false), 3);
        assert!(seen.iter().all(|count| *count > 0), "{kind:?}: {seen:?}");
        assert_eq!(shares(&picks(&balancer, 50, &|node| node == 2), 3), [0, 0, 50], "{kind:?}");
        assert_eq!(balancer.pick(Some(b"k"), &tried(&[2]), &|node| node == 2), None, "{kind:?}");
    }
}

#[test]
fn a_tried_set_holds_any_position() {
    let set = tried(&[0, 63, 64, 200]);
    let held: Vec<usize> = (0..300).filter(|node| set.contains(*node)).collect();
    assert_eq!(held, [0, 63, 64, 200]);
}

proptest! {
    #[test]
    fn a_pick_is_always_allowed_and_never_missed(
        drafts in prop::collection::vec((0_u32..4, -1_i32..2, any::<bool>(), any::<bool>()), 2..10),
        kind in prop::sample::select(KINDS.to_vec()),
        key in any::<[u8; 4]>(),
    ) {
        let nodes = drafts.iter().enumerate().map(|(at, (weight, priority, ..))| node(at, *weight, *priority)).collect();
        let set = tried(&(0..drafts.len()).filter(|at| drafts[*at].2).collect::<Vec<_>>());
        let healthy = |at: usize| drafts[at].3;
        let weighty = |at: &usize| drafts[*at].0 > 0;
        let all_ill = !(0..drafts.len()).filter(weighty).any(healthy);
        let allowed: Vec<usize> =
            (0..drafts.len()).filter(weighty).filter(|at| !set.contains(*at) && (all_ill || healthy(*at))).collect();
        let best = allowed.iter().map(|at| drafts[*at].1).max();
        match Balancer::new(nodes, kind).pick(Some(&key), &set, &healthy) {
            None => prop_assert!(allowed.is_empty()),
            Some(node) => {
                prop_assert!(allowed.contains(&node));
                prop_assert_eq!(Some(drafts[node].1), best);
            }
        }
    }
}
