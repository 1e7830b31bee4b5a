use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use config::keyring::Keyring;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use llm::{BodyScan, Usage};
use serde_json::json;
use store::{Expect, Store, Write};

use super::*;
use crate::exchange::{Connection, Request};
use crate::inference::LlmCall;
use crate::path::NormalPath;
use crate::plan::Planner;
use crate::plugin::Registry;
use crate::request_body::RequestBody;
use crate::services::Services;
use crate::settlement::AttemptRecord;

/// A request under construction.
struct Fixture {
    method: Method,
    uri: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

const GET: Fixture = Fixture { method: Method::GET, uri: "/", headers: &[], body: "" };

impl Fixture {
    fn exchange(&self) -> Box<Exchange> {
        let uri: Uri = self.uri.parse().expect("a URI");
        let pairs = self.headers.iter();
        let headers: HeaderMap =
            pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        let request = Request {
            duplicated_host: false,
            has_too_many_headers: false,
            is_coded: false,
            overruled: None,
            path: NormalPath::new(&uri).expect("a valid path"),
            method: self.method.clone(),
            uri,
            version: Version::HTTP_11,
            headers,
            length: 120,
        };
        let connection = Connection {
            peer: SocketAddr::from(([10, 0, 0, 1], 4711)),
            local: SocketAddr::from(([127, 0, 0, 1], 9080)),
            peer_text: HeaderValue::from_static("10.0.0.1"),
            port_text: HeaderValue::from_static("9080"),
            tls: None,
            forwards: crate::exchange::ForwardsTrust::Unconfigured,
            real_ip_is_trusted: false,
            serial: 1,
            requests: std::cell::Cell::new(1),
            waiting_since: std::cell::Cell::new(None),
            under_way: std::cell::Cell::new(0),
            cut: std::cell::Cell::new(false),
            life: tokio::sync::watch::channel(crate::worker::Life::Serving).1,
        };
        let body = RequestBody::Buffered(Bytes::from_static(self.body.as_bytes()));
        let mut exchange = Exchange::new(Rc::new(connection), request, body, plan());
        exchange.route = crate::plan::Plan::route(&exchange);
        exchange
    }

    #[track_caller]
    fn expect(&self, rows: &[(&str, Var<'_>)]) {
        let exchange = self.exchange();
        expect(&exchange, rows);
    }
}

#[track_caller]
fn expect(exchange: &Exchange, rows: &[(&str, Var<'_>)]) {
    for (name, value) in rows {
        assert_eq!(exchange.var(name), *value, "${name}");
    }
}

fn text(text: &'static str) -> Var<'static> {
    Var::Text(Cow::Borrowed(text))
}

/// A plan with one route and its service.
fn plan() -> Arc<crate::plan::Plan> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tls = crate::tls::client::ClientConfigs::new(None).expect("system roots");
    let services = Services {
        settings: Arc::default(),
        limiter: Arc::new(limits::Limiter::local()),
        last_call: Default::default(),
        metrics: Arc::default(),
        side: runtime.handle().clone(),
        client: Arc::new(crate::side::SideClient::new(&tls)),
        origins: crate::transport::Origins::default(),
        trusted_addresses: None,
        tls,
        hostname: "here".into(),
    };
    let registry = Registry::new(Vec::new(), None, &[]);
    let mut planner = Planner::new(Arc::new(registry), Arc::new(services), Arc::new(Keyring::published()));
    let route = json!({"id": "r1", "name": "route", "uri": "/r/*", "host": "*.test.com", "service_id": "s1"});
    let service =
        json!({"id": "s1", "name": "service", "upstream": {"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}});
    let put = |key: &str, value| Write::Put { key: key.to_owned(), value, expect: Expect::Any, ttl: None };
    let store = Store::in_memory();
    let written = store.write(vec![put("/apisix/routes/r1", route), put("/apisix/services/s1", service)]);
    runtime.block_on(written).expect("a write");
    Arc::new(planner.build(&store.snapshot()))
}

#[test]
fn the_request_line_and_its_parts_have_nginx_names() {
    Fixture { uri: "/a//b/%63?x=1&y=%20z+&flag", ..GET }.expect(&[
        ("uri", text("/a/b/c")),
        ("request_uri", text("/a/b/c?x=1&y=%20z+&flag")),
        ("real_request_uri", text("/a//b/%63?x=1&y=%20z+&flag")),
        ("request", text("GET /a//b/%63?x=1&y=%20z+&flag HTTP/1.1")),
        ("args", text("x=1&y=%20z+&flag")),
        ("is_args", text("?")),
        ("arg_x", text("1")),
        ("arg_y", text(" z ")),
        ("arg_flag", Var::Bool(true)),
        ("arg_X", Var::Nil),
        ("method", text("GET")),
        ("request_method", text("GET")),
        ("server_protocol", text("HTTP/1.1")),
        ("request_length", text("120")),
    ]);
}

#[test]
fn addresses_come_from_the_connection_unless_a_plugin_found_the_real_one() {
    let mut exchange = Fixture { headers: &[("x-forwarded-for", "1.1.1.1")], ..GET }.exchange();
    expect(
        &exchange,
        &[
            ("remote_addr", text("10.0.0.1")),
            ("remote_port", text("4711")),
            ("server_addr", text("127.0.0.1")),
            ("server_port", text("9080")),
            ("connection", text("1")),
            ("connection_requests", text("1")),
            ("scheme", text("http")),
            ("ssl_protocol", Var::Nil),
            ("proxy_add_x_forwarded_for", text("1.1.1.1, 10.0.0.1")),
        ],
    );
    exchange.remote_addr = [192, 0, 2, 7].into();
    expect(&exchange, &[("remote_addr", text("192.0.2.7")), ("realip_remote_addr", text("10.0.0.1"))]);
}

#[test]
fn headers_and_cookies_are_found_by_name_and_joined() {
    let headers = &[
        ("host", "Api.Test.com:9080"),
        ("x-list", "a"),
        ("x-list", "b"),
        ("cookie", "a=1; B=2"),
        ("cookie", "c=3"),
        ("authorization", "Basic amFjazpzZWNyZXQ="),
        ("content-type", "text/plain"),
    ];
    Fixture { headers, ..GET }.expect(&[
        ("host", text("api.test.com")),
        ("http_host", text("Api.Test.com:9080")),
        ("http_x_list", text("a, b")),
        ("http_missing", Var::Nil),
        ("http_", Var::Nil),
        ("cookie_a", text("1")),
        ("cookie_c", text("3")),
        ("cookie_b", Var::Nil),
        ("http_cookie", text("a=1; B=2; c=3")),
        ("remote_user", text("jack")),
        ("content_type", text("text/plain")),
    ]);
}

#[test]
fn bodies_are_read_as_their_type_says() {
    let form = &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    Fixture { headers: form, body: "a=1&b.c=x%20y", ..GET }.expect(&[
        ("post_arg_a", text("1")),
        ("post_arg.a", text("1")),
        ("post_arg.b.c", text("x y")),
        ("post_arg_missing", Var::Nil),
        ("request_body", text("a=1&b.c=x%20y")),
    ]);
    let json = &[("content-type", "application/json")];
    let body = r#"{"model": "gpt\u002d4", "n": 1.5, "on": true, "none": null, "a": {"b": [{"c": 1}, {"c": 2}]}}"#;
    Fixture { headers: json, body, ..GET }.expect(&[
        ("post_arg.model", text("gpt-4")),
        ("post_arg.n", Var::Number(1.5)),
        ("post_arg.on", Var::Bool(true)),
        ("post_arg.none", Var::Nil),
        ("post_arg.a.b.c", Var::Nil),
        ("post_arg.a.b", Var::Json(Cow::Owned(json!([{"c": 1}, {"c": 2}])))),
        ("post_arg.a.b[*].c", Var::Json(Cow::Owned(json!([1, 2])))),
        ("post_arg.a.b[1:].c", Var::Json(Cow::Owned(json!([2])))),
        ("post_arg.a.b[?(@.c < 2)].c", Var::Json(Cow::Owned(json!([1])))),
        ("post_arg.a.b[", Var::Nil),
        ("post_arg_model", Var::Nil),
    ]);
    Fixture { headers: json, body: "{\"model\": ", ..GET }.expect(&[("post_arg.model", Var::Nil)]);
    Fixture { body, ..GET }.expect(&[("post_arg.model", Var::Nil)]);
    let multipart = &[("content-type", "multipart/form-data; boundary=\"XX\"")];
    let body = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--XX--\r\n";
    Fixture { headers: multipart, body, ..GET }.expect(&[("post_arg.a", text("one")), ("post_arg.b", Var::Nil)]);
}

#[test]
fn graphql_documents_are_found_in_arguments_and_bodies() {
    let fields = Var::Json(Cow::Owned(json!(["owner"])));
    Fixture { uri: "/?query=query%20q%7Bowner%7Bid%7D%7D", ..GET }.expect(&[
        ("graphql_name", text("q")),
        ("graphql_operation", text("query")),
        ("graphql_root_fields", fields.clone()),
    ]);
    let headers = &[("content-type", "application/json")];
    let body = r#"{"query": "mutation { owner }"}"#;
    Fixture { method: Method::POST, headers, body, ..GET }.expect(&[
        ("graphql_operation", text("mutation")),
        ("graphql_name", text("")),
        ("graphql_root_fields", fields),
    ]);
    GET.expect(&[("graphql_name", Var::Nil)]);
}

#[test]
fn the_matched_objects_are_known_by_name_and_id() {
    Fixture { uri: "/r/x", headers: &[("host", "a.test.com")], ..GET }.expect(&[
        ("route_id", text("r1")),
        ("route_name", text("route")),
        ("service_id", text("s1")),
        ("service_name", text("service")),
        ("matched_uri", text("/r/*")),
        ("matched_host", text("*.test.com")),
        ("upstream_scheme", text("http")),
        ("uri_param_:ext", text("x")),
        ("consumer_name", Var::Nil),
        ("unknown", Var::Nil),
        ("upstream_unknown", Var::Nil),
    ]);
    GET.expect(&[("route_id", Var::Nil), ("matched_uri", Var::Nil)]);
}

fn attempt(address: &str, status: u16, milliseconds: Option<u64>) -> AttemptRecord {
    AttemptRecord {
        address: address.into(),
        host: address.split_once(':').expect("a port").0.into(),
        peer: None,
        head_bytes: 0,
        sent_bytes: None,
        port: 80,
        status,
        connect_time: None,
        header_time: milliseconds.map(Duration::from_millis),
        response_time: milliseconds.map(Duration::from_millis),
        started: Instant::now(),
    }
}

#[test]
fn attempts_are_listed_in_order_with_times_in_seconds() {
    let mut exchange = GET.exchange();
    expect(&exchange, &[("upstream_addr", Var::Nil), ("upstream_status", Var::Nil), ("balancer_ip", Var::Nil)]);
    exchange.settlement.attempts = vec![attempt("10.1.1.1:80", 502, None), attempt("10.1.1.2:80", 200, Some(1_234))];
    exchange.settlement.attempts[1].head_bytes = 100;
    exchange.settlement.upstream_bytes = 7;
    exchange.response.status = 200;
    expect(
        &exchange,
        &[
            ("upstream_addr", text("10.1.1.1:80, 10.1.1.2:80")),
            ("upstream_status", text("502, 200")),
            ("upstream_response_time", text("-, 1.234")),
            ("upstream_response_length", text("0, 7")),
            ("upstream_bytes_received", text("0, 107")),
            ("upstream_connect_time", text("-, 0.000")),
            ("apisix_upstream_response_time", text("-, 1.234")),
            ("balancer_ip", text("10.1.1.2")),
            ("balancer_port", Var::Number(80.0)),
            ("status", text("200")),
            ("outcome", text("aborted")),
        ],
    );
}

#[test]
fn an_attempt_without_an_answer_has_no_status() {
    let mut exchange = GET.exchange();
    exchange.settlement.attempts = vec![attempt("10.1.1.1:80", 0, None)];
    expect(&exchange, &[("upstream_status", text("-"))]);
}

#[test]
fn the_host_has_no_port_and_no_dot_at_its_end() {
    for sent in ["A.test", "a.test.", "a.test:80", "a.test.:80"] {
        let exchange = Fixture { headers: Box::leak(Box::new([("host", sent)])), ..GET }.exchange();
        expect(&exchange, &[("host", text("a.test")), ("http_host", text(sent))]);
    }
}

#[test]
fn headers_of_the_response_are_the_upstreams_only_if_it_answered() {
    let mut exchange = GET.exchange();
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-a"), HeaderValue::from_static("1"))]);
    exchange.response.headers = Some(Box::new(headers));
    expect(&exchange, &[("sent_http_x_a", text("1")), ("upstream_http_x_a", Var::Nil)]);
    exchange.response.source = crate::exchange::ResponseSource::Upstream;
    expect(&exchange, &[("upstream_http_x_a", text("1")), ("upstream_http_x_b", Var::Nil)]);
}

#[test]
fn llm_variables_have_text_defaults_and_numbers_once_set() {
    let mut exchange = GET.exchange();
    expect(
        &exchange,
        &[
            ("request_type", text("traditional_http")),
            ("request_llm_model", text("")),
            ("llm_prompt_tokens", text("0")),
            ("llm_stream", text("false")),
            ("llm_time_to_first_token", text("0")),
        ],
    );
    let body = Bytes::from_static(br#"{"model": "gpt-4", "stream": true, "messages": [], "tools": [{}, {}]}"#);
    let scan = BodyScan::parse(&body, 64).expect("JSON");
    let mut call = LlmCall::detect(CHAT, scan).expect("a chat request");
    call.model = "gpt-4o".into();
    call.instance = "ai-proxy-openai".into();
    call.usage = Some(Usage { prompt: 7, completion: 30, total: 37, cached: 3, ..Usage::default() });
    call.time_to_first_token = Some(Duration::from_millis(500));
    call.provider_time = Some(Duration::from_millis(2_000));
    exchange.llm = Some(Box::new(call));
    expect(
        &exchange,
        &[
            ("request_type", text("ai_stream")),
            ("request_llm_model", text("gpt-4")),
            ("llm_model", text("gpt-4o")),
            ("llm_prompt_tokens", Var::Number(7.0)),
            ("llm_total_tokens", Var::Number(37.0)),
            ("llm_cache_read_input_tokens", Var::Number(3.0)),
            ("llm_time_to_first_token", Var::Number(500.0)),
            ("apisix_upstream_response_time", Var::Number(2_000.0)),
            ("llm_tool_count", Var::Number(2.0)),
            ("llm_usage_estimated", text("false")),
            ("llm_tokens_per_second", Var::Number(20.0)),
            ("balancer_ip", text("ai-proxy-openai")),
            ("post_arg.model", text("gpt-4")),
        ],
    );
}

#[test]
fn what_a_plugin_set_comes_first() {
    let mut exchange = GET.exchange();
    assert_eq!(exchange.var("apisix_request_id").to_text().map(|id| id.len()), Some(32));
    exchange.set_variable("apisix_request_id", "mine".to_owned());
    exchange.set_variable("rate_limiting_info", "{}".to_owned());
    expect(&exchange, &[("apisix_request_id", text("mine")), ("rate_limiting_info", text("{}"))]);
}

#[test]
fn times_are_those_of_the_clock() {
    let exchange = GET.exchange();
    let rows = [("time_local", 26), ("time_iso8601", 25), ("msec", 14)];
    for (name, length) in rows {
        assert_eq!(exchange.var(name).to_text().map(|text| text.len()), Some(length), "${name}");
    }
    let request_time = exchange.var("request_time").to_text().expect("a time").into_owned();
    assert!(request_time.starts_with("0.") && request_time.len() == 5, "{request_time}");
}

const CHAT: llm::RequestPath<'static> =
    llm::RequestPath { normal: "/v1/chat/completions", sent: "/v1/chat/completions" };
