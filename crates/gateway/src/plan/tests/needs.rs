//! What a chain wants kept.

use serde_json::json;

use super::fixture::Bench;

#[test]
fn a_filter_keeps_what_it_looks_at() {
    let rows = [
        ("http_x_tenant", true, false),
        ("host", true, false),
        ("cookie_session", true, false),
        ("remote_user", true, false),
        ("content_type", true, false),
        ("original_x_forwarded_for", true, false),
        ("post_arg.model", true, true),
        ("post_arg_model", true, true),
        ("graphql_name", true, true),
        ("request_body", false, true),
        ("upstream_host", true, false),
        ("arg_x", false, false),
        ("uri", false, false),
    ];
    for (variable, headers, body) in rows {
        let filter = json!([[variable, "==", "a"]]);
        let plugins = json!({"recorder": {"_meta": {"filter": filter}}});
        let plan = Bench::plan_of(&[("/apisix/routes/1", json!({"id": "1", "uri": "/*", "plugins": plugins}))]);
        let needs = plan.routes()[0].chain.needs();
        assert_eq!((needs.headers, needs.body_before_rewrite), (headers, body), "{variable}");
    }
}

#[test]
fn a_filter_before_the_dispatch_keeps_no_headers() {
    for (plugin, headers) in [("picky", false), ("recorder", true)] {
        let plugins = json!({plugin: {"_meta": {"filter": [["http_x_tenant", "==", "a"]]}}});
        let plan = Bench::plan_of(&[("/apisix/routes/1", json!({"id": "1", "uri": "/*", "plugins": plugins}))]);
        assert_eq!(plan.routes()[0].chain.needs().headers, headers, "{plugin}");
    }
}
