//! The list of plugins in `config.yaml`, read again by a running process.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Gateway, Launch, Request, Upstream, get, route, wait_until};

const LISTED: [&str; 2] = ["response-rewrite", "key-auth"];

fn gateway() -> Gateway {
    Launch::new().admin_key(ADMIN_KEY).config(json!({"plugins": LISTED})).start()
}

/// Writes another list into the file.
fn list(gateway: &Gateway, names: &[&str]) {
    let text = std::fs::read_to_string(gateway.config_file()).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["plugins"] = json!(names);
    std::fs::write(gateway.config_file(), config.to_string()).unwrap();
}

fn marked(to: std::net::SocketAddr) -> Value {
    let mut marked = route("/*", to);
    marked["plugins"] = json!({"response-rewrite": {"headers": {"set": {"X-Mark": "yes"}}}});
    marked
}

fn names(gateway: &Gateway) -> Value {
    gateway.admin("GET", "/plugins/list", None).json()
}

#[test]
fn a_plugin_taken_off_the_list_is_refused_in_writes_and_passed_by_in_requests() {
    let gateway = gateway();
    let upstream = Upstream::saying("served");
    gateway.put("/routes/1", &marked(upstream.addr));
    assert_eq!(gateway.send(get("/")).header("X-Mark"), Some("yes"));

    list(&gateway, &["key-auth"]);
    let reloaded = gateway.admin("PUT", "/plugins/reload", None);
    assert_eq!((reloaded.status, reloaded.text().as_str()), (200, "done"));
    assert_eq!(names(&gateway), json!(["key-auth"]));
    let passed = gateway.send(get("/"));
    assert_eq!((passed.status, passed.header("X-Mark")), (200, None));
    let refused = gateway.admin("PUT", "/routes/2", Some(&marked(upstream.addr)));
    assert_eq!(refused.json()["error_msg"], "unknown plugin [response-rewrite]");

    list(&gateway, &LISTED);
    assert_eq!(Request::new("PUT", "/v1/plugins/reload").send(gateway.control).text(), "done");
    assert_eq!(gateway.send(get("/")).header("X-Mark"), Some("yes"));
}

#[test]
fn a_credential_written_before_its_plugin_was_taken_off_is_good_when_it_is_back() {
    let gateway = gateway();
    let upstream = Upstream::saying("served");
    let mut guarded = route("/*", upstream.addr);
    guarded["plugins"] = json!({"key-auth": {}});
    gateway.put("/routes/1", &guarded);
    gateway.put("/consumers/jack", &json!({"username": "jack", "plugins": {"key-auth": {"key": "secret"}}}));
    for names in [&["response-rewrite"][..], &LISTED] {
        list(&gateway, names);
        assert_eq!(gateway.admin("PUT", "/plugins/reload", None).status, 200);
    }
    assert_eq!(gateway.send(get("/")).status, 401);
    assert_eq!(gateway.send(get("/").header("apikey", "secret")).status, 200);
}

#[test]
fn sighup_takes_over_the_list() {
    let gateway = gateway();
    list(&gateway, &["cors"]);
    gateway.signal(Signal::HUP);
    // A connection that is opened while the Admin API changes hands may be closed unanswered.
    let listed = || get("/apisix/admin/plugins/list").header("X-API-KEY", ADMIN_KEY).try_send(gateway.admin).ok();
    wait_until("the list is in force", || (listed()?.text() == "[\"cors\"]\n").then_some(()));
}

#[test]
fn a_file_that_is_wrong_is_not_taken_over_and_named() {
    let gateway = gateway();
    std::fs::write(gateway.config_file(), "plugins: 1").unwrap();
    let refused = gateway.admin("PUT", "/plugins/reload", None);
    assert_eq!(refused.status, 503);
    let text = refused.json()["error_msg"].to_string();
    assert!(text.contains("config.yaml: plugins must be a list, got 1"), "{text}");
    assert_eq!(names(&gateway), json!(["key-auth", "response-rewrite"]));
}

#[test]
fn an_installation_keeps_its_id() {
    let gateway = gateway();
    let id = |gateway: &Gateway| get("/v1/server_info").send(gateway.control).json()["id"].clone();
    let first = id(&gateway);
    assert_eq!(first.as_str().unwrap().len(), 36);
    assert_eq!(id(&gateway.start_again()), first);
    let named = Launch::new().config(json!({"apisix": {"id": "gateway-1"}})).start();
    assert_eq!(id(&named), "gateway-1");
}

#[test]
fn names_that_are_no_plugins_of_this_build_are_pointed_out() {
    let unknown = "plugins: unknown plugin [nope]";
    let unsupported = "plugins: plugin openid-connect is not supported by this version of Tidegate";
    let listed = json!({"plugins": ["nope", "openid-connect", "key-auth"]});
    let gateway = Launch::new().admin_key(ADMIN_KEY).config(listed).start();
    let checked = gateway.run(&["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(0), "{}", checked.errors);
    for sentence in [unknown, unsupported] {
        assert!(gateway.log().contains(sentence), "{sentence}: {}", gateway.log());
        assert!(checked.output.contains(&format!("warning: {sentence}")), "{sentence}: {}", checked.output);
    }
    assert!(!gateway.log().contains("key-auth is"), "{}", gateway.log());
    list(&gateway, &["key-auth", "later"]);
    assert_eq!(gateway.admin("PUT", "/plugins/reload", None).text(), "done");
    assert!(gateway.log().contains("plugins: unknown plugin [later]"), "{}", gateway.log());
}
