//! What a newcomer meets: one command, keys shown once, a request that works when pasted.

use std::process::Command;

use crate::harness::{Gateway, Launch, get, post, wait_until};
use serde_json::{Value, json};

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
}

#[test]
fn the_first_start_shows_keys_that_work_and_stores_none_of_them() {
    let gateway = Gateway::start_first_time();
    let admin_key = gateway.shown("admin key").unwrap();
    let consumer_key = gateway.shown("consumer key").unwrap();
    assert_eq!(admin_key.len(), 32, "{admin_key}");
    assert!(consumer_key.starts_with("tg-"), "{consumer_key}");

    assert_eq!(gateway.admin("GET", "/routes", None).status, 200);
    let answer = gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer(&consumer_key));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["object"], "chat.completion");

    for entry in std::fs::read_dir(gateway.folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for key in [&admin_key, &consumer_key] {
            let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
            assert!(!found, "{} holds a key in clear", path.display());
        }
    }
}

#[test]
fn the_printed_command_works_when_pasted() {
    let gateway = Gateway::start_first_time();
    let output = gateway.output();
    let from = output.find("  curl ").unwrap();
    let to = output.find("\nServing").unwrap();
    let command = output[from..to].replacen("curl", "curl -sS", 1);
    let ran = Command::new("sh").arg("-c").arg(&command).output().unwrap();
    let answer: Value = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {command}\n{}", String::from_utf8_lossy(&ran.stderr)));
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
}

#[test]
fn the_simulator_is_labelled_as_what_it_is() {
    let gateway = Gateway::start_first_time();
    assert!(gateway.output().contains("SIMULATED"));
    let route = gateway.admin("GET", "/routes/tidegate-simulator", None).json();
    assert_eq!(route["value"]["labels"]["simulated"], "true");
    assert!(route["value"]["desc"].as_str().unwrap().contains("SIMULATED"));
}

#[test]
fn the_first_routes_ask_for_a_key() {
    let gateway = Gateway::start_first_time();
    assert_eq!(gateway.send(post("/v1/chat/completions", &chat("simulated"))).status, 401);
    let wrong = gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer("tg-wrong"));
    assert_eq!(wrong.status, 401);
}

#[test]
fn the_second_start_keeps_keys_and_shows_none() {
    let mut gateway = Gateway::start_first_time();
    let consumer_key = gateway.shown("consumer key").unwrap();
    assert!(gateway.terminate().success());

    let gateway = gateway.start_again();
    assert_eq!(gateway.shown("admin key"), None);
    assert_eq!(gateway.shown("consumer key"), None);
    assert!(gateway.output().contains("$TIDEGATE_KEY"));
    assert_eq!(gateway.admin("GET", "/routes", None).json()["total"], 1);
    let answer = gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer(&consumer_key));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_provider_key_in_the_environment_makes_a_route_that_refers_to_it() {
    let gateway = Launch::new().env("MISTRAL_API_KEY", "sk-very-secret").env("OPENAI_API_KEY", "sk-other").start();
    let routes = gateway.admin("GET", "/routes", None).json();
    assert_eq!(routes["total"], 2, "{routes}");
    let route = gateway.admin("GET", "/routes/tidegate-mistral", None).json();
    let vars = &route["value"]["vars"][0];
    assert_eq!((&vars[0], &vars[1]), (&json!("post_arg.model"), &json!("~~")));
    assert!(!routes.to_string().contains("sk-very-secret"));
    assert!(gateway.output().contains("gpt-4o-mini"));
    assert!(!gateway.output().contains("SIMULATED"));
}

#[test]
fn requests_go_to_the_provider_that_has_the_model() {
    let ollama = crate::harness::simulator();
    let gateway = Launch::new()
        .env("OPENAI_API_KEY", "sk-1")
        .env("OLLAMA_HOST", &ollama.addr.to_string())
        .config(json!({"tidegate": {"simulator": {"enable": true}}}))
        .start();
    let key = gateway.shown("consumer key").unwrap();
    assert_eq!(gateway.send(post("/v1/chat/completions", &chat("llama3.2:3b")).bearer(&key)).status, 200);
    assert_eq!(gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer(&key)).status, 200);
    let requests = get("/__simulator/requests").send(ollama.addr).json();
    let requests = requests.to_string();
    assert!(requests.contains("llama3.2:3b"), "{requests}");
    assert!(!requests.contains("simulated"), "the model of the built-in simulator went to Ollama");
    assert!(!requests.contains(&key), "the consumer's key went to the provider");
}

#[test]
fn a_provider_key_that_comes_later_takes_the_simulators_place() {
    let mut gateway = Gateway::start_first_time();
    gateway.set_env("GROQ_API_KEY", Some("gsk-1"));
    assert!(gateway.terminate().success());
    let mut gateway = gateway.start_again();
    let ids = route_ids(&gateway);
    assert_eq!(ids, ["tidegate-groq"]);

    // Started once without the variable: the route stays, and the output says what it lacks.
    gateway.set_env("GROQ_API_KEY", None);
    assert!(gateway.terminate().success());
    let gateway = gateway.start_again();
    assert_eq!(route_ids(&gateway), ["tidegate-groq"]);
    assert!(gateway.output().contains("GROQ_API_KEY IS NOT SET"), "{}", gateway.output());
}

#[test]
fn routes_that_somebody_changed_are_left_alone() {
    let mut gateway = Gateway::start_first_time();
    let patch = json!({"desc": "mine"});
    assert_eq!(gateway.admin("PATCH", "/routes/tidegate-simulator", Some(&patch)).status, 200);
    gateway.set_env("GROQ_API_KEY", Some("gsk-1"));
    assert!(gateway.terminate().success());
    let gateway = gateway.start_again();
    assert_eq!(route_ids(&gateway), ["tidegate-simulator"]);
}

#[test]
fn who_brings_an_admin_key_finds_an_empty_store() {
    let gateway = Gateway::start();
    for collection in ["routes", "consumers", "global_rules"] {
        let list = gateway.admin("GET", &format!("/{collection}"), None).json();
        assert_eq!(list["total"], 0, "{collection}: {list}");
    }
    assert_eq!(gateway.shown("admin key"), None);
}

#[test]
fn the_admin_key_can_come_from_the_environment() {
    let gateway = Launch::new().env("TIDEGATE_ADMIN_KEY", "from-the-environment").start();
    assert_eq!(gateway.shown("admin key"), None);
    let asked = get("/apisix/admin/routes").header("X-API-KEY", "from-the-environment").send(gateway.admin);
    assert_eq!(asked.status, 200);
}

#[test]
fn the_consumer_key_can_come_from_the_environment() {
    let gateway = Launch::new().env("TIDEGATE_KEY", "chosen").start();
    assert_eq!(gateway.shown("consumer key"), None);
    assert!(!gateway.output().contains("chosen"));
    let asked = gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer("chosen"));
    assert_eq!(asked.status, 200, "{}", asked.text());
}

#[test]
fn the_keyring_is_made_for_this_installation_alone() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = Gateway::start();
    let path = gateway.folder.path().join("data/keyring");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = std::fs::read_to_string(&path).unwrap();
    assert!(!config::keyring::PUBLISHED_KEYS.contains(&key.trim()));
}

#[test]
fn metrics_are_there_at_once() {
    let gateway = Gateway::start_first_time();
    assert!((gateway.metric("apisix_node_info") - 1.0).abs() < f64::EPSILON);
    assert!(gateway.metric("apisix_plan_revision") >= 1.0);

    let key = gateway.shown("consumer key").unwrap();
    gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer(&key));
    wait_until("the request is counted", || {
        let series = r#"apisix_http_status{code="200",route="tidegate-simulator""#;
        (gateway.metric(series) >= 1.0).then_some(())
    });
}

fn route_ids(gateway: &Gateway) -> Vec<String> {
    let routes = gateway.admin("GET", "/routes", None).json();
    let list = routes["list"].as_array().unwrap();
    list.iter().map(|route| route["value"]["id"].as_str().unwrap().to_owned()).collect()
}
