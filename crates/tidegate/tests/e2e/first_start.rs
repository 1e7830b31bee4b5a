//! What a newcomer meets: one command, keys shown once, a request that works when pasted.

use std::process::Command;

use crate::harness::{Gateway, Launch, Upstream, get, post, route, wait_until};
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
    assert!(gateway.output().contains("Bearer $KEY"), "{}", gateway.output());
    assert_eq!(route_ids(&gateway), ["tidegate-simulator", "tidegate-simulator-models"]);
    let answer = gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer(&consumer_key));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_provider_key_in_the_environment_makes_a_route_that_refers_to_it() {
    let gateway = Launch::new().env("MISTRAL_API_KEY", "sk-very-secret").env("OPENAI_API_KEY", "sk-other").start();
    let routes = gateway.admin("GET", "/routes", None).json();
    assert_eq!(routes["total"], 3, "{routes}");
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
    assert_eq!(gateway.send(post("/v1/chat/completions", &chat("phi4")).bearer(&key)).status, 200);
    assert_eq!(gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer(&key)).status, 200);
    let requests = get("/__simulator/requests").send(ollama.addr).json();
    let requests = requests.to_string();
    assert!(requests.contains("llama3.2:3b") && requests.contains("phi4"), "{requests}");
    assert!(!requests.contains("simulated"), "the model of the built-in simulator went to Ollama");
    assert!(!requests.contains(&key), "the consumer's key went to the provider");
}

#[test]
fn a_provider_key_that_comes_later_takes_the_simulators_place() {
    let mut gateway = Gateway::start_first_time();
    gateway.set_env("GROQ_API_KEY", Some("gsk-1"));
    assert!(gateway.terminate().success());
    let mut gateway = gateway.start_again();
    assert_eq!(route_ids(&gateway), ["tidegate-groq"]);
    assert!(!gateway.output().contains("SIMULATED"), "{}", gateway.output());

    // Started once without the variable: the simulator answers again, and the output says why.
    gateway.set_env("GROQ_API_KEY", None);
    assert!(gateway.terminate().success());
    let gateway = gateway.start_again();
    let routes = ["tidegate-simulator", "tidegate-simulator-models", "tidegate-simulator-unknown"];
    assert_eq!(route_ids(&gateway), routes);
    assert!(gateway.output().contains("No longer routed to: Groq, because GROQ_API_KEY is not set"));
    assert!(gateway.output().contains("SIMULATED"), "{}", gateway.output());
}

#[test]
fn a_model_whose_provider_is_gone_is_told_of_in_the_clients_dialect() {
    let mut gateway = Launch::new().env("TIDEGATE_KEY", "k").env("OPENAI_API_KEY", "sk-1").start();
    gateway.set_env("OPENAI_API_KEY", None);
    assert!(gateway.terminate().success());
    let gateway = gateway.start_again();
    let refusal = |path: &str, place: &str, body: Value| {
        let answer = gateway.send(post(path, &body).bearer("k"));
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        let message = answer.json().pointer(place).unwrap().as_str().unwrap().to_owned();
        assert!(message.contains("`gpt-4o`") && message.contains("GET /v1/models"), "{path}: {message}");
        answer.json()
    };
    let told = refusal("/v1/chat/completions", "/error/message", chat("gpt-4o"));
    assert_eq!(told["error"]["code"], "model_not_found");
    let told = refusal("/v1/messages", "/error/message", chat("gpt-4o"));
    assert_eq!((&told["type"], &told["error"]["type"]), (&json!("error"), &json!("not_found_error")));
    refusal("/v1/responses", "/error/message", json!({"model": "gpt-4o", "input": "Hello!"}));
    refusal("/v1/embeddings", "/error/message", json!({"model": "gpt-4o", "input": "Hello!"}));
    refusal("/v1/rerank", "/message", json!({"model": "gpt-4o", "query": "a", "documents": ["a"]}));

    let listed = gateway.send(get("/v1/models").bearer("k")).json();
    let names: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["simulated"]);
    assert_eq!(gateway.send(get("/v1/models/simulated").bearer("k")).status, 200);
    assert_eq!(gateway.send(get("/v1/models/gpt-4o").bearer("k")).status, 404);
    assert_eq!(gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer("k")).status, 200);
}

#[test]
fn the_keys_of_an_earlier_start_are_not_taken_for_those_in_the_environment() {
    let mut gateway = Launch::new().env("TIDEGATE_KEY", "the-first").start();
    assert!(gateway.output().contains("Bearer $TIDEGATE_KEY"), "{}", gateway.output());
    gateway.set_env("TIDEGATE_KEY", Some("another"));
    assert!(gateway.terminate().success());
    let gateway = gateway.start_again();
    let output = gateway.output();
    assert!(output.contains("TIDEGATE_KEY IS IGNORED"), "{output}");
    assert!(!output.contains("Bearer $TIDEGATE_KEY"), "{output}");
    let ask = |key: &str| gateway.send(post("/v1/chat/completions", &chat("simulated")).bearer(key)).status;
    assert_eq!([ask("the-first"), ask("another")], [200, 401]);
}

#[test]
fn a_start_without_routes_says_why() {
    let gateway = Launch::new().admin_key(crate::harness::ADMIN_KEY).env("TIDEGATE_ADMIN_KEY", "unused").start();
    let output = gateway.output();
    assert!(output.contains("NO ROUTES"), "{output}");
    assert!(output.contains("TIDEGATE_ADMIN_KEY IS IGNORED"), "{output}");
}

#[test]
fn who_else_can_connect_is_told() {
    let proxy = json!([{"ip": "0.0.0.0", "port": crate::harness::free_port()}]);
    let gateway = Launch::new().config(json!({"apisix": {"node_listen": proxy}})).start();
    let output = gateway.output();
    let line = |name: &str| output.lines().find(|line| line.trim_start().starts_with(name)).unwrap().to_owned();
    assert!(line("proxy ").contains("LISTENS ON ALL ADDRESSES"), "{output}");
    assert!(!line("Admin API").contains("LISTENS ON ALL ADDRESSES"), "{output}");
}

#[test]
fn every_path_of_the_first_routes_is_answered() {
    let gateway = Launch::new().env("TIDEGATE_KEY", "k").start();
    let of = |model: &Value| model["id"].as_str().map(str::to_owned);
    let listed = gateway.send(get("/v1/models").bearer("k")).json();
    assert_eq!(listed["data"].as_array().unwrap().iter().find_map(of).as_deref(), Some("simulated"), "{listed}");
    assert_eq!(gateway.send(get("/v1/models/simulated").bearer("k")).json()["id"], "simulated");
    let messages = json!([{"role": "user", "content": "Hello!"}]);
    for (path, body) in [
        ("/v1/chat/completions", json!({"messages": messages})),
        ("/v1/responses", json!({"input": "Hello!"})),
        ("/v1/messages", json!({"max_tokens": 9, "messages": messages})),
        ("/v1/messages/count_tokens", json!({"messages": messages})),
        ("/v1/completions", json!({"prompt": "Hello!"})),
        ("/v1/embeddings", json!({"input": "Hello!"})),
        ("/v1/moderations", json!({"input": "Hello!"})),
        ("/v1/rerank", json!({"query": "Hello!", "documents": ["a", "b"]})),
    ] {
        let mut body = body;
        body["model"] = json!("simulated");
        let answer = gateway.send(post(path, &body).bearer("k"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
}

#[test]
fn routes_that_somebody_changed_are_left_alone() {
    let mut gateway = Gateway::start_first_time();
    let patch = json!({"desc": "mine"});
    assert_eq!(gateway.admin("PATCH", "/routes/tidegate-simulator", Some(&patch)).status, 200);
    gateway.set_env("GROQ_API_KEY", Some("gsk-1"));
    assert!(gateway.terminate().success());
    let gateway = gateway.start_again();
    assert_eq!(route_ids(&gateway), ["tidegate-simulator", "tidegate-simulator-models"]);
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
fn secrets_stay_readable_whichever_keyring_is_configured_later() {
    let known = config::keyring::PUBLISHED_KEYS[0];
    let (first, second) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210");
    let upstream = Upstream::saying("served");
    let mut gateway = Gateway::start();
    let mut configured = route("/*", upstream.addr);
    configured["plugins"] = json!({"key-auth": {}});
    gateway.put("/routes/1", &configured);
    // Each start encrypts one more consumer's key, and reads those of the starts before.
    let keyrings = [None, Some(json!([known])), Some(json!([first, known])), Some(json!([second, first]))];
    for (count, keyring) in keyrings.into_iter().enumerate() {
        if let Some(keyring) = keyring {
            let text = std::fs::read_to_string(gateway.config_file()).unwrap();
            let mut config: Value = serde_json::from_str(&text).unwrap();
            config["apisix"]["data_encryption"] = json!({"keyring": keyring});
            std::fs::write(gateway.config_file(), config.to_string()).unwrap();
            gateway = gateway.start_again();
        }
        let consumer = format!("c{count}");
        gateway.put(
            &format!("/consumers/{consumer}"),
            &json!({"username": consumer, "plugins": {"key-auth": {"key": consumer}}}),
        );
        for known in 0..=count {
            assert_eq!(gateway.send(get("/").header("apikey", format!("c{known}"))).status, 200, "c{known} at {count}");
        }
    }
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
