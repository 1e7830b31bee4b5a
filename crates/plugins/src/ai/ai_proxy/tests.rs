use ::config::schema::Validator;
use serde_json::json;

use super::*;

fn refusal(config: Value) -> Option<String> {
    let mut config = config;
    let schema = definition().info.schema;
    let validator = Validator::compile(&schema).expect("the schema compiles");
    validator.check_and_fill(&mut config).and_then(|()| check(&config, Side::Route)).err()
}

#[test]
fn configurations_of_the_openai_family_are_accepted() {
    let rows = [
        json!({"provider": "openai", "auth": {"header": {"Authorization": "Bearer k"}}, "options": {"model": "gpt-4o"}}),
        json!({"provider": "deepseek", "auth": {}}),
        json!({"provider": "azure-openai", "auth": {"query": {"api-version": "2024-02-01"}},
               "override": {"endpoint": "https://r.example/openai/deployments/d/chat/completions"}}),
        json!({"provider": "openai-compatible", "auth": {}, "override": {"endpoint": "http://127.0.0.1:8000",
               "llm_options": {"max_tokens": 5}, "request_body": {"openai-chat": {"top_k": 1}}}}),
    ];
    for config in rows {
        assert_eq!(refusal(config.clone()), None, "{config}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let rows = [
        (
            json!({"provider": "nobody", "auth": {}}),
            r#"property "provider" validation failed: matches none of the enum values"#,
        ),
        (json!({"provider": "openai"}), r#"property "auth" is required"#),
        (
            json!({"provider": "openai", "auth": {}, "timeout": 0}),
            r#"property "timeout" validation failed: expected 0 to be at least 1"#,
        ),
        (
            json!({"provider": "openai", "auth": {}, "override": {"llm_options": {"temperature": 1}}}),
            r#"property "override" validation failed: property "llm_options" validation failed: additional properties forbidden, found temperature"#,
        ),
        (json!({"provider": "bedrock", "auth": {}}), "bedrock requires provider_conf.region"),
        (
            json!({"provider": "vertex-ai", "auth": {}, "provider_conf": {"region": "us-east1"}}),
            "vertex-ai requires either provider_conf (project_id + region) or override.endpoint",
        ),
    ];
    for (config, expected) in rows {
        assert_eq!(refusal(config.clone()).as_deref(), Some(expected), "{config}");
    }
}
