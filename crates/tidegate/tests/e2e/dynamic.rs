//! Changes of the configuration while requests are served: soon visible, never felt, and never lost.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{
    ADMIN_KEY, Connection, Gateway, Request, Upstream, ai_proxy, get, post, read_request, route, wait_until,
};

/// A small generator, so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn a_configuration_that_could_never_work_changes_nothing() {
    let gateway = Gateway::start();
    let provider = Upstream::saying("{}");
    let mut good = json!({"uri": "/*", "plugins": {"ai-proxy": ai_proxy(provider.addr)}});
    gateway.put("/routes/1", &good);
    let bad = json!({"ai-proxy": {"provider": "openai-compatible", "auth": {}}});
    let text = "failed to check the configuration of plugin ai-proxy err: \
                override.endpoint is required for openai-compatible provider";
    good["plugins"] = bad.clone();
    for (method, path, body) in [
        ("PUT", "/routes/1", &good),
        ("POST", "/routes", &good),
        ("PATCH", "/routes/1", &json!({"plugins": {"ai-proxy": {"override": null}}})),
        ("PUT", "/services/1", &json!({"plugins": bad})),
        ("PUT", "/global_rules/1", &json!({"plugins": bad})),
    ] {
        let refused = gateway.admin(method, path, Some(body));
        assert_eq!((refused.status, &refused.json()["error_msg"]), (400, &json!(text)), "{method} {path}");
    }
    let checked = gateway.admin("POST", "/configs/validate", Some(&json!({"routes": [good]})));
    assert_eq!((checked.status, &checked.json()["errors"][0]["error"]), (400, &json!(text)));
    let message = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(gateway.send(post("/v1/chat/completions", &message)).status, 200);
}

#[test]
fn a_write_is_visible_within_100_ms() {
    let gateway = Gateway::start();
    let [a, b] = ["a", "b"].map(Upstream::saying);
    gateway.put("/routes/1", &route("/*", a.addr));
    let mut client = gateway.connect();
    let mut delays: Vec<Duration> = (0..30)
        .map(|number| {
            let (to, text) = if number % 2 == 0 { (b.addr, "b") } else { (a.addr, "a") };
            assert_eq!(gateway.admin("PUT", "/routes/1", Some(&route("/*", to))).status, 200);
            let written = Instant::now();
            wait_until("the change is visible", || {
                client.write(&get("/")).unwrap();
                (client.reply().unwrap().text() == text).then(|| written.elapsed())
            })
        })
        .collect();
    delays.sort_unstable();
    // The median: the machine may be busy with other tests for a moment.
    assert!(delays[15] < Duration::from_millis(100), "{delays:?}");
    assert!(delays[29] < Duration::from_secs(1), "{delays:?}");
}

#[test]
fn a_stream_in_flight_feels_no_change() {
    let gateway = Gateway::start();
    let (give, take) = channel();
    let give = Mutex::new(give);
    let upstream = Upstream::scripted(move |_, stream| drop(give.lock().unwrap().send(stream)));
    let other = Upstream::saying("other");
    gateway.put("/routes/1", &route("/*", upstream.addr));
    let mut client = gateway.connect();
    client.write(&get("/")).unwrap();
    let mut server = take.recv().unwrap();
    read_request(&mut BufReader::new(server.try_clone().unwrap())).unwrap();
    server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nbegin").unwrap();
    client.head().unwrap();
    client.read_until("begin").unwrap();

    gateway.put("/routes/1", &route("/*", other.addr));
    assert_eq!(gateway.send(get("/")).text(), "other");
    server.write_all(b"after").unwrap();
    client.read_until("after").unwrap();

    assert_eq!(gateway.admin("DELETE", "/routes/1", None).status, 200);
    wait_until("the route is gone", || (gateway.send(get("/")).status == 404).then_some(()));
    server.write_all(b"afterwards").unwrap();
    client.read_until("afterwards").unwrap();
}

/// One random write that does not take away what the load needs.
fn change(gateway: &Gateway, dice: &mut Dice, targets: &[Upstream; 2]) {
    let number = dice.below(20);
    let target = targets[dice.below(2) as usize].addr;
    let (method, path, body): (_, _, Option<Value>) = match dice.below(7) {
        0 => ("PUT", "/routes/load".to_owned(), Some(route("/load", target))),
        1 => ("PATCH", "/routes/load".to_owned(), Some(json!({"desc": number.to_string(), "priority": number}))),
        2 => ("PUT", format!("/routes/r{number}"), Some(route(&format!("/r{number}/*"), target))),
        3 => ("DELETE", format!("/routes/r{number}"), None),
        4 => ("PUT", format!("/consumers/c{number}"), Some(consumer(number))),
        5 => ("DELETE", format!("/consumers/c{number}"), None),
        _ => {
            let rule = json!({"plugins": {"response-rewrite": {"headers": {"set": {"X-Rule": number.to_string()}}}}});
            ("PUT", "/global_rules/1".to_owned(), Some(rule))
        }
    };
    let reply = gateway.admin(method, &path, body.as_ref());
    assert!(matches!(reply.status, 200 | 201 | 404), "{method} {path}: {} {}", reply.status, reply.text());
}

fn consumer(number: u64) -> Value {
    json!({"username": format!("c{number}"), "plugins": {"key-auth": {"key": format!("key-{number}")}}})
}

#[test]
fn two_hundred_changes_under_load_lose_no_request() {
    let gateway = Gateway::start();
    let targets = ["load", "load"].map(Upstream::saying);
    gateway.put("/routes/load", &route("/load", targets[0].addr));
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = |fresh: bool| {
        let mut client = gateway.connect();
        while !done.load(Ordering::Relaxed) {
            if fresh {
                client = gateway.connect();
            }
            client.write(&get("/load")).unwrap();
            let reply = client.reply().unwrap();
            assert_eq!((reply.status, reply.text().as_str()), (200, "load"));
            served.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let clients = [false, false, true].map(|fresh| scope.spawn(move || load(fresh)));
        let mut dice = Dice(7);
        for _ in 0..200 {
            change(&gateway, &mut dice, &targets);
        }
        // At least a few requests after the last change.
        let last = served.load(Ordering::Relaxed);
        wait_until("the load goes on", || (served.load(Ordering::Relaxed) > last + 20).then_some(()));
        done.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    assert!(served.into_inner() > 200);
}

/// What the Admin API has acknowledged, by route id: the revision of its text, or that it was deleted.
type Acknowledged = BTreeMap<String, Option<u64>>;

/// Writes until the gateway is gone. Of the write that was not answered nothing can be said: its id is forgotten.
fn write_until_gone(admin: std::net::SocketAddr, writer: u64, round: u64, acknowledged: &Mutex<Acknowledged>) {
    let mut dice = Dice(writer * 1000 + round);
    let Ok(mut connection) = Connection::try_open(admin) else { return };
    for number in 0.. {
        let id = format!("w{writer}-{}", dice.below(40));
        let delete = dice.below(5) == 0;
        let request = Request::new(if delete { "DELETE" } else { "PUT" }, &format!("/apisix/admin/routes/{id}"));
        let request = request.header("X-API-KEY", ADMIN_KEY);
        let text = round * 1_000_000 + number;
        let request = match delete {
            true => request,
            false => {
                request.json(&json!({"uri": format!("/{id}"), "desc": text.to_string(), "plugins": {"request-id": {}}}))
            }
        };
        acknowledged.lock().unwrap().remove(&id);
        let Ok(reply) = connection.write(&request).and_then(|()| connection.reply()) else { return };
        assert!(matches!(reply.status, 200 | 201 | 404), "{}", reply.text());
        acknowledged.lock().unwrap().insert(id, (!delete).then_some(text));
    }
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    const ROUNDS: u64 = 8;
    let mut gateway = Gateway::start();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
    let mut writes = 0;
    for round in 0..ROUNDS {
        let before = gateway.metric("apisix_etcd_modify_indexes{key=\"x_etcd_index\"}");
        let admin = gateway.admin;
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let acknowledged = acknowledged.clone();
                thread::spawn(move || write_until_gone(admin, writer, round, &acknowledged))
            })
            .collect();
        // Anywhere in the middle of the writes: after a number of them that differs from round to round.
        let enough = before + 10.0 + (round * 7 % 30) as f64;
        wait_until("writes are under way", || {
            (gateway.metric("apisix_etcd_modify_indexes{key=\"x_etcd_index\"}") >= enough).then_some(())
        });
        gateway.kill();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        gateway = gateway.start_again();
        let list = gateway.admin("GET", "/routes", None).json();
        let stored: BTreeMap<String, u64> = list["list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                (
                    item["value"]["id"].as_str().unwrap().to_owned(),
                    item["value"]["desc"].as_str().unwrap().parse().unwrap(),
                )
            })
            .collect();
        for (id, text) in acknowledged.lock().unwrap().iter() {
            assert_eq!(stored.get(id), text.as_ref(), "round {round}: {id}");
        }
        writes += acknowledged.lock().unwrap().len();
    }
    assert!(writes > 0);
    let checked = gateway.terminate();
    assert!(checked.success());
    assert_eq!(gateway.run(&["check", "-c", "config.yaml"]).status.code(), Some(0));
}
