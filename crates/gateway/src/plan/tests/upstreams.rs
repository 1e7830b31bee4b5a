//! Upstreams of a plan.

use std::sync::Arc;

use config::resource::KeepalivePool;
use config::settings::Settings;
use http::HeaderValue;
use serde_json::{Value, json};

use super::fixture::{Bench, exchange};
use crate::plan::Plan;
use crate::plan::route::UpstreamChoice;
use crate::plan::upstream::Upstream;
use crate::transport::Origins;

const CLIENT: &str = include_str!("../../tls/testdata/client.pem");
const CLIENT_KEY: &str = include_str!("../../tls/testdata/client.key.pem");
const NEAR: &str = include_str!("../../tls/testdata/near.pem");
const NEAR_KEY: &str = include_str!("../../tls/testdata/near.key.pem");

fn route(upstream: Value) -> (&'static str, Value) {
    ("/apisix/routes/1", json!({"uri": "/*", "upstream": upstream}))
}

fn with_client_certificate() -> Value {
    json!({"type": "roundrobin", "scheme": "https", "nodes": {"10.0.0.1:443": 1}, "tls": {"client_cert_id": "c"}})
}

fn client_ssl(cert: &str, key: &str) -> (&'static str, Value) {
    ("/apisix/ssls/c", json!({"type": "client", "cert": cert, "key": key}))
}

fn upstream(plan: &Plan) -> Option<Arc<Upstream>> {
    match &plan.routes()[0].upstream {
        UpstreamChoice::Ready(upstream) => Some(upstream.clone()),
        UpstreamChoice::Missing => None,
        UpstreamChoice::None => panic!("the route has an upstream"),
    }
}

#[test]
fn an_upstream_without_its_client_certificate_cannot_be_used() {
    let mut bench = Bench::new(&[route(with_client_certificate())]);
    assert!(upstream(&bench.plan()).is_none());
    bench.put(&[client_ssl(CLIENT, CLIENT_KEY)]);
    assert!(upstream(&bench.plan()).is_some());
    bench.put(&[client_ssl(CLIENT, NEAR_KEY)]);
    assert!(upstream(&bench.plan()).is_none(), "the key is another certificate's");
}

#[test]
fn an_upstream_follows_its_client_certificate() {
    let mut bench = Bench::new(&[route(with_client_certificate()), client_ssl(CLIENT, CLIENT_KEY)]);
    let first = upstream(&bench.plan()).expect("an upstream");
    bench.put(&[("/apisix/routes/2", json!({"uri": "/2", "plugins": {}}))]);
    assert!(Arc::ptr_eq(&first, &upstream(&bench.plan()).expect("an upstream")));
    bench.put(&[client_ssl(NEAR, NEAR_KEY)]);
    let second = upstream(&bench.plan()).expect("an upstream");
    assert_ne!(first.nodes[0].origin.id, second.nodes[0].origin.id);
}

#[test]
fn nodes_are_watched_only_as_long_as_their_upstream_has_checks() {
    let with = |checks: Option<Value>| {
        let mut upstream = json!({"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}});
        checks.into_iter().for_each(|checks| upstream["checks"] = checks);
        route(upstream)
    };
    let mut bench = Bench::new(&[with(Some(json!({"active": {"http_path": "/h"}})))]);
    bench.plan();
    assert!(bench.planner.health().get("/apisix/routes/1").is_some());
    bench.put(&[with(None)]);
    bench.plan();
    assert!(bench.planner.health().get("/apisix/routes/1").is_none());
    assert!(bench.planner.health().reports().is_empty());
}

#[test]
fn a_dot_at_the_end_of_a_host_leads_to_no_other_route() {
    let plan = Bench::plan_of(&[
        ("/apisix/routes/guarded", json!({"id": "guarded", "uri": "/h", "host": "a.test", "plugins": {}})),
        ("/apisix/routes/open", json!({"id": "open", "uri": "/h", "plugins": {}})),
    ]);
    for (host, route) in [("a.test", "guarded"), ("A.test.", "guarded"), ("a.test.:80", "guarded"), ("b.test.", "open")]
    {
        let mut exchange = exchange(&plan, "/h");
        exchange.request.headers.insert(http::header::HOST, HeaderValue::from_static(host));
        assert_eq!(
            Plan::route(&exchange).map(|matched| matched.route.id.to_string()).as_deref(),
            Some(route),
            "{host}"
        );
    }
}

/// The name that a node is greeted by, for a request with this Host.
fn greeting(upstream: &Upstream, host: &str, origins: &Origins) -> String {
    let node = &upstream.nodes[0];
    let named = node.named_origin(HeaderValue::from_str(host).ok().as_ref(), origins);
    let origin = named.as_ref().unwrap_or(&node.origin);
    origin.tls.as_ref().map_or_else(|| "plain".to_owned(), |tls| tls.server_name.to_str().into_owned())
}

#[test]
fn a_node_is_greeted_by_its_name_and_one_without_a_name_by_the_host() {
    let upstream_of = |scheme: &str, node: &str, pass_host: &str| {
        let value = json!({
            "type": "roundrobin", "scheme": scheme, "nodes": {node: 1}, "pass_host": pass_host,
            "upstream_host": "rewritten.test",
        });
        upstream(&Bench::plan_of(&[route(value)])).expect("an upstream")
    };
    for (scheme, node, pass_host, host, wanted) in [
        ("https", "10.0.0.1:443", "pass", "a.test", "a.test"),
        ("https", "10.0.0.1:443", "pass", "A.test:8443", "a.test"),
        ("https", "10.0.0.1:443", "pass", "10.9.9.9", "10.0.0.1"),
        ("https", "10.0.0.1:443", "pass", "no name", "10.0.0.1"),
        ("https", "10.0.0.1:443", "node", "a.test", "10.0.0.1"),
        ("https", "10.0.0.1:443", "rewrite", "a.test", "rewritten.test"),
        ("https", "node.test:443", "pass", "a.test", "node.test"),
        ("http", "10.0.0.1:80", "pass", "a.test", "plain"),
    ] {
        let upstream = upstream_of(scheme, node, pass_host);
        assert_eq!(greeting(&upstream, host, &Origins::default()), wanted, "{node} {pass_host} {host}");
    }
}

#[test]
fn a_node_is_known_by_a_bounded_number_of_hosts() {
    let value = json!({"type": "roundrobin", "scheme": "https", "nodes": {"10.0.0.1:443": 1}});
    let upstream = upstream(&Bench::plan_of(&[route(value)])).expect("an upstream");
    let origins = Origins::default();
    let origin = |host: &str| {
        upstream.nodes[0].named_origin(HeaderValue::from_str(host).ok().as_ref(), &origins).expect("an origin")
    };
    let first = origin("0.test");
    assert_eq!(first.id, origin("0.test").id);
    drop(first);
    let all: Vec<_> = (0..1000).map(|host| Arc::downgrade(&origin(&format!("{host}.test")))).collect();
    let alive = all.iter().filter(|origin| origin.strong_count() > 0).count();
    assert!(alive <= 256, "{alive}");
}

#[test]
fn an_upstream_keeps_connections_as_config_yaml_says_unless_it_says_it_itself() {
    let (settings, _) = Settings::load(
        "nginx_config: {http: {upstream: {keepalive: 0, keepalive_requests: 5, keepalive_timeout: 7s}}}",
        "config.yaml",
        &|_| None,
    )
    .expect("settings");
    let seconds = std::time::Duration::from_secs;
    let default = KeepalivePool { size: 0, idle_timeout: seconds(7), requests: 5 };
    let own = KeepalivePool { size: 3, idle_timeout: seconds(60), requests: 1000 };
    for (pool, expected) in [(None, default), (Some(json!({"size": 3})), own)] {
        let mut written = json!({"type": "roundrobin", "nodes": {"10.0.0.1:80": 1}});
        if let Some(pool) = pool {
            written["keepalive_pool"] = pool;
        }
        let mut bench = Bench::configured(settings.clone(), &[route(written)]);
        let upstream = upstream(&bench.plan()).expect("an upstream");
        assert_eq!(upstream.nodes[0].origin.keepalive, expected);
    }
}
