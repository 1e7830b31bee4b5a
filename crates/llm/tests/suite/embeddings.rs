//! Embeddings between clients and providers.

use serde_json::{Value, json};
use tidegate_llm::{
    AnswerHead, Asked, Course, EmbedClient, EmbedError, EmbedInput, EmbedProvider, EmbedRequest, EmbedTask, Embeddings,
    Encoding, Map, Protocol, Provider, Raw, Usage, Vector,
};

use crate::golden::exchanges;

fn asked(client: EmbedClient, body: &Value) -> EmbedRequest<'static> {
    let text: &'static str = body.to_string().leak();
    client.read_request(Raw::new(text.as_bytes()).unwrap()).unwrap()
}

fn refusal(body: Value) -> String {
    let text = body.to_string();
    EmbedClient::OpenAi.read_request(Raw::new(text.as_bytes()).unwrap()).unwrap_err().to_string()
}

fn sent(provider: EmbedProvider, request: &EmbedRequest<'_>) -> Value {
    serde_json::from_slice(&provider.write_request(request).unwrap()).unwrap()
}

fn answered(provider: EmbedProvider, body: &Value) -> Embeddings<'static> {
    let text: &'static str = body.to_string().leak();
    provider.read_response(Raw::new(text.as_bytes()).unwrap()).unwrap()
}

fn told(answer: &Embeddings<'_>, encoding: Encoding) -> Value {
    serde_json::from_slice(&EmbedClient::OpenAi.write_response(answer, "asked-for", encoding)).unwrap()
}

#[test]
fn one_request_in_every_providers_form() {
    let body = json!({"model": "m", "input": ["a", "b"], "dimensions": 8, "input_type": "query"});
    let request = asked(EmbedClient::OpenAi, &body);
    let forms = [
        (EmbedProvider::OpenAi, json!({"model": "m", "input": ["a", "b"], "dimensions": 8})),
        (
            EmbedProvider::VertexPredict,
            json!({
                "instances": [
                    {"content": "a", "task_type": "RETRIEVAL_QUERY"}, {"content": "b", "task_type": "RETRIEVAL_QUERY"},
                ],
                "parameters": {"outputDimensionality": 8},
            }),
        ),
        (
            EmbedProvider::Cohere,
            json!({
                "model": "m", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"],
                "output_dimension": 8,
            }),
        ),
        (EmbedProvider::Ollama, json!({"model": "m", "input": ["a", "b"], "dimensions": 8})),
        (
            EmbedProvider::DashScope,
            json!({"model": "m", "input": {"texts": ["a", "b"]}, "parameters": {"dimension": 8, "text_type": "query"}}),
        ),
    ];
    for (provider, expected) in forms {
        assert_eq!(sent(provider, &request), expected, "{provider:?}");
    }
    let batch = sent(EmbedProvider::GeminiBatch, &request);
    let item = json!({
        "model": "models/m", "content": {"parts": [{"text": "b"}]}, "outputDimensionality": 8,
        "taskType": "RETRIEVAL_QUERY",
    });
    assert_eq!(batch["requests"][1], item);
    assert!(sent(EmbedProvider::BedrockCohere, &request).get("model").is_none());
}

#[test]
fn models_that_take_one_text_refuse_two() {
    let request = asked(EmbedClient::OpenAi, &json!({"input": ["a", "b"]}));
    for provider in [EmbedProvider::BedrockTitan, EmbedProvider::BedrockNova, EmbedProvider::Gemini] {
        assert_eq!(provider.write_request(&request), Err(EmbedError::OneInput(2)));
    }
    let tokens = asked(EmbedClient::OpenAi, &json!({"input": [1, 2]}));
    assert_eq!(EmbedProvider::Cohere.write_request(&tokens), Err(EmbedError::Tokens));
}

#[test]
fn a_batch_repeats_no_long_name_of_a_model() {
    let request = asked(EmbedClient::OpenAi, &json!({"model": "m".repeat(300), "input": ["a", "b"]}));
    assert_eq!(EmbedProvider::GeminiBatch.write_request(&request), Err(EmbedError::LongModel(300)));
    assert!(EmbedProvider::Cohere.write_request(&request).is_ok());
}

#[test]
fn token_lists_reach_vertex_as_numbers_between_blanks() {
    let request = asked(EmbedClient::OpenAi, &json!({"input": [[1, 2], "x"]}));
    let expected = json!({"instances": [{"content": "1 2"}, {"content": "x"}]});
    assert_eq!(sent(EmbedProvider::VertexPredict, &request), expected);
}

#[test]
fn wrong_inputs_are_refused_in_apisixs_words() {
    assert_eq!(refusal(json!({"input": 7})), "`input` must be string or array");
    assert_eq!(refusal(json!({})), "`input` must be string or array");
    assert_eq!(refusal(json!({"input": ["a", true]})), "unsupported input type at index 2");
}

#[test]
fn vertex_predictions_become_an_openai_list() {
    let prediction = |tokens: u64| json!({"embeddings": {"values": [0.5], "statistics": {"token_count": tokens}}});
    let answer = answered(EmbedProvider::VertexPredict, &json!({"predictions": [prediction(2), prediction(3)]}));
    let expected = json!({
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5]},
            {"object": "embedding", "index": 1, "embedding": [0.5]},
        ],
        "model": "asked-for",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    });
    assert_eq!(told(&answer, Encoding::Float), expected);
    for (body, text) in [
        (r#"{"error": {}}"#, "vertex response missing predictions"),
        (r#"{"predictions": [{"embeddings": {}}]}"#, "invalid embedding at index 1"),
    ] {
        let error = EmbedProvider::VertexPredict.read_response(Raw::new(body.as_bytes()).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn vectors_change_their_encoding_only_if_asked() {
    let answer = answered(EmbedProvider::Ollama, &json!({"embeddings": [[0.5, -1.25]]}));
    let base64 = told(&answer, Encoding::Base64)["data"][0]["embedding"].clone();
    assert_eq!(base64, "AAAAPwAAoL8=");
    let answer = answered(EmbedProvider::OpenAi, &json!({"data": [{"index": 0, "embedding": base64}]}));
    assert_eq!(told(&answer, Encoding::Float)["data"][0]["embedding"], json!([0.5, -1.25]));
    assert_eq!(told(&answer, Encoding::Base64)["data"][0]["embedding"], base64);
}

#[test]
fn vectors_come_in_the_order_of_their_indices() {
    let body = json!({"data": [{"index": 1, "embedding": [1]}, {"index": 0, "embedding": [0]}]});
    let answer = answered(EmbedProvider::OpenAi, &body);
    let first = told(&answer, Encoding::Float)["data"][0]["embedding"].clone();
    assert_eq!(first, json!([0]));
    let item = |index: u64| json!({"text_index": index, "embedding": [index]});
    let answer = answered(EmbedProvider::DashScope, &json!({"output": {"embeddings": [item(1), item(0)]}}));
    let data = told(&answer, Encoding::Float)["data"].clone();
    assert_eq!([&data[0]["embedding"], &data[1]["embedding"]], [&json!([0]), &json!([1])]);
}

#[test]
fn recorded_requests_of_gemini_are_read() {
    for exchange in exchanges("gemini-embed") {
        let (client, count) = match exchange.request["requests"].as_array() {
            Some(requests) => (EmbedClient::GeminiBatch, requests.len()),
            None => (EmbedClient::Gemini, 1),
        };
        let request = asked(client, &exchange.request);
        assert_eq!(request.inputs.len(), count, "{}", exchange.name);
        assert!(request.inputs.iter().all(|input| matches!(input, EmbedInput::Text(text) if !text.is_empty())));
        let task = exchange.request["requests"][0]["taskType"].as_str();
        assert_eq!(request.task, task.map(|_| EmbedTask::Query), "{}", exchange.name);
    }
}

#[test]
fn every_recorded_vector_reaches_an_openai_client() {
    let apis = [
        ("openai-embeddings", EmbedProvider::OpenAi, "data"),
        ("gemini-embed", EmbedProvider::Gemini, "embedding"),
        ("cohere-embed", EmbedProvider::Cohere, "embeddings"),
        ("ollama-embed", EmbedProvider::Ollama, "embedding"),
    ];
    for (api, provider, member) in apis {
        for exchange in exchanges(api) {
            if exchange.status != 200 {
                let text = exchange.body.to_string();
                assert!(provider.read_response(Raw::new(text.as_bytes()).unwrap()).is_err(), "{}", exchange.name);
                continue;
            }
            let answer = answered(provider, &exchange.body);
            let encoding = match answer.vectors[0] {
                Vector::Floats(_) => Encoding::Float,
                Vector::Base64(_) => Encoding::Base64,
            };
            let vectors = told(&answer, encoding);
            let recorded = exchange.body.get(member).unwrap_or(&exchange.body["embeddings"]).to_string();
            for item in vectors["data"].as_array().unwrap() {
                assert!(recorded.contains(&item["embedding"].to_string()), "{}", exchange.name);
            }
            assert_eq!(vectors["usage"]["prompt_tokens"], answer.input_tokens.unwrap_or_default());
        }
    }
}

#[test]
fn recorded_embeddings_of_bedrock_are_read() {
    let of_models = exchanges("bedrock-invoke").into_iter().filter(|exchange| exchange.status == 200);
    let mut seen = 0;
    for exchange in of_models {
        let provider = match (exchange.body.get("embedding"), exchange.body.get("embeddings")) {
            (Some(_), _) => EmbedProvider::BedrockTitan,
            (None, Some(embeddings)) if embeddings.is_object() => EmbedProvider::BedrockCohere,
            (None, Some(embeddings)) if embeddings.is_array() => EmbedProvider::BedrockNova,
            (None, _) => continue,
        };
        seen += 1;
        assert_eq!(answered(provider, &exchange.body).vectors.len(), 1, "{}", exchange.name);
    }
    assert!(seen > 0 || std::env::var_os("TIDEGATE_FIXTURES").is_none());
}

#[test]
fn a_vectors_numbers_are_read_from_either_encoding() {
    let answer = answered(
        EmbedProvider::OpenAi,
        &json!({"data": [{"embedding": [0.5, -1]}, {"embedding": "AAAAPwAAgL8="}, {"embedding": "AAAA"}]}),
    );
    let numbers: Vec<_> = answer.vectors.iter().map(Vector::floats).collect();
    assert_eq!(numbers, [Some(vec![0.5, -1.0]), Some(vec![0.5, -1.0]), None]);
}

#[test]
fn one_text_in_the_forms_of_bedrocks_models() {
    let body = json!({"model": "m", "input": "a", "dimensions": 256, "input_type": "query", "truncate": "END"});
    let request = asked(EmbedClient::OpenAi, &body);
    let forms = [
        (EmbedProvider::BedrockTitan, json!({"inputText": "a", "dimensions": 256})),
        (
            EmbedProvider::BedrockTitanMultimodal,
            json!({"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": 256}}),
        ),
        (
            EmbedProvider::BedrockNova,
            json!({"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": {
                "embeddingPurpose": "GENERIC_RETRIEVAL", "embeddingDimension": 256,
                "text": {"truncationMode": "END", "value": "a"},
            }}),
        ),
    ];
    for (provider, expected) in forms {
        assert_eq!(sent(provider, &request), expected, "{provider:?}");
    }
    assert_eq!(sent(EmbedProvider::BedrockCohere, &request)["truncate"], "END");
    assert_eq!(sent(EmbedProvider::Ollama, &request)["truncate"], true);
}

#[test]
fn what_a_provider_has_no_words_for_is_named() {
    let body = json!({"model": "m", "input": "a", "input_type": "query", "truncate": "START", "user": "u"});
    let request = asked(EmbedClient::OpenAi, &body);
    for (provider, expected) in [
        (EmbedProvider::BedrockTitan, "field:user, field:input_type, field:truncate"),
        (EmbedProvider::Ollama, "field:user, field:input_type, field:truncate"),
        (EmbedProvider::GeminiBatch, "field:user, field:truncate"),
        (EmbedProvider::Cohere, "field:user"),
    ] {
        assert_eq!(provider.losses(EmbedClient::OpenAi, &request).to_string(), expected, "{provider:?}");
    }
    let voyages = asked(EmbedClient::OpenAi, &json!({"model": "m", "input": "a", "truncation": true}));
    assert_eq!(EmbedProvider::Gemini.losses(EmbedClient::OpenAi, &voyages).to_string(), "field:truncation");
    let body = json!({"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY"});
    let request = asked(EmbedClient::Gemini, &body);
    assert_eq!(EmbedProvider::OpenAi.losses(EmbedClient::Gemini, &request).to_string(), "field:taskType");
}

/// What a client of `from` gets of a provider's answer, and what is sent to the provider.
fn mapped(provider: &str, from: Protocol, request: &Value, answer: &Value) -> (Value, Value) {
    let model = request["model"].as_str().unwrap();
    let course = Provider::by_name(provider).unwrap().course(Asked::of(from, model));
    let Some(Course::Mapped { map, .. }) = course else { panic!("{provider}: {course:?}") };
    let text = request.to_string();
    let (sent, mapping) = map.request(Raw::new(text.as_bytes()).unwrap(), Some(model)).unwrap();
    let head = AnswerHead { id: "made-up", usage: Some(Usage::of_prompt(3)) };
    let told = mapping.answer(head, answer.to_string().as_bytes()).unwrap();
    (serde_json::from_slice(&sent).unwrap(), serde_json::from_slice(&told.body).unwrap())
}

#[test]
fn coheres_clients_reach_others() {
    let request = json!({
        "model": "m", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"],
        "output_dimension": 2, "truncate": "END",
    });
    let answer = json!({"model": "m", "data": [{"index": 0, "embedding": [1, 0]}, {"index": 1, "embedding": [0, 1]}]});
    let (sent, told) = mapped("openai", Protocol::CohereEmbed, &request, &answer);
    assert_eq!(sent, json!({"model": "m", "input": ["a", "b"], "dimensions": 2}));
    let expected = json!({
        "id": "made-up", "embeddings": {"float": [[1, 0], [0, 1]]}, "response_type": "embeddings_by_type",
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 3}},
    });
    assert_eq!(told, expected);
    let answer = json!({"embeddings": [{"values": [1, 0]}, {"values": [0, 1]}]});
    let (sent, _) = mapped("gemini", Protocol::CohereEmbed, &request, &answer);
    assert_eq!(sent["requests"][1]["taskType"], "RETRIEVAL_QUERY");
}

#[test]
fn the_model_that_is_asked_is_named_in_every_place_and_the_clients_own_in_the_answer() {
    let map = Map::Embeddings { client: EmbedClient::Cohere, provider: EmbedProvider::GeminiBatch };
    let request = json!({"model": "theirs", "texts": ["a", "b"]}).to_string();
    let (sent, _) = map.request(Raw::new(request.as_bytes()).unwrap(), Some("ours")).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!([&sent["requests"][0]["model"], &sent["requests"][1]["model"]], ["models/ours"; 2]);
    let map = Map::Embeddings { client: EmbedClient::OpenAi, provider: EmbedProvider::GeminiBatch };
    let request = json!({"model": "theirs", "input": "a"}).to_string();
    let (_, mapping) = map.request(Raw::new(request.as_bytes()).unwrap(), Some("ours")).unwrap();
    let told = mapping.answer(AnswerHead { id: "i", usage: None }, br#"{"embeddings":[{"values":[1]}]}"#).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&told.body).unwrap()["model"], "theirs");
}

#[test]
fn what_only_cohere_embeds_is_refused_elsewhere() {
    for (body, text) in [
        (json!({"texts": ["a"], "embedding_types": ["int8"]}), "embedding_types must be one of float and base64"),
        (json!({"images": ["data:image/png;base64,AA"]}), "only texts can be embedded"),
        (json!({"inputs": [{"content": [{"type": "image_url"}]}]}), "only texts can be embedded"),
        (json!({}), "texts must be an array"),
    ] {
        let body = body.to_string();
        let error = EmbedClient::Cohere.read_request(Raw::new(body.as_bytes()).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
}

#[test]
fn every_provider_with_embeddings_is_reached_by_every_client() {
    let providers = [
        ("openai", "m"),
        ("azure-openai", "m"),
        ("openrouter", "m"),
        ("gemini", "m"),
        ("vertex-ai", "text-embedding-005"),
        ("vertex-ai", "gemini-embedding-2"),
        ("bedrock", "amazon.titan-embed-text-v1"),
        ("bedrock", "amazon.titan-embed-text-v2:0"),
        ("bedrock", "amazon.titan-embed-image-v1"),
        ("bedrock", "us.cohere.embed-v4:0"),
        ("bedrock", "amazon.nova-2-multimodal-embeddings-v1:0"),
        ("cohere", "m"),
        ("mistral", "m"),
        ("voyage", "m"),
        ("jina", "m"),
        ("dashscope", "m"),
        ("dashscope-native", "m"),
        ("volcengine-ark", "m"),
        ("zhipu", "m"),
        ("siliconflow", "m"),
        ("together", "m"),
        ("fireworks", "m"),
        ("ollama", "m"),
        ("ollama-native", "m"),
        ("vllm", "m"),
        ("llamacpp", "m"),
        ("openai-compatible", "m"),
    ];
    for (provider, model) in providers {
        for client in
            [Protocol::OpenAiEmbeddings, Protocol::GeminiEmbed, Protocol::GeminiBatchEmbed, Protocol::CohereEmbed]
        {
            let course = Provider::by_name(provider).unwrap().course(Asked::of(client, model));
            let reached = matches!(course, Some(Course::Same(_) | Course::Mapped { map: Map::Embeddings { .. }, .. }));
            assert!(reached, "{client} to {provider} {model}: {course:?}");
        }
    }
}

#[test]
fn an_answer_with_something_else_in_the_place_of_a_vector_is_refused() {
    let with_a_hole = [
        (EmbedProvider::OpenAi, json!({"data": [{"embedding": null}, {"embedding": [1]}]})),
        (EmbedProvider::Cohere, json!({"embeddings": {"float": [null, [1]]}})),
        (EmbedProvider::BedrockCohere, json!({"embeddings": [{}, [1]]})),
        (EmbedProvider::BedrockNova, json!({"embeddings": [{"embedding": null}, {"embedding": [1]}]})),
        (EmbedProvider::DashScope, json!({"output": {"embeddings": [{}, {"embedding": [1]}]}})),
        (EmbedProvider::GeminiBatch, json!({"embeddings": [{"values": null}, {"values": [1]}]})),
        (EmbedProvider::Ollama, json!({"embeddings": [7, [1]]})),
    ];
    for (provider, body) in with_a_hole {
        let text = body.to_string();
        let error = provider.read_response(Raw::new(text.as_bytes()).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "invalid embedding at index 1", "{provider:?}");
    }
}

#[test]
fn an_index_is_repeated_only_where_indices_say_nothing() {
    let of = |indices: [u64; 2]| {
        let data = indices.map(|index| json!({"index": index, "embedding": [1]}));
        let text = json!({"data": data}).to_string();
        EmbedProvider::OpenAi.read_response(Raw::new(text.as_bytes()).unwrap()).map(|answer| answer.vectors.len())
    };
    assert_eq!(of([0, 0]), Ok(2));
    assert_eq!(of([1, 1]).unwrap_err().to_string(), "two embeddings have the same index");
}

#[test]
fn an_answer_has_as_many_vectors_as_there_are_inputs() {
    let map = Map::Embeddings { client: EmbedClient::OpenAi, provider: EmbedProvider::Ollama };
    let request = json!({"model": "m", "input": ["a", "b"]}).to_string();
    let (_, mapping) = map.request(Raw::new(request.as_bytes()).unwrap(), None).unwrap();
    let head = AnswerHead { id: "made-up", usage: None };
    let answer = |vectors: Value| mapping.answer(head, json!({"embeddings": vectors}).to_string().as_bytes());
    assert!(answer(json!([[1], [2]])).is_ok());
    for (vectors, count) in [(json!([[1]]), 1), (json!([[1], [2], [3]]), 3)] {
        let error = answer(vectors).unwrap_err();
        assert_eq!(error.to_string(), format!("the answer has {count} embeddings for 2 inputs"));
    }
}

#[test]
fn a_purpose_that_is_not_known_is_named() {
    let content = json!({"parts": [{"text": "a"}]});
    for (client, body, expected) in [
        (EmbedClient::OpenAi, json!({"input": "a", "input_type": "odd"}), "field:input_type"),
        (EmbedClient::Cohere, json!({"texts": ["a"], "input_type": "image"}), "field:input_type"),
        (EmbedClient::Gemini, json!({"content": content, "taskType": "FACT_VERIFICATION"}), "field:taskType"),
        (EmbedClient::Gemini, json!({"content": content, "taskType": "TASK_TYPE_UNSPECIFIED"}), ""),
    ] {
        assert_eq!(asked(client, &body).unread.to_string(), expected, "{body}");
    }
}

#[test]
fn a_word_for_truncation_that_is_not_known_is_named() {
    for (client, body, expected) in [
        (EmbedClient::Cohere, json!({"texts": ["a"], "truncate": "MIDDLE"}), "field:truncate"),
        (EmbedClient::Cohere, json!({"texts": ["a"], "truncate": "NONE"}), ""),
        (EmbedClient::OpenAi, json!({"input": "a", "truncate": "middle"}), "field:truncate"),
        (EmbedClient::OpenAi, json!({"input": "a", "truncation": 7}), "field:truncation"),
        (EmbedClient::OpenAi, json!({"input": "a", "truncation": false}), ""),
        (EmbedClient::OpenAi, json!({"input": "a", "encoding_format": "int8"}), "field:encoding_format"),
        (EmbedClient::OpenAi, json!({"input": "a", "encoding_format": "float"}), ""),
    ] {
        assert_eq!(asked(client, &body).unread.to_string(), expected, "{body}");
    }
}

#[test]
fn what_a_batch_of_gemini_cannot_ask_for_at_once_is_refused() {
    let item = |more: Value| {
        let mut item = json!({"content": {"parts": [{"text": "a"}]}});
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    let refusal = |requests: Value| {
        let text = json!({"requests": requests}).to_string();
        EmbedClient::GeminiBatch.read_request(Raw::new(text.as_bytes()).unwrap()).unwrap_err().to_string()
    };
    let mixed = "model, taskType and outputDimensionality must be the same in all requests";
    assert_eq!(refusal(json!([item(json!({"taskType": "CLUSTERING"})), item(json!({}))])), mixed);
    assert_eq!(refusal(json!([item(json!({})), item(json!({"outputDimensionality": 8}))])), mixed);
    let picture = json!({"content": {"parts": [{"text": "a"}, {"inlineData": {}}]}});
    assert_eq!(refusal(json!([picture])), "only texts can be embedded by this provider");
    assert_eq!(refusal(json!([])), "requests must be an array with at least one request");
}
