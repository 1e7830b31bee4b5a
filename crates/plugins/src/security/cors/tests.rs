use serde_json::json;

use super::*;

fn headers(config: Value, metadata: Value, origin: Option<&'static str>) -> HeaderMap {
    let cors = Cors::new(
        &definition::read(&config).expect("a configuration"),
        &definition::read(&metadata).expect("metadata"),
    );
    let asked = Asked {
        origin: origin.map(HeaderValue::from_static),
        headers: origin.map(|_| HeaderValue::from_static("x-asked")),
    };
    let mut headers = HeaderMap::new();
    cors.expect("a plugin").apply(&asked, &mut headers);
    headers
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().expect("text"))
}

#[test]
fn an_origin_is_resolved_by_regex_then_metadata_then_list() {
    let rows = [
        (json!({}), json!({}), Some("http://a.com"), Some("*")),
        (json!({}), json!({}), None, Some("*")),
        (json!({"allow_origins": "**"}), json!({}), Some("http://a.com"), Some("http://a.com")),
        (json!({"allow_origins": "**"}), json!({}), None, Some("*")),
        (json!({"allow_origins": "http://a.com,http://b.com"}), json!({}), Some("http://b.com"), Some("http://b.com")),
        (json!({"allow_origins": "http://a.com, http://b.com"}), json!({}), Some("http://b.com"), Some("http://b.com")),
        (json!({"allow_origins": "http://a.com,http://b.com"}), json!({}), Some("http://c.com"), None),
        (json!({"allow_origins": "http://a.com,http://b.com"}), json!({}), None, None),
        (json!({"allow_origins": "null"}), json!({}), Some("null"), Some("null")),
        (
            json!({"allow_origins_by_regex": [".*\\.a\\.com$"]}),
            json!({}),
            Some("http://x.a.com"),
            Some("http://x.a.com"),
        ),
        (json!({"allow_origins_by_regex": [".*\\.a\\.com$"]}), json!({}), Some("http://b.com"), None),
        (
            json!({"allow_origins_by_metadata": ["x", "gone"]}),
            json!({"allow_origins": {"x": "http://a.com,http://b.com"}}),
            Some("http://b.com"),
            Some("http://b.com"),
        ),
        (
            json!({"allow_origins_by_metadata": ["x"]}),
            json!({"allow_origins": {"x": "http://a.com"}}),
            Some("http://b.com"),
            None,
        ),
        (
            json!({"allow_origins_by_metadata": ["x"], "allow_origins": "http://b.com"}),
            json!({"allow_origins": {"x": "http://a.com"}}),
            Some("http://b.com"),
            Some("http://b.com"),
        ),
    ];
    for (config, metadata, origin, expected) in rows {
        let headers = headers(config.clone(), metadata, origin);
        assert_eq!(text(&headers, "access-control-allow-origin"), expected, "{config} {origin:?}");
    }
}

#[test]
fn an_allowed_origin_gets_the_other_headers_and_others_get_only_vary() {
    let config = json!({
        "allow_origins": "http://a.com", "allow_methods": "**", "allow_headers": "**", "expose_headers": "x-b",
        "max_age": 7, "allow_credential": true, "timing_allow_origins": "http://a.com"
    });
    let allowed = headers(config.clone(), json!({}), Some("http://a.com"));
    let rows = [
        ("access-control-allow-methods", ALL_METHODS),
        ("access-control-allow-headers", "x-asked"),
        ("access-control-expose-headers", "x-b"),
        ("access-control-max-age", "7"),
        ("access-control-allow-credentials", "true"),
        ("timing-allow-origin", "http://a.com"),
        ("vary", "Origin"),
    ];
    for (name, expected) in rows {
        assert_eq!(text(&allowed, name), Some(expected), "{name}");
    }
    let refused = headers(config, json!({}), Some("http://b.com"));
    assert_eq!((refused.len(), text(&refused, "vary")), (1, Some("Origin")));
}

#[test]
fn a_response_that_is_the_same_for_everyone_does_not_vary() {
    assert_eq!(text(&headers(json!({}), json!({}), Some("http://a.com")), "vary"), None);
}

#[test]
fn credentials_do_not_go_with_a_star() {
    let refused = Err("you can not set '*' for other option when 'allow_credential' is true".to_owned());
    assert_eq!(check(&json!({"allow_credential": true}), Side::Route), refused);
    let named = json!({
        "allow_credential": true, "allow_origins": "**", "allow_methods": "**", "allow_headers": "**"
    });
    assert_eq!(check(&named, Side::Route), Ok(()));
    assert!(check(&json!({"allow_origins_by_regex": ["("]}), Side::Route).is_err());
}
