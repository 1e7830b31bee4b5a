//! The first routes. A target's route takes its own models; one target's takes every model, and is asked last. What no
//! model is named for, and the paths that this one does not have, go to the first target that has them. The paths are
//! whole ones, but for the list of models, and the priorities below 0: a user's route for the same path comes first,
//! unless it has a priority below these. One for a prefix of it does not, whatever its priority: the router asks whole
//! paths before prefixes.

use config::resource::Kind;
use serde_json::{Map, Value, json};

use super::paths;
use super::providers::{Provider, Variable};
use super::resources::{Draft, MANAGED_BY};
use super::targets::{self, Target};

/// For the routes that take their own models, downwards.
const HIGHEST_PRIORITY: i64 = -10;

/// For the routes that take every model.
const LOWEST_PRIORITY: i64 = -1000;

/// For the route of models that there are no longer.
const UNKNOWN_PRIORITY: i64 = LOWEST_PRIORITY - 1;

/// Names of models that the simulator claims when it stands beside real providers, or where one stood.
const SIMULATED_MODELS: &str = "^simulat";

/// Tells the simulator that it does not know the model.
const UNKNOWN_MODEL: (&str, &str) = ("x-simulate", "unknown-model");

/// Whether a plugin is enabled. Others are left out.
pub type IsEnabled<'a> = &'a dyn Fn(&str) -> bool;

/// Which models the simulator answers for where there is no provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simulates {
    /// Any, for a newcomer's first requests.
    Every,
    /// None but its own: clients that know a provider must not take its words for a model's.
    ItsOwn,
}

/// What distinguishes one of a target's routes from its others.
struct Entrance {
    /// Behind the target's id in the route's.
    suffix: &'static str,
    methods: &'static [&'static str],
    uris: Vec<&'static str>,
    /// A pattern of models; `None` takes all.
    models: Option<&'static str>,
    priority: i64,
    /// A header for the provider, beside its key.
    header: Option<(&'static str, &'static str)>,
}

impl Entrance {
    const PLAIN: Self = Self {
        suffix: "",
        methods: &["POST"],
        uris: Vec::new(),
        models: None,
        priority: LOWEST_PRIORITY,
        header: None,
    };
}

/// The key in the store of the route that `target` has in any case.
pub fn key(target: &Target) -> String {
    format!("/apisix/{}/{}", Kind::Route.collection(), id(target, ""))
}

/// The routes to `targets`.
pub fn drafts(targets: &[Target], simulates: Simulates, is_enabled: IsEnabled<'_>) -> Vec<Draft> {
    let Some(rest) = targets::rest(targets) else { return Vec::new() };
    let mut drafts = Vec::new();
    let mut taken = paths::of(rest);
    let is_stand_in = rest.provider.is_none() && simulates == Simulates::ItsOwn;
    for (target, priority) in targets.iter().zip((0..).map(|position| HIGHEST_PRIORITY - position)) {
        let uris = paths::of(target);
        if target == rest {
            let models = is_stand_in.then_some(SIMULATED_MODELS);
            drafts.push(draft(target, Entrance { uris, models, ..Entrance::PLAIN }, is_enabled));
            continue;
        }
        let left: Vec<_> = uris.iter().copied().filter(|uri| !taken.contains(uri)).collect();
        let models = Some(target.provider.map_or(SIMULATED_MODELS, |provider| provider.models));
        drafts.push(draft(target, Entrance { uris, models, priority, ..Entrance::PLAIN }, is_enabled));
        // What the simulator says of anything but its own models would pass for a provider's word.
        if !left.is_empty() && target.provider.is_some() {
            taken.extend(&left);
            drafts.push(draft(target, Entrance { suffix: "-rest", uris: left, ..Entrance::PLAIN }, is_enabled));
        }
    }
    let listing = std::iter::once(rest).chain(targets).find(|target| paths::lists_models(target));
    drafts.extend(listing.map(|target| {
        let uris = if is_stand_in { paths::LISTING_SIMULATED } else { paths::LISTING };
        let listing = Entrance { suffix: "-models", methods: &["GET"], uris: uris.to_vec(), ..Entrance::PLAIN };
        draft(target, listing, is_enabled)
    }));
    if is_stand_in {
        drafts.push(draft(rest, unknown(rest), is_enabled));
    }
    drafts
}

/// Tells clients, in their own dialect, that the models which a provider once answered for are gone.
fn unknown(stand_in: &Target) -> Entrance {
    let uris = paths::of(stand_in).into_iter().chain(paths::LISTING).collect();
    let header = Some(UNKNOWN_MODEL);
    Entrance {
        suffix: "-unknown",
        methods: &["GET", "POST"],
        uris,
        priority: UNKNOWN_PRIORITY,
        header,
        ..Entrance::PLAIN
    }
}

fn draft(target: &Target, entrance: Entrance, is_enabled: IsEnabled<'_>) -> Draft {
    let Entrance { suffix, methods, uris, models, priority, header } = entrance;
    let id = id(target, suffix);
    let mut value = json!({
        "id": id,
        "name": target.provider.map_or("simulated provider", |provider| provider.name),
        "desc": description(target.provider),
        "labels": labels(target.provider),
        "uris": uris,
        "methods": methods,
        "priority": priority,
        "plugins": plugins(target, is_enabled),
    });
    if let Some((name, text)) = header {
        value["plugins"]["ai-proxy"]["auth"]["header"][name] = json!(text);
    }
    if let Some(models) = models {
        value["vars"] = json!([["post_arg.model", "~~", models]]);
    }
    Draft { kind: Kind::Route, id, value }
}

fn id(target: &Target, suffix: &str) -> String {
    format!("tidegate-{}{suffix}", target.id())
}

fn description(provider: Option<&Provider>) -> String {
    match provider {
        Some(provider) => format!("Made at a start of Tidegate, because {} is set.", provider.variable_name()),
        None => "Made at a start of Tidegate. SIMULATED: no model answers here.".to_owned(),
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

fn plugins(target: &Target, is_enabled: IsEnabled<'_>) -> Value {
    let mut ai_proxy = json!({"provider": target.driver(), "auth": auth(target.provider)});
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
