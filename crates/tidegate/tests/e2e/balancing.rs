//! Which node a request goes to, when another one is tried, and what the client gets when none answers.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Gateway, Request, Upstream, answer, free_port, get, ok, post, read_request, wait_until};

fn node(upstream: &Upstream, weight: u32, priority: i32) -> Value {
    json!({"host": "127.0.0.1", "port": upstream.addr.port(), "weight": weight, "priority": priority})
}

fn dead(priority: i32) -> Value {
    json!({"host": "127.0.0.1", "port": free_port(), "weight": 1, "priority": priority})
}

fn route(upstream: Value) -> Value {
    json!({"uri": "/*", "upstream": upstream})
}

/// An upstream that takes requests and never answers.
fn silent() -> Upstream {
    Upstream::scripted(|_, stream| {
        let mut reader = BufReader::new(stream);
        while read_request(&mut reader).is_ok() {}
    })
}

#[test]
fn shares_follow_the_weights() {
    let gateway = Gateway::start();
    let [heavy, light, none] = ["heavy", "light", "none"].map(Upstream::saying);
    let nodes = json!([node(&heavy, 3, 0), node(&light, 1, 0), node(&none, 0, 0)]);
    gateway.put("/routes/1", &route(json!({"type": "roundrobin", "nodes": nodes})));
    for _ in 0..80 {
        assert_eq!(gateway.send(get("/")).status, 200);
    }
    let shares = [heavy.request_count(), light.request_count(), none.request_count()];
    assert!((57..=63).contains(&shares[0]), "{shares:?}");
    assert_eq!(shares[0] + shares[1], 80, "{shares:?}");
}

#[test]
fn a_hashed_header_sticks_to_its_node() {
    let gateway = Gateway::start();
    let upstreams = ["a", "b", "c"].map(Upstream::saying);
    let nodes: Vec<Value> = upstreams.iter().map(|upstream| node(upstream, 1, 0)).collect();
    let upstream = json!({"type": "chash", "hash_on": "header", "key": "X-User", "nodes": nodes});
    gateway.put("/routes/1", &route(upstream));
    let ask = |user: &str| gateway.send(get("/").header("X-User", user)).text();
    let mut shares = BTreeMap::<String, usize>::new();
    for user in 0..60 {
        let first = ask(&user.to_string());
        assert_eq!(ask(&user.to_string()), first);
        assert_eq!(ask(&user.to_string()), first);
        *shares.entry(first).or_default() += 1;
    }
    assert_eq!(shares.len(), 3, "a node has no user: {shares:?}");
}

#[test]
fn lower_priorities_wait_for_the_higher_ones_to_fail() {
    let gateway = Gateway::start();
    let [first, second] = ["first", "second"].map(Upstream::saying);
    gateway
        .put("/routes/1", &route(json!({"type": "roundrobin", "nodes": [node(&first, 1, 10), node(&second, 1, 0)]})));
    for _ in 0..10 {
        assert_eq!(gateway.send(get("/")).text(), "first");
    }
    let nodes = json!([dead(10), dead(10), node(&second, 1, 0)]);
    gateway.put("/routes/1", &route(json!({"type": "roundrobin", "nodes": nodes})));
    for _ in 0..10 {
        assert_eq!(gateway.send(get("/")).text(), "second");
    }
}

#[test]
fn a_node_that_refuses_is_passed_over_unless_retries_are_off() {
    let gateway = Gateway::start();
    let alive = Upstream::saying("alive");
    let nodes = json!([dead(0), node(&alive, 1, 0)]);
    gateway.put("/routes/1", &route(json!({"type": "roundrobin", "nodes": nodes})));
    for _ in 0..10 {
        // Nothing of a POST was sent to the dead node, so that it may go to the next one.
        assert_eq!(gateway.send(get("/")).text(), "alive");
        let posted = gateway.send(crate::harness::Request::new("POST", "/").body("payload"));
        assert_eq!((posted.text().as_str(), alive.last().text().as_str()), ("alive", "payload"));
    }
    gateway.put("/routes/1", &route(json!({"type": "roundrobin", "retries": 0, "nodes": nodes})));
    let mut statuses: Vec<u16> = (0..10).map(|_| gateway.send(get("/")).status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [200, 502]);
}

#[test]
fn an_answer_is_an_answer_whatever_its_status() {
    let gateway = Gateway::start();
    let [a, b] = [(), ()].map(|()| Upstream::answering(|_| answer("503 Service Unavailable", "", "busy")));
    gateway.put("/routes/1", &route(json!({"type": "roundrobin", "nodes": [node(&a, 1, 0), node(&b, 1, 0)]})));
    let reply = gateway.send(get("/"));
    assert_eq!((reply.status, reply.text().as_str()), (503, "busy"));
    assert_eq!(reply.header("X-APISIX-Upstream-Status"), Some("503"));
    assert_eq!(a.request_count() + b.request_count(), 1);
}

#[test]
fn a_post_that_was_sent_is_not_sent_again() {
    let gateway = Gateway::start();
    let [a, b] = [(), ()].map(|()| Upstream::answering(|_| Vec::new()));
    gateway.put("/routes/1", &route(json!({"type": "roundrobin", "nodes": [node(&a, 1, 0), node(&b, 1, 0)]})));
    let total = || a.request_count() + b.request_count();
    let reply = gateway.send(post("/", &json!({"pay": 1})));
    assert_eq!((reply.status, total()), (502, 1));
    let reply = gateway.send(get("/"));
    assert_eq!((reply.status, total()), (502, 3), "a GET goes to both");
    assert_eq!(reply.header("X-APISIX-Upstream-Status"), Some("502, 502"));
}

#[test]
fn a_put_whose_connection_breaks_is_made_again_with_its_body() {
    let gateway = Gateway::start();
    let deaf = Upstream::scripted(|_, stream| drop(read_request(&mut BufReader::new(stream))));
    let upstream = Upstream::saying("kept");
    let nodes = json!([node(&deaf, 1, 10), node(&upstream, 1, 0)]);
    gateway.put("/routes/1", &route(json!({"type": "roundrobin", "nodes": nodes})));
    let reply = gateway.send(Request::new("PUT", "/thing").body("its new state"));
    assert_eq!((reply.status, reply.text().as_str()), (200, "kept"));
    assert_eq!((deaf.connection_count(), upstream.last().text().as_str()), (1, "its new state"));
}

#[test]
fn a_node_whose_name_does_not_resolve_is_as_if_it_were_not_there() {
    let gateway = Gateway::start();
    // No label of a name is that long: nobody needs to be asked.
    let nowhere = json!({"host": "n".repeat(64), "port": 80, "weight": 1, "priority": 10});
    let upstream = Upstream::saying("found");
    let nodes = json!([nowhere, node(&upstream, 1, 0)]);
    gateway.put("/routes/1", &route(json!({"type": "roundrobin", "retries": 0, "nodes": nodes})));
    assert_eq!(gateway.send(post("/", &json!({}))).text(), "found");

    gateway.put("/routes/1", &route(json!({"type": "roundrobin", "nodes": [nowhere]})));
    let reply = gateway.send(get("/"));
    assert_eq!((reply.status, reply.header("x-apisix-upstream-status")), (503, None));
}

#[test]
fn a_node_that_does_not_answer_in_time_is_504() {
    let gateway = Gateway::start();
    let silent = silent();
    let timeout = json!({"connect": 1, "send": 1, "read": 0.2});
    let upstream = json!({"type": "roundrobin", "timeout": timeout, "nodes": [node(&silent, 1, 0)]});
    gateway.put("/routes/1", &route(upstream.clone()));
    let started = Instant::now();
    let reply = gateway.send(get("/"));
    assert_eq!((reply.status, reply.header("X-APISIX-Upstream-Status")), (504, Some("504")));
    assert!(reply.text().contains("504 Gateway Time-out"), "{}", reply.text());
    assert!((0.2..5.0).contains(&started.elapsed().as_secs_f64()), "{:?}", started.elapsed());

    let mut slower = route(upstream);
    slower["timeout"] = json!({"connect": 1, "send": 1, "read": 0.6});
    gateway.put("/routes/1", &slower);
    let started = Instant::now();
    assert_eq!(gateway.send(get("/")).status, 504);
    assert!(started.elapsed() >= Duration::from_millis(600), "the route's timeout comes before the upstream's");
}

#[test]
fn retries_end_with_the_retry_timeout() {
    let gateway = Gateway::start();
    let silent = [silent(), silent(), silent()];
    let nodes: Vec<Value> = silent.iter().map(|upstream| node(upstream, 1, 0)).collect();
    let timeout = json!({"connect": 1, "send": 1, "read": 0.3});
    let mut upstream = json!({"type": "roundrobin", "timeout": timeout, "nodes": nodes});
    let attempts = || silent.iter().map(Upstream::connection_count).sum::<usize>();
    gateway.put("/routes/1", &route(upstream.clone()));
    assert_eq!((gateway.send(get("/")).status, attempts()), (504, 3));

    upstream["retry_timeout"] = json!(0.1);
    gateway.put("/routes/1", &route(upstream));
    assert_eq!((gateway.send(get("/")).status, attempts()), (502, 4), "one more attempt, then the time is up");
}

#[test]
fn an_upstream_without_nodes_is_503_and_one_that_is_gone_502() {
    let gateway = Gateway::start();
    gateway.put("/routes/empty", &json!({"uri": "/empty", "upstream": {"type": "roundrobin", "nodes": {}}}));
    gateway.put("/routes/none", &json!({"uri": "/none", "plugins": {"request-id": {}}}));
    gateway.put("/upstreams/u", &json!({"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}));
    gateway.put("/routes/gone", &json!({"uri": "/gone", "upstream_id": "u"}));
    assert_eq!(gateway.admin("DELETE", "/upstreams/u?force=true", None).status, 200);
    for (path, status, title) in
        [("/empty", 503, "503 Service Temporarily Unavailable"), ("/none", 503, "503 Service Temporarily Unavailable")]
    {
        let reply = gateway.send(get(path));
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("text/html; charset=utf-8")), "{path}");
        assert!(reply.text().contains(title), "{path}: {}", reply.text());
    }
    // The first answers may still come by the old plan, which knows the node that refuses.
    wait_until("the upstream is gone", || {
        let reply = gateway.send(get("/gone"));
        (reply.status == 502 && reply.header("X-APISIX-Upstream-Status").is_none()).then_some(())
    });
}

#[test]
fn pass_host_decides_which_host_the_node_sees() {
    let gateway = Gateway::start();
    let upstream = Upstream::saying("");
    let port = upstream.addr.port();
    for (pass_host, expected) in [
        ("pass", "client.example:1234".to_owned()),
        ("node", format!("localhost:{port}")),
        ("rewrite", "rewritten.example".to_owned()),
    ] {
        let mut configured =
            json!({"type": "roundrobin", "pass_host": pass_host, "nodes": {format!("localhost:{port}"): 1}});
        if pass_host == "rewrite" {
            configured["upstream_host"] = json!(expected);
        }
        gateway.put("/routes/1", &route(configured));
        assert_eq!(gateway.send(get("/").header("Host", "client.example:1234")).status, 200);
        assert_eq!(upstream.last().header("host"), Some(&*expected), "{pass_host}");
    }
}

/// One active check each way, counted in seconds.
fn checked(nodes: Value) -> Value {
    json!({"type": "roundrobin", "nodes": nodes, "checks": {"active": {
        "http_path": "/health",
        "healthy": {"interval": 1, "successes": 1},
        "unhealthy": {"interval": 1, "http_failures": 1, "tcp_failures": 1},
    }}})
}

#[test]
fn an_ill_node_gets_no_traffic_until_it_is_well_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let gateway = Gateway::start();
    let ill = Arc::new(AtomicBool::new(true));
    let state = ill.clone();
    let sick = Upstream::answering(move |_| match state.load(Ordering::SeqCst) {
        true => answer("500 Internal Server Error", "", "sick"),
        false => answer("200 OK", "", "sick"),
    });
    let well = Upstream::saying("well");
    gateway.put("/upstreams/u", &checked(json!([node(&sick, 1, 0), node(&well, 1, 0)])));
    gateway.put("/routes/1", &json!({"uri": "/*", "upstream_id": "u"}));
    let status = || {
        // Checks begin with the first request.
        let _ = gateway.send(get("/first"));
        let health = get("/v1/healthcheck/upstreams/u").send(gateway.control);
        let health: Value = serde_json::from_slice(&health.body).ok()?;
        let nodes = health["nodes"].as_array()?.clone();
        let node = nodes.into_iter().find(|node| node["port"] == sick.addr.port())?;
        Some(node["status"].as_str()?.to_owned())
    };
    wait_until("the ill node is found out", || status().filter(|status| status == "unhealthy"));
    for _ in 0..20 {
        assert_eq!(gateway.send(get("/")).text(), "well");
    }
    let name = format!(
        "apisix_upstream_status{{name=\"/apisix/upstreams/u\",ip=\"127.0.0.1\",port=\"{}\"}}",
        sick.addr.port()
    );
    assert!(gateway.metrics_text().contains(&format!("{name} 0")), "{}", gateway.metrics_text());
    ill.store(false, Ordering::SeqCst);
    wait_until("the node gets traffic again", || (gateway.send(get("/")).text() == "sick").then_some(()));
}

#[test]
fn traffic_itself_tells_an_ill_node() {
    let gateway = Gateway::start();
    let ill = Upstream::answering(|_| answer("500 Internal Server Error", "", "ill"));
    let well = Upstream::saying("well");
    let mut upstream = checked(json!([node(&ill, 1, 0), node(&well, 1, 0)]));
    // Active checks find nothing: they are far apart.
    upstream["checks"]["active"]["healthy"]["interval"] = json!(3600);
    upstream["checks"]["active"]["unhealthy"]["interval"] = json!(3600);
    upstream["checks"]["passive"] = json!({
        "healthy": {"http_statuses": [200], "successes": 1},
        "unhealthy": {"http_statuses": [500], "http_failures": 2},
    });
    gateway.put("/routes/1", &route(upstream));
    wait_until("the ill node has shown itself", || {
        let texts: Vec<String> = (0..10).map(|_| gateway.send(get("/")).text()).collect();
        texts.iter().all(|text| text == "well").then_some(())
    });
}

#[test]
fn an_upstream_connection_is_kept() {
    let gateway = Gateway::start();
    let kept = Upstream::saying("kept");
    gateway.put("/routes/kept", &crate::harness::route("/kept", kept.addr));
    let mut client = gateway.connect();
    for _ in 0..10 {
        client.write(&get("/kept")).unwrap();
        assert_eq!(client.reply().unwrap().text(), "kept");
    }
    assert_eq!((kept.connection_count(), kept.request_count()), (1, 10));
}

#[test]
fn a_connection_that_the_upstream_closed_while_it_was_idle_does_no_harm() {
    let gateway = Gateway::start();
    let (give, closed) = channel();
    let give = Mutex::new(give);
    // Closes behind each answer without having said so.
    let fickle = Upstream::scripted(move |_, mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if read_request(&mut reader).is_ok() {
            let _ = stream.write_all(&ok("fickle"));
        }
        drop((stream, reader));
        let _ = give.lock().unwrap().send(());
    });
    gateway.put("/routes/1", &crate::harness::route("/", fickle.addr));
    let mut client = gateway.connect();
    for round in 0..20 {
        client.write(&post("/", &json!({"round": round}))).unwrap();
        let reply = client.reply().unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (200, "fickle"), "round {round}");
        closed.recv().unwrap();
    }
}

#[test]
fn a_get_that_meets_the_close_of_a_kept_connection_is_asked_again() {
    let gateway = Gateway::start();
    let mut client = gateway.connect();
    // Answers one request per connection and closes on the second.
    let fickle = Upstream::scripted(|_, mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if read_request(&mut reader).is_ok() && stream.write_all(&ok("fickle")).is_ok() {
            let _ = read_request(&mut reader);
        }
    });
    gateway.put("/routes/1", &crate::harness::route("/", fickle.addr));
    for round in 0..5 {
        client.write(&get("/")).unwrap();
        assert_eq!(client.reply().unwrap().status, 200, "round {round}");
    }
}

#[test]
fn a_node_with_a_name_is_logged_and_checked_by_the_address_that_was_picked() {
    let gateway = Gateway::start();
    let upstream = Upstream::saying("served");
    let log = gateway.folder.path().join("access.log");
    let port = upstream.addr.port();
    let checks = json!({"active": {"http_path": "/", "healthy": {"interval": 1}, "unhealthy": {"interval": 1}}});
    let format = json!({"ip": "$balancer_ip", "address": "$upstream_addr", "configured": "$upstream_unresolved_host",
        "sent": "$upstream_bytes_sent"});
    gateway.put(
        "/routes/1",
        &json!({
            "uri": "/*",
            "plugins": {"file-logger": {"path": log, "log_format": format}},
            "upstream": {"type": "roundrobin", "nodes": {format!("localhost:{port}"): 1}, "checks": checks},
        }),
    );
    for _ in 0..2 {
        assert_eq!(gateway.send(get("/")).text(), "served");
    }
    let text = wait_until("both requests are logged", || {
        std::fs::read_to_string(&log).ok().filter(|text| text.lines().count() == 2)
    });
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["ip"], &line["configured"]), (&json!("127.0.0.1"), &json!("localhost")), "{line}");
        assert_eq!(line["address"], format!("127.0.0.1:{port}"), "{line}");
        let sent: u64 = line["sent"].to_string().trim_matches('"').parse().unwrap();
        assert!((50..1000).contains(&sent), "{line}");
    }
    let checked = wait_until("the node has been probed", || {
        let report = get("/v1/healthcheck").send(gateway.control).json();
        (report[0]["nodes"][0]["ip"] == "127.0.0.1").then_some(report)
    });
    assert_eq!(checked[0]["nodes"][0]["hostname"], "localhost", "{checked}");
}

#[test]
fn an_upstream_that_takes_no_more_of_a_body_is_given_up_after_its_send_timeout() {
    let gateway = Gateway::start();
    let upstream = Upstream::scripted(|_, _stream| {
        loop {
            std::thread::park();
        }
    });
    let timeout = json!({"connect": 1, "send": 0.5, "read": 30});
    let slow = json!({"type": "roundrobin", "timeout": timeout, "nodes": [node(&upstream, 1, 0)]});
    gateway.put("/routes/1", &route(slow));
    let began = std::time::Instant::now();
    let reply = gateway.send(Request::new("POST", "/").body(vec![b'x'; 20 << 20]));
    assert_eq!(reply.status, 504);
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
}
