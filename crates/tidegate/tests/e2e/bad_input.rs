//! What clients and upstreams should not send: each case with the status and body that the sender gets, and the
//! process none the worse for it.

use std::io::Write;
use std::net::Shutdown;

use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Connection, Gateway, Launch, Upstream, ai_proxy, route, wait_until};

/// Nesting that no parser should follow.
const DEEP: usize = 100_000;

/// What the sender gets.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// This status, and a body that begins with this text.
    Answer(u16, &'static str),
    /// As `Answer`, and the connection is closed behind it: what follows cannot be told from the body.
    LastAnswer(u16, &'static str),
}
use Expected::{Answer, LastAnswer};

struct Case {
    name: &'static str,
    to: Listener,
    wire: Vec<u8>,
    expected: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Listener {
    Proxy,
    Admin,
}

/// A gateway with an AI route, a plain route and one to an upstream that does not speak HTTP.
pub(super) struct Fixture {
    gateway: Gateway,
    pub(super) upstream: Upstream,
    _provider: simulator::Running,
    _garbage: Upstream,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let provider = crate::harness::simulator();
        let upstream = Upstream::saying("fine");
        let garbage = Upstream::answering(|_| b"\x00\x01 this is not HTTP\r\n\r\n".to_vec());
        let timeouts = json!({"nginx_config": {"http": {
            "client_header_timeout": "1s", "client_body_timeout": "1s", "client_max_body_size": "200k"}}});
        let gateway = Launch::new().admin_key(ADMIN_KEY).config(timeouts).start();
        let mut ai = ai_proxy(provider.addr);
        ai["max_req_body_size"] = json!(100_000);
        gateway.put("/routes/ai", &json!({"uri": "/v1/chat/completions", "plugins": {"ai-proxy": ai}}));
        gateway.put("/routes/plain", &route("/plain/*", upstream.addr));
        gateway.put("/routes/garbage", &route("/garbage", garbage.addr));
        let holder = json!({"username": "holder", "plugins": {"key-auth": {"key": "taken"}}});
        gateway.put("/consumers/holder", &holder);
        Self { gateway, upstream, _provider: provider, _garbage: garbage }
    }

    pub(super) fn connect(&self, to: Listener) -> Connection {
        Connection::open(if to == Listener::Proxy { self.gateway.proxy } else { self.gateway.admin })
    }

    /// Sends a case; an error says how the answer differs from what is expected.
    fn play(&self, case: &Case) -> Result<(), String> {
        let mut connection = self.connect(case.to);
        // A server that has seen enough may close before everything is written.
        let _ = connection.stream.write_all(&case.wire);
        let (Answer(status, body) | LastAnswer(status, body)) = case.expected;
        let answer = connection.reply().map_err(|error| format!("{}: no answer: {error}", case.name))?;
        if answer.status != status || !answer.text().starts_with(body) {
            return Err(format!("{}: {} {}", case.name, answer.status, answer.text()));
        }
        if let LastAnswer(..) = case.expected {
            // A reset is as good an end as any.
            let rest = connection.read_to_end().unwrap_or_default();
            if !rest.is_empty() {
                return Err(format!("{}: more came: {}", case.name, String::from_utf8_lossy(&rest)));
            }
        }
        Ok(())
    }

    fn assert_sound(&mut self) {
        assert!(self.gateway.is_running());
        assert!(!self.gateway.log().contains("panicked"), "{}", self.gateway.log());
        wait_until("no client connection is left", || {
            (self.gateway.metric("apisix_nginx_http_current_connections{state=\"active\"}") == 0.0).then_some(())
        });
    }
}

fn case(name: &'static str, wire: impl Into<Vec<u8>>, expected: Expected) -> Case {
    Case { name, to: Listener::Proxy, wire: wire.into(), expected }
}

/// A chat request with this body.
fn chat(content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A GET with these lines in its head, each ending in CR LF.
pub(super) fn get_with(lines: &str) -> Vec<u8> {
    format!("GET /plain/x HTTP/1.1\r\n{lines}\r\n").into_bytes()
}

pub(super) fn post_with(lines: &str, body: &str) -> Vec<u8> {
    format!("POST /plain/x HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}").into_bytes()
}

fn nested() -> Vec<u8> {
    [b"{\"model\":\"m\",\"messages\":".to_vec(), b"[".repeat(DEEP), b"]".repeat(DEEP), b"}".to_vec()].concat()
}

fn llm_bodies() -> Vec<Case> {
    const UNPARSED: &str = "{\"message\":\"could not parse JSON request body: ";
    let json = "application/json";
    let mut long = br#"{"model":"m","messages":[{"role":"user","content":""#.to_vec();
    long.extend(b"x".repeat(150_000));
    long.extend(b"\"}]}");
    vec![
        case("cut JSON", chat(json, b"{\"model\":"), Answer(400, UNPARSED)),
        case("text for JSON", chat(json, b"hello"), Answer(400, UNPARSED)),
        case("two JSON values", chat(json, b"{} {}"), Answer(400, UNPARSED)),
        case(
            "false",
            chat(json, b"false"),
            Answer(400, "{\"message\":\"could not parse JSON request body: invalid JSON\"}"),
        ),
        case("invalid UTF-8", chat(json, b"{\"model\":\"\xff\xfe\",\"messages\":[]}"), Answer(400, UNPARSED)),
        case("nested JSON", chat(json, &nested()[..90_000]), Answer(400, UNPARSED)),
        case(
            "wrong content type",
            chat("text/plain", b"{}"),
            Answer(400, "unsupported content-type: text/plain, only application/json is supported"),
        ),
        case("empty body", chat(json, b""), Answer(400, "{\"message\":\"could not get body: request body is empty\"}")),
        case(
            "body over the plugin's limit",
            chat(json, &long),
            Answer(
                413,
                "{\"message\":\"could not get body: request size 150055 is greater than the maximum size 100000 allowed\"}",
            ),
        ),
        case("a conversation that is none", chat(json, b"[1,2,3]"), Answer(400, "")),
    ]
}

fn heads() -> Vec<Case> {
    let many: String = (0..500).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("Host: a\r\nx-long: {}\r\n", "x".repeat(300_000));
    let head_of = |bytes: usize| {
        let head = |value: &str| format!("GET /nowhere HTTP/1.1\r\nHost: a\r\nx-long: {value}\r\n\r\n").into_bytes();
        head(&"x".repeat(bytes - head("").len()))
    };
    vec![
        case("too many headers", get_with(&format!("Host: a\r\n{many}")), LastAnswer(431, "")),
        case("a header too long", get_with(&long), LastAnswer(431, "")),
        case("the longest head", head_of(65_536), Answer(404, "")),
        case("a head one byte too long", head_of(65_537), LastAnswer(431, "")),
        case("no Host", get_with(""), Answer(400, "")),
        case("two Hosts", get_with("Host: a\r\nHost: b\r\n"), Answer(400, "")),
        case("a Host with a space", get_with("Host: a b\r\n"), Answer(400, "")),
        case("a Host with a slash", get_with("Host: a/b\r\n"), Answer(400, "")),
        case("an empty Host", get_with("Host:\r\n"), Answer(400, "")),
        case("a port that is no number", get_with("Host: a:b\r\n"), Answer(400, "")),
        case("a Host with an empty label", get_with("Host: a..b\r\n"), Answer(400, "")),
        case("a bad Host of HTTP/1.0", "GET /plain/x HTTP/1.0\r\nHost: a b\r\n\r\n", Answer(400, "")),
        case("HTTP/1.0 without Host", "GET /plain/x HTTP/1.0\r\n\r\n", Answer(200, "fine")),
        case("a space before the colon", get_with("Host: a\r\nx-a : 1\r\n"), LastAnswer(400, "")),
        case("a folded header", get_with("Host: a\r\nx-a: 1\r\n 2\r\n"), LastAnswer(400, "")),
        case("a header without a name", get_with("Host: a\r\n: 1\r\n"), LastAnswer(400, "")),
        case("NUL in a header", get_with("Host: a\r\nx-a: 1\x002\r\n"), LastAnswer(400, "")),
        case("no HTTP at all", "hello there\r\n\r\n", LastAnswer(400, "")),
        case("a version that is not there", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", LastAnswer(400, "")),
        case("CONNECT", "CONNECT a.com:443 HTTP/1.1\r\nHost: a.com:443\r\n\r\n", Answer(405, "")),
        case("TRACE", "TRACE /plain/x HTTP/1.1\r\nHost: a\r\n\r\n", Answer(405, "")),
    ]
}

fn paths() -> Vec<Case> {
    let target = |target: &[u8]| [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    const NOT_FOUND: &str = "{\"error_msg\":\"404 Route Not Found\"}";
    vec![
        case("a path that climbs out", target(b"/plain/../../etc/passwd"), Answer(400, "")),
        case("an encoded path that climbs out", target(b"/%2e%2e/etc/passwd"), Answer(400, "")),
        case("a path that leaves its route", target(b"/plain/../other"), Answer(404, NOT_FOUND)),
        case("an encoded path that leaves its route", target(b"/plain/%2e%2e/other"), Answer(404, NOT_FOUND)),
        case("encoded bytes that are no UTF-8", target(b"/plain/%ff"), Answer(200, "fine")),
        case("an encoded NUL", target(b"/plain/%00"), Answer(400, "")),
        case("raw bytes that are no UTF-8", target(b"/plain/\xff"), LastAnswer(400, "")),
        case("no slash in front", target(b"plain/x"), LastAnswer(400, "")),
        case("a host in the place of a path", target(b"a.com"), Answer(400, "")),
        case("a host and a port in the place of a path", target(b"a.com:80"), Answer(400, "")),
        case("an asterisk", target(b"*"), Answer(400, "")),
    ]
}

fn framings() -> Vec<Case> {
    let long = "x".repeat(300_000);
    let chunked = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    vec![
        case(
            "two lengths that differ",
            post_with("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"),
            LastAnswer(400, ""),
        ),
        case("a length that is no number", post_with("Content-Length: 1x\r\n", "a"), LastAnswer(400, "")),
        case("a negative length", post_with("Content-Length: -1\r\n", "a"), LastAnswer(400, "")),
        case(
            "a coding that is not known",
            post_with("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
            LastAnswer(400, ""),
        ),
        case(
            "chunked that is not last",
            post_with("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
            LastAnswer(400, ""),
        ),
        case(
            "a coding that is passed on by nobody",
            post_with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            Answer(501, ""),
        ),
        case("chunked twice", post_with("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), Answer(501, "")),
        case(
            "two codings in two fields",
            post_with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            Answer(501, ""),
        ),
        case(
            "a chunk size that is no number",
            post_with("Transfer-Encoding: chunked\r\n", "zz\r\n"),
            LastAnswer(400, ""),
        ),
        case(
            "a length over the limit",
            post_with(&format!("Content-Length: {}\r\n", long.len()), &long),
            Answer(413, ""),
        ),
        case("chunks over the limit", post_with("Transfer-Encoding: chunked\r\n", &chunked), Answer(413, "")),
        case("an upstream that answers garbage", "GET /garbage HTTP/1.1\r\nHost: a\r\n\r\n", Answer(502, "<html>")),
    ]
}

/// A write to the Admin API that is refused.
fn write(name: &'static str, path: &str, body: impl AsRef<[u8]>, expected: Expected) -> Case {
    let body = body.as_ref();
    let head = format!(
        "PUT /apisix/admin{path} HTTP/1.1\r\nHost: a\r\nX-API-KEY: {ADMIN_KEY}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Case { name, to: Listener::Admin, wire: [head.as_bytes(), body].concat(), expected }
}

fn admin_writes() -> Vec<Case> {
    let with = |fields: Value| {
        let mut route = json!({"uri": "/bad", "upstream": {"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}});
        route.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        route.to_string()
    };
    const UNPARSED: &str = "{\"error_msg\":\"invalid request body: ";
    vec![
        write("cut JSON", "/routes/bad", "{\"uri\":", Answer(400, UNPARSED)),
        write("nested JSON", "/routes/bad", nested(), Answer(400, UNPARSED)),
        write("invalid UTF-8", "/routes/bad", b"{\"uri\":\"/\xff\"}", Answer(400, UNPARSED)),
        write(
            "a body too long",
            "/routes/bad",
            vec![b'x'; 2_000_000],
            Answer(
                400,
                "{\"error_msg\":\"invalid request body: request size 2000000 is greater than the maximum size 1572864 allowed\"}",
            ),
        ),
        write(
            "a plugin that is not known",
            "/routes/bad",
            with(json!({"plugins": {"no-such-plugin": {}}})),
            Answer(400, "{\"error_msg\":\"unknown plugin [no-such-plugin]\"}"),
        ),
        write(
            "a bad regex in vars",
            "/routes/bad",
            with(json!({"vars": [["uri", "~~", "("]]})),
            Answer(400, "{\"error_msg\":"),
        ),
        write(
            "an operator that is not known",
            "/routes/bad",
            with(json!({"vars": [["uri", "=~~", "a"]]})),
            Answer(400, "{\"error_msg\":"),
        ),
        write(
            "a service that is not there",
            "/routes/bad",
            with(json!({"service_id": "none"})),
            Answer(400, "{\"error_msg\":\"failed to fetch service info by service id [none], response code: 404\"}"),
        ),
        write(
            "an upstream that is not there",
            "/routes/bad",
            with(json!({"upstream_id": "none"})),
            Answer(400, "{\"error_msg\":\"failed to fetch upstream info by upstream id [none], response code: 404\"}"),
        ),
        write(
            "a plugin config that is not there",
            "/routes/bad",
            with(json!({"plugin_config_id": "none"})),
            Answer(
                400,
                "{\"error_msg\":\"failed to fetch plugin config info by plugin config id [none], response code: 404\"}",
            ),
        ),
        write(
            "a consumer's key that is taken",
            "/consumers/second",
            json!({"username": "second", "plugins": {"key-auth": {"key": "taken"}}}).to_string(),
            Answer(400, "{\"error_msg\":\"duplicate key of plugin key-auth found with consumer: holder\"}"),
        ),
        write(
            "Lua",
            "/routes/bad",
            with(json!({"filter_func": "function(vars) return true end"})),
            Answer(400, "{\"error_msg\":"),
        ),
    ]
}

fn table() -> Vec<Case> {
    [llm_bodies(), heads(), paths(), framings(), admin_writes()].into_iter().flatten().collect()
}

#[test]
fn every_bad_input_has_its_answer() {
    let mut fixture = Fixture::new();
    let failures: Vec<String> = table().iter().filter_map(|case| fixture.play(case).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    fixture.assert_sound();
    let stored = fixture.gateway.admin("GET", "/routes", None).json();
    assert_eq!(stored["total"], 3, "a refused route was stored: {stored}");
    assert_eq!(fixture.gateway.send(crate::harness::get("/plain/x")).text(), "fine");
}

#[test]
fn a_storm_of_bad_inputs_costs_no_connection_and_no_memory() {
    let mut fixture = Fixture::new();
    let cases = table();
    let rounds = |count| {
        for _ in 0..count {
            cases.iter().try_for_each(|case| fixture.play(case)).unwrap();
        }
    };
    rounds(20);
    let (files, memory) = (fixture.gateway.open_files(), fixture.gateway.resident_bytes());
    rounds(200);
    fixture.assert_sound();
    // Upstream connections that are kept for later come and go.
    wait_until("all files are closed", || (fixture.gateway.open_files() <= files + 4).then_some(()));
    let grown = fixture.gateway.resident_bytes().saturating_sub(memory);
    assert!(grown < 24 << 20, "{grown} bytes more than after the first rounds");
    assert!(fixture.gateway.resident_bytes() < 200 << 20, "{} bytes resident", fixture.gateway.resident_bytes());
}

#[test]
fn a_client_that_dawdles_is_not_the_upstreams_fault() {
    let upstream = Upstream::saying("");
    let config = json!({"nginx_config": {"http": {"client_body_timeout": "2s"}}});
    let gateway = Launch::new().admin_key(ADMIN_KEY).config(config).start();
    let mut route = route("/*", upstream.addr);
    route["timeout"] = json!({"connect": 1, "send": 0.1, "read": 0.1});
    gateway.put("/routes/1", &route);
    let mut connection = gateway.connect();
    connection.stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    assert_eq!(connection.reply().expect("an answer").status, 408);
}

#[test]
fn a_client_that_dawdles_is_not_waited_for() {
    let mut fixture = Fixture::new();
    let head = "POST /plain/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";
    let ai = String::from_utf8(chat("application/json", b"{\"model\":\"m\"}")).unwrap();
    for (name, begun, status) in [
        ("nothing at all", "", None),
        ("half a request line", "GET /pl", None),
        ("half a head", "GET /plain/x HTTP/1.1\r\nHost: a\r\nx-a", None),
        ("the HTTP/2 preface, in part", "PRI * HTTP/2.0\r\n", None),
        ("a body that stops, streamed on", &format!("{head}abc"), Some(408)),
        ("a body that stops, read whole", &ai[..ai.len() - 3], Some(408)),
    ] {
        let mut connection = fixture.connect(Listener::Proxy);
        connection.stream.write_all(begun.as_bytes()).unwrap();
        // Where nothing is answered the connection just ends; a reset does as well.
        let text = connection
            .read_to_end()
            .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned());
        match status {
            Some(status) => assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {text}"),
            None => assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{name}: {text}"),
        }
    }
    fixture.assert_sound();
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_nothing_behind() {
    let mut fixture = Fixture::new();
    let files = fixture.gateway.open_files();
    let whole = String::from_utf8(get_with("Host: a\r\n")).unwrap();
    let ai = String::from_utf8(chat("application/json", b"{\"model\":\"m\"}")).unwrap();
    let cuts = [
        "GET /pl".to_owned(),
        post_with("Content-Length: 10\r\n", "abc").iter().map(|byte| char::from(*byte)).collect(),
        post_with("Transfer-Encoding: chunked\r\n", "5\r\nab").iter().map(|byte| char::from(*byte)).collect(),
        ai[..ai.len() - 3].to_owned(),
        whole,
    ];
    for how in [Shutdown::Write, Shutdown::Both] {
        for cut in &cuts {
            let mut connection = fixture.connect(Listener::Proxy);
            connection.stream.write_all(cut.as_bytes()).unwrap();
            connection.stream.shutdown(how).unwrap();
            // Whatever is answered, the gateway closes its side too.
            let _ = connection.read_to_end();
        }
    }
    fixture.assert_sound();
    wait_until("all files are closed", || (fixture.gateway.open_files() <= files + 4).then_some(()));
}

/// nginx and many others take a client that ends its side of the connection for one that has left.
#[test]
fn a_client_that_ends_its_side_is_taken_for_gone() {
    let (arrived, arrivals) = std::sync::mpsc::channel();
    let upstream = Upstream::scripted(move |_, stream| {
        crate::harness::read_request(&mut std::io::BufReader::new(&stream)).unwrap();
        arrived.send(()).unwrap();
        loop {
            std::thread::park();
        }
    });
    let gateway = Gateway::start();
    let log = gateway.folder.path().join("access.log");
    let mut logged = route("/*", upstream.addr);
    logged["plugins"] =
        json!({"file-logger": {"path": log, "log_format": {"status": "$status", "outcome": "$outcome"}}});
    gateway.put("/routes/1", &logged);
    let mut connection = gateway.connect();
    connection.write(&crate::harness::get("/")).unwrap();
    arrivals.recv().unwrap();
    connection.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(connection.read_to_end().unwrap(), b"");
    let line =
        wait_until("the request is logged", || std::fs::read_to_string(&log).ok().filter(|text| text.ends_with('\n')));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((line["status"].to_string().trim_matches('"'), &line["outcome"]), ("499", &json!("client_gone")));
}

#[test]
fn an_upstream_that_closes_early_is_a_502_or_a_cut_never_a_normal_end() {
    let gateway = Gateway::start();
    let rows: [(&str, &[u8], u16); 5] = [
        ("nothing", b"", 502),
        ("half a status line", b"HTTP/1.1 2", 502),
        ("half a head", b"HTTP/1.1 200 OK\r\nContent-Le", 502),
        ("half a body", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 200),
        ("half a chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n5\r\nab", 200),
    ];
    for (name, bytes, status) in rows {
        let upstream = Upstream::scripted(move |_, mut stream| {
            let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
            crate::harness::read_request(&mut reader).unwrap();
            stream.write_all(bytes).unwrap();
        });
        gateway.put("/routes/cut", &route("/cut", upstream.addr));
        let mut connection = gateway.connect();
        connection.write(&crate::harness::get("/cut")).unwrap();
        assert_eq!(connection.head().unwrap().status, status, "{name}");
        assert_eq!(connection.rest().is_err(), status == 200, "{name}: the end of the body");
    }
}
