use ::config::schema::Validator;
use serde_json::json;

use super::*;

fn refusal(config: Value) -> Option<String> {
    let mut config = config;
    let schema = definition().info.schema.make();
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

#[test]
fn credentials_of_the_clouds_are_accepted() {
    let bedrock = |auth| json!({"provider": "bedrock", "provider_conf": {"region": "us-east-1"}, "auth": auth});
    let vertex =
        |auth| json!({"provider": "vertex-ai", "provider_conf": {"project_id": "p", "region": "global"}, "auth": auth});
    let rows = [
        bedrock(json!({"aws": {"access_key_id": "AKIA", "secret_access_key": "s", "session_token": "t"}})),
        bedrock(json!({"aws": {"source": "default"}})),
        bedrock(json!({"aws": {"source": "profile", "profile": "team"}})),
        bedrock(json!({"header": {"authorization": "Bearer bedrock-api-key"}})),
        vertex(json!({"gcp": {}})),
        vertex(json!({"gcp": {"service_account_json": "{}", "max_ttl": 1800, "expire_early_secs": 0}})),
        vertex(json!({"gcp": {"service_account_json": "$secret://file/gcp.json"}})),
        json!({"provider": "openai", "auth": {"entra": {"tenant_id": "t", "client_id": "c", "client_secret": "s"}}}),
        json!({"provider": "openai", "auth": {"entra": {}}}),
    ];
    for config in rows {
        assert_eq!(refusal(config.clone()), None, "{config}");
    }
}

#[test]
fn credentials_that_cannot_work_are_named() {
    let aws = |aws| json!({"provider": "bedrock", "provider_conf": {"region": "r"}, "auth": {"aws": aws}});
    let auth = |auth| json!({"provider": "openai", "auth": auth});
    let missing = r#"property "auth" validation failed: property "aws" validation failed: property "#;
    let rows = [
        (aws(json!({})), format!(r#"{missing}"access_key_id" is required"#)),
        (aws(json!({"access_key_id": "a"})), format!(r#"{missing}"secret_access_key" is required"#)),
        (
            aws(json!({"source": "instance", "access_key_id": "a"})),
            "auth.aws: keys are only taken where source is static".to_owned(),
        ),
        (
            aws(json!({"source": "instance", "profile": "p"})),
            "auth.aws.profile is only taken where source is profile or default".to_owned(),
        ),
        (
            json!({"provider": "bedrock", "provider_conf": {"region": "r"}, "auth": {}}),
            "bedrock requires auth.aws".to_owned(),
        ),
        (
            auth(json!({"gcp": {"service_account_json": "{"}})),
            "invalid gcp service_account_json: EOF while parsing an object at line 1 column 1".to_owned(),
        ),
        (
            auth(json!({"gcp": {}, "entra": {}})),
            "auth.gcp and auth.entra exclude each other: both set the header Authorization".to_owned(),
        ),
        (
            auth(json!({"entra": {"client_secret": "s"}})),
            "auth.entra: client_secret needs tenant_id and client_id".to_owned(),
        ),
        (
            auth(json!({"entra": {"client_secret": "s", "federated_token_file": "/f"}})),
            "auth.entra: client_secret and federated_token_file exclude each other".to_owned(),
        ),
    ];
    for (config, expected) in rows {
        assert_eq!(refusal(config.clone()).as_deref(), Some(expected.as_str()), "{config}");
    }
}
