use std::time::Duration;

use config::settings::MetricAttr;

use super::*;

#[test]
fn series_are_rendered_with_escaped_labels_and_cumulative_buckets() {
    let metrics = Metrics::default();
    let hits = metrics.counter("hits", "Hits", &["route", "code"]);
    hits.with(&["a\"b\\c\nd", "200"]).expect("room").add(3);
    let latency = metrics.histogram("latency", "Latency", &[1.0, 2.5, 10.0], &["type"]).with(&["x"]).expect("room");
    for value in [0.5, 1.0, 2.0, 11.0, -1.0, f64::NAN] {
        latency.observe(value);
    }
    let text = metrics.render();
    for line in [
        "# HELP apisix_hits Hits",
        "# TYPE apisix_hits counter",
        "apisix_hits{route=\"a\\\"b\\\\c\\nd\",code=\"200\"} 3",
        "# TYPE apisix_latency histogram",
        "apisix_latency_bucket{type=\"x\",le=\"1\"} 4",
        "apisix_latency_bucket{type=\"x\",le=\"2.5\"} 5",
        "apisix_latency_bucket{type=\"x\",le=\"10\"} 5",
        "apisix_latency_bucket{type=\"x\",le=\"+Inf\"} 6",
        "apisix_latency_sum{type=\"x\"} 14.5",
        "apisix_latency_count{type=\"x\"} 6",
        "apisix_http_requests_total 0",
        "apisix_nginx_metric_errors_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn threads_add_to_the_same_series() {
    let metrics = Metrics::default();
    let family = metrics.counter("hits", "Hits", &[]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let hits = family.with(&[]).expect("room");
                (0..1_000).for_each(|_| hits.inc());
            });
        }
    });
    assert_eq!(family.with(&[]).expect("room").get(), 4_000);
}

#[test]
fn a_gauge_is_held_until_the_guard_is_dropped_on_whatever_thread() {
    let gauge = Metrics::default().gauge("active", "Active", &[]).with(&[]).expect("room");
    let held = [gauge.hold(), gauge.hold()];
    assert_eq!(gauge.get(), 2);
    std::thread::spawn(move || drop(held)).join().expect("no panic");
    assert_eq!(gauge.get(), 0);
}

#[test]
fn series_beyond_the_bound_are_dropped_and_counted_as_errors() {
    let metrics = Metrics::default();
    let family = metrics.counter("hits", "Hits", &["client"]);
    for client in 0..MOST_SERIES {
        assert!(family.with(&[&client.to_string()]).is_some());
    }
    assert!(family.with(&["one more"]).is_none());
    assert!(family.with(&["7"]).is_some(), "series that exist stay usable");
    assert!(metrics.render().contains("apisix_nginx_metric_errors_total 1\n"));
}

#[test]
fn series_that_do_not_change_expire_and_caches_let_go_of_them() {
    let mut settings = PrometheusAttr::default();
    let expire = Duration::from_nanos(1);
    settings.metrics.insert("hits".to_owned(), MetricAttr { expire, ..MetricAttr::default() });
    let metrics = Metrics::new(&settings);
    let family = metrics.counter("hits", "Hits", &["route"]);
    let mut cache = HandleCache::new();
    cache.get(&metrics, 1, ["r"].into_iter(), || family.with(&["r"])).expect("room").inc();
    assert!(metrics.render().contains("apisix_hits{route=\"r\"} 1"), "a change is seen first");
    assert!(!metrics.render().contains("apisix_hits{"));
    cache.get(&metrics, 1, ["r"].into_iter(), || family.with(&["r"])).expect("room").inc();
    assert!(metrics.render().contains("apisix_hits{route=\"r\"} 1"), "counted anew");
}

#[test]
fn a_cache_tells_owners_and_values_apart_and_binds_once() {
    let metrics = Metrics::default();
    let mut cache = HandleCache::new();
    let mut made = 0;
    for (owner, values) in [(1, ["ab", "c"]), (1, ["a", "bc"]), (2, ["ab", "c"]), (1, ["ab", "c"])] {
        let handle = cache.get(&metrics, owner, values.into_iter(), || {
            made += 1;
            Some(format!("{owner}{values:?}"))
        });
        assert_eq!(handle, Some(&format!("{owner}{values:?}")));
    }
    assert_eq!(made, 3);
}

#[test]
fn traffic_is_counted_and_shown_under_nginx_names() {
    let metrics = Metrics::default();
    metrics.describe_node("host-1", "1.0");
    let (_open, idle) = (metrics.traffic().connection(), metrics.traffic().connection());
    let request = metrics.traffic().request();
    let totals = TrafficTotals { active: 2, accepted: 2, requests: 1, in_flight: 1 };
    assert_eq!(metrics.traffic().totals(), totals);
    assert_eq!(
        totals.stub_status(),
        "Active connections: 2 \nserver accepts handled requests\n 2 2 1 \nReading: 0 Writing: 1 Waiting: 1 \n"
    );
    let text = metrics.render();
    assert!(text.contains("apisix_nginx_http_current_connections{state=\"waiting\"} 1\n"), "{text}");
    assert!(text.contains("apisix_node_info{hostname=\"host-1\",version=\"1.0\"} 1\n"), "{text}");
    drop((idle, request));
    assert_eq!(metrics.traffic().totals(), TrafficTotals { active: 1, in_flight: 0, ..totals });
}
