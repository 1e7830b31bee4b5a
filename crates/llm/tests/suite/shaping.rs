//! What a provider receives for what a client sent.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tidegate_llm::{BodyScan, Edits, Protocol, Provider, ShapeConfig, ShapeRules, Shaped, shape_request};

fn scan(text: &str) -> BodyScan {
    BodyScan::parse(&Bytes::copy_from_slice(text.as_bytes()), 64).unwrap()
}

/// Rules from the JSON that stands in an AI proxy configuration.
fn rules(provider: &str, config: &Value) -> ShapeRules {
    let patches = &config["override"];
    let config = ShapeConfig {
        options: config["options"].as_object(),
        max_tokens: patches["llm_options"]["max_tokens"].as_u64(),
        request_body: patches["request_body"].as_object(),
        force: patches["request_body_force_override"] == true,
    };
    ShapeRules::compile(Provider::by_name(provider).unwrap(), &config)
}

fn shape(provider: &str, config: Value, body: &str) -> Shaped {
    shape_request(&scan(body), &rules(provider, &config), Protocol::OpenAiChat)
}

fn text(shaped: &Shaped) -> &str {
    std::str::from_utf8(&shaped.body).unwrap()
}

#[test]
fn a_body_that_nothing_changes_is_the_client_s_own() {
    let body = Bytes::from_static(b"{ \"model\" : \"m\",\"messages\":[] , \"n\":1.0 }");
    let scan = BodyScan::parse(&body, 64).unwrap();
    let same_model = json!({"options": {"model": "m"}});
    for config in [json!({}), same_model] {
        let shaped = shape_request(&scan, &rules("openai", &config), Protocol::OpenAiChat);
        assert!(!shaped.changed && !shaped.asked_usage);
        assert_eq!(shaped.body.as_ptr(), body.as_ptr());
    }
}

#[test]
fn options_overwrite_and_everything_else_keeps_its_bytes() {
    let body = "{ \"model\" : \"theirs\",\n \"messages\": [ 1.0, 1e5 ],\"stop\":[\"a\"] }";
    let shaped = shape("openai", json!({"options": {"model": "ours", "stop": ["b"], "seed": 7}}), body);
    assert_eq!(text(&shaped), "{ \"model\" : \"ours\",\n \"messages\": [ 1.0, 1e5 ],\"stop\":[\"b\"],\"seed\":7 }");
    assert!(shaped.changed);
}

#[test]
fn fields_are_added_to_an_empty_object_too() {
    let shaped = shape("openai", json!({"options": {"a": 1, "b\"": null}}), " { } ");
    assert_eq!(text(&shaped), " {\"a\":1,\"b\\\"\":null } ");
}

#[test]
fn the_output_limit_is_spelt_as_the_provider_wants_it() {
    let config = json!({"override": {"llm_options": {"max_tokens": 9}}});
    let cases = [
        ("openai", r#"{"max_tokens":5,"n":1}"#, r#"{"n":1,"max_completion_tokens":9}"#),
        ("deepseek", r#"{"max_tokens":5,"n":1}"#, r#"{"max_tokens":9,"n":1}"#),
        ("gemini", r#"{"n":1}"#, r#"{"n":1,"max_completion_tokens":9}"#),
        ("azure-openai", r#"{"model":"m","n":1}"#, r#"{"n":1,"max_tokens":9}"#),
        // The client's own spelling: Azure refuses both at once.
        ("azure-openai", r#"{"max_completion_tokens":5,"n":1}"#, r#"{"max_completion_tokens":9,"n":1}"#),
        ("azure-openai", r#"{"max_tokens":5,"max_completion_tokens":5}"#, r#"{"max_completion_tokens":9}"#),
    ];
    for (provider, body, expected) in cases {
        assert_eq!(text(&shape(provider, config.clone(), body)), expected, "{provider}");
    }
    let rules = rules("openai", &config);
    let responses = shape_request(&scan("{\"input\":1}"), &rules, Protocol::OpenAiResponses);
    assert_eq!(text(&responses), r#"{"input":1,"max_output_tokens":9}"#);
    let embeddings = shape_request(&scan("{\"input\":1}"), &rules, Protocol::OpenAiEmbeddings);
    assert!(!embeddings.changed);
}

#[test]
fn azure_is_not_told_the_model() {
    for (body, expected) in [
        (r#"{"model":"m","messages":[]}"#, r#"{"messages":[]}"#),
        (r#"{"messages":[],"model":"m"}"#, r#"{"messages":[]}"#),
        (r#"{"messages":[], "model":"m" , "n":1}"#, r#"{"messages":[] , "n":1}"#),
        (r#"{"model":"m"}"#, "{}"),
        (r#"{"model":"a","n":1,"model":"b"}"#, r#"{"n":1}"#),
    ] {
        assert_eq!(text(&shape("azure-openai", json!({"options": {"model": "x"}}), body)), expected);
    }
}

#[test]
fn googles_own_bodies_are_not_told_the_model_that_their_paths_name() {
    let protocols =
        [Protocol::GeminiGenerate, Protocol::GeminiCountTokens, Protocol::GeminiEmbed, Protocol::GeminiBatchEmbed];
    for protocol in protocols {
        let rules = rules("gemini", &json!({"options": {"model": "ours"}}));
        assert_eq!(text(&shape_request(&scan(r#"{"contents":[]}"#), &rules, protocol)), r#"{"contents":[]}"#);
    }
}

#[test]
fn a_replaced_field_leaves_no_duplicate_behind() {
    let config = json!({"options": {"model": "allowed"}});
    for body in [r#"{"model":"a","n":1,"model":"b"}"#, r#"{"model":"a","n":1,"model":"allowed"}"#] {
        assert_eq!(text(&shape("openai", config.clone(), body)), r#"{"n":1,"model":"allowed"}"#);
    }
    let spelt_apart = shape("openai", config, r#"{"mod\u0065l":"a","n":1}"#);
    assert_eq!(text(&spelt_apart), r#"{"mod\u0065l":"allowed","n":1}"#);
}

#[test]
fn usage_is_asked_for_in_streams_and_only_there() {
    let cases = [
        (r#"{"stream":true}"#, r#"{"stream":true,"stream_options":{"include_usage":true}}"#, true),
        (
            r#"{"stream":true,"stream_options":{"x":1}}"#,
            r#"{"stream":true,"stream_options":{"x":1,"include_usage":true}}"#,
            true,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            true,
        ),
        (
            r#"{"stream":true,"stream_options":null}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            true,
        ),
        (
            r#"{"stream":true,"stream_options": { "include_usage" : true } }"#,
            r#"{"stream":true,"stream_options": { "include_usage" : true } }"#,
            false,
        ),
        (r#"{"stream":false}"#, r#"{"stream":false}"#, false),
    ];
    for (body, expected, asked) in cases {
        let shaped = shape("openai", json!({}), body);
        assert_eq!((text(&shaped), shaped.asked_usage), (expected, asked));
        assert_eq!(shaped.changed, body != expected);
    }
    let responses = shape_request(&scan(r#"{"stream":true}"#), &rules("openai", &json!({})), Protocol::OpenAiResponses);
    assert!(!responses.changed && !responses.asked_usage);
}

#[test]
fn providers_that_tell_usage_in_every_stream_are_not_asked_for_it() {
    for provider in ["mistral", "perplexity", "zhipu", "zai"] {
        let shaped = shape(provider, json!({}), r#"{"stream":true}"#);
        assert!(!shaped.changed && !shaped.asked_usage, "{provider}");
        // What a client asks for itself is its own business.
        let body = r#"{"stream":true,"stream_options":{"include_usage":true}}"#;
        assert!(!shape(provider, json!({}), body).changed, "{provider}");
    }
}

#[test]
fn an_operator_who_turns_usage_off_is_obeyed() {
    let config = json!({"options": {"stream_options": {"include_usage": false}}});
    let shaped = shape("openai", config, r#"{"stream":true}"#);
    assert_eq!(text(&shaped), r#"{"stream":true,"stream_options":{"include_usage":false}}"#);
    assert!(!shaped.asked_usage);
}

#[test]
fn an_override_fills_gaps_and_by_force_replaces() {
    let body = r#"{"a":{"x":1,"deep":{"k":[1]}},"b":2,"list":[1]}"#;
    let patch = json!({"a": {"x": 9, "y": 3, "deep": {"k": [2], "l": {}}}, "b": {"z": 1}, "list": [2], "new": null});
    let config = |force: bool| json!({"override": {"request_body": {"openai-chat": patch}, "request_body_force_override": force}});
    assert_eq!(
        text(&shape("openai", config(false), body)),
        r#"{"a":{"x":1,"deep":{"k":[1],"l":{}},"y":3},"b":2,"list":[1],"new":null}"#
    );
    assert_eq!(
        text(&shape("openai", config(true), body)),
        r#"{"a":{"x":9,"deep":{"k":[2],"l":{}},"y":3},"b":{"z":1},"list":[2],"new":null}"#
    );
}

#[test]
fn an_override_is_for_its_own_protocol() {
    let config = json!({"override": {"request_body": {"openai-responses": {"store": false}}}});
    let rules = rules("openai", &config);
    assert!(!shape_request(&scan("{}"), &rules, Protocol::OpenAiChat).changed);
    assert_eq!(text(&shape_request(&scan("{}"), &rules, Protocol::OpenAiResponses)), r#"{"store":false}"#);
}

#[test]
fn a_list_is_never_shaped() {
    let shaped = shape("openai", json!({"options": {"model": "m"}}), "[1]");
    assert!(!shaped.changed);
    assert_eq!(text(&shaped), "[1]");
}

#[test]
fn the_operator_s_model_is_known_before_any_request() {
    assert_eq!(rules("openai", &json!({"options": {"model": "gpt-\"4"}})).fixed_model().as_deref(), Some("gpt-\"4"));
    assert_eq!(rules("openai", &json!({"options": {"n": 1}})).fixed_model(), None);
}

/// The merge by the documented rules, on trees.
fn merge_trees(target: &mut Map<String, Value>, patch: &Map<String, Value>, force: bool) {
    for (key, value) in patch {
        match (target.get_mut(key), value) {
            (Some(Value::Object(known)), Value::Object(members)) => merge_trees(known, members, force),
            (Some(known), _) if force => *known = value.clone(),
            (Some(_), _) => {}
            (None, _) => drop(target.insert(key.clone(), value.clone())),
        }
    }
}

fn any_object() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..9).prop_map(Value::from)];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec(("[a-d]", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    proptest::collection::vec(("[a-d]", value), 0..4).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn splicing_gives_what_merging_trees_gives(body in any_object(), patch in any_object(), force: bool, pretty: bool) {
        let mut merged = body.clone();
        merge_trees(&mut merged, &patch, force);
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let config = json!({"override": {"request_body": {"openai-chat": patch}, "request_body_force_override": force}});
        let shaped = shape("openai", config, &text);
        prop_assert_eq!(serde_json::from_slice::<Map<String, Value>>(&shaped.body).unwrap(), merged.clone());
        // A forced value may be spelt in another way than the equal one that it replaces.
        prop_assert!(shaped.changed || merged == body);
        prop_assert!(shaped.changed || shaped.body == text.as_bytes());
    }

    #[test]
    fn any_mix_of_edits_gives_what_a_map_gives(
        body in any_object(),
        edits in proptest::collection::vec(("[a-e]", proptest::option::of(0u8..9)), 0..6),
    ) {
        let text = serde_json::to_string(&body).unwrap();
        let scan = scan(&text);
        let mut spliced = Edits::new(&scan).unwrap();
        let mut expected = body.clone();
        for (key, value) in &edits {
            match value {
                Some(number) => {
                    spliced.set(key, number.to_string().into_bytes());
                    expected.insert(key.clone(), Value::from(*number));
                }
                None => {
                    spliced.remove(key);
                    expected.shift_remove(key);
                }
            }
        }
        let result = spliced.apply().unwrap_or_else(|| text.clone().into_bytes());
        prop_assert_eq!(serde_json::from_slice::<Map<String, Value>>(&result).unwrap(), expected);
    }
}

#[test]
fn a_configured_model_is_named_wherever_a_body_of_googles_repeats_it() {
    let ours = rules("gemini", &json!({"options": {"model": "ours"}}));
    let item = |model: &str| format!("{{ \"model\": \"models/{model}\", \"content\": {{}} }}");
    let batch = |model: &str| format!("{{\"requests\": [{},{}]}}", item(model), item(model));
    let count = |model: &str| format!("{{\"generateContentRequest\":{}}}", item(model));
    let snake_case = |body: &str| body.replace("generateContentRequest", "generate_content_request");
    for (protocol, theirs, expected) in [
        (Protocol::GeminiBatchEmbed, batch("theirs"), batch("ours")),
        (
            Protocol::GeminiBatchEmbed,
            "{\"requests\":[{}]}".into(),
            "{\"requests\":[{\"model\":\"models/ours\"}]}".into(),
        ),
        (Protocol::GeminiCountTokens, count("theirs"), count("ours")),
        (Protocol::GeminiCountTokens, snake_case(&count("theirs")), snake_case(&count("ours"))),
        (Protocol::GeminiCountTokens, "{\"contents\":[]}".into(), "{\"contents\":[]}".into()),
    ] {
        assert_eq!(text(&shape_request(&scan(&theirs), &ours, protocol)), expected, "{protocol}");
        let as_it_is = shape_request(&scan(&theirs), &rules("gemini", &json!({})), protocol);
        assert!(!as_it_is.changed, "{protocol}");
    }
}
