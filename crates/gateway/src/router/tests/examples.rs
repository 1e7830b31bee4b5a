use serde_json::json;

use super::super::RouterError;
use super::*;

#[test]
fn path_patterns_match_as_written() {
    use RouterMode::{Uri, UriWithParameter};
    let table = [
        (Uri, "/foo", "/foo", true),
        (Uri, "/foo", "/foo/", false),
        (Uri, "/foo", "/Foo", false),
        (Uri, "/foo*", "/foo", true),
        (Uri, "/foo*", "/foobar/baz", true),
        (Uri, "/foo*", "/fo", false),
        (Uri, "/foo/*", "/foo", false),
        (Uri, "/foo/*", "/foo/", true),
        (Uri, "/*", "/", true),
        (Uri, "/*", "/anything/at/all", true),
        (Uri, "*", "/anything", true),
        (Uri, "/a/*/b", "/a/x/b", true),
        (Uri, "/a/*/b", "/a/x/y/b", true),
        (Uri, "/a/*/b", "/a//b", true),
        (Uri, "/a/*/b", "/a/b", false),
        (Uri, "/a/*/b", "/a/x/b/c", false),
        (Uri, "/a/*/b", "/a/x/bb", false),
        (Uri, "/a/*/b/*/c", "/a/1/b/b/2/c", true),
        (Uri, "/a/*/b/*/c", "/a/1/b/c", false),
        (Uri, "/a/*rest", "/a/x/y", true),
        (Uri, "/a*/b", "/a-anything", true),
        (Uri, "/a*/*", "/a", false),
        (Uri, "/u/:id", "/u/:id", true),
        (Uri, "/u/:id", "/u/7", false),
        (UriWithParameter, "/u/:id", "/u/7", true),
        (UriWithParameter, "/u/:id", "/u/", false),
        (UriWithParameter, "/u/:id", "/u/7/x", false),
        (UriWithParameter, "/u/:id/x", "/u/7/x", true),
        (UriWithParameter, "/u/:id/*", "/u/7/x/y", true),
        (UriWithParameter, "/u/:id/*", "/u/7", false),
        (UriWithParameter, "/*/u/:id", "/a/b/u/7", true),
        (UriWithParameter, "/u/*/:id/", "/u/x/7/", true),
    ];
    for (mode, uri, path, expected) in table {
        let router = router(mode, [route(0, uri)]);
        assert_eq!(get(&router, "h", path).is_some(), expected, "{uri} against {path} in {mode:?}");
    }
}

#[test]
fn captures_are_read_by_name() {
    type Captures = &'static [(&'static str, &'static str)];
    let table: [(&str, &str, Captures); 6] = [
        ("/u/:id", "/u/7", &[("id", "7")]),
        ("/u/:id/:part/x", "/u/7/tail/x", &[("id", "7"), ("part", "tail")]),
        ("/f/*", "/f/a/b", &[(":ext", "a/b")]),
        ("/f/*path", "/f/a/b", &[("path", "a/b")]),
        ("/:a/*middle/:z", "/1/2/3/4", &[("a", "1"), ("middle", "2/3"), ("z", "4")]),
        // As with a greedy expression, the first star takes as much as it can.
        ("/*x/b/*y", "/1/b/2/b/3", &[("x", "1/b/2"), ("y", "3")]),
    ];
    for (uri, path, expected) in table {
        let router = router(RouterMode::UriWithParameter, [route(0, uri)]);
        let pattern = get(&router, "h", path).expect("matches").pattern;
        assert_eq!(pattern.params(path).collect::<Vec<_>>(), expected, "{uri} over {path}");
        for (name, value) in expected {
            assert_eq!(pattern.param(path, name), Some(*value));
        }
        assert_eq!(pattern.param(path, "nobody"), None);
    }
}

#[test]
fn a_pattern_with_many_stars_is_compared_in_bounded_time() {
    let uri = format!("{}/end", "/*/x".repeat(30));
    let router = router(RouterMode::Uri, [route(0, &uri)]);
    let path = "/x".repeat(4000);
    assert!(get(&router, "h", &path).is_none());
}

#[test]
fn an_exact_path_beats_a_prefix_and_a_longer_prefix_beats_a_shorter() {
    let strong = |target, uri| RouteEntry { priority: 100, ..route(target, uri) };
    let router =
        router(RouterMode::Uri, [strong(0, "/*"), strong(1, "/api/*"), route(2, "/api/v1/*"), route(3, "/api/v1/x")]);
    for (path, target) in [("/api/v1/x", 3), ("/api/v1/y", 2), ("/api/z", 1), ("/other", 0)] {
        assert_eq!(get(&router, "h", path).map(|found| found.target), Some(target), "{path}");
    }
}

#[test]
fn within_one_path_priority_then_pattern_length_then_order_decide() {
    let table = [
        (vec![("/a/*", 0), ("/a/*", 5)], 1),
        (vec![("/a/*", 0), ("/a/*/b", 0)], 1),
        (vec![("/a/*", 1), ("/a/*/b", 0)], 0),
        (vec![("/a/*", 3), ("/a/*", 3)], 0),
    ];
    for (routes, winner) in table {
        let entries = routes.iter().enumerate();
        let entries = entries.map(|(at, (uri, priority))| RouteEntry { priority: *priority, ..route(at, uri) });
        // The order of adding must not matter.
        let router = router(RouterMode::HostUri, entries.rev());
        assert_eq!(get(&router, "h", "/a/x/b").map(|found| found.target), Some(winner), "{routes:?}");
    }
}

#[test]
fn a_failed_condition_sends_the_search_to_shorter_prefixes() {
    let post = MethodSet::parse(["POST"]).expect("known");
    let router = router(
        RouterMode::HostUri,
        [
            RouteEntry { methods: post, ..route(0, "/a/b") },
            RouteEntry { remote_addrs: vec!["10.0.0.0/8".parse().expect("net")], ..route(1, "/a/*") },
            route(2, "/*/c"),
            route(3, "/*"),
        ],
    );
    assert_eq!(get(&router, "h", "/a/b").map(|found| found.target), Some(3));
    let posted = find(&router, &http::Method::POST, "h", "/a/b", &TestVars::default());
    assert_eq!(posted.map(|found| found.target), Some(0));
}

#[test]
fn the_host_is_decided_before_path_and_priority() {
    let with = |target, host: &str, uri| RouteEntry { hosts: vec![host.to_owned()], ..route(target, uri) };
    let router = router(
        RouterMode::HostUri,
        [
            RouteEntry { priority: 100, ..route(0, "/x") },
            with(1, "*.com", "/*"),
            with(2, "*.a.com", "/*"),
            with(3, "B.A.com", "/x/*"),
            with(4, "*.a.com", "/only"),
            with(5, "*end.org", "/*"),
        ],
    );
    let table = [
        ("b.a.com", "/x/1", 3, Some("b.a.com")),
        ("b.a.com", "/x", 2, Some("*.a.com")),
        ("deep.b.a.com", "/only", 4, Some("*.a.com")),
        ("a.com", "/x", 1, Some("*.com")),
        ("weekend.org", "/x", 5, Some("*end.org")),
        ("other.org", "/x", 0, None),
    ];
    for (host, path, target, pattern) in table {
        let found = get(&router, host, path).unwrap_or_else(|| panic!("{host}{path} matches"));
        assert_eq!((found.target, found.host_pattern.map(|host| &**host)), (target, pattern), "{host}{path}");
    }
    assert!(get(&router, "other.org", "/y").is_none());
}

#[test]
fn a_host_is_one_more_condition_when_the_path_decides() {
    let with = |target, host: &str, uri| RouteEntry { hosts: vec![host.to_owned()], ..route(target, uri) };
    let router = router(
        RouterMode::Uri,
        [with(0, "a.com", "/*"), route(1, "/x"), with(2, "b.com:8080", "/y"), with(3, "*.c.com", "/y")],
    );
    for (authority, path, target) in [
        ("a.com", "/x", Some(1)),
        ("a.com", "/z", Some(0)),
        ("b.com", "/z", None),
        ("b.com:8080", "/y", Some(2)),
        ("b.com:9090", "/y", None),
        ("x.c.com:9090", "/y", Some(3)),
        ("c.com", "/y", None),
    ] {
        assert_eq!(get(&router, authority, path).map(|found| found.target), target, "{authority}{path}");
    }
}

#[test]
fn variables_are_asked_last_and_can_refuse() {
    let premium = config::expr::Expr::parse(&json!([["arg_tier", "==", "premium"]])).expect("expression");
    let router = router(
        RouterMode::HostUri,
        [RouteEntry { vars: Some(premium), priority: 1, ..route(0, "/x") }, route(1, "/x")],
    );
    let with_tier = |tier| TestVars([("arg_tier", tier)].into());
    for (vars, target) in [(with_tier("premium"), 0), (with_tier("free"), 1), (TestVars::default(), 1)] {
        let found = find(&router, &http::Method::GET, "h", "/x", &vars).expect("matches");
        assert_eq!(found.target, target);
    }
}

#[test]
fn client_networks_cover_mapped_addresses() {
    let nets = vec!["192.168.0.0/16".parse().expect("net"), "fd00::/8".parse().expect("net")];
    let router = router(RouterMode::HostUri, [RouteEntry { remote_addrs: nets, ..route(0, "/x") }]);
    for (client, expected) in
        [("192.168.3.4", true), ("::ffff:192.168.3.4", true), ("fd00::1", true), ("10.0.0.1", false)]
    {
        let query = Lookup {
            host: "h",
            host_with_port: "h",
            path: "/x",
            method: &http::Method::GET,
            remote_addr: client.parse().expect("address"),
        };
        assert_eq!(router.find(&query, &TestVars::default()).is_some(), expected, "{client}");
    }
}

#[test]
fn a_method_no_route_can_name_reaches_only_routes_without_methods() {
    let all =
        MethodSet::parse(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"]);
    let all = all.expect("the ten methods");
    let router = router(RouterMode::HostUri, [RouteEntry { methods: all, ..route(0, "/x") }, route(1, "/*")]);
    let unknown = http::Method::from_bytes(b"PROPFIND").expect("method");
    assert_eq!(find(&router, &unknown, "h", "/x", &TestVars::default()).map(|found| found.target), Some(1));
    assert_eq!(MethodSet::parse(["GET", "BREW"]), Err("BREW"));
}

#[test]
fn a_route_that_could_never_answer_is_refused() {
    let no_uri = RouteEntry { uris: Vec::new(), ..route(4, "") };
    let no_host = RouteEntry { hosts: vec![String::new()], ..route(5, "/x") };
    let build = |entry| RouterBuilder::new(RouterMode::HostUri).add(entry).build().map(|_| ());
    assert_eq!(build(no_uri), Err(RouterError::NoUri { order: 4 }));
    assert_eq!(build(no_host), Err(RouterError::EmptyHost { order: 5 }));
}

#[test]
fn a_kept_pattern_id_gives_the_pattern_back() {
    let router = router(RouterMode::UriWithParameter, [route(0, "/x"), route(1, "/u/:id")]);
    let id = get(&router, "h", "/u/7").expect("matches").pattern_id;
    assert_eq!(&**router.pattern(id).as_str(), "/u/:id");
}

#[test]
fn a_pattern_with_a_port_asks_for_the_host_and_its_port() {
    for mode in [RouterMode::HostUri, RouterMode::Uri] {
        asks_for_the_host_and_its_port(mode);
    }
}

fn asks_for_the_host_and_its_port(mode: RouterMode) {
    let router = router(mode, [RouteEntry { hosts: vec!["B.test:80".to_owned()], ..route(0, "/h") }]);
    for (host, sent, fits) in [
        ("b.test", "b.test:80", true),
        ("b.test", "B.test.:80", true),
        ("b.test", "b.test:81", false),
        ("b.test", "b.test", false),
        ("a.test", "a.test:80", false),
    ] {
        let remote_addr = IpAddr::from([127, 0, 0, 1]);
        let query = Lookup { host, host_with_port: sent, path: "/h", method: &http::Method::GET, remote_addr };
        assert_eq!(router.find(&query, &TestVars::default()).is_some(), fits, "{sent}");
    }
}

#[test]
fn of_patterns_that_differ_in_their_port_the_one_with_the_requests_port_comes_first() {
    let of = |target, host: &str| RouteEntry { hosts: vec![host.to_owned()], ..route(target, "/*") };
    let all = ["*.test", "a.test", "a.test:80", "a.test:8080", "*.test:8080"];
    let router = router(RouterMode::HostUri, all.iter().zip(0..).map(|(host, target)| of(target, host)));
    for (sent, pattern) in [
        ("a.test", "a.test"),
        ("a.test:80", "a.test:80"),
        ("a.test:8080", "a.test:8080"),
        ("a.test:81", "a.test"),
        ("b.test:8080", "*.test:8080"),
        ("b.test:80", "*.test"),
    ] {
        let found = get(&router, sent, "/x").expect("matches");
        assert_eq!(found.host_pattern.map(|pattern| &**pattern), Some(pattern), "{sent}");
    }
}
