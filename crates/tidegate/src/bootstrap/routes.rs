//! The first routes, one per target. The first target's route takes every model; the others take their own models and
//! are asked before it. Their paths are whole ones and their priorities below 0: a user's route for the same path
//! comes first, unless it has a priority below these. One for a prefix of it does not, whatever its priority: the router
//! asks whole paths before prefixes.

use config::resource::Kind;
use serde_json::{Map, Value, json};

use super::providers::{self, Provider, Variable};
use super::resources::{Draft, MANAGED_BY};
use super::targets::Target;

/// For the routes that take their own models, downwards.
const HIGHEST_PRIORITY: i64 = -10;

/// For the route that takes every model.
const LOWEST_PRIORITY: i64 = -1000;

/// Names of models that the simulator claims when it stands beside real providers.
const SIMULATED_MODELS: &str = "^simulat";

/// The key in the store of a target's route.
pub fn key(target: &Target) -> String {
    format!("/apisix/{}/{}", Kind::Route.collection(), id(target))
}

/// The route to `target`, which is at `position` among all. Plugins that are not enabled are left out.
pub fn draft(target: &Target, position: usize, is_enabled: &dyn Fn(&str) -> bool) -> Draft {
    let id = id(target);
    let mut value = json!({
        "id": id,
        "name": target.provider.map_or("simulated provider", |provider| provider.name),
        "desc": description(target.provider),
        "labels": labels(target.provider),
        "uris": providers::uris(target.provider),
        "methods": ["POST"],
        "priority": priority(position),
        "plugins": plugins(target, is_enabled),
    });
    if position > 0 {
        let models = target.provider.map_or(SIMULATED_MODELS, |provider| provider.models);
        value["vars"] = json!([["post_arg.model", "~~", models]]);
    }
    Draft { kind: Kind::Route, id, value }
}

fn id(target: &Target) -> String {
    format!("tidegate-{}", target.id())
}

fn priority(position: usize) -> i64 {
    match i64::try_from(position) {
        Ok(0) => LOWEST_PRIORITY,
        position => HIGHEST_PRIORITY - position.unwrap_or_default(),
    }
}

fn description(provider: Option<&Provider>) -> String {
    match provider {
        Some(provider) => format!("Made at the first start of Tidegate, because {} is set.", provider.variable_name()),
        None => "Made at the first start of Tidegate. SIMULATED: no model answers here.".to_owned(),
    }
}

fn labels(provider: Option<&Provider>) -> Value {
    match provider {
        Some(provider) => json!({"managed_by": MANAGED_BY, "provider": provider.id}),
        None => json!({"managed_by": MANAGED_BY, "provider": "simulator", "simulated": "true"}),
    }
}

fn auth(provider: Option<&Provider>) -> Value {
    let Some(provider) = provider else { return json!({}) };
    match provider.variable {
        Variable::Address(_) => json!({}),
        Variable::Key(name) => {
            let (header, scheme) = provider.key_header();
            json!({"header": {header: format!("{scheme}$env://{name}")}})
        }
    }
}

fn plugins(target: &Target, is_enabled: &dyn Fn(&str) -> bool) -> Value {
    let mut ai_proxy = json!({
        "provider": target.provider.map_or("openai-compatible", |provider| provider.driver),
        "auth": auth(target.provider),
    });
    if let Some(endpoint) = &target.endpoint {
        ai_proxy["override"] = json!({"endpoint": endpoint});
    }
    let all = [
        ("key-auth", json!({"header": "Authorization", "hide_credentials": true})),
        ("ai-proxy", ai_proxy),
        ("prometheus", json!({})),
    ];
    let enabled = all.into_iter().filter(|(name, _)| is_enabled(name));
    Value::Object(enabled.map(|(name, conf)| (name.to_owned(), conf)).collect::<Map<_, _>>())
}
