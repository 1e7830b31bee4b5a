//! Vectors that a plugin asks for itself.

use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::resource::KeepalivePool;
use gateway::inference::ask::{AskError, Caller, Embedded, Embedder, EmbedderConfig};
use gateway::inference::{Backend, BackendConfig, Place, ProviderAuth};
use gateway::tls::client::Verify;
use gateway::transport::Pool;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use llm::{EmbedTask, LossPolicy, ShapeConfig, ShapeRules};
use serde_json::json;

use crate::fixture::services;
use crate::provider::Provider;

/// The vectors of `texts`, asked of `server` as one of the row `name`, two texts at a time.
fn embed(name: &str, server: &Provider, texts: &[&str]) -> Result<Embedded, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let services = services(config::settings::Settings::default(), runtime.handle().clone());
    let provider = llm::Provider::by_name(name).expect("a provider");
    let backend = BackendConfig {
        name,
        provider,
        endpoint: Some(&server.endpoint()),
        auth: ProviderAuth {
            headers: vec![(AUTHORIZATION, HeaderValue::from_static("Bearer sk-own"))],
            query: vec![("key".to_owned(), "query-own".to_owned())],
            credentials: None,
        },
        rules: ShapeRules::compile(provider, &ShapeConfig::default()),
        timeout: Duration::from_secs(5),
        keepalive: KeepalivePool { size: 1, idle_timeout: Duration::from_secs(1), requests: 1 },
        verify: Verify::Yes,
        max_stream_duration: None,
        max_response_bytes: None,
        error_response: None,
        log_summary: false,
        log_payload: false,
        losses: LossPolicy::Drop,
        place: Place::default(),
    };
    let backend = Backend::compile(backend, &services).expect("a backend");
    let model = Some("m".to_owned());
    let config = EmbedderConfig { model, dimensions: Some(2), batch: NonZeroUsize::new(2) };
    let embedder = Embedder::new(Arc::new(backend), config).expect("an embedder");
    let caller = Caller::new(Rc::new(Pool::default()));
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, embedder.embed(&caller, texts, Some(EmbedTask::Query)))
}

#[test]
fn texts_become_vectors_in_as_many_calls_as_it_takes() {
    let vectors = json!([{"embedding": [0.5, 1]}, {"embedding": [2, 3]}]);
    let answer = json!({"data": vectors, "usage": {"prompt_tokens": 4}});
    let server = Provider::answering(200, "", &answer.to_string());
    let embedded = embed("openai", &server, &["a", "b", "c", "d"]).expect("vectors");
    assert_eq!(embedded.vectors, [[0.5, 1.0], [2.0, 3.0], [0.5, 1.0], [2.0, 3.0]]);
    assert_eq!((embedded.usage.prompt, embedded.usage.estimated), (8, false));
    assert_eq!(server.asked().body, json!({"model": "m", "input": ["a", "b"], "dimensions": 2}));
    assert_eq!(server.asked().body["input"], json!(["c", "d"]));
}

#[test]
fn a_provider_of_another_form_is_asked_in_its_own() {
    let answer = json!({"embeddings": {"float": [[0.5, 1]]}});
    let server = Provider::answering(200, "", &answer.to_string());
    let embedded = embed("cohere", &server, &["a"]).expect("vectors");
    assert!(embedded.usage.estimated && embedded.usage.prompt > 0);
    assert_eq!(server.asked().body["input_type"], "search_query");
}

#[test]
fn answers_that_do_not_fit_are_errors() {
    let error = r#"{"error":{"message":"no such model"}}"#;
    let repeated = r#"{"error":{"message":"Incorrect key: sk-own, query-own"}}"#;
    for (status, answer, text) in [
        (404, error, "the provider answered 404 Not Found: no such model"),
        (401, repeated, "the provider answered 401 Unauthorized: Incorrect key: [hidden], [hidden]"),
        (200, r#"{"data":[]}"#, "the answer cannot be used: the answer has no embeddings"),
        (200, r#"{"data":[{"embedding":[1,2]}]}"#, "the answer cannot be used: 1 vectors for 2 texts"),
        (
            200,
            r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#,
            "the answer cannot be used: a vector of 1 numbers where 2 were wanted",
        ),
    ] {
        let server = Provider::answering(status, "", answer);
        let failed = embed("openai", &server, &["a", "b"]).map_err(|error| error.to_string());
        assert_eq!(failed, Err(text.to_owned()));
    }
}
