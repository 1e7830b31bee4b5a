//! Embeddings, rankings and token counts where client and provider have different forms.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::provider::Provider;

const EMBEDDINGS: &str = "/v1/embeddings";

/// A gateway that calls `provider`, which is of the row `name`.
fn in_front_of(name: &str, provider: &Provider) -> Inference {
    Inference::with(json!({
        "provider": name, "override": {"endpoint": provider.endpoint()},
        "provider_conf": {"project_id": "p", "region": "r"},
    }))
}

fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|error| panic!("{error}: {response:?}"))
}

#[test]
fn vertex_embeds_for_openais_clients() {
    let item = |tokens| json!({"embeddings": {"values": [0.5, 1], "statistics": {"token_count": tokens}}});
    let answer = json!({"predictions": [item(3), item(4)]});
    let provider = Provider::answering(200, "", &answer.to_string());
    let inference = in_front_of("vertex-ai", &provider);
    let request = json!({"model": "text-embedding-005", "input": ["a", [1, 2]], "user": "u"});
    let response = inference.gateway.post(EMBEDDINGS, &[], &request);
    let vector = |index| json!({"object": "embedding", "index": index, "embedding": [0.5, 1]});
    let expected = json!({
        "object": "list", "data": [vector(0), vector(1)], "model": "text-embedding-005",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    });
    assert_eq!((response.status, json_of(&response)), (200, expected));
    let asked = provider.asked();
    assert_eq!(asked.body, json!({"instances": [{"content": "a"}, {"content": "1 2"}]}));
    assert_eq!(asked.path, "/v1/projects/p/locations/r/publishers/google/models/text-embedding-005:predict");
    let usage = &inference.entry()["llm_usage"];
    assert_eq!((&usage["prompt"], &usage["total"]), (&json!(7), &json!(7)), "{usage:#}");
}

#[test]
fn vertex_answers_and_requests_that_are_none_are_told_as_in_apisix() {
    for (answer, text) in [
        ("{}", "vertex response missing predictions"),
        (r#"{"predictions":[{"embeddings":{}}]}"#, "invalid embedding at index 1"),
    ] {
        let provider = Provider::answering(200, "", answer);
        let response =
            in_front_of("vertex-ai", &provider).gateway.post(EMBEDDINGS, &[], &json!({"model": "m", "input": "a"}));
        assert_eq!((response.status, &*response.body), (500, text));
    }
    let provider = Provider::answering(200, "", "{}");
    let inference = in_front_of("vertex-ai", &provider);
    for (input, text) in
        [(json!(7), "`input` must be string or array"), (json!(["a", {}]), "unsupported input type at index 2")]
    {
        let response = inference.gateway.post(EMBEDDINGS, &[], &json!({"model": "m", "input": input}));
        assert_eq!((response.status, json_of(&response)), (400, json!({"error_msg": text})));
    }
    assert!(provider.is_idle());
}

#[test]
fn clients_of_gemini_get_vectors_of_other_providers() {
    let answer = json!({"embeddings": {"float": [[0.5]]}, "meta": {"billed_units": {"input_tokens": 2}}});
    let provider = Provider::answering(200, "", &answer.to_string());
    let inference = in_front_of("cohere", &provider);
    let content = json!({"parts": [{"text": "a"}]});
    let request = json!({"content": content, "taskType": "RETRIEVAL_QUERY"});
    let response = inference.gateway.post("/v1beta/models/embed-v4.0:embedContent", &[], &request);
    let usage = json!({"promptTokenCount": 2, "totalTokenCount": 2});
    let expected = json!({"embedding": {"values": [0.5]}, "usageMetadata": usage});
    assert_eq!((response.status, json_of(&response)), (200, expected));
    let asked = provider.asked();
    assert_eq!((&*asked.path, &asked.body["model"]), ("/v2/embed", &json!("embed-v4.0")));
    assert_eq!(asked.body["input_type"], "search_query");
}

#[test]
fn rankings_of_every_form_reach_a_client() {
    let results = json!([{"index": 1, "relevance_score": 0.9}]);
    let usage = json!({"total_tokens": 5});
    let rows = [
        ("voyage", json!({"data": results, "usage": usage}), "/v1/rerank", json!(1)),
        (
            "dashscope",
            json!({"output": {"results": results}, "usage": usage}),
            "/api/v1/services/rerank/text-rerank/text-rerank",
            Value::Null,
        ),
    ];
    for (name, answer, path, top_k) in rows {
        let provider = Provider::answering(200, "", &answer.to_string());
        let inference = in_front_of(name, &provider);
        let request = json!({"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 1});
        let response = inference.gateway.post("/v2/rerank", &[], &request);
        assert_eq!((response.status, &json_of(&response)["results"]), (200, &results), "{name}");
        let asked = provider.asked();
        assert_eq!((&*asked.path, &asked.body["top_k"]), (path, &top_k));
        assert_eq!(inference.entry()["llm_usage"]["prompt"], 5, "{name}");
    }
}

#[test]
fn a_refusal_is_told_in_the_clients_family_with_the_providers_limits() {
    let body = r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#;
    let headers = "retry-after-ms: 1500\r\nx-ratelimit-remaining: 3\r\n";
    let provider = Provider::answering(429, headers, body);
    let inference = in_front_of("vertex-ai", &provider);
    let response = inference.gateway.post(EMBEDDINGS, &[], &json!({"model": "m", "input": "a"}));
    let error = &json_of(&response)["error"];
    assert_eq!(
        (response.status, &error["message"], &error["type"]),
        (429, &json!("slow down"), &json!("rate_limit_error"))
    );
    assert_eq!(response.header("retry-after").as_deref(), Some("2"));
    assert_eq!(response.header("x-ratelimit-remaining-requests").as_deref(), Some("3"));
    assert_eq!(response.header("retry-after-ms").as_deref(), Some("1500"), "the provider's own stays");
}

#[test]
fn limits_are_told_in_the_dialect_of_a_translated_clients() {
    let answer = json!({
        "id": "m", "type": "message", "role": "assistant", "model": "c", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 1, "output_tokens": 1},
    });
    let headers = "anthropic-ratelimit-requests-limit: 50\r\nanthropic-ratelimit-requests-remaining: 49\r\n";
    let provider = Provider::answering(200, headers, &answer.to_string());
    let inference = in_front_of("anthropic", &provider);
    let response = inference.gateway.post("/v1/responses", &[], &json!({"model": "c", "input": "hi"}));
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(response.header("x-ratelimit-limit-requests").as_deref(), Some("50"));
    assert_eq!(response.header("x-ratelimit-remaining-requests").as_deref(), Some("49"));
}

#[test]
fn tokens_are_counted_by_the_gateway_where_the_provider_counts_none() {
    let provider = Provider::answering(500, "", "{}");
    let inference = in_front_of("openai", &provider);
    let anthropic = json!({"model": "m", "messages": [{"role": "user", "content": "Say something nice."}]});
    let gemini = json!({"contents": [{"parts": [{"text": "Say something nice."}]}]});
    let converse = json!({"messages": [{"role": "user", "content": [{"text": "Say something nice."}]}]});
    let invoked = BASE64_STANDARD.encode(anthropic.to_string());
    for (path, request, field) in [
        ("/v1/messages/count_tokens", anthropic, "input_tokens"),
        ("/v1beta/models/m:countTokens", gemini, "totalTokens"),
        ("/model/m/count-tokens", json!({"input": {"converse": converse}}), "inputTokens"),
        ("/model/m/count-tokens", json!({"input": {"invokeModel": {"body": invoked}}}), "inputTokens"),
    ] {
        let response = inference.gateway.post(path, &[], &request);
        assert_eq!(response.status, 200, "{}", response.body);
        assert!(json_of(&response)[field].as_u64().is_some_and(|count| (4..12).contains(&count)), "{}", response.body);
        assert_eq!(response.header("x-tidegate-estimated").as_deref(), Some("true"));
        assert_eq!(response.header("content-type").as_deref(), Some("application/json"));
    }
    assert!(provider.is_idle());
    assert_eq!(inference.entry().get("llm_usage").and_then(|usage| usage.get("prompt")), None);
}

#[test]
fn models_that_do_not_converse_are_invoked_in_their_own_form_beside_those_of_anthropic() {
    let provider = Provider::answering(200, "", r#"{"embedding":[0.5,1],"inputTextTokenCount":3}"#);
    let inference = in_front_of("bedrock-invoke", &provider);
    let model = "amazon.titan-embed-text-v2:0";
    let response = inference.gateway.post(EMBEDDINGS, &[], &json!({"model": model, "input": "hi"}));
    assert_eq!(response.status, 200, "{}", response.body);
    let asked = provider.asked();
    assert_eq!(asked.path, "/model/amazon.titan-embed-text-v2%3A0/invoke");
    assert_eq!((&asked.body["inputText"], asked.body.get("anthropic_version")), (&json!("hi"), None));
}

#[test]
fn a_configured_model_is_the_one_that_path_and_batch_name() {
    let provider = Provider::answering(200, "", r#"{"embeddings":[{"values":[1]}]}"#);
    let endpoint = json!({"endpoint": provider.endpoint()});
    let proxy = json!({"provider": "gemini", "options": {"model": "ours"}, "override": endpoint});
    let inference = Inference::with(proxy);
    let batch = json!({"requests": [{"model": "models/theirs", "content": {"parts": [{"text": "a"}]}}]});
    for (path, request) in
        [("/v1beta/models/theirs:batchEmbedContents", batch), ("/v2/embed", json!({"model": "theirs", "texts": ["a"]}))]
    {
        let response = inference.gateway.post(path, &[], &request);
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        let asked = provider.asked();
        assert_eq!(asked.path, "/v1beta/models/ours:batchEmbedContents", "{path}");
        assert_eq!(asked.body["requests"][0]["model"], "models/ours", "{path}");
    }
}
