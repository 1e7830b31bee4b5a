//! `tidegate check`: every problem, nothing started, nothing changed.

use crate::harness::{Gateway, Launch, run_in};
use serde_json::json;
use store::{Expect, Store, Write};

#[test]
fn a_running_gateways_data_can_be_checked() {
    let gateway = Gateway::start_first_time();
    let checked = gateway.run(&["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(0), "{} {}", checked.output, checked.errors);
    assert!(checked.output.starts_with("ok: "), "{}", checked.output);
}

#[test]
fn the_file_may_be_named_before_the_command() {
    let launch = Launch::new();
    launch.write_config();
    let checked = run_in(launch.folder.path(), &["-c", "config.yaml", "check"]);
    assert!(checked.output.starts_with("ok: configuration (config.yaml)"), "{} {}", checked.output, checked.errors);
    let refused = run_in(launch.folder.path(), &["-c", "config.yaml", "simulate"]);
    assert_eq!(refused.status.code(), Some(2), "{}", refused.errors);
}

#[test]
fn an_empty_folder_is_fine_and_stays_empty() {
    let launch = Launch::new();
    launch.write_config();
    let checked = run_in(launch.folder.path(), &["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(0), "{}", checked.errors);
    assert!(!launch.folder.path().join("data").exists());
}

#[test]
fn a_variable_that_is_not_set_is_warned_of() {
    let gateway = Launch::new().env("MISTRAL_API_KEY", "sk-1").start();
    // The command runs in an environment of its own.
    let checked = gateway.run(&["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(0), "{}", checked.errors);
    let place = "warning: /apisix/routes/tidegate-mistral: /plugins/ai-proxy/auth/header/Authorization: MISTRAL_API_KEY is not set";
    assert!(checked.output.contains(place), "{}", checked.output);
}

#[test]
fn every_wrong_resource_is_named() {
    let launch = Launch::new();
    launch.write_config();
    let data = launch.folder.path().join("data");
    let put = |key: &str, value| Write::Put { key: key.to_owned(), value, expect: Expect::Any, ttl: None };
    let writes = vec![
        put(
            "/apisix/routes/good",
            json!({"id": "good", "uri": "/", "upstream": {"nodes": {"127.0.0.1:1": 1}, "type": "roundrobin"}}),
        ),
        put("/apisix/routes/dangling", json!({"id": "dangling", "uri": "/", "upstream_id": "gone"})),
        put("/apisix/routes/unknown", json!({"id": "unknown", "uri": "/", "plugins": {"no-such-plugin": {}}})),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = Store::open(&data).unwrap();
    runtime.block_on(store.write(writes)).unwrap();
    drop(store);

    let checked = run_in(launch.folder.path(), &["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(checked.output.contains("/apisix/routes/dangling: "), "{}", checked.output);
    assert!(checked.output.contains("/apisix/routes/unknown: unknown plugin [no-such-plugin]"), "{}", checked.output);
    assert!(!checked.output.contains("/apisix/routes/good"), "{}", checked.output);
    assert!(checked.errors.contains("2 of the resources"), "{}", checked.errors);
}

#[test]
fn a_wrong_file_is_refused_as_serve_refuses_it() {
    let launch = Launch::new().config(json!({"tidegate": {"max_json_depth": 0}}));
    launch.write_config();
    let checked = run_in(launch.folder.path(), &["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(
        checked.errors.contains("config.yaml: tidegate.max_json_depth must be 1..128, got 0"),
        "{}",
        checked.errors
    );
}

#[test]
fn secrets_whose_key_is_lost_are_named_by_check_and_by_serve() {
    let mut gateway = Gateway::start();
    gateway.put("/consumers/jack", &json!({"username": "jack", "plugins": {"key-auth": {"key": "secret"}}}));
    gateway.terminate();
    let keyring = gateway.folder.path().join("data/keyring");
    std::fs::remove_file(&keyring).unwrap();

    let field = "/apisix/consumers/jack: plugins.key-auth.key";
    let checked = gateway.run(&["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(
        checked.output.contains(&format!("{field} is encrypted with a key that is not there")),
        "{}",
        checked.output
    );

    let gateway = gateway.start_again();
    assert!(gateway.log().contains("data/keyring was not there and has been made anew"), "{}", gateway.log());
    assert!(gateway.log().contains(field), "{}", gateway.log());

    let mut gateway = gateway;
    gateway.terminate();
    let gateway = gateway.start_again();
    let line = format!("1 secrets are stored that no key opens, such as {field}");
    assert!(gateway.log().contains(&line), "{}", gateway.log());
}

#[test]
fn every_problem_of_the_file_is_named_at_once() {
    let wrong = json!({"max_json_depth": 0, "drain_timeout": "never", "colour": "blue"});
    let launch = Launch::new().config(json!({"tidegate": wrong}));
    launch.write_config();
    let checked = run_in(launch.folder.path(), &["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(2));
    for key in ["tidegate.max_json_depth", "tidegate.drain_timeout"] {
        assert!(checked.errors.contains(&format!("config.yaml: {key} must be")), "{}", checked.errors);
    }
    let warning = "warning: config.yaml: tidegate.colour is not known and is ignored";
    assert!(checked.errors.contains(warning), "{}", checked.errors);
}

#[test]
fn what_the_file_names_and_serve_could_not_use_is_found() {
    let launch = Launch::new();
    let port = launch.control.port();
    let control = json!({"ip": "127.0.0.1", "port": port});
    let launch = launch.config(json!({
        "apisix": {
            "node_listen": [port],
            "control": control,
            "ssl": {"ssl_trusted_certificate": "/nope.pem"},
        },
        "deployment": {"admin": {
            "https_admin": true,
            "admin_api_mtls": {"admin_ssl_cert": "/no-cert.pem", "admin_ssl_cert_key": "/no-key.pem"},
        }},
        "nginx_config": {"http": {"access_log": "config.yaml/access.log"}},
        "tidegate": {"secrets_dir": "no-such-folder"},
    }));
    launch.write_config();
    let checked = run_in(launch.folder.path(), &["check", "-c", "config.yaml"]);
    assert_eq!(checked.status.code(), Some(2));
    for problem in [
        format!("apisix.control: 127.0.0.1:{port} is listened on by apisix.node_listen"),
        "apisix.ssl.ssl_trusted_certificate: /nope.pem: ".to_owned(),
        "deployment.admin.admin_api_mtls.admin_ssl_cert: /no-cert.pem: ".to_owned(),
        "tidegate.secrets_dir: no-such-folder: ".to_owned(),
        "nginx_config.http.access_log: config.yaml/access.log: config.yaml is no folder".to_owned(),
    ] {
        assert!(checked.output.contains(&format!("config.yaml: {problem}")), "{problem}: {}", checked.output);
    }
}

#[test]
fn checking_leaves_the_data_folder_as_it_is() {
    let mut gateway = Gateway::start();
    gateway.terminate();
    let names = || {
        let entries = std::fs::read_dir(gateway.folder.path().join("data")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    assert_eq!(gateway.run(&["check", "-c", "config.yaml"]).status.code(), Some(0));
    assert_eq!(names(), before);
}
