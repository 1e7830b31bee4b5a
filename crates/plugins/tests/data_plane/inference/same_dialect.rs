//! Requests that stay in their dialect: where they go, and whose keys they show there.

use serde_json::{Value, json};

use super::{CHAT, chat};
use crate::fixture::Gateway;
use crate::provider::{Provider, Request};

const GENERATE: &str = "/v1beta/models/gemini-2.5-flash:generateContent";

/// What the provider gets of a request to `path` with `headers`.
fn asked(ai_proxy: Value, path: &str, headers: &[(&str, &str)], body: &Value) -> Request {
    let provider = Provider::answering(200, "", "{}");
    let mut ai_proxy = ai_proxy;
    ai_proxy["override"] = json!({"endpoint": provider.endpoint()});
    let gateway = Gateway::with_plugins(json!({"ai-proxy": ai_proxy}));
    gateway.post(path, headers, body);
    provider.asked()
}

fn contents() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
}

#[test]
fn azure_is_told_the_version_whatever_is_asked_and_however() {
    let azure = json!({"provider": "azure-openai", "auth": {"header": {"api-key": "k"}},
                       "provider_conf": {"api_version": "2024-10-21"}});
    let at = |operation: &str, version: &str| format!("/openai/deployments/gpt-4o/{operation}?api-version={version}");
    let embeddings = json!({"model": "gpt-4o", "input": "hi"});
    let messages = json!({"model": "gpt-4o", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
    for (path, body, expected) in [
        (CHAT, &chat(false), at("chat/completions", "2024-10-21")),
        (CHAT, &chat(true), at("chat/completions", "2024-10-21")),
        ("/v1/embeddings", &embeddings, at("embeddings", "2024-10-21")),
        ("/v1/messages", &messages, at("chat/completions", "2024-10-21")),
        ("/v1/chat/completions?api-version=2025-01-01&x=y", &chat(false), at("chat/completions", "2025-01-01")),
        ("/openai/any?x=y", &json!({"a": 1}), "/openai/any?api-version=2024-10-21&x=y".to_owned()),
    ] {
        assert_eq!(asked(azure.clone(), path, &[], body).path, expected, "{path}");
    }
}

#[test]
fn no_key_of_a_client_goes_along_where_the_operator_has_configured_one() {
    let keys = [("Authorization", "Bearer c1"), ("x-api-key", "c2"), ("x-goog-api-key", "c3"), ("api-key", "c4")];
    let own = json!({"provider": "openai", "auth": {"header": {"Authorization": "Bearer own"}}});
    let head = asked(own, CHAT, &keys, &chat(false)).head;
    assert!(head.contains("authorization: bearer own\r\n"), "{head}");
    assert!(["c1", "c2", "c3", "c4"].iter().all(|key| !head.contains(&format!("{key}\r\n"))), "{head}");

    let head = asked(json!({"provider": "openai", "auth": {}}), CHAT, &keys, &chat(false)).head;
    assert!(["c1", "c2", "c3", "c4"].iter().all(|key| head.contains(&format!("{key}\r\n"))), "{head}");
}

#[test]
fn headers_reach_the_provider_in_the_order_in_which_they_came() {
    let headers = [("X-A", "1"), ("Connection", "close"), ("Accept-Encoding", "gzip"), ("X-B", "1"), ("api-key", "c")];
    let headers = [&headers[..], &[("X-C", "1"), ("X-Credential-Identifier", "c"), ("X-D", "1")]].concat();
    let own = json!({"provider": "openai", "auth": {"header": {"Authorization": "Bearer own"}}});
    let asked = asked(own, CHAT, &headers, &chat(false));
    let names: Vec<&str> = asked.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
    let own: Vec<&str> = names.iter().copied().filter(|name| name.starts_with("x-")).collect();
    assert_eq!(own, ["x-a", "x-b", "x-c", "x-d"], "{}", asked.head);
    assert_eq!(names.iter().filter(|name| **name == "content-length").count(), 1, "{}", asked.head);
    assert!(["connection", "accept-encoding", "api-key"].iter().all(|gone| !names.contains(gone)), "{}", asked.head);
    assert_eq!(asked.body["messages"], chat(false)["messages"], "its length is right");
}

#[test]
fn a_key_in_the_query_of_googles_clients_is_shown_where_the_provider_looks() {
    let path = format!("{GENERATE}?key=c1&alt=json");
    let google = asked(json!({"provider": "gemini", "auth": {}}), &path, &[], &contents());
    assert!(google.head.contains("x-goog-api-key: c1\r\n"), "{}", google.head);
    assert!(!google.path.contains("c1"), "{}", google.path);
    let anthropic = asked(json!({"provider": "anthropic", "auth": {}}), &path, &[], &contents());
    assert!(anthropic.head.contains("x-api-key: c1\r\n"), "{}", anthropic.head);

    let own = json!({"header": {"x-goog-api-key": "own"}});
    let stored =
        asked(json!({"provider": "gemini", "auth": own}), "/v1beta/cachedContents?key=c1&x=y", &[], &json!({"a": 1}));
    assert_eq!(stored.path, "/v1beta/cachedContents?x=y");
    let hidden = asked(json!({"provider": "gemini", "auth": own}), &path, &[], &contents());
    assert!(hidden.head.contains("x-goog-api-key: own\r\n"), "{}", hidden.head);
    assert!(!hidden.head.contains("c1") && !hidden.path.contains("c1"), "{} {}", hidden.path, hidden.head);
}

#[test]
fn a_key_of_the_clients_own_is_shown_as_the_providers_path_wants_it() {
    let messages = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
    let key = ("x-api-key", "c1");
    let bearer = ("Authorization", "Bearer c1");
    let token = ("Authorization", "Bearer eyJ0.e30.x");
    for (provider, path, body, shown, expected) in [
        ("gemini", "/v1/messages", &messages, key, "authorization: bearer c1\r\n"),
        ("gemini", "/v1/messages", &messages, bearer, "authorization: bearer c1\r\n"),
        ("gemini", "/v1/responses", &json!({"model": "m", "input": "hi"}), bearer, "x-goog-api-key: c1\r\n"),
        ("openai", "/v1/messages", &messages, key, "authorization: bearer c1\r\n"),
        ("azure-openai", "/v1/messages", &messages, key, "api-key: c1\r\n"),
        ("azure-openai", "/v1/messages", &messages, token, "authorization: bearer eyj0.e30.x\r\n"),
    ] {
        let head = asked(json!({"provider": provider, "auth": {}}), path, &[shown], body).head;
        let keys = ["authorization: ", "x-api-key: ", "x-goog-api-key: ", "api-key: "];
        let told = head.lines().filter(|line| keys.iter().any(|key| line.starts_with(key))).count();
        assert!(head.contains(expected) && told == 1, "{provider} {shown:?}: {head}");
    }
}
