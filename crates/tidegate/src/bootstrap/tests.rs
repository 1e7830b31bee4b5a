#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use config::check::Checker;
use config::resource::Kind;
use config::settings::Settings;
use store::{Expect, Write};

use super::providers::{PROVIDERS, Variable};
use super::*;

fn catalog() -> std::sync::Arc<Catalog> {
    plugins::registry(None).catalog().clone()
}

fn no_variables(_: &str) -> Option<String> {
    None
}

/// The settings of a file with this text.
fn settings(text: &str) -> Settings {
    Settings::load(text, "config.yaml", &no_variables).unwrap().0
}

/// Runs a start over `store` with these environment variables, in a process without the simulator.
async fn start(store: &Store, variables: &[(&str, &str)]) -> FirstResources {
    start_with(store, variables, "tidegate: {simulator: {enable: false}}").await
}

async fn start_with(store: &Store, variables: &[(&str, &str)], config: &str) -> FirstResources {
    let env = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let (settings, keyring) = (settings(config), Keyring::default());
    let registry = plugins::registry(settings.plugins.as_deref());
    let catalog = registry.catalog();
    let bootstrap = Bootstrap { settings: &settings, store, catalog, keyring: &keyring, env: &env };
    bootstrap.run().await.unwrap()
}

fn routes(store: &Store) -> Vec<String> {
    let snapshot = store.snapshot();
    snapshot.under("/apisix/routes/").map(|item| item.key["/apisix/routes/".len()..].to_owned()).collect()
}

async fn put(store: &Store, key: &str, value: serde_json::Value) {
    let write = Write::Put { key: key.to_owned(), value, expect: Expect::Any, ttl: None };
    store.write(vec![write]).await.unwrap();
}

#[test]
fn every_provider_stands_once_and_can_be_routed_to() {
    let catalog = catalog();
    let mut ids = HashSet::new();
    for (position, provider) in PROVIDERS.iter().enumerate() {
        assert!(ids.insert(provider.id) && ids.insert(provider.variable_name()), "{} stands twice", provider.id);
        let endpoint = provider.endpoint("localhost");
        let target = Target { provider: Some(provider), endpoint, is_available: true };
        let draft = routes::draft(&target, position, &|_| true);
        Checker::without_references(&catalog).check(Kind::Route, &draft.id, &draft.value).unwrap();
    }
}

#[test]
fn every_example_model_goes_to_its_provider() {
    for provider in &PROVIDERS {
        let claims = |model: &str| {
            PROVIDERS.iter().find(|other| {
                let pattern = config::pattern::Pattern::new(other.models).unwrap();
                pattern.is_match(model)
            })
        };
        let claimed_by = claims(provider.example).map(|provider| provider.id);
        // Names of Ollama's models look like any other until a tag is written behind them.
        let expected = if provider.id == "ollama" { None } else { Some(provider.id) };
        assert_eq!(claimed_by, expected, "{}", provider.example);
    }
}

#[test]
fn every_provider_is_a_row_of_the_llm_table() {
    for provider in &PROVIDERS {
        let row = llm::Provider::by_name(provider.driver).unwrap_or_else(|| panic!("{}", provider.driver));
        let embeds = row.capability(llm::Protocol::OpenAiEmbeddings).is_some();
        assert!(!provider.embeds || embeds, "{}", provider.id);
        assert_eq!(super::providers::uris(Some(provider)).contains(&"/v1/embeddings"), provider.embeds);
    }
}

#[test]
fn a_server_is_found_however_ollama_host_names_it() {
    let ollama = PROVIDERS.iter().find(|provider| matches!(provider.variable, Variable::Address(_))).unwrap();
    for (value, expected) in [
        ("localhost", "http://localhost:11434"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        (":8000", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("http://gpu-1:11434/", "http://gpu-1:11434"),
        ("http://gpu-1", "http://gpu-1:80"),
        ("https://ollama.example.com", "https://ollama.example.com:443"),
        ("https://example.com/ollama", "https://example.com:443/ollama"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("[::1]", "http://[::1]:11434"),
        ("[::]", "http://127.0.0.1:11434"),
    ] {
        assert_eq!(ollama.endpoint(value).as_deref(), Some(expected), "{value}");
    }
}

#[tokio::test]
async fn the_first_route_takes_every_model_and_is_asked_last() {
    let store = Store::in_memory();
    start(&store, &[("OPENAI_API_KEY", "1"), ("ANTHROPIC_API_KEY", "2"), ("XAI_API_KEY", "3")]).await;
    let snapshot = store.snapshot();
    let route = |id: &str| snapshot.get(&format!("/apisix/routes/tidegate-{id}")).unwrap().value.clone();
    let priority = |id: &str| route(id)["priority"].as_i64().unwrap();
    assert!(route("openai").get("vars").is_none());
    assert!(route("anthropic").get("vars").is_some());
    assert!(0 > priority("anthropic") && priority("anthropic") > priority("xai"));
    assert!(priority("xai") > priority("openai"));
}

#[tokio::test]
async fn a_start_that_did_not_come_to_its_end_is_made_again() {
    let store = Store::in_memory();
    let ours = serde_json::json!({"username": "default", "labels": {"managed_by": MANAGED_BY}});
    put(&store, "/apisix/consumers/default", ours).await;
    let first = start(&store, &[("OPENAI_API_KEY", "1")]).await;
    assert!(first.consumer_key.is_some());
    assert_eq!(routes(&store), ["tidegate-openai"]);
}

#[tokio::test]
async fn a_store_that_holds_anything_gets_nothing() {
    let store = Store::in_memory();
    put(&store, "/apisix/routes/mine", serde_json::json!({"uri": "/"})).await;
    let first = start(&store, &[("OPENAI_API_KEY", "1")]).await;
    assert_eq!(first.consumer_key, None);
    assert_eq!(routes(&store), ["mine"]);
}

#[tokio::test]
async fn a_server_that_moved_is_followed() {
    let store = Store::in_memory();
    start(&store, &[("OLLAMA_HOST", "gpu-1")]).await;
    start(&store, &[("OLLAMA_HOST", "gpu-2")]).await;
    start(&store, &[]).await;
    let snapshot = store.snapshot();
    let route = &snapshot.get("/apisix/routes/tidegate-ollama").unwrap().value;
    assert_eq!(route["plugins"]["ai-proxy"]["override"]["endpoint"], "http://gpu-2:11434");
}

#[tokio::test]
async fn a_start_without_changes_writes_nothing() {
    let store = Store::in_memory();
    let variables = [("OPENAI_API_KEY", "1"), ("GROQ_API_KEY", "2")];
    start(&store, &variables).await;
    let revision = store.snapshot().revision;
    let again = start(&store, &variables).await;
    assert_eq!(store.snapshot().revision, revision);
    assert_eq!(again.served.len(), 2);
}

#[tokio::test]
async fn a_route_that_was_deleted_does_not_come_back() {
    let store = Store::in_memory();
    start(&store, &[("OPENAI_API_KEY", "1")]).await;
    store.write(vec![Write::Delete { key: "/apisix/routes/tidegate-openai".to_owned() }]).await.unwrap();
    let again = start(&store, &[("OPENAI_API_KEY", "1"), ("GROQ_API_KEY", "2")]).await;
    assert!(routes(&store).is_empty());
    assert!(again.served.is_empty());
}

#[tokio::test]
async fn no_route_is_made_without_authentication() {
    let store = Store::in_memory();
    let first = start_with(&store, &[("OPENAI_API_KEY", "1")], "plugins: [ai-proxy]").await;
    assert_eq!(first.consumer_key, None);
    assert!(store.snapshot().is_empty());
}

#[test]
fn keys_are_letters_and_never_the_same() {
    let keys: HashSet<String> = (0..100).map(|_| crate::random::letters(32).unwrap()).collect();
    assert_eq!(keys.len(), 100);
    assert!(keys.iter().all(|key| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphabetic())));
}
