//! What is changed on the way.

use serde_json::json;

use super::Fixture;
use crate::harness::{ADMIN_KEY, Gateway, Launch, Request, Upstream, get, ok, upstream};

#[test]
fn a_request_is_rewritten_before_it_is_sent() {
    let fixture = Fixture::new();
    let rewrite = |config| fixture.route(json!({"plugins": {"proxy-rewrite": config}}));
    rewrite(json!({"uri": "/new$uri", "method": "POST", "host": "new.example", "headers": {
        "add": {"X-Added": "more"}, "set": {"X-Set": "from $remote_addr", "X-User": "$http_x_user"}, "remove": ["X-Gone"]}}));
    let request = get("/old?a=1")
        .header("X-Gone", "1")
        .header("X-Added", "first")
        .header("X-Set", "theirs")
        .header("X-User", "u1");
    fixture.gateway.send(request);
    let seen = fixture.upstream.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/new/old?a=1"));
    assert_eq!(seen.header("host"), Some("new.example"));
    assert_eq!((seen.header("x-set"), seen.header("x-gone")), (Some("from 127.0.0.1"), None));
    assert_eq!(seen.header("x-user"), Some("u1"));
    let added: Vec<&str> =
        seen.headers.iter().filter(|(name, _)| name == "x-added").map(|(_, value)| &**value).collect();
    assert_eq!(added, ["first", "more"]);

    rewrite(json!({"regex_uri": ["^/user/(.*)/(.*)$", "/$2?name=$1"], "headers": {"set": {"X-Second": "$2"}}}));
    fixture.gateway.send(get("/user/jack/home?b=2"));
    let seen = fixture.upstream.last();
    assert_eq!((seen.target.as_str(), seen.header("x-second")), ("/home?name=jack&b=2", Some("home")));
}

#[test]
fn a_secret_of_the_environment_goes_upstream_and_is_stored_as_a_reference() {
    let upstream_ = Upstream::saying("");
    let gateway = Launch::new().admin_key(ADMIN_KEY).env("PROVIDER_AUTH", "Bearer sk-secret").start();
    let plugins = json!({"proxy-rewrite": {"headers": {"set": {"Authorization": "$env://PROVIDER_AUTH"}}}});
    gateway.put("/routes/1", &json!({"uri": "/*", "upstream": upstream(upstream_.addr), "plugins": plugins}));
    gateway.send(get("/").bearer("the client's own"));
    assert_eq!(upstream_.last().header("authorization"), Some("Bearer sk-secret"));
    let stored = gateway.admin("GET", "/routes/1", None).text();
    assert!(stored.contains("$env://PROVIDER_AUTH") && !stored.contains("sk-secret"), "{stored}");
    assert!(!gateway.log().contains("sk-secret"));
}

#[test]
fn a_reference_that_cannot_be_resolved_goes_upstream_as_it_was_written() {
    let fixture = Fixture::new();
    let set =
        json!({"X-Env": "$env://NOBODY_HAS_SET_THIS", "X-Secret": "$secret://vault/1/key", "X-Host": "$env$host"});
    fixture.route(json!({"plugins": {"proxy-rewrite": {"headers": {"set": set}}}}));
    fixture.gateway.send(get("/"));
    let seen = fixture.upstream.last();
    assert_eq!(seen.header("x-env"), Some("$env://NOBODY_HAS_SET_THIS"));
    assert_eq!(seen.header("x-secret"), Some("$secret://vault/1/key"));
    assert_eq!(seen.header("x-host"), Some("localhost"));
}

#[test]
fn a_status_without_a_body_has_no_length() {
    let fixture = Fixture::new();
    for plugins in [
        json!({"response-rewrite": {"status_code": 204}}),
        json!({"response-rewrite": {"status_code": 204, "body": "unheard"}}),
        json!({"mocking": {"response_status": 204, "response_example": "unheard"}}),
    ] {
        fixture.route(json!({"plugins": plugins}));
        let mut connection = fixture.gateway.connect();
        for _ in 0..2 {
            connection.write(&get("/")).unwrap();
            let reply = connection.reply().unwrap();
            assert_eq!((reply.status, reply.header("content-length")), (204, None), "{plugins}");
            assert_eq!(reply.header("transfer-encoding"), None, "{plugins}");
        }
    }
}

#[test]
fn a_plugin_says_nothing_wrong_about_where_an_answer_ends() {
    let gateway = Gateway::start();
    let upstream_ = Upstream::answering(|seen| match seen.target.as_str() {
        "/chunked" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n".to_vec(),
        _ => ok("whole"),
    });
    let told =
        json!({"Content-Length": "3", "Transfer-Encoding": "gzip", "Connection": "close", "Upgrade": "h2c", "X-A": 1});
    for plugins in [
        json!({"response-rewrite": {"headers": {"set": told}}}),
        json!({"response-rewrite": {"headers": {"add": ["Content-Length: 3", "Connection: close", "X-A: 1"]}}}),
        json!({"mocking": {"response_example": "whole", "response_headers": told}}),
    ] {
        gateway.put("/routes/1", &json!({"uri": "/*", "upstream": upstream(upstream_.addr), "plugins": plugins}));
        let mut client = gateway.connect();
        for path in ["/", "/chunked", "/"] {
            client.write(&get(path)).unwrap();
            let reply = client.reply().unwrap();
            assert_eq!(
                (reply.text().as_str(), reply.header("x-a")),
                ("whole", Some("1")),
                "{plugins} {path}: {reply:?}"
            );
            assert_eq!((reply.header("connection"), reply.header("upgrade")), (None, None), "{plugins} {path}");
        }
    }
}

#[test]
fn an_answer_is_rewritten_before_it_is_sent() {
    let fixture = Fixture::new();
    let rewrite = |config| fixture.route(json!({"plugins": {"response-rewrite": config}}));
    rewrite(json!({"status_code": 202, "body": "new", "headers": {
        "set": {"X-Node": "$balancer_ip"}, "remove": ["Content-Type"], "add": ["X-A: 1", "X-A: 2"]}}));
    let reply = fixture.gateway.send(get("/"));
    assert_eq!((reply.status, reply.text().as_str(), reply.header("x-node")), (202, "new", Some("127.0.0.1")));
    let added: Vec<&str> = reply.headers.iter().filter(|(name, _)| name == "x-a").map(|(_, value)| &**value).collect();
    assert_eq!((added, reply.header("content-length")), (vec!["1", "2"], Some("3")));

    rewrite(json!({"filters": [{"regex": "GET", "replace": "got", "scope": "once"}]}));
    assert_eq!(fixture.gateway.send(get("/GET")).text(), "got /GET");
    rewrite(json!({"filters": [{"regex": "GET", "replace": "got", "scope": "global"}]}));
    assert_eq!(fixture.gateway.send(get("/GET")).text(), "got /got");
    rewrite(json!({"body": "aGVsbG8=", "body_base64": true, "vars": [["status", "==", 200]]}));
    assert_eq!(fixture.gateway.send(get("/")).text(), "hello");
}

#[test]
fn a_request_has_one_id_for_everybody() {
    let fixture = Fixture::with(json!({"request-id": {}}));
    let reply = fixture.gateway.send(get("/"));
    let id = reply.header("x-request-id").unwrap().to_owned();
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(fixture.upstream.last().header("x-request-id"), Some(&*id));
    let told = fixture.gateway.send(get("/").header("X-Request-Id", "mine"));
    assert_eq!(told.header("x-request-id"), Some("mine"));
    fixture.route(json!({"plugins": {"request-id": {"header_name": "X-Trace", "include_in_response": false,
        "algorithm": "range_id", "range_id": {"length": 8, "char_set": "abcdef"}}}}));
    let reply = fixture.gateway.send(get("/"));
    let seen = fixture.upstream.last();
    let id = seen.header("x-trace").unwrap();
    assert!(id.len() == 8 && id.chars().all(|letter| "abcdef".contains(letter)), "{id}");
    assert_eq!(reply.header("x-trace"), None);
}

#[test]
fn a_body_passes_a_route_with_plugins_unchanged() {
    let fixture = Fixture::with(json!({"proxy-rewrite": {"headers": {"set": {"X-A": "1"}}}, "request-id": {}}));
    let echo = Upstream::answering(|seen| ok(&seen.text()));
    fixture.gateway.put(
        "/routes/echo",
        &json!({"uri": "/echo", "upstream": upstream(echo.addr),
        "plugins": {"request-id": {}, "response-rewrite": {"headers": {"set": {"X-B": "1"}}}}}),
    );
    let body: String = (0..200_000).map(|number| char::from(b'a' + (number % 26) as u8)).collect();
    let reply = fixture.gateway.send(Request::new("POST", "/echo").body(body.clone()));
    assert!(reply.text() == body, "{} bytes came back", reply.body.len());
}
