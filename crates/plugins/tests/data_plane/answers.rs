use config::settings::Settings;
use serde_json::json;

use super::fixture::Gateway;

#[test]
fn mocked_answers_need_no_upstream() {
    let mocking = json!({
        "response_status": 202, "response_example": "{\"uri\":\"$uri\"}", "response_headers": {"X-Number": 7}
    });
    let response = Gateway::with_plugins(json!({"mocking": mocking})).get("/here", &[]);
    assert_eq!((response.status, response.body.as_str()), (202, "{\"uri\":\"/here\"}"));
    assert_eq!(response.header("content-type").as_deref(), Some("application/json;charset=utf8"));
    assert_eq!(response.header("x-mock-by").as_deref(), Some("APISIX/3.18.0"));
    assert_eq!(response.header("x-number").as_deref(), Some("7"));
}

#[test]
fn texts_of_the_gateways_own_are_said_to_be_utf_8() {
    for (configured, told) in [
        ("text/html", "text/html; charset=utf-8"),
        ("text/plain;charset=ascii", "text/plain;charset=ascii"),
        ("application/json", "application/json"),
    ] {
        let mocking = json!({"response_example": "x", "content_type": configured});
        let response = Gateway::with_plugins(json!({"mocking": mocking})).get("/", &[]);
        assert_eq!(response.header("content-type").as_deref(), Some(told));
    }
}

#[test]
fn an_argument_without_a_value_is_true() {
    let gateway = Gateway::with_plugins(json!({"mocking": {"response_example": "[$arg_q][$arg_other]"}}));
    assert_eq!(gateway.get("/?q", &[]).body, "[true][]");
}

#[test]
fn metrics_without_a_listener_may_be_published_on_a_route() {
    let mut settings = Settings::default();
    settings.plugin_attr.prometheus.enable_export_server = false;
    let plugins = json!({"public-api": {"uri": "/apisix/prometheus/metrics"}});
    let response = Gateway::configured(settings, plugins, &[]).get("/my-metrics", &[]);
    assert_eq!(response.status, 200);
    assert!(response.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
}

#[test]
fn what_nothing_publishes_is_not_found() {
    let gateway = Gateway::with_plugins(json!({"public-api": {"uri": "/apisix/nothing"}}));
    assert_eq!(gateway.get("/", &[]).status, 404);
}

#[test]
fn the_server_header_tells_its_version_unless_it_is_told_not_to() {
    for (tokens, expected) in [(true, "APISIX/3.18.0"), (false, "APISIX")] {
        let mut settings = Settings::default();
        settings.apisix.enable_server_tokens = tokens;
        let gateway = Gateway::configured(settings, json!({}), &[]);
        assert_eq!(gateway.get("/", &[]).header("server").as_deref(), Some(expected));
    }
}
