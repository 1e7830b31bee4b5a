//! What of a request reaches the upstream and what of its answer the client: headers, framing, methods, protocols.

use std::io::Write;

use serde_json::json;

use crate::harness::{ADMIN_KEY, Gateway, Launch, Request, Upstream, answer, get, route};

/// A gateway in front of one upstream that answers with `reply`.
fn before(reply: Vec<u8>) -> (Gateway, Upstream) {
    let gateway = Gateway::start();
    let upstream = Upstream::answering(move |_| reply.clone());
    gateway.put("/routes/1", &route("/*", upstream.addr));
    (gateway, upstream)
}

#[test]
fn no_route_is_404_with_the_exact_body() {
    let gateway = Gateway::start();
    let reply = gateway.send(get("/nowhere"));
    assert_eq!((reply.status, reply.text().as_str()), (404, "{\"error_msg\":\"404 Route Not Found\"}\n"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.header("server"), Some("APISIX/3.18.0"));
}

#[test]
fn the_upstream_is_told_whom_the_request_is_from() {
    let (gateway, upstream) = before(crate::harness::ok(""));
    let request = get("/x?a=1&b=%20")
        .header("Host", "client.example:1234")
        .header("X-Forwarded-For", "10.1.1.1")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "spoofed.example")
        .header("X-Forwarded-Port", "1")
        .header("Forwarded", "for=10.9.9.9");
    gateway.send(request.clone());
    let seen = upstream.last();
    assert_eq!(seen.target, "/x?a=1&b=%20");
    for (name, value) in [
        ("host", Some("client.example:1234")),
        ("x-real-ip", Some("127.0.0.1")),
        ("x-forwarded-for", Some("10.1.1.1, 127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", Some("client.example:1234")),
        ("x-forwarded-port", Some("1234")),
        ("forwarded", None),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    // The peer is a trusted proxy: the address it tells is the client's.
    gateway.send(request.header("X-Real-IP", "203.0.113.9"));
    let seen = upstream.last();
    assert_eq!(seen.header("x-real-ip"), Some("203.0.113.9"));
    assert_eq!(seen.header("x-forwarded-for"), Some("10.1.1.1, 203.0.113.9"));
}

#[test]
fn headers_reach_the_upstream_in_the_order_in_which_they_came() {
    let gateway = Gateway::start();
    let upstream = Upstream::saying("");
    gateway.put("/consumers", &json!({"username": "jack", "plugins": {"key-auth": {"key": "k"}}}));
    let mut rules = route("/*", upstream.addr);
    rules["plugins"] = json!({
        "key-auth": {"hide_credentials": true},
        "proxy-rewrite": {"headers": {"remove": ["X-Gone"], "set": {"X-B": "2"}}}
    });
    gateway.put("/routes/1", &rules);
    let names = |seen: crate::harness::Seen| -> Vec<String> {
        seen.headers.into_iter().map(|(name, _)| name).filter(|name| !name.starts_with("x-forwarded")).collect()
    };
    let headers = [
        ("X-A", "1"),
        ("Connection", "keep-alive, X-Named"),
        ("X-B", "1"),
        ("apikey", "k"),
        ("X-Forwarded-Proto", "https"),
        ("Content-Type", "text/plain"),
        ("TE", "trailers"),
        ("X-C", "1"),
        ("Cookie", "c=1"),
        ("X-Gone", "1"),
        ("Expect", "100-continue"),
        ("X-D", "1"),
        ("X-Named", "1"),
        ("X-E", "1"),
        ("X-A", "2"),
    ];
    let with = |request: Request| headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
    gateway.send(with(get("/")));
    let seen = names(upstream.last());
    let expected = ["x-a", "x-a", "x-b", "content-type", "x-c", "cookie", "x-d", "x-e"];
    let kept: Vec<&str> = seen.iter().map(String::as_str).filter(|name| expected.contains(name)).collect();
    assert_eq!(kept, expected, "{seen:?}");
    for gone in ["connection", "apikey", "te", "x-gone", "expect", "x-named"] {
        assert!(!seen.iter().any(|name| name == gone), "{gone} in {seen:?}");
    }
}

#[test]
fn trusted_and_untrusted_peers_differ_in_what_they_may_tell() {
    let upstream = Upstream::saying("");
    let ask = |trusted: &str| {
        let config = json!({"apisix": {"trusted_addresses": [trusted]}});
        let gateway = Launch::new().admin_key(ADMIN_KEY).config(config).start();
        gateway.put("/routes/1", &route("/*", upstream.addr));
        gateway.send(get("/").header("X-Forwarded-For", "10.1.1.1").header("X-Forwarded-Proto", "https"));
        let seen = upstream.last();
        [seen.header("x-forwarded-for"), seen.header("x-forwarded-proto")].map(|value| value.unwrap().to_owned())
    };
    assert_eq!(ask("127.0.0.1"), ["10.1.1.1, 127.0.0.1", "https"]);
    assert_eq!(ask("192.0.2.0/24"), ["127.0.0.1", "http"]);
}

#[test]
fn what_the_peer_may_not_tell_decides_nothing() {
    let (gateway, upstream) = before(crate::harness::ok(""));
    let mut spoofable = route("/spoofed", upstream.addr);
    spoofable["vars"] = json!([["http_x_forwarded_proto", "==", "https"]]);
    gateway.put("/routes/spoofable", &spoofable);
    let mut shown = route("/shown", upstream.addr);
    shown["plugins"]["proxy-rewrite"]["headers"]["set"] = json!({
        "X-Seen": "$http_x_forwarded_proto $http_x_forwarded_host $http_x_forwarded_port $http_forwarded",
        "X-Sent": "$original_x_forwarded_proto $original_x_forwarded_host $original_forwarded",
    });
    gateway.put("/routes/shown", &shown);
    let mut chosen = route("/chosen", upstream.addr);
    chosen["plugins"]["proxy-rewrite"]["headers"]["set"] = json!({"X-Forwarded-Host": "chosen.example"});
    gateway.put("/routes/chosen", &chosen);
    gateway.admin("DELETE", "/routes/1", None);

    let ask = |path: &str| {
        let request = get(path).header("Host", "client.example:1234").header("X-Forwarded-Proto", "https");
        gateway.send(request.header("X-Forwarded-Host", "evil").header("Forwarded", "for=9"))
    };
    assert_eq!(ask("/spoofed").status, 404);
    assert_eq!(ask("/shown").status, 200);
    let seen = upstream.last();
    assert_eq!(seen.header("x-seen"), Some("http client.example:1234 1234"));
    assert_eq!(seen.header("x-sent"), Some("https evil for=9"));
    assert_eq!(seen.header("x-forwarded-host"), Some("client.example:1234"));
    assert_eq!(ask("/chosen").status, 200);
    assert_eq!(upstream.last().header("x-forwarded-host"), Some("chosen.example"), "a plugin's word stands");
}

#[test]
fn a_bare_graphql_document_is_routed_by_what_it_asks() {
    let (gateway, upstream) = before(crate::harness::ok("other"));
    let queries = Upstream::saying("a query");
    let mut route = route("/graphql", queries.addr);
    route["vars"] = json!([["graphql_operation", "==", "query"]]);
    gateway.put("/routes/graphql", &route);
    let ask = |kind: &str, document: &str| {
        let request = Request::new("POST", "/graphql").header("Content-Type", kind);
        gateway.send(request.body(document)).text()
    };
    assert_eq!(ask("application/graphql", "query { a }"), "a query");
    assert_eq!(ask("text/plain", "{ a }"), "a query");
    assert_eq!(queries.last().text(), "{ a }");
    assert_eq!(ask("application/graphql", "mutation { a }"), "other");
    assert_eq!(upstream.last().text(), "mutation { a }");
}

#[test]
fn a_status_without_a_name_is_passed_on_as_a_number() {
    let (gateway, _upstream) = before(answer("599 Of Our Own", "", ""));
    let mut connection = gateway.connect();
    connection.write(&get("/").header("Connection", "close")).expect("a request");
    let answer = connection.read_to_end().expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 599 \r\n"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn headers_of_one_connection_stay_on_it() {
    let reply = answer(
        "200 OK",
        "Connection: x-back\r\nX-Back: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
         Server: theirs\r\nX-Kept: yes\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
        "body",
    );
    let (gateway, upstream) = before(reply);
    let mut client = gateway.connect();
    let request = get("/")
        .header("Connection", "keep-alive, x-foo")
        .header("X-Foo", "1")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("TE", "trailers")
        .header("Upgrade", "h2c")
        .header("X_Under_Score", "kept")
        .header("X-Twice", "1")
        .header("X-Twice", "2");
    client.write(&request).unwrap();
    let reply = client.reply().unwrap();
    let seen = upstream.last();
    for gone in ["x-foo", "keep-alive", "proxy-connection", "te", "upgrade"] {
        assert_eq!(seen.header(gone), None, "{gone} in {seen:?}");
    }
    assert!(seen.header("connection").is_none_or(|value| !value.contains("foo")), "{seen:?}");
    assert_eq!(seen.header("x_under_score"), Some("kept"));
    let twice: Vec<&str> =
        seen.headers.iter().filter(|(name, _)| name == "x-twice").map(|(_, value)| value.as_str()).collect();
    assert_eq!(twice, ["1", "2"]);
    for gone in ["x-back", "keep-alive", "proxy-connection"] {
        assert_eq!(reply.header(gone), None, "{gone} in {reply:?}");
    }
    assert_eq!(reply.header("server"), Some("APISIX/3.18.0"));
    assert_eq!(reply.header("x-kept"), Some("yes"));
    assert_eq!(reply.header("date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
}

#[test]
fn a_client_does_not_switch_to_a_protocol_that_carries_requests() {
    let gateway = Gateway::start();
    let upstream = Upstream::saying("body");
    let mut configured = route("/*", upstream.addr);
    configured["enable_websocket"] = json!(true);
    gateway.put("/routes/1", &configured);
    let mut client = gateway.connect();
    for protocols in [&["h2c"][..], &["H2C"], &["websocket, h2c"], &["websocket", "HTTP/2.0"], &["TLS/1.2"]] {
        let mut request = get("/").header("Connection", "Upgrade").header("HTTP2-Settings", "AAMAAABkAAQAAP__");
        for protocol in protocols {
            request = request.header("Upgrade", *protocol);
        }
        client.write(&request).unwrap();
        let reply = client.reply().unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (200, "body"), "{protocols:?}");
        let seen = upstream.last();
        for gone in ["upgrade", "http2-settings"] {
            assert_eq!(seen.header(gone), None, "{protocols:?}: {seen:?}");
        }
    }
    assert_eq!(upstream.connection_count(), 1, "they share a connection, as ordinary requests do");
}

#[test]
fn the_upstreams_status_shows_where_it_is_at_fault_or_always_shown() {
    let upstream = Upstream::answering(|seen| answer(&format!("{} X", &seen.target[1..]), "", ""));
    let ask = |config| {
        let gateway = Launch::new().admin_key(ADMIN_KEY).config(config).start();
        gateway.put("/routes/1", &route("/*", upstream.addr));
        ["/200", "/404", "/500", "/599"]
            .map(|path| gateway.send(get(path)).header("X-APISIX-Upstream-Status").map(str::to_owned))
    };
    let shown = |status: &str| Some(status.to_owned());
    assert_eq!(ask(json!({})), [None, None, shown("500"), shown("599")]);
    let always = json!({"apisix": {"show_upstream_status_in_response_header": true}});
    assert_eq!(ask(always), [shown("200"), shown("404"), shown("500"), shown("599")]);
}

#[test]
fn answers_without_a_body_leave_the_connection_usable() {
    let gateway = Gateway::start();
    let upstream = Upstream::answering(|seen| match (seen.method.as_str(), seen.target.as_str()) {
        ("HEAD", _) => b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-Head: 1\r\n\r\n".to_vec(),
        (_, "/204") => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        (_, "/304") => b"HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\nContent-Length: 99\r\n\r\n".to_vec(),
        (_, "/0") => answer("200 OK", "", ""),
        _ => crate::harness::ok("body"),
    });
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut client = gateway.connect();
    let mut ask = |method: &str, path: &str| {
        client.write(&Request::new(method, path)).unwrap();
        let mut reply = client.head().unwrap();
        if method != "HEAD" {
            reply.body = client.rest().unwrap();
        }
        reply
    };
    for _ in 0..2 {
        let head = ask("HEAD", "/");
        assert_eq!((head.status, head.header("content-length"), head.header("x-head")), (200, Some("1234"), Some("1")));
        assert_eq!(ask("GET", "/204").status, 204);
        let unchanged = ask("GET", "/304");
        assert_eq!((unchanged.status, unchanged.header("etag")), (304, Some("\"e\"")));
        assert_eq!(ask("GET", "/0").body, b"");
        assert_eq!(ask("GET", "/").text(), "body");
    }
    assert_eq!(upstream.connection_count(), 1);
}

#[test]
fn bodies_keep_their_bytes_whatever_method_and_framing() {
    let (gateway, upstream) = before(crate::harness::ok(""));
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        gateway.send(Request::new(method, "/").body("with a length"));
        assert_eq!(upstream.last().text(), "with a length", "{method}");
        let mut client = gateway.connect();
        client.write(&Request::new(method, "/").header("Transfer-Encoding", "chunked")).unwrap();
        client.stream.write_all(b"3\r\nin \r\n6\r\nchunks\r\n0\r\n\r\n").unwrap();
        assert_eq!(client.reply().unwrap().status, 200, "{method}");
        assert_eq!(upstream.last().text(), "in chunks", "{method}");
        gateway.send(Request::new(method, "/"));
        assert_eq!(upstream.last().text(), "", "{method}");
    }
}

#[test]
fn a_client_that_asks_first_is_told_to_continue() {
    let (gateway, upstream) = before(crate::harness::ok("done"));
    let mut client = gateway.connect();
    client
        .stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    assert_eq!(client.head().unwrap().status, 100);
    client.stream.write_all(b"body").unwrap();
    assert_eq!(client.reply().unwrap().text(), "done");
    let seen = upstream.last();
    assert_eq!((seen.text().as_str(), seen.header("expect")), ("body", None));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::start();
    let upstream = Upstream::answering(|seen| crate::harness::ok(&seen.target));
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut client = gateway.connect();
    for path in ["/1", "/2", "/3"] {
        client.write(&get(path)).unwrap();
    }
    let texts = [(); 3].map(|()| client.reply().unwrap().text());
    assert_eq!(texts, ["/1", "/2", "/3"]);
}

#[test]
fn an_http_1_0_client_is_served() {
    let (gateway, _upstream) =
        before(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n".to_vec());
    let mut client = gateway.connect();
    client.stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let reply = client.reply().unwrap();
    assert_eq!((reply.status, reply.header("transfer-encoding"), reply.text().as_str()), (200, None, "body"));
}

#[tokio::test]
async fn http_2_with_prior_knowledge_is_spoken() {
    use http_body_util::{BodyExt, Full};
    let gateway = Gateway::start();
    let upstream = Upstream::answering(|seen| crate::harness::ok(&format!("{} {}", seen.method, seen.text())));
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let stream = tokio::net::TcpStream::connect(gateway.proxy).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answers = (0..20).map(|number| {
        let uri = format!("http://h2.example/{number}");
        let body = Full::new(bytes::Bytes::from(format!("body {number}")));
        let request = hyper::Request::post(uri).header("te", "trailers").body(body).unwrap();
        let answer = sender.send_request(request);
        async move { (number, answer.await.unwrap()) }
    });
    for answer in answers.collect::<Vec<_>>() {
        let (number, answer) = answer.await;
        assert_eq!((answer.status(), answer.version()), (http::StatusCode::OK, http::Version::HTTP_2));
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text, format!("POST body {number}"));
    }
    let seen = upstream.last();
    assert_eq!((seen.header("host"), seen.header("te")), (Some("h2.example"), None));
}
