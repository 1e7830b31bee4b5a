#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use super::units;
use super::*;
use crate::resource::KeepalivePool;

fn environment(name: &str) -> Option<String> {
    match name {
        "PORT" => Some("9180"),
        "ON" => Some("true"),
        "KEY" => Some("0012345"),
        "IP" => Some("10.0.0.1"),
        _ => None,
    }
    .map(str::to_owned)
}

fn load(text: &str) -> Settings {
    let (settings, warnings) =
        Settings::load(text, "config.yaml", &environment).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(warnings, Vec::<String>::new(), "{text}");
    settings
}

fn warnings(text: &str) -> Vec<String> {
    Settings::load(text, "config.yaml", &environment).unwrap().1
}

fn error(text: &str) -> String {
    Settings::load(text, "config.yaml", &environment).expect_err(text).to_string()
}

#[test]
fn an_empty_file_gives_the_defaults() {
    for text in ["", "# nothing\n", "{}", "apisix:\n"] {
        assert_eq!(format!("{:?}", load(text)), format!("{:?}", Settings::default()), "{text:?}");
    }
}

#[test]
fn the_defaults_are_apisix_s_but_for_the_admin_listener() {
    let settings = Settings::default();
    assert_eq!(settings.apisix.node_listen, [Listen { ip: None, port: 9080 }]);
    assert_eq!(settings.apisix.ssl.listen, [Listen { ip: None, port: 9443 }]);
    assert_eq!(settings.apisix.control.to_string(), "127.0.0.1:9090");
    assert_eq!(settings.apisix.status, None);
    assert_eq!(settings.apisix.max_post_args_readable_size, 64 << 20);
    assert!(settings.apisix.data_encryption.keyring.is_published());
    assert_eq!(settings.deployment.admin.admin_listen.to_string(), "127.0.0.1:9180");
    assert_eq!(settings.deployment.admin.allow_admin, Some(vec!["127.0.0.0/24".parse().unwrap()]));
    assert!(settings.deployment.admin.authenticates());
    assert_eq!(settings.nginx_config.http.send_timeout, Duration::from_secs(10));
    assert_eq!(settings.nginx_config.http.client_max_body_size, 0);
    assert_eq!(settings.plugin_attr.prometheus.export_addr.to_string(), "127.0.0.1:9091");
    assert_eq!(settings.plugins, None);
    assert_eq!(settings.tidegate.data_dir, std::path::Path::new("./data"));
    assert_eq!(settings.workers(), None);
}

#[test]
fn listeners_are_a_port_a_list_or_mappings() {
    for (text, ipv4_and_ipv6) in [
        ("apisix: {node_listen: 80}", "0.0.0.0:80 [::]:80"),
        ("apisix: {node_listen: [80, 81]}", "0.0.0.0:80 [::]:80 0.0.0.0:81 [::]:81"),
        ("apisix: {node_listen: [{port: 80}]}", "0.0.0.0:80 [::]:80"),
        ("apisix: {node_listen: [{ip: 127.0.0.2, port: 80}]}", "127.0.0.2:80"),
        ("apisix: {node_listen: {ip: '[::1]', port: 80}}", "[::1]:80"),
        ("apisix: {node_listen: [{ip: 0.0.0.0, port: 80}]}", "0.0.0.0:80 [::]:80"),
        ("apisix: {node_listen: 80, enable_ipv6: false}", "0.0.0.0:80"),
        ("apisix: {node_listen: []}", ""),
    ] {
        let addresses: Vec<_> = load(text).http_addresses().iter().map(ToString::to_string).collect();
        assert_eq!(addresses.join(" "), ipv4_and_ipv6, "{text}");
    }
    assert!(load("apisix: {ssl: {enable: false}}").https_addresses().is_empty());
    assert_eq!(load("apisix: {ssl: {listen: [{port: 8443}]}}").https_addresses().len(), 2);
}

#[test]
fn a_whole_file_is_read() {
    let settings = load(
        r#"
apisix:
  enable_http2: false
  delete_uri_tail_slash: true
  max_post_args_readable_size: 1
  status: {port: 7086}
  router: {http: radixtree_uri_with_parameter, ssl: radixtree_sni}
  ssl:
    ssl_protocols: TLSv1.3
    fallback_sni: Example.com
    ssl_trusted_certificate: system, /etc/ca.pem
  data_encryption:
    enable_encrypt_fields: false
    keyring: [0123456789abcdef0123456789abcdef, qeddd145sfvddff3]
  trusted_addresses: [127.0.0.1, 172.18.0.0/16]
deployment:
  role: traditional
  admin:
    admin_key:
      - {name: boss, key: edd1c9f034335f136f87ad84b625c8f1, role: admin}
      - {name: eye, key: look, role: viewer}
    allow_admin: [10.0.0.0/8, "::1"]
    admin_listen: {ip: 0.0.0.0, port: 9181}
    https_admin: true
    admin_api_mtls: {admin_ssl_cert: a.crt, admin_ssl_cert_key: a.key}
nginx_config:
  worker_processes: 4
  error_log_level: notice
  http:
    client_max_body_size: 10m
    real_ip_header: X-Forwarded-For
    real_ip_recursive: "on"
    real_ip_from: [10.0.0.0/8, "unix:"]
    upstream: {keepalive: 10, keepalive_timeout: 1h30m}
plugins: [key-auth, limit-count]
plugin_attr:
  redirect: {https_port: 8443}
  prometheus:
    export_addr: {port: 9092}
    default_buckets: [1, 2.5, 10]
    metrics:
      http_status:
        extra_labels: [{upstream_addr: $upstream_addr}, {model: $llm_model}]
        expire: 60
tidegate:
  data_dir: /var/lib/tidegate
  secrets_dir: /run/secrets
  drain_timeout: 5
  simulator: {enable: false}
  workers: 2
"#,
    );
    assert!(!settings.apisix.enable_http2 && settings.apisix.delete_uri_tail_slash);
    assert_eq!(settings.apisix.max_post_args_readable_size, 1 << 20);
    assert_eq!(settings.apisix.status.unwrap().to_string(), "127.0.0.1:7086");
    assert_eq!(settings.apisix.router.http, RouterKind::UriWithParameter);
    assert_eq!(settings.apisix.ssl.protocols, [TlsVersion::V1_3]);
    assert_eq!(settings.apisix.ssl.fallback_sni.as_deref(), Some("example.com"));
    assert!(settings.apisix.ssl.trust_system);
    assert_eq!(settings.apisix.ssl.trusted_certificates, [std::path::Path::new("/etc/ca.pem")]);
    assert!(!settings.apisix.data_encryption.enable_encrypt_fields);
    assert!(!settings.apisix.data_encryption.keyring.is_published());
    assert_eq!(settings.apisix.trusted_addresses.len(), 2);

    let admin = &settings.deployment.admin;
    let keys = admin.admin_key.as_ref().unwrap();
    assert_eq!((keys[0].name.as_str(), keys[0].role), ("boss", AdminRole::Admin));
    assert_eq!((keys[1].key.expose(), keys[1].role), ("look", AdminRole::Viewer));
    assert_eq!(admin.allow_admin.as_ref().unwrap().len(), 2);
    assert_eq!(admin.admin_listen.to_string(), "0.0.0.0:9181");
    assert_eq!(admin.tls.as_ref().unwrap().client_authority, None);

    assert_eq!(settings.nginx_config.error_log_level.as_tracing(), "info");
    let http = &settings.nginx_config.http;
    assert_eq!(http.client_max_body_size, 10 << 20);
    assert!(http.real_ip_recursive);
    assert_eq!(http.real_ip_from, ["10.0.0.0/8".parse().unwrap()]);
    let pool = KeepalivePool { size: 10, idle_timeout: Duration::from_secs(5400), requests: 1000 };
    assert_eq!(http.upstream, pool);

    assert_eq!(settings.plugins.as_deref().unwrap(), ["key-auth", "limit-count"]);
    assert_eq!(settings.plugin_attr.raw["redirect"]["https_port"], 8443);
    let prometheus = &settings.plugin_attr.prometheus;
    assert_eq!(prometheus.export_addr.to_string(), "127.0.0.1:9092");
    assert_eq!(prometheus.default_buckets, [1.0, 2.5, 10.0]);
    let metric = &prometheus.metrics["http_status"];
    assert_eq!(metric.extra_labels[1], ExtraLabel { label: "model".into(), value: "$llm_model".into() });
    assert_eq!(metric.expire, Duration::from_secs(60));

    assert_eq!(settings.tidegate.secrets_dir.as_deref(), Some(std::path::Path::new("/run/secrets")));
    assert_eq!(settings.tidegate.drain_timeout, Duration::from_secs(5));
    assert_eq!(settings.tidegate.simulator, Some(false));
    assert_eq!(settings.workers().unwrap().get(), 2);
}

#[test]
fn null_removes_a_default() {
    let admin = load("deployment: {admin: {admin_key: null, allow_admin: null}}").deployment.admin;
    assert_eq!((admin.admin_key.is_none(), admin.allow_admin.is_none()), (true, true));
    assert!(!admin.authenticates());
    assert!(load("apisix: {data_encryption: {keyring: null}}").apisix.data_encryption.keyring.is_empty());
    assert!(
        load("apisix: {data_encryption: {keyring: qeddd145sfvddff3}}").apisix.data_encryption.keyring.is_published()
    );
}

#[test]
fn environment_variables_are_filled_in() {
    let settings = load(
        r#"
apisix:
  node_listen: ${{PORT}}
  enable_http2: ${{ ON }}
  enable_ipv6: ${{OFF:=false}}
  ssl: {fallback_sni: "node-${{IP}}-${{NAME:=x}}"}
deployment:
  admin:
    admin_key: [{name: a, key: "${{KEY}}", role: admin}]
    allow_admin: ["${{IP}}/8"]
tidegate:
  data_dir: ${{DIR:=/var/lib}}/tidegate
"#,
    );
    assert_eq!(settings.apisix.node_listen[0].port, 9180);
    assert!(settings.apisix.enable_http2 && !settings.apisix.enable_ipv6);
    assert_eq!(settings.apisix.ssl.fallback_sni.as_deref(), Some("node-10.0.0.1-x"));
    let admin = settings.deployment.admin;
    assert_eq!(admin.admin_key.unwrap()[0].key.expose(), "0012345");
    assert_eq!(admin.allow_admin, Some(vec!["10.0.0.1/8".parse().unwrap()]));
    assert_eq!(settings.tidegate.data_dir, std::path::Path::new("/var/lib/tidegate"));
}

#[test]
fn the_environment_says_what_auto_workers_are() {
    for (text, variable, expected) in [
        ("", Some("3"), Ok(Some(3))),
        ("nginx_config: {worker_processes: auto}", Some("3"), Ok(Some(3))),
        ("nginx_config: {worker_processes: 2}", Some("3"), Ok(Some(2))),
        ("", Some("auto"), Ok(None)),
        ("", None, Ok(None)),
        ("", Some("0"), Err("environment: APISIX_WORKER_PROCESSES must be auto or 1..1024, got \"0\"")),
    ] {
        let env = |name: &str| variable.filter(|_| name == "APISIX_WORKER_PROCESSES").map(str::to_owned);
        let workers = Settings::load(text, "config.yaml", &env)
            .map(|(settings, _)| settings.workers().map(NonZeroUsize::get))
            .map_err(|error| error.to_string());
        assert_eq!(workers, expected.map_err(str::to_owned), "{text} {variable:?}");
    }
}

#[test]
fn what_is_no_environment_variable_stays() {
    let format = "${host} $remote_addr ${{ }} ${{a-b}} {{x}}";
    let text = format!("tidegate: {{secrets_dir: '{format}'}}");
    assert_eq!(load(&text).tidegate.secrets_dir, Some(format.into()));
}

#[test]
fn a_wrong_value_is_refused_with_its_place_and_what_would_be_right() {
    for (text, expected) in [
        ("apisix: {node_listen: [{port: 0}]}", "apisix.node_listen[0].port must be 1..65535, got 0"),
        ("apisix: {node_listen: 70000}", "apisix.node_listen must be 1..65535, got 70000"),
        ("apisix: {node_listen: x}", "apisix.node_listen must be 1..65535, got \"x\""),
        (
            "apisix: {node_listen: [{ip: 1.1.1.1}]}",
            "apisix.node_listen[0] must be a port, or a mapping with a port, got a mapping",
        ),
        (
            "apisix: {node_listen: [{ip: home, port: 1}]}",
            "apisix.node_listen[0].ip must be an IP address, got \"home\"",
        ),
        ("apisix: {enable_http2: 1}", "apisix.enable_http2 must be true or false, got 1"),
        ("apisix: 1", "apisix must be a mapping, got 1"),
        ("[]", "the file must be a mapping, got a list"),
        (
            "apisix: {router: {http: radixtree}}",
            "apisix.router.http must be one of radixtree_host_uri, radixtree_uri, radixtree_uri_with_parameter, got \"radixtree\"",
        ),
        ("apisix: {proxy_mode: stream}", "apisix.proxy_mode: \"stream\" is not supported; only http is"),
        (
            "apisix: {ssl: {ssl_protocols: SSLv2}}",
            "apisix.ssl.ssl_protocols must be TLSv1.2, TLSv1.3 or both, separated by a space, got \"SSLv2\"",
        ),
        (
            "apisix: {trusted_addresses: [x]}",
            "apisix.trusted_addresses[0] must be an IP address or a network like 10.0.0.0/8, got \"x\"",
        ),
        (
            "apisix: {data_encryption: {keyring: [qeddd145sfvddff3, topsecret]}}",
            "apisix.data_encryption.keyring[1] must be a key of 16 or 32 bytes, got something else (not shown)",
        ),
        (
            "deployment: {role: data_plane}",
            "deployment.role: \"data_plane\" is not supported; only the role traditional is, which serves both traffic and the Admin API",
        ),
        (
            "deployment: {role_traditional: {config_provider: etcd}}",
            "deployment.role_traditional.config_provider: \"etcd\" is not supported; resources live in the embedded store; remove this line",
        ),
        (
            "deployment: {admin: {admin_key: [{key: a, role: king}]}}",
            "deployment.admin.admin_key[0].role must be one of admin, viewer, got \"king\"",
        ),
        (
            "deployment: {admin: {admin_key: [{key: [a]}]}}",
            "deployment.admin.admin_key[0].key must be a text, got something else (not shown)",
        ),
        (
            "deployment: {admin: {https_admin: true}}",
            "deployment.admin.https_admin: true without a certificate is not supported; set admin_api_mtls.admin_ssl_cert and admin_api_mtls.admin_ssl_cert_key",
        ),
        (
            "nginx_config: {worker_processes: many}",
            "nginx_config.worker_processes must be auto or 1..1024, got \"many\"",
        ),
        (
            "nginx_config: {http: {send_timeout: 1x}}",
            "nginx_config.http.send_timeout must be a time like 60s, 10m or 1h30m, got \"1x\"",
        ),
        (
            "nginx_config: {http: {send_timeout: 101y}}",
            "nginx_config.http.send_timeout must be a time like 60s, 10m or 1h30m, got \"101y\"",
        ),
        (
            "nginx_config: {http: {client_max_body_size: -1}}",
            "nginx_config.http.client_max_body_size must be a size like 0, 512k or 10m, got -1",
        ),
        (
            "nginx_config: {http: {real_ip_recursive: maybe}}",
            "nginx_config.http.real_ip_recursive must be \"on\" or \"off\", got \"maybe\"",
        ),
        (
            "nginx_config: {http: {real_ip_header: proxy_protocol}}",
            "nginx_config.http.real_ip_header must be the name of a header (the PROXY protocol is not supported), \
             got \"proxy_protocol\"",
        ),
        (
            "nginx_config: {http: {real_ip_header: ''}}",
            "nginx_config.http.real_ip_header must be the name of a header (the PROXY protocol is not supported), got \"\"",
        ),
        ("plugins: key-auth", "plugins must be a list, got \"key-auth\""),
        ("plugins: [1]", "plugins[0] must be a text, got 1"),
        (
            "plugin_attr: {prometheus: {default_buckets: [2, 1]}}",
            "plugin_attr.prometheus.default_buckets[1] must be greater than the bound before it, got 1",
        ),
        (
            "plugin_attr: {prometheus: {export_uri: metrics}}",
            "plugin_attr.prometheus.export_uri must be a path that begins with /, got \"metrics\"",
        ),
        (
            "plugin_attr: {prometheus: {metric_prefix: 'a-b '}}",
            "plugin_attr.prometheus.metric_prefix must be the beginning of a metric's name: letters, digits, _ and :, \
             no digit first, got \"a-b \"",
        ),
        (
            "plugin_attr: {prometheus: {metrics: {http_status: {extra_labels: [{a-b: $uri}]}}}}",
            "plugin_attr.prometheus.metrics.http_status.extra_labels[0] must be labels of letters, digits and _, no \
             digit first, each once, got a mapping",
        ),
        (
            "plugin_attr: {prometheus: {metrics: {http_status: {extra_labels: [{a: $uri}, {a: $host}]}}}}",
            "plugin_attr.prometheus.metrics.http_status.extra_labels[1] must be labels of letters, digits and _, no \
             digit first, each once, got a mapping",
        ),
        ("tidegate: {max_header_bytes: 1}", "tidegate.max_header_bytes must be 1024..1048576, got 1"),
        ("discovery: {dns: {}}", "discovery: service discovery is not supported; list the nodes of upstreams instead"),
        (
            "tidegate: {data_dir: '${{NOPE}}'}",
            "tidegate.data_dir: can't find environment variable NOPE; set it, or write ${{NOPE:=default}}",
        ),
    ] {
        assert_eq!(error(text), format!("config.yaml: {expected}"), "{text}");
    }
}

#[test]
fn a_text_that_is_no_yaml_is_refused_with_the_line() {
    for text in ["apisix: [", "a: 1\na: 2", "apisix: !Tag {}", "apisix:\n\tx: 1"] {
        assert!(error(text).starts_with("config.yaml: "), "{text}");
    }
    assert!(error("apisix:\n  node_listen: [1\nx").contains("line"));
}

#[test]
fn unknown_keys_and_keys_without_effect_are_warned_about() {
    let warned = warnings(
        "apisix: {node_listn: 1, proxy_cache: {}, ssl: {ssl_ciphers: X, ssl_protocols: TLSv1.1 TLSv1.2}}\n\
         deployment: {etcd: {host: []}}\nwasm: {}\nfoo: 1\nplugin_attr: {other: {x: 1}}",
    );
    for expected in [
        "config.yaml: apisix.node_listn is not known and is ignored",
        "config.yaml: apisix.proxy_cache has no effect in Tidegate",
        "config.yaml: apisix.ssl.ssl_ciphers has no effect in Tidegate",
        "config.yaml: apisix.ssl.ssl_protocols names TLSv1.1, which is not offered",
        "config.yaml: deployment.etcd has no effect in Tidegate: resources live in the embedded store",
        "config.yaml: wasm has no effect in Tidegate",
        "config.yaml: foo is not known and is ignored",
    ] {
        assert!(warned.iter().any(|warning| warning == expected), "{expected}: {warned:#?}");
    }
    assert_eq!(warned.len(), 7, "{warned:#?}");
}

#[test]
fn an_installation_can_be_named() {
    assert_eq!(load("{}").apisix.id, None);
    assert_eq!(load("apisix: {id: gateway-1}").apisix.id.as_deref(), Some("gateway-1"));
}

#[test]
fn a_key_that_asks_for_what_is_not_here_is_warned_about_with_what_holds() {
    for (text, expected) in [
        ("deployment: {admin: {enable_admin_ui: true}}", "there is no console"),
        ("nginx_config: {http: {keepalive_timeout: 75s}}", "idle client connections end with client_header_timeout"),
        ("plugin_attr: {prometheus: {refresh_interval: 5}}", "metrics are made at each scrape"),
    ] {
        let path = text.replace(": {", ".").split_once(": ").unwrap().0.to_owned();
        assert_eq!(warnings(text), [format!("config.yaml: {path} has no effect in Tidegate: {expected}")]);
    }
    let asks_for_nothing = "{deployment: {admin: {enable_admin_ui: false}}}";
    assert_eq!(warnings(asks_for_nothing), [""; 0]);
}

#[test]
fn an_access_log_is_written_where_the_file_asks_for_one() {
    for (text, enabled) in [
        ("{}", false),
        ("{enable_access_log: true}", true),
        ("{access_log: logs/a.log}", true),
        ("{access_log_format: $status}", true),
        ("{access_log: logs/a.log, enable_access_log: false}", false),
    ] {
        let settings = load(&format!("nginx_config: {{http: {text}}}"));
        assert_eq!(settings.nginx_config.http.access_log.enabled, enabled, "{text}");
    }
    let log = load("nginx_config: {http: {access_log_format_escape: json}}").nginx_config.http.access_log;
    assert_eq!((log.path.as_str(), log.escape), ("logs/access.log", LogEscape::Json));
    assert!(error("nginx_config: {http: {access_log: 'syslog:server=10.0.0.1'}}").ends_with("name a file"));
}

#[test]
fn keys_are_not_printed() {
    let settings = load("deployment: {admin: {admin_key: [{name: a, key: hush-hush}]}}");
    let printed = format!("{settings:?}");
    assert!(!printed.contains("hush-hush") && !printed.contains("qeddd145sfvddff3"), "{printed}");
}

#[test]
fn times_are_read_as_nginx_reads_them() {
    for (text, milliseconds) in [
        ("60s", Some(60_000)),
        ("60", Some(60_000)),
        ("0", Some(0)),
        ("500ms", Some(500)),
        ("10m", Some(600_000)),
        ("1h30m", Some(5_400_000)),
        ("1h 30m", Some(5_400_000)),
        ("1d", Some(86_400_000)),
        ("2w", Some(1_209_600_000)),
        ("1M", Some(2_592_000_000)),
        ("1h30", Some(3_630_000)),
        ("", None),
        ("s", None),
        ("-1s", None),
        ("1.5s", None),
        ("1x", None),
        ("99999999999999999999s", None),
        ("9999999999999999999y", None),
    ] {
        assert_eq!(units::duration(text), milliseconds.map(Duration::from_millis), "{text:?}");
    }
}

#[test]
fn sizes_are_read_as_nginx_reads_them() {
    for (text, bytes) in [
        ("0", Some(0)),
        ("512", Some(512)),
        ("16k", Some(16 << 10)),
        ("1m", Some(1 << 20)),
        ("2G", Some(2 << 30)),
        ("", None),
        ("m", None),
        ("1mb", None),
        ("-1", None),
        ("99999999999999999999", None),
        ("18446744073709551615k", None),
    ] {
        assert_eq!(units::bytes(text), bytes, "{text:?}");
    }
}

#[test]
fn every_problem_of_a_file_is_told_at_the_place_where_it_stands() {
    let text = "
apisix:
  node_listen: [9080, 70000, {port: 80}, {port: x}]
  control: {port: ten}
deployment:
  role: data_plane
  admin: {allow_admin: [10.0.0.0/8, nowhere]}
tidegate:
  drain_timeout: never
  max_json_depth: ${{NOBODY}}
";
    let problems: Vec<String> = Settings::problems(text, "config.yaml", &environment)
        .errors
        .iter()
        .map(|problem| problem.to_string().split_whitespace().nth(1).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        problems,
        [
            "tidegate.max_json_depth:",
            "apisix.node_listen[1]",
            "apisix.node_listen[3].port",
            "apisix.control.port",
            "deployment.role:",
            "deployment.admin.allow_admin[1]",
            "tidegate.drain_timeout",
        ]
    );
    assert_eq!(Settings::problems("apisix: {}", "config.yaml", &environment), Problems::default());
    assert_eq!(Settings::problems("[]", "config.yaml", &environment).errors.len(), 1);
}

#[test]
fn what_has_no_effect_is_told_beside_what_is_wrong() {
    let text = "
apisix:
  node_listen: [70000, {port: 80, reuse: true}]
  colour: blue
tidegate: {drain_timeout: never}
";
    let problems = Settings::problems(text, "config.yaml", &environment);
    assert_eq!(problems.errors.len(), 2, "{problems:?}");
    assert_eq!(
        problems.warnings,
        [
            "config.yaml: apisix.node_listen[1].reuse is not known and is ignored",
            "config.yaml: apisix.colour is not known and is ignored",
        ]
    );
}
