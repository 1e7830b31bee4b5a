use config::settings::{RouterKind, Settings};
use serde_json::json;

use super::fixture::Gateway;

/// Says in headers how routes and plugins have seen the path; the upstream says in its body how it was sent.
fn gateway(settings: Settings) -> Gateway {
    let headers = json!({"set": {"X-Uri": "$uri", "X-Name": "$uri_param_name"}});
    let plugins = json!({"response-rewrite": {"headers": headers}});
    let mocked = json!({"mocking": {"response_example": "$uri"}, "response-rewrite": {"headers": headers}});
    let blog = json!({"id": "2", "uri": "/blog/:name", "plugins": mocked});
    Gateway::configured(settings, plugins, &[("/apisix/routes/2", blog)])
}

#[test]
fn servlet_parameters_are_no_part_of_the_path_but_reach_the_upstream() {
    let mut settings = Settings::default();
    settings.apisix.normalize_uri_like_servlet = true;
    let gateway = gateway(settings);
    let response = gateway.get("/a;jsessionid=1/b?c=;", &[]);
    assert_eq!(response.header("x-uri").as_deref(), Some("/a/b"));
    assert!(response.body.starts_with("GET /a;jsessionid=1/b?c=; HTTP/1.1\r\n"), "{}", response.body);
    assert_eq!(gateway.get("/open/..;/closed", &[]).status, 400);
}

#[test]
fn an_encoded_slash_is_part_of_a_path_parameter_and_a_slash_to_plugins() {
    let mut settings = Settings::default();
    settings.apisix.match_uri_encoded_slash = true;
    settings.apisix.router.http = RouterKind::UriWithParameter;
    let gateway = gateway(settings);
    let response = gateway.get("/blog/cat%2fdog", &[]);
    assert_eq!(response.header("x-name").as_deref(), Some("cat%2Fdog"));
    assert_eq!(response.header("x-uri").as_deref(), Some("/blog/cat/dog"));
    assert_eq!(gateway.get("/blog/a%2F..%2Fb", &[]).header("x-name").as_deref(), Some("b"));
    let other = gateway.get("/other/a%2fb", &[]);
    assert!(other.body.starts_with("GET /other/a%2fb HTTP/1.1\r\n"), "{}", other.body);
}
