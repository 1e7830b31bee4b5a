#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use config::check::Checker;
use config::resource::Kind;
use config::settings::Settings;
use serde_json::json;
use store::{Expect, Write};

use super::providers::{PROVIDERS, Provider, Variable};
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
        let after_another = [target_of(&PROVIDERS[(position + 1) % PROVIDERS.len()]), target];
        for draft in routes::drafts(&after_another, routes::Simulates::Every, &|_| true) {
            Checker::without_references(&catalog).check(Kind::Route, &draft.id, &draft.value).unwrap();
        }
    }
}

fn target_of(provider: &'static Provider) -> Target {
    Target { provider: Some(provider), endpoint: provider.endpoint("localhost"), is_available: true }
}

fn all_targets() -> Vec<Target> {
    PROVIDERS.iter().map(target_of).collect()
}

/// The id of the provider that a chat with `model` goes to, by the routes to `targets`.
fn provider_of(targets: &[Target], model: &str) -> &'static str {
    let claims = |provider: &&Provider| config::pattern::Pattern::new(provider.models).unwrap().is_match(model);
    let rest = targets::rest(targets).unwrap();
    let others = targets.iter().filter(|target| *target != rest).filter_map(|target| target.provider);
    others.into_iter().find(claims).map_or(rest.id(), |provider| provider.id)
}

#[test]
fn every_example_model_goes_to_its_provider_whatever_else_is_routed_to() {
    for provider in &PROVIDERS {
        assert_eq!(provider_of(&all_targets(), provider.example), provider.id, "beside all others");
        for other in PROVIDERS.iter().filter(|other| other.id != provider.id) {
            let mut pair = vec![target_of(provider), target_of(other)];
            pair.sort_by_key(|target| PROVIDERS.iter().position(|provider| provider.id == target.id()));
            assert_eq!(provider_of(&pair, provider.example), provider.id, "beside {}", other.id);
        }
    }
}

#[test]
fn what_is_meant_for_a_server_of_ones_own_goes_nowhere_else() {
    let all = all_targets();
    for model in [
        "llama3.2",
        "llama3.2:3b",
        "gemma3",
        "phi4",
        "mistral-small:24b",
        "qwen3:8b",
        "nomic-embed-text",
        "hf.co/a/b:Q4",
    ] {
        assert_eq!(provider_of(&all, model), "ollama", "{model}");
    }
    for model in ["ft:gpt-4o-mini:acme::1", "gpt-4o", "text-embedding-3-small", "omni-moderation-latest"] {
        assert_eq!(provider_of(&all, model), "openai", "{model}");
    }
}

#[test]
fn the_documentation_has_every_providers_row() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    for provider in &PROVIDERS {
        let begin = format!("| `{}` | {}", provider.variable_name(), provider.name);
        let row = page.lines().find(|line| line.starts_with(&begin)).unwrap_or_else(|| panic!("{begin}"));
        assert!(row.ends_with(&format!("| `{}` |", provider.models.replace('|', "\\|"))), "{row}");
        let embeds = paths::of(&target_of(provider)).contains(&"/v1/embeddings");
        assert_eq!(row.contains("| yes |"), embeds, "{row}");
    }
}

#[test]
fn a_path_is_routed_only_where_it_is_answered() {
    let paths_of = |id: &str| paths::of(&target_of(PROVIDERS.iter().find(|provider| provider.id == id).unwrap()));
    for provider in &PROVIDERS {
        let paths = paths_of(provider.id);
        for path in ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"] {
            assert!(paths.contains(&path), "{}: {path}", provider.id);
        }
    }
    assert!(paths_of("openai").contains(&"/v1/moderations"));
    assert!(!paths_of("anthropic").contains(&"/v1/embeddings"));
    assert!(!paths_of("groq").contains(&"/v1/moderations"));
    assert_eq!(PROVIDERS.iter().filter(|provider| paths_of(provider.id).contains(&"/v1/rerank")).count(), 1);
}

#[tokio::test]
async fn a_path_that_the_first_provider_lacks_goes_to_the_first_that_has_it() {
    let store = Store::in_memory();
    start(&store, &[("ANTHROPIC_API_KEY", "1"), ("MISTRAL_API_KEY", "2")]).await;
    let snapshot = store.snapshot();
    let rest = &snapshot.get("/apisix/routes/tidegate-mistral-rest").unwrap().value;
    assert_eq!(rest["uris"], json!(["/v1/embeddings", "/v1/moderations"]));
    assert!(rest.get("vars").is_none());
    assert!(snapshot.get("/apisix/routes/tidegate-anthropic-models").is_some());
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
    let ours = json!({"username": "default", "labels": {"managed_by": MANAGED_BY}});
    put(&store, "/apisix/consumers/default", ours).await;
    let first = start(&store, &[("OPENAI_API_KEY", "1")]).await;
    assert!(matches!(first.key, Some(FirstKey::Made(_))));
    assert!(!format!("{:?}", first.key).contains("tg-"), "the key can be printed");
    assert_eq!(routes(&store), ["tidegate-openai", "tidegate-openai-models"]);
}

#[tokio::test]
async fn a_store_that_holds_anything_gets_nothing() {
    let store = Store::in_memory();
    put(&store, "/apisix/routes/mine", json!({"uri": "/"})).await;
    let first = start(&store, &[("OPENAI_API_KEY", "1")]).await;
    assert_eq!((first.key, first.none_made), (None, Some(NoneMade::StoreInUse)));
    assert_eq!(routes(&store), ["mine"]);
}

#[tokio::test]
async fn a_server_that_moved_is_followed() {
    let store = Store::in_memory();
    start(&store, &[("OLLAMA_HOST", "gpu-1")]).await;
    start(&store, &[("OLLAMA_HOST", "gpu-2")]).await;
    let snapshot = store.snapshot();
    let route = &snapshot.get("/apisix/routes/tidegate-ollama").unwrap().value;
    assert_eq!(route["plugins"]["ai-proxy"]["override"]["endpoint"], "http://gpu-2:11434");
}

#[tokio::test]
async fn a_provider_whose_variable_is_gone_is_routed_to_no_longer() {
    let store = Store::in_memory();
    start(&store, &[("OPENAI_API_KEY", "1"), ("GROQ_API_KEY", "2")]).await;
    let second = start(&store, &[("GROQ_API_KEY", "2")]).await;
    assert_eq!(routes(&store), ["tidegate-groq"]);
    let gone: Vec<_> = second.gone.iter().map(|served| (served.provider, served.missing)).collect();
    assert_eq!(gone, [("OpenAI", Some("OPENAI_API_KEY"))]);

    let none = start(&store, &[]).await;
    assert_eq!(none.none_made, Some(NoneMade::NoProvider));
    assert!(routes(&store).is_empty());
    start(&store, &[("GROQ_API_KEY", "2")]).await;
    assert_eq!(routes(&store), ["tidegate-groq"]);
}

#[test]
fn the_simulator_answers_for_every_model_only_as_long_as_no_provider_was_there() {
    let simulator = Target { provider: None, endpoint: Some("http://127.0.0.1:1".to_owned()), is_available: true };
    let vars = |simulates| {
        routes::drafts(std::slice::from_ref(&simulator), simulates, &|_| true)[0].value.get("vars").cloned()
    };
    assert_eq!(vars(Simulates::Every), None);
    assert_eq!(vars(Simulates::ItsOwn), Some(json!([["post_arg.model", "~~", "^simulat"]])));

    let earlier = Record::new(&[target_of(&PROVIDERS[0])], &[], 1, None);
    assert!(earlier.has_served());
    let alone = [simulator];
    assert!(!Record::new(&alone, &[], 1, None).has_served());
    assert!(Record::new(&alone, &[], 2, Some(&earlier)).has_served(), "starts in between do not make it forgotten");
}

#[tokio::test]
async fn a_key_that_does_not_count_is_told_from_one_that_does() {
    let store = Store::in_memory();
    let openai = ("OPENAI_API_KEY", "1");
    assert_eq!(start(&store, &[openai, ("TIDEGATE_KEY", "mine")]).await.key, Some(FirstKey::Variable));
    assert_eq!(start(&store, &[openai, ("TIDEGATE_KEY", "mine")]).await.key, Some(FirstKey::Variable));
    assert_eq!(start(&store, &[openai, ("TIDEGATE_KEY", "another")]).await.key, Some(FirstKey::NotTheVariable));
    assert_eq!(start(&store, &[openai]).await.key, Some(FirstKey::EarlierStart));
}

#[test]
fn an_admin_key_is_told_by_where_it_comes_from() {
    use admin_key::Origin;
    let store = Store::in_memory();
    let origins = |config: &str, variable: Option<&str>| {
        let env = |name: &str| variable.filter(|_| name == admin_key::VARIABLE).map(str::to_owned);
        admin_key::complete(&settings(config), &store, &env).unwrap().origins
    };
    let configured = "deployment: {admin: {admin_key: [{name: admin, key: written, role: admin}]}}";
    assert_eq!(origins("", None), [Origin::Made]);
    assert_eq!(origins("", Some("x")), [Origin::Variable]);
    assert_eq!(origins(configured, None), [Origin::Configured]);
    assert_eq!(origins(configured, Some("written")), [Origin::Configured]);
    assert_eq!(origins(configured, Some("x")), [Origin::ConfiguredOverVariable]);
    assert_eq!(origins("deployment: {admin: {admin_key_required: false}}", None), [Origin::NoneAsked]);
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
    assert_eq!(routes(&store), ["tidegate-openai-models"]);
    assert_eq!((again.served.len(), again.none_made), (0, Some(NoneMade::Deleted)));
}

#[tokio::test]
async fn no_route_is_made_without_authentication() {
    let store = Store::in_memory();
    let first = start_with(&store, &[("OPENAI_API_KEY", "1")], "plugins: [ai-proxy]").await;
    assert_eq!((first.key, first.none_made), (None, Some(NoneMade::WithoutPlugins)));
    assert!(store.snapshot().is_empty());
}

#[test]
fn keys_are_letters_and_never_the_same() {
    let keys: HashSet<String> = (0..100).map(|_| crate::random::letters(32).unwrap()).collect();
    assert_eq!(keys.len(), 100);
    assert!(keys.iter().all(|key| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphabetic())));
}
