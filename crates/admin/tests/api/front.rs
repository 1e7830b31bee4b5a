//! The front door: keys, roles, allow list, CORS, headers, paths, bodies.

use config::secret::Secret;
use config::settings::{AdminRole, Settings};
use serde_json::json;
use tidegate_admin::{Access, AdminKey, AdminSettings, KeyMatcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{ADMIN_KEY, Admin, VIEWER_KEY, settings};

type Headers<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn a_key_is_looked_up_in_query_then_header_then_cookie() {
    let admin = Admin::start();
    let cookie = format!("a=b; x_api_key={ADMIN_KEY}");
    let in_query = format!("/apisix/admin/routes?api_key={ADMIN_KEY}");
    let cases: [(&str, Headers<'_>, u16); 7] = [
        ("/apisix/admin/routes", &[], 401),
        (&in_query, &[], 200),
        (&in_query, &[("x-api-key", "wrong")], 200),
        ("/apisix/admin/routes?api_key=wrong", &[("x-api-key", ADMIN_KEY)], 401),
        ("/apisix/admin/routes", &[("X-API-KEY", ADMIN_KEY)], 200),
        ("/apisix/admin/routes", &[("Cookie", &cookie)], 200),
        ("/apisix/admin/routes", &[("X-API-KEY", "wrong"), ("Cookie", &cookie)], 401),
    ];
    for (path, headers, status) in cases {
        assert_eq!(admin.send("GET", path, headers, "").await.status, status, "{path} {headers:?}");
    }
}

#[tokio::test]
async fn a_refused_key_is_told_why() {
    let admin = Admin::start();
    let routes = "/apisix/admin/routes";
    let cases: [(&str, Headers<'_>, &str); 4] = [
        ("GET", &[], "missing apikey"),
        ("GET", &[("X-API-KEY", "no")], "wrong apikey"),
        ("GET", &[("X-API-KEY", "")], "wrong apikey"),
        ("POST", &[("X-API-KEY", VIEWER_KEY)], "invalid method for role viewer"),
    ];
    for (method, headers, description) in cases {
        let answer = admin.send(method, routes, headers, "{}").await;
        assert_eq!(answer.status, 401);
        let body = json!({ "error_msg": "failed to check token", "description": description });
        assert_eq!(answer.json(), body);
        assert_eq!(answer.header("server"), Some("APISIX/3.18.0"));
        assert_eq!(answer.header("x-api-version"), None);
    }
    let viewed = admin.send("GET", routes, &[("X-API-KEY", VIEWER_KEY)], "").await;
    assert_eq!(viewed.status, 200);
}

#[tokio::test]
async fn a_key_known_only_by_its_hash_opens_the_door() {
    // SHA-256 of "abc".
    let hash = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03,
        0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    ];
    let key = AdminKey { name: "generated".to_owned(), role: AdminRole::Admin, secret: KeyMatcher::Sha256(hash) };
    let admin = Admin::start_with(AdminSettings::with_keys(vec![key]));
    let with = async |key| admin.send("GET", "/apisix/admin/routes", &[("X-API-KEY", key)], "").await.status;
    assert_eq!(with("abc").await, 200);
    assert_eq!(with("abd").await, 401);
}

#[tokio::test]
async fn without_keys_everyone_who_may_connect_is_let_in() {
    let admin = Admin::start_with(AdminSettings { access: Access::Open, ..settings() });
    assert_eq!(admin.send("GET", "/apisix/admin/routes", &[], "").await.status, 200);
}

#[tokio::test]
async fn the_settings_of_a_file_decide_who_gets_in() {
    for (file, with_key, without) in [
        ("", 401, 401),
        ("deployment: {admin: {admin_key: [{name: a, key: '', role: admin}]}}", 401, 401),
        ("deployment: {admin: {admin_key: [{name: a, key: open-sesame, role: admin}]}}", 200, 401),
        ("deployment: {admin: {admin_key: null}}", 200, 200),
        ("deployment: {admin: {admin_key_required: false}}", 200, 200),
        ("deployment: {admin: {allow_admin: [10.0.0.0/8], admin_key_required: false}}", 403, 403),
    ] {
        let (file_settings, _) = Settings::load(file, "config.yaml", &|_| None).unwrap();
        let admin = Admin::start_with(AdminSettings::from(&file_settings));
        let status = async |headers: Headers<'_>| admin.send("GET", "/apisix/admin/routes", headers, "").await.status;
        assert_eq!(status(&[("X-API-KEY", "open-sesame")]).await, with_key, "{file}");
        assert_eq!(status(&[]).await, without, "{file}");
        assert_eq!(status(&[("X-API-KEY", "")]).await, without, "{file}");
    }
}

#[tokio::test]
async fn a_client_outside_the_allow_list_sees_the_stock_page() {
    let elsewhere = vec!["10.0.0.0/8".parse().unwrap()];
    let admin = Admin::start_with(AdminSettings { allow_admin: Some(elsewhere), ..settings() });
    let answer = admin.get("/routes").await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.header("server").is_some_and(|server| server.starts_with("APISIX")));
    assert!(answer.text.contains("<title>403 Forbidden</title>"), "{}", answer.text);
}

#[tokio::test]
async fn a_preflight_needs_no_key() {
    let admin = Admin::start();
    let answer = admin.send("OPTIONS", "/apisix/admin/routes/1", &[], "").await;
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "POST, GET, PUT, OPTIONS, DELETE, PATCH"),
        ("access-control-max-age", "3600"),
        ("access-control-allow-headers", "*"),
        ("access-control-allow-credentials", "true"),
        ("content-length", "0"),
        ("content-type", "text/plain"),
        ("server", "APISIX/3.18.0"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn cors_headers_are_on_every_answer_unless_switched_off() {
    let expected = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "*"),
        ("access-control-max-age", "3600"),
    ];
    let on = Admin::start();
    let off = Admin::start_with(AdminSettings { cors: false, ..settings() });
    for (name, value) in expected {
        assert_eq!(on.get("/routes").await.header(name), Some(value));
        assert_eq!(off.get("/routes").await.header(name), None);
    }
    assert_eq!(off.send("OPTIONS", "/apisix/admin/routes", &[], "").await.status, 404);
}

#[tokio::test]
async fn the_server_header_names_the_version_only_if_wanted() {
    let admin = Admin::start_with(AdminSettings { server_tokens: false, ..settings() });
    assert_eq!(admin.get("/routes").await.header("server"), Some("APISIX"));
    let page = Admin::start().send("GET", "/nowhere", &[], "").await;
    assert_eq!(page.header("server"), Some("APISIX/3.18.0"));
}

#[tokio::test]
async fn the_ping_needs_no_key_and_has_no_body() {
    let answer = Admin::start().send("HEAD", "/apisix/admin", &[], "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("server"), Some("APISIX/3.18.0"));
    assert_eq!(answer.text, "");
}

#[tokio::test]
async fn paths_and_verbs_outside_the_api_get_the_stock_page() {
    let admin = Admin::start();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/apisix"),
        ("GET", "/apisix/admin"),
        ("GET", "/apisix/administrator/routes"),
        ("HEAD", "/apisix/admin/routes"),
        ("TRACE", "/apisix/admin/routes"),
    ] {
        let answer = admin.send(method, path, &[("X-API-KEY", ADMIN_KEY)], "").await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{method} {path}");
    }
}

#[tokio::test]
async fn the_api_version_is_on_answers_of_resources_only() {
    let admin = Admin::start();
    for (method, path, version) in [
        ("GET", "/routes", Some("v3")),
        ("GET", "/routes/none", Some("v3")),
        ("PUT", "/routes/1", Some("v3")),
        ("GET", "/plugins/key-auth", Some("v3")),
        ("GET", "/schema/route", Some("v3")),
        ("GET", "/nonsense", None),
        ("GET", "/plugins/list", None),
        ("PUT", "/plugins/reload", None),
        ("POST", "/configs/validate", None),
        ("POST", "/schema/validate/routes", None),
    ] {
        assert_eq!(admin.call(method, path, "").await.header("x-api-version"), version, "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_no_resource_is_named() {
    let admin = Admin::start();
    for (method, path, status, text) in [
        ("GET", "/nonsense", 404, "Unsupported resource type: nonsense"),
        ("GET", "/configs", 404, "Unsupported resource type: configs"),
        ("POST", "/plugins", 404, "not found"),
        ("DELETE", "/schema/route", 404, "not found"),
        ("GET", "/stream_routes", 400, "stream mode is disabled, can not add stream routes"),
        ("PUT", "/stream_routes/1", 400, "stream mode is disabled, can not add stream routes"),
    ] {
        assert_eq!(admin.call(method, path, "").await.refused(status), text, "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_shown_back() {
    let admin = Admin::start();
    for body in ["{", "{\"uri\":}", "nope"] {
        let answer = admin.call("PUT", "/routes/1", body).await;
        assert!(answer.refused(400).starts_with("invalid request body: "), "{answer:?}");
        assert_eq!(answer.json()["req_body"], body);
    }
    let bomb = "[".repeat(100_000);
    assert!(admin.call("PUT", "/routes/1", bomb).await.refused(400).starts_with("invalid request body: "));
    let not_text = admin.call("PUT", "/routes/1", vec![b'"', 0xff, b'"']).await;
    assert!(not_text.refused(400).starts_with("invalid request body: "));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_its_size() {
    let admin = Admin::start();
    let at_limit = format!("\"{}\"", "a".repeat(1_572_862));
    assert!(!admin.call("PUT", "/routes/1", at_limit).await.refused(400).contains("maximum size"));
    let over = format!("\"{}\"", "a".repeat(1_572_863));
    assert_eq!(
        admin.call("PUT", "/routes/1", over).await.refused(400),
        "invalid request body: request size 1572865 is greater than the maximum size 1572864 allowed"
    );
}

#[tokio::test]
async fn a_chunked_body_is_bounded_too() {
    let admin = Admin::start();
    let mut stream = tokio::net::TcpStream::connect(admin.address).await.unwrap();
    let head = format!(
        "PUT /apisix/admin/routes/1 HTTP/1.1\r\nHost: a\r\nX-API-KEY: {ADMIN_KEY}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    for _ in 0..32 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("request size 2097152 is greater than the maximum size 1572864 allowed"), "{answer}");
}

#[tokio::test]
async fn a_ttl_must_be_a_number() {
    let admin = Admin::start();
    for ttl in ["abc", "-1", "0", "nan", "inf"] {
        let path = format!("/routes/1?ttl={ttl}");
        let text = admin.call("PUT", &path, "{}").await.refused(400);
        assert_eq!(text, "invalid argument ttl: should be a number", "{ttl}");
    }
}

#[tokio::test]
async fn requests_in_flight_finish_when_the_server_stops() {
    let mut admin = Admin::start();
    let mut stream = tokio::net::TcpStream::connect(admin.address).await.unwrap();
    let head = format!(
        "PUT /apisix/admin/routes/1 HTTP/1.1\r\nHost: a\r\nX-API-KEY: {ADMIN_KEY}\r\nExpect: 100-continue\r\n\
         Content-Length: 2\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The interim answer shows that the request is being handled.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100 Continue"));
    admin.stop();
    stream.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    admin.served.take().unwrap().await.unwrap().unwrap();
}

/// The clock stands still until everyone waits, then jumps to the next timer: the server's patience.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_finishes_its_head_is_given_up() {
    let admin = Admin::start();
    for beginning in ["", "GET /apisix/admin/routes HTTP/1.1\r\nHost: a\r\nX-"] {
        let mut stream = tokio::net::TcpStream::connect(admin.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let admin = Admin::start();
    let mut stream = tokio::net::TcpStream::connect(admin.address).await.unwrap();
    let head = format!(
        "PUT /apisix/admin/routes/1 HTTP/1.1\r\nHost: a\r\nX-API-KEY: {ADMIN_KEY}\r\nContent-Length: 10\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("invalid request body: the body did not arrive within 60 s"), "{answer}");
}

#[test]
fn settings_do_not_print_keys() {
    let key = AdminKey {
        name: "admin".to_owned(),
        role: AdminRole::Admin,
        secret: KeyMatcher::Plain(Secret::from("hush-hush")),
    };
    assert!(!format!("{:?}", AdminSettings::with_keys(vec![key])).contains("hush"));
}
