//! Mistral's SDKs over a provider that speaks OpenAI's manner of their dialect, and other clients beside them.

use serde_json::{Value, json};

use super::{CHAT, chat};
use crate::fixture::Gateway;
use crate::provider::{Provider, Request};

const SDK: (&str, &str) = ("User-Agent", "mistral-client-python/2.1.0");
const STREAM: &str = concat!(
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",",
    "\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",",
    "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{",
    "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]}}]}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},",
    "\"finish_reason\":\"tool_calls\"}]}\n\n",
    "data: [DONE]\n\n",
);

/// What the provider called `name` gets of a streamed request with `headers`, and the body of what its client gets.
fn exchanged(name: &str, headers: &[(&str, &str)]) -> (Request, String) {
    let provider = Provider::sending("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n", STREAM.as_bytes());
    let ai_proxy = json!({
        "provider": name, "auth": {"header": {"Authorization": "Bearer own"}},
        "override": {"endpoint": provider.endpoint()},
    });
    let gateway = Gateway::with_plugins(json!({"ai-proxy": ai_proxy}));
    let mut body = chat(true);
    body["random_seed"] = 7.into();
    body["stream_options"] = json!({"include_usage": true});
    let answer = gateway.post(CHAT, headers, &body);
    (provider.asked(), answer.body)
}

/// The functions in the pieces of the calls.
fn functions(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let chunks = data.map(|data| serde_json::from_str::<Value>(data).expect("JSON"));
    let delta = |chunk: Value| chunk["choices"][0]["delta"]["tool_calls"][0].get("function").cloned();
    chunks.filter_map(delta).collect()
}

#[test]
fn bytes_pass_untouched_unless_the_client_is_mistrals_sdk_and_the_provider_is_not_mistral() {
    for (provider, headers) in
        [("openai", &[][..]), ("openai", &[("User-Agent", "OpenAI/Python 2.8.0")]), ("mistral", &[SDK])]
    {
        let (request, stream) = exchanged(provider, headers);
        assert_eq!(request.body["random_seed"], 7, "{provider} {headers:?}");
        assert_eq!(stream, STREAM, "{provider} {headers:?}");
    }
}

#[test]
fn mistrals_sdk_gets_a_name_in_each_piece_of_a_call_and_the_provider_is_asked_in_openais_words() {
    let (request, stream) = exchanged("openai", &[SDK]);
    assert_eq!((&request.body["seed"], request.body.get("random_seed")), (&json!(7), None));
    let functions = functions(&stream);
    assert!(functions.len() > 1 && functions.iter().all(|function| function["name"].is_string()), "{stream}");
}
