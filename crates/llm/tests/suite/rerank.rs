//! Reranking between clients and providers.

use serde_json::{Value, json};
use tidegate_llm::{Raw, RerankProvider, RerankRequest};

use crate::golden::exchanges;

fn asked(body: &Value) -> RerankRequest<'static> {
    let text: &'static str = body.to_string().leak();
    RerankRequest::read(Raw::new(text.as_bytes()).unwrap()).unwrap()
}

fn sent(provider: RerankProvider, request: &RerankRequest<'_>) -> Value {
    serde_json::from_slice(&provider.write_request(request)).unwrap()
}

/// What the client gets for the provider's `body`.
fn told(provider: RerankProvider, request: &RerankRequest<'_>, body: &Value) -> Result<Value, String> {
    let text = body.to_string();
    let ranking = provider.read_response(Raw::new(text.as_bytes()).unwrap(), request);
    let ranking = ranking.map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&ranking.write(request)).unwrap())
}

#[test]
fn one_request_in_every_providers_form() {
    let request = asked(&json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1}));
    let plain = json!({"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 1});
    assert_eq!(sent(RerankProvider::Plain, &request), plain);
    let voyage = json!({"model": "m", "query": "q", "documents": ["a", "b"], "top_k": 1});
    assert_eq!(sent(RerankProvider::Voyage, &request), voyage);
    assert_eq!(
        sent(RerankProvider::BedrockAmazon, &request),
        json!({"query": "q", "documents": ["a", "b"], "top_n": 1})
    );
    let cohere = json!({"api_version": 2, "query": "q", "documents": ["a", "b"], "top_n": 1});
    assert_eq!(sent(RerankProvider::BedrockCohere, &request), cohere);
    let native = json!({"model": "m", "input": {"query": "q", "documents": ["a", "b"]}, "parameters": {"top_n": 1}});
    assert_eq!(sent(RerankProvider::DashScope, &request), native);
}

#[test]
fn documents_are_repeated_if_the_client_asks() {
    let request = asked(&json!({"query": "q", "documents": ["a", "b"], "return_documents": true}));
    let body = json!({"output": {"results": [{"index": 1, "relevance_score": 0.5}]}, "usage": {"total_tokens": 4}});
    let expected = json!({
        "results": [{"index": 1, "relevance_score": 0.5, "document": {"text": "b"}}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    });
    assert_eq!(told(RerankProvider::DashScope, &request, &body), Ok(expected));
}

#[test]
fn a_result_for_a_document_that_is_not_there_is_refused() {
    let request = asked(&json!({"query": "q", "documents": ["a"]}));
    let body = json!({"results": [{"index": 1, "relevance_score": 0.5}]});
    let error = told(RerankProvider::Plain, &request, &body).unwrap_err();
    assert_eq!(error, "a result names no document of the request");
}

#[test]
fn requests_without_query_or_documents_are_refused() {
    for (body, text) in [
        (r#"{"documents": ["a"]}"#, "query must be a string"),
        (r#"{"query": "q"}"#, "documents must be an array with at least one document"),
        (r#"{"query": "q", "documents": ["a", 7]}"#, "documents[1] must be a string or an object with text"),
    ] {
        let refused = RerankRequest::read(Raw::new(body.as_bytes()).unwrap()).unwrap_err();
        assert_eq!(refused.to_string(), text);
    }
}

#[test]
fn every_recorded_ranking_reaches_the_client_as_it_was() {
    for api in ["cohere-rerank", "rerank", "dashscope-rerank"] {
        for exchange in exchanges(api) {
            let provider = match (api, exchange.body.get("data")) {
                ("dashscope-rerank", _) => RerankProvider::DashScope,
                (_, Some(_)) => RerankProvider::Voyage,
                (_, None) => RerankProvider::Plain,
            };
            // DashScope's own requests hold the client's in `input`.
            let request = asked(exchange.request.get("input").unwrap_or(&exchange.request));
            let answer = told(provider, &request, &exchange.body);
            assert_eq!(answer.is_ok(), exchange.status == 200, "{}: {answer:?}", exchange.name);
            let Ok(answer) = answer else { continue };
            let body = &exchange.body;
            let recorded = body.get("results").or(body.get("data")).unwrap_or(&body["output"]["results"]);
            for (result, recorded) in answer["results"].as_array().unwrap().iter().zip(recorded.as_array().unwrap()) {
                assert_eq!(result["index"], recorded["index"], "{}", exchange.name);
                assert_eq!(result["relevance_score"], recorded["relevance_score"], "{}", exchange.name);
            }
            assert_eq!(answer["usage"]["total_tokens"], exchange.body["usage"]["total_tokens"], "{}", exchange.name);
        }
    }
}

#[test]
fn a_document_that_is_named_twice_is_refused() {
    let request = asked(&json!({"query": "q", "documents": ["a", "b"], "return_documents": true}));
    let results = vec![json!({"index": 0, "relevance_score": 0.5}); 20_000];
    let error = told(RerankProvider::Plain, &request, &json!({"results": results})).unwrap_err();
    assert_eq!(error, "two results name the same document");
}
