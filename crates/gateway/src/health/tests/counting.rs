use std::sync::Arc;

use serde_json::json;

use super::super::Outcome::{Connected, Malformed, Status as Answer, TcpFailure, Timeout};
use super::super::{Checker, Outcome, Registry, Status};
use super::*;

fn checker() -> Arc<Checker> {
    Registry::new(None).apply("/apisix/upstreams/1", &passive_checks(), &nodes(&[80, 81]), None)
}

#[test]
fn outcomes_move_status_and_counters() {
    let table: [(&[Outcome], Status, [u8; 4]); 13] = [
        (&[], Status::Healthy, [0, 0, 0, 0]),
        (&[Answer(200); 9], Status::Healthy, [0, 0, 0, 0]),
        (&[Answer(500)], Status::MostlyHealthy, [0, 1, 0, 0]),
        (&[Answer(404); 9], Status::Healthy, [0, 0, 0, 0]),
        (&[Answer(500), Answer(503), TcpFailure], Status::MostlyHealthy, [0, 2, 1, 0]),
        (&[Answer(500), Answer(500), Answer(200)], Status::MostlyHealthy, [1, 0, 0, 0]),
        (&[Answer(500), Answer(200), Answer(201)], Status::Healthy, [2, 0, 0, 0]),
        (&[Answer(500); 3], Status::Unhealthy, [0, 3, 0, 0]),
        (&[Answer(500); 9], Status::Unhealthy, [0, 3, 0, 0]),
        (&[TcpFailure, TcpFailure], Status::Unhealthy, [0, 0, 2, 0]),
        (&[Timeout, Answer(200)], Status::MostlyUnhealthy, [1, 0, 0, 0]),
        (&[Timeout, Answer(200), Malformed], Status::MostlyUnhealthy, [0, 1, 0, 0]),
        (&[Timeout, Answer(200), Connected], Status::Healthy, [2, 0, 0, 0]),
    ];
    for (outcomes, status, counts) in table {
        let checker = checker();
        outcomes.iter().for_each(|outcome| checker.report(1, *outcome));
        let report = &checker.to_report().nodes[1];
        assert_eq!((report.status, report.counter), (status, counters(counts)), "{outcomes:?}");
        assert_eq!(checker.is_healthy(1), status.is_fit(), "{outcomes:?}");
        assert_eq!(checker.status(0), Some(Status::Healthy), "the other node is not concerned");
    }
}

#[test]
fn a_limit_of_0_switches_its_counter_off() {
    let mut checks = passive_checks();
    let passive = checks.passive.as_mut().expect("written above");
    passive.unhealthy.tcp_failures = 0;
    let checker = Registry::new(None).apply("k", &checks, &nodes(&[80]), None);
    (0..300).for_each(|_| checker.report(0, TcpFailure));
    assert_eq!(checker.status(0), Some(Status::Healthy));
    checker.report(0, Timeout);
    assert_eq!(checker.status(0), Some(Status::Unhealthy));
}

#[test]
fn without_passive_checks_traffic_says_nothing() {
    let checker = Registry::new(None).apply("k", &checks(json!({"active": {}})), &nodes(&[80]), None);
    (0..20).for_each(|_| checker.report(0, TcpFailure));
    assert_eq!(checker.status(0), Some(Status::Healthy));
}

#[test]
fn reports_from_many_threads_are_all_counted() {
    let mut checks = passive_checks();
    checks.passive.as_mut().expect("written above").unhealthy.http_failures = 200;
    let checker = Registry::new(None).apply("k", &checks, &nodes(&[80]), None);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..49).for_each(|_| checker.report(0, Answer(500))));
        }
    });
    assert_eq!(checker.to_report().nodes[0].counter, counters([0, 196, 0, 0]));
    (0..4).for_each(|_| checker.report(0, Answer(500)));
    assert!(!checker.is_healthy(0));
}

#[test]
fn a_position_that_does_not_exist_is_not_healthy() {
    let checker = checker();
    checker.report(7, TcpFailure);
    assert!(!checker.is_healthy(7));
    assert_eq!(checker.status(7), None);
}

#[test]
fn nodes_that_stay_keep_their_state_when_others_come_and_go() {
    let registry = Registry::new(None);
    let before = registry.apply("k", &passive_checks(), &nodes(&[80, 81]), None);
    before.report(1, Timeout);
    let after = registry.apply("k", &passive_checks(), &nodes(&[79, 81, 82]), None);
    let healthy: Vec<bool> = (0..3).map(|node| after.is_healthy(node)).collect();
    assert_eq!(healthy, [true, false, true]);
    // What requests of the old plan still report is not lost.
    before.report(1, Answer(200));
    assert_eq!(after.status(1), Some(Status::MostlyUnhealthy));
}

#[test]
fn changed_checks_begin_anew() {
    let registry = Registry::new(None);
    registry.apply("k", &passive_checks(), &nodes(&[80]), None).report(0, Timeout);
    let mut changed = passive_checks();
    changed.active.http_path = "/other".to_owned();
    assert!(registry.apply("k", &changed, &nodes(&[80]), None).is_healthy(0));
}

#[test]
fn an_unchanged_resource_keeps_its_very_checker() {
    let registry = Registry::new(None);
    let apply = |key| registry.apply(key, &passive_checks(), &nodes(&[80]), Some("a.com"));
    assert!(Arc::ptr_eq(&apply("k"), &apply("k")));
    assert!(!Arc::ptr_eq(&apply("k"), &apply("other")));
    registry.retain(|key| key == "other");
    assert!(registry.get("k").is_none() && registry.get("other").is_some());
}

#[test]
fn nodes_behind_one_probed_port_are_one_target() {
    let checks = checks(json!({"active": {"port": 9000}, "passive": {"unhealthy": {"timeouts": 1}}}));
    let checker = Registry::new(None).apply("k", &checks, &nodes(&[80, 81]), None);
    checker.report(0, Timeout);
    assert!(!checker.is_healthy(1));
    assert_eq!(checker.to_report().nodes.len(), 1);
}

#[test]
fn the_report_has_the_shape_of_the_control_api() {
    let registry = Registry::new(None);
    let named = CheckedNode { host: "api.test".to_owned(), port: 8080 };
    registry.apply("/apisix/upstreams/1", &passive_checks(), &[named], None).report(0, TcpFailure);
    let expected = json!([{
        "name": "/apisix/upstreams/1",
        "type": "http",
        "nodes": [{
            "ip": "api.test",
            "port": 8080,
            "hostname": "api.test",
            "hostheader": "api.test",
            "status": "mostly_healthy",
            "counter": {"success": 0, "http_failure": 0, "tcp_failure": 1, "timeout_failure": 0},
        }],
    }]);
    assert_eq!(serde_json::to_value(registry.reports()).expect("serialises"), expected);
}

#[test]
fn the_host_header_is_the_upstreams_then_the_nodes_then_the_checks() {
    let table = [
        (Some("up.test"), "node.test", Some("check.test"), "up.test"),
        (None, "node.test", Some("check.test"), "node.test"),
        (None, "10.0.0.1", Some("check.test"), "check.test"),
        (None, "10.0.0.1", None, "10.0.0.1"),
        (None, "[::1]", None, "[::1]"),
    ];
    for (upstream_host, node, check_host, expected) in table {
        let mut checks = passive_checks();
        checks.active.host = check_host.map(str::to_owned);
        let node = CheckedNode { host: node.to_owned(), port: 80 };
        let checker = Registry::new(None).apply("k", &checks, &[node], upstream_host);
        assert_eq!(checker.to_report().nodes[0].hostheader, expected);
    }
}
