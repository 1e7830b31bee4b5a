//! The process as the operating system and scripts see it: exit codes, texts of failures, signals.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use crate::harness::{ADMIN_KEY, Connection, Gateway, Launch, Request, free_port, get, post, run_in, wait_until};
use rustix::process::{Resource, Signal};
use serde_json::{Value, json};

/// A route to a simulator, without a key.
fn route_to(simulator: &simulator::Running) -> Value {
    json!({"uri": "/*", "upstream": {"type": "roundrobin", "nodes": {simulator.addr.to_string(): 1}}})
}

fn streamed(directives: &str) -> Request {
    let body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    post("/v1/chat/completions", &body).header("x-simulate", directives)
}

#[test]
fn a_wrong_configuration_is_named_by_file_and_field() {
    for (config, expected) in [
        (json!({"tidegate": {"drain_timeout": "soon"}}), "config.yaml: tidegate.drain_timeout must be"),
        (json!({"apisix": {"node_listen": 70000}}), "config.yaml: apisix.node_listen must be"),
        (json!({"deployment": {"role": "data_plane"}}), "config.yaml: deployment.role"),
        (json!({"tidegate": {"data_dir": "${{NOT_SET}}"}}), "can't find environment variable NOT_SET"),
        (
            json!({"apisix": {"ssl": {"ssl_trusted_certificate": "/no/such.pem"}}}),
            "apisix.ssl.ssl_trusted_certificate: /no/such.pem",
        ),
    ] {
        let ended = Launch::new().config(config).fail();
        assert_eq!(ended.status.code(), Some(2), "{expected}: {}", ended.errors);
        assert!(ended.errors.contains(expected), "{expected}: {}", ended.errors);
    }
}

#[test]
fn a_port_in_use_is_named_with_its_key_and_leaves_no_data_behind() {
    let taken = |launch: Launch, address, key: &str| {
        let _taken = TcpListener::bind(address).unwrap();
        let data = launch.folder.path().join("data");
        launch.write_config();
        let ended = run_in(launch.folder.path(), &["serve", "-c", "config.yaml"]);
        assert_eq!(ended.status.code(), Some(1), "{}", ended.errors);
        let expected = format!("{key}: cannot listen on {address}: another process listens there");
        assert!(ended.errors.contains(&expected), "{expected}: {}", ended.errors);
        assert!(!data.exists(), "a start that failed made a data folder");
    };
    let launch = Launch::new();
    let address = launch.proxy;
    taken(launch, address, "apisix.node_listen");
    let launch = Launch::new();
    let address = launch.admin;
    taken(launch, address, "deployment.admin.admin_listen");
    let launch = Launch::new();
    let address = launch.metrics;
    taken(launch, address, "plugin_attr.prometheus.export_addr");
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let first = Gateway::start();
    let data = first.folder.path().join("data");
    let second = Launch::new().config(json!({"tidegate": {"data_dir": data}})).fail();
    assert_eq!(second.status.code(), Some(1));
    assert!(second.errors.contains("in use by another Tidegate process"), "{}", second.errors);
}

#[test]
fn a_damaged_database_is_wrong_configuration_for_serve_and_check_alike() {
    let launch = Launch::new();
    launch.write_config();
    let data = launch.folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("tidegate.db"), "this is no database").unwrap();
    for command in ["serve", "check"] {
        let ended = run_in(launch.folder.path(), &[command, "-c", "config.yaml"]);
        assert_eq!(ended.status.code(), Some(2), "{command}: {}", ended.errors);
        assert!(ended.errors.contains("is damaged"), "{command}: {}", ended.errors);
    }
}

#[test]
fn a_keyring_that_holds_no_key_is_not_taken_for_none() {
    for text in ["", " \n"] {
        let launch = Launch::new();
        launch.write_config();
        let data = launch.folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("keyring"), text).unwrap();
        for command in ["serve", "check"] {
            let ended = run_in(launch.folder.path(), &[command, "-c", "config.yaml"]);
            assert_eq!(ended.status.code(), Some(2), "{command}: {}", ended.errors);
            assert!(ended.errors.contains("data/keyring: the file holds no key"), "{command}: {}", ended.errors);
        }
    }
}

#[test]
fn a_wrong_command_line_is_told_apart_from_a_failure() {
    let folder = tempfile::TempDir::new().unwrap();
    let code = |arguments: &[&str]| run_in(folder.path(), arguments).status.code();
    assert_eq!(code(&["--no-such-option"]), Some(2));
    assert_eq!(code(&["serve", "-c", "missing.yaml"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
    let version = run_in(folder.path(), &["--version"]);
    assert_eq!(version.output.trim(), format!("tidegate {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn sighup_names_unknown_keys_as_a_start_does() {
    let gateway = Gateway::start();
    let config = std::fs::read_to_string(gateway.config_file()).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["apisix"]["no_such_key"] = json!(1);
    std::fs::write(gateway.config_file(), config.to_string()).unwrap();
    gateway.signal(Signal::HUP);
    let named = "apisix.no_such_key is not known and is ignored";
    wait_until("the key is named", || gateway.log().contains(named).then_some(()));
}

#[test]
fn a_stream_in_flight_ends_well_after_sigterm() {
    let provider = crate::harness::simulator();
    let mut gateway = Gateway::start();
    gateway.put("/routes/1", &route_to(&provider));
    let mut client = gateway.connect();
    client.write(&streamed("tokens=30, tps=40, flush")).unwrap();
    assert_eq!(client.head().unwrap().status, 200);
    client.read_until("data: ").unwrap();

    gateway.signal(Signal::TERM);
    wait_until("new connections are refused", || Connection::try_open(gateway.proxy).is_err().then_some(()));
    assert!(gateway.is_running(), "the process did not wait for the stream");
    let rest = client.rest().unwrap();
    assert!(String::from_utf8_lossy(&rest).ends_with("data: [DONE]\n\n"));
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn draining_has_an_end() {
    let provider = crate::harness::simulator();
    let mut gateway =
        Launch::new().admin_key(ADMIN_KEY).config(json!({"tidegate": {"drain_timeout": "200ms"}})).start();
    let mut route = route_to(&provider);
    let log = gateway.folder.path().join("access.log");
    route["plugins"] = json!({"file-logger": {"path": log, "log_format": {"outcome": "$outcome"}}});
    gateway.put("/routes/1", &route);
    let mut client = gateway.connect();
    client.write(&streamed("hang=3, flush")).unwrap();
    client.head().unwrap();
    client.read_until("data: ").unwrap();
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(gateway.log().contains("tidegate.drain_timeout is over"), "{}", gateway.log());
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains(r#""outcome":"aborted""#), "the client was there to the end: {logged}");
    assert!(client.rest().is_err(), "a cut stream looks complete");
}

#[test]
fn a_second_signal_ends_draining_at_once() {
    let provider = crate::harness::simulator();
    let mut gateway = Gateway::start();
    gateway.put("/routes/1", &route_to(&provider));
    let mut client = gateway.connect();
    client.write(&streamed("hang=3, flush")).unwrap();
    client.head().unwrap();
    client.read_until("data: ").unwrap();
    gateway.signal(Signal::TERM);
    wait_until("it drains", || Connection::try_open(gateway.proxy).is_err().then_some(()));
    assert!(gateway.is_running());
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(gateway.log().contains("a second signal came"), "{}", gateway.log());
}

#[test]
fn a_second_signal_ends_what_comes_after_draining_too() {
    let provider = crate::harness::simulator();
    // Takes connections, and never answers.
    let logs = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gateway = Gateway::start();
    let mut route = route_to(&provider);
    let uri = format!("http://{}/", logs.local_addr().unwrap());
    route["plugins"] = json!({"http-logger": {"uri": uri, "timeout": 60, "max_retry_count": 0}});
    gateway.put("/routes/1", &route);
    assert_eq!(gateway.send(get("/health")).status, 200);
    gateway.signal(Signal::TERM);
    let _delivery = logs.accept().unwrap();
    assert!(gateway.is_running(), "the process did not wait for its log entries");
    let began = std::time::Instant::now();
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}: {}", began.elapsed(), gateway.log());
    assert!(gateway.log().contains("a second signal came"), "{}", gateway.log());
}

#[test]
fn a_draining_process_is_not_ready() {
    let provider = crate::harness::simulator();
    let status = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let listen = json!({"apisix": {"status": {"ip": status.ip(), "port": status.port()}}});
    let mut gateway = Launch::new().admin_key(ADMIN_KEY).config(listen).start();
    gateway.put("/routes/1", &route_to(&provider));
    let mut client = gateway.connect();
    client.write(&streamed("hang=3, flush")).unwrap();
    client.head().unwrap();
    client.read_until("data: ").unwrap();
    assert_eq!(get("/status/ready").send(status).status, 200);

    gateway.signal(Signal::TERM);
    let refused =
        wait_until("it drains", || Some(get("/status/ready").send(status)).filter(|reply| reply.status != 200));
    assert_eq!((refused.status, &refused.json()["status"]), (503, &json!("error")), "{}", refused.text());
    assert_eq!(get("/status").send(status).status, 200);
    assert_eq!(gateway.terminate().code(), Some(0));
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let mut gateway = Gateway::start();
    let mut client = gateway.connect();
    client.write(&get("/nothing")).unwrap();
    assert_eq!(client.reply().unwrap().status, 404);
    let began = std::time::Instant::now();
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn connections_that_ask_nothing_do_not_hold_up_the_end() {
    let half_a_head = "GET /apisix/admin/routes HTTP/1.1\r\nHo";
    let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let half_a_client_hello = "\x16\x03\x01";
    let mut gateway = Gateway::start();
    let mut clients = Vec::new();
    for (address, begun) in [
        (gateway.proxy, half_a_head),
        (gateway.admin, half_a_head),
        (gateway.control, half_a_head),
        (gateway.metrics, half_a_head),
        (gateway.tls, ""),
        (gateway.tls, half_a_client_hello),
        (gateway.proxy, http2),
    ] {
        let mut client = Connection::open(address);
        client.stream.write_all(begun.as_bytes()).unwrap();
        clients.push(client);
    }
    // The last of them has been taken over, so all before it have.
    let mut greeting = [0; 9];
    clients.last_mut().unwrap().stream.read_exact(&mut greeting).unwrap();
    let began = std::time::Instant::now();
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}: {}", began.elapsed(), gateway.log());
    assert!(!gateway.log().contains("have been cut"), "{}", gateway.log());
}

#[test]
fn half_an_admin_request_is_cut_when_draining_is_over() {
    let mut gateway =
        Launch::new().admin_key(ADMIN_KEY).config(json!({"tidegate": {"drain_timeout": "200ms"}})).start();
    let mut client = Connection::open(gateway.admin);
    let head = format!(
        "PUT /apisix/admin/routes/1 HTTP/1.1\r\nHost: a\r\nX-API-KEY: {ADMIN_KEY}\r\nContent-Length: 9\r\n\r\n"
    );
    client.stream.write_all(head.as_bytes()).unwrap();
    let began = std::time::Instant::now();
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn sighup_takes_over_admin_keys() {
    let gateway = Gateway::start();
    let text = std::fs::read_to_string(gateway.config_file()).unwrap();
    std::fs::write(gateway.config_file(), text.replace(ADMIN_KEY, "another-key")).unwrap();
    gateway.signal(Signal::HUP);
    let with = |key: &str| get("/apisix/admin/routes").header("X-API-KEY", key).try_send(gateway.admin).ok();
    // A connection that is opened while the keys change hands may be closed unanswered.
    let status = |key: &str| wait_until("the Admin API answers", || with(key)).status;
    wait_until("the new key is good", || (status("another-key") == 200).then_some(()));
    assert_eq!(status(ADMIN_KEY), 401);
}

#[test]
fn sighup_with_a_wrong_file_changes_nothing_and_says_so() {
    let mut gateway = Gateway::start();
    std::fs::write(gateway.config_file(), "tidegate: {drain_timeout: never}").unwrap();
    gateway.signal(Signal::HUP);
    wait_until("the refusal is logged", || gateway.log().contains("was not taken over").then_some(()));
    assert!(gateway.is_running());
    assert_eq!(gateway.admin("GET", "/routes", None).status, 200);
}

#[test]
fn sighup_says_what_needs_a_restart() {
    let gateway = Gateway::start();
    let text = std::fs::read_to_string(gateway.config_file()).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["apisix"]["enable_http2"] = json!(false);
    config["nginx_config"]["worker_processes"] = json!(3);
    std::fs::write(gateway.config_file(), config.to_string()).unwrap();
    gateway.signal(Signal::HUP);
    wait_until("the file is taken over", || gateway.log().contains("was read again").then_some(()));
    for section in ["apisix has changed", "nginx_config.worker_processes has changed"] {
        assert!(gateway.log().contains(section), "{section}: {}", gateway.log());
    }
    assert!(!gateway.log().contains("tidegate has changed"), "{}", gateway.log());
}

#[test]
fn sigusr1_opens_a_rotated_log_anew() {
    let provider = crate::harness::simulator();
    let gateway = Gateway::start();
    let log = gateway.folder.path().join("access.log");
    let mut route = route_to(&provider);
    route["plugins"] = json!({"file-logger": {"path": log}});
    gateway.put("/routes/1", &route);
    let lines = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    gateway.send(get("/health"));
    wait_until("the first line is written", || (lines(&log) == 1).then_some(()));

    let rotated = log.with_extension("1");
    std::fs::rename(&log, &rotated).unwrap();
    gateway.signal(Signal::USR1);
    wait_until("the signal has arrived", || gateway.log().contains("opened again").then_some(()));
    gateway.send(get("/health"));
    wait_until("the next line is in a new file", || (lines(&log) == 1).then_some(()));
    assert_eq!(lines(&rotated), 1);
}

#[test]
fn what_was_logged_is_in_the_file_when_the_process_has_ended() {
    let provider = crate::harness::simulator();
    let mut gateway = Gateway::start();
    let log = gateway.folder.path().join("access.log");
    let mut route = route_to(&provider);
    route["plugins"] = json!({"file-logger": {"path": log}});
    gateway.put("/routes/1", &route);
    for _ in 0..50 {
        assert_eq!(gateway.send(get("/health")).status, 200);
    }
    assert_eq!(gateway.terminate().code(), Some(0));
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 50);
}

#[test]
fn idle_connections_make_room_when_no_more_can_be_opened() {
    let gateway = Gateway::start();
    gateway.put("/routes/1", &json!({"uri": "/*", "plugins": {"mocking": {"response_example": "m"}}}));
    gateway.limit(Resource::Nofile, gateway.open_files() as u64 + 8);
    let silent: Vec<Connection> = (0..20).map(|_| Connection::open(gateway.proxy)).collect();
    assert_eq!(gateway.send(get("/")).status, 200);
    drop(silent);
    let told = gateway.log().matches("accepting connections fails").count();
    assert!((1..20).contains(&told), "{told} lines: {}", gateway.log());
}

#[test]
fn a_file_that_may_not_grow_fails_a_write_and_not_the_process() {
    let mut gateway = Gateway::start();
    let route = json!({"uri": "/*", "plugins": {"mocking": {"response_example": "x".repeat(10_000)}}});
    gateway.put("/routes/1", &route);
    gateway.limit(Resource::Fsize, 1);
    assert_eq!(gateway.admin("PUT", "/routes/2", Some(&route)).status, 503);
    assert_eq!(gateway.send(get("/")).status, 200);
    assert!(gateway.is_running());
}

#[test]
fn acknowledged_resources_survive_sigkill() {
    let provider = crate::harness::simulator();
    let mut gateway = Gateway::start();
    gateway.put("/routes/1", &route_to(&provider));
    gateway.kill();
    let gateway = gateway.start_again();
    assert_eq!(gateway.send(get("/health")).status, 200);
}

#[test]
fn simulate_serves_alone_until_sigterm() {
    let folder = tempfile::TempDir::new().unwrap();
    let port = crate::harness::free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut process = crate::harness::start_in(folder.path(), &["simulate", "--listen", &listen]);
    let address = listen.parse().unwrap();
    wait_until("the simulator answers", || get("/health").try_send(address).ok());
    rustix::process::kill_process(rustix::process::Pid::from_child(&process), Signal::TERM).unwrap();
    let status = wait_until("it has ended", || process.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}
