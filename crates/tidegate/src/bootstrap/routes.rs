//! The first routes: one per provider. What was written is recorded with its revision, so that a later start can tell
//! whether somebody changed a route since; then it leaves all of them alone.

use config::resource::Kind;
use config::settings::Settings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::Store;

use super::providers::{Offer, PROVIDERS, Provider, Variable};
use super::resources::{Draft, MANAGED_BY, Writer};
use super::simulated::Simulated;
use crate::failure::Failure;

/// Where the record is kept in the store.
const RECORD: &str = "first_routes";

/// Below the routes that users make, whose priority is 0 unless they say otherwise.
const HIGHEST_PRIORITY: i64 = -10;

/// For the route that takes every model.
const LOWEST_PRIORITY: i64 = -1000;

pub(super) const SIMULATED_MODEL: &str = "simulated";

/// What was written by an earlier start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Ids of providers.
    providers: Vec<String>,
    simulator: bool,
    /// The keys of the routes, all written by one revision.
    keys: Vec<String>,
    revision: u64,
    /// Where the simulator listened.
    #[serde(default)]
    simulator_address: String,
}

/// Which providers there should be routes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub providers: Vec<Provider>,
    pub simulator: bool,
    endpoints: Vec<Option<String>>,
}

/// What clients can ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Served {
    /// Provider and a model of it, first the one that takes models that nobody claims.
    pub models: Vec<(&'static str, &'static str)>,
    /// Environment variables that routes refer to and that are not set now.
    pub missing: Vec<&'static str>,
}

// === impl Record ===

impl Record {
    pub fn read(store: &Store) -> Option<Self> {
        serde_json::from_str(&store.get_meta(RECORD)?).ok()
    }

    /// Whether every route is as it was written.
    fn is_untouched(&self, store: &Store) -> bool {
        let snapshot = store.snapshot();
        self.keys.iter().all(|key| snapshot.get(key).is_some_and(|item| item.modified_index == self.revision))
    }

    async fn keep(&self, store: &Store) -> Result<(), Failure> {
        let text = serde_json::to_string(self).map_err(Failure::runtime)?;
        store.put_meta(RECORD, &text).await.map_err(Failure::runtime)
    }
}

/// The providers found in the environment, and those that were found before: a variable that is missing once does not
/// take a route away. Without any, the simulator.
pub fn wanted(settings: &Settings, env: &dyn Fn(&str) -> Option<String>, record: Option<&Record>) -> Wanted {
    let known = |provider: &Provider| record.is_some_and(|record| record.providers.iter().any(|id| id == provider.id));
    let providers: Vec<Provider> =
        PROVIDERS.into_iter().filter(|provider| provider.is_in(env) || known(provider)).collect();
    let simulator = settings.tidegate.simulator.unwrap_or(providers.is_empty());
    let endpoints = providers.iter().map(|provider| provider.endpoint(env)).collect();
    Wanted { providers, simulator, endpoints }
}

/// Writes the routes if this is the first start, or if what is wanted has changed and nobody touched them.
///
/// # Errors
/// If the store cannot be written.
pub async fn bring_up(
    writer: &Writer<'_>,
    wanted: &Wanted,
    simulated: Option<&Simulated>,
    record: Option<Record>,
) -> Result<Served, Failure> {
    let next = Record {
        providers: wanted.providers.iter().map(|provider| provider.id.to_owned()).collect(),
        simulator: wanted.simulator,
        keys: Vec::new(),
        revision: 0,
        simulator_address: simulated.map(|simulated| simulated.address().to_string()).unwrap_or_default(),
    };
    if !(writer.has_plugin("ai-proxy") && writer.has_plugin("key-auth")) {
        tracing::warn!("first routes need the plugins ai-proxy and key-auth; none are made");
        return Ok(Served::default());
    }
    if let Some(record) = &record {
        let changed = (&record.providers, record.simulator, &record.simulator_address)
            != (&next.providers, next.simulator, &next.simulator_address);
        if !changed {
            return Ok(wanted.served());
        }
        if !record.is_untouched(writer.store) {
            tracing::info!(
                "the environment names other providers; the routes of the first start were changed and stay"
            );
            return Ok(wanted.served());
        }
    }
    let drafts = wanted.drafts(writer, simulated);
    let keys: Vec<String> = drafts.iter().map(Draft::key).collect();
    let before = record.map(|record| record.keys).unwrap_or_default();
    let obsolete: Vec<String> = before.into_iter().filter(|key| !keys.contains(key)).collect();
    let revision = writer.write(&drafts, &obsolete).await?;
    Record { keys, revision, ..next }.keep(writer.store).await?;
    Ok(wanted.served())
}

// === impl Wanted ===

impl Wanted {
    fn drafts(&self, writer: &Writer<'_>, simulated: Option<&Simulated>) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for (position, (provider, endpoint)) in self.providers.iter().zip(&self.endpoints).enumerate() {
            let route = Route { provider: Some(provider), endpoint: endpoint.clone(), position };
            drafts.push(route.draft(writer));
        }
        if let Some(simulated) = simulated {
            let endpoint = Some(format!("http://{}", simulated.address()));
            let route = Route { provider: None, endpoint, position: self.providers.len() };
            drafts.push(route.draft(writer));
        }
        drafts
    }

    fn served(&self) -> Served {
        let simulated = self.simulator.then_some(("the built-in simulator", SIMULATED_MODEL));
        Served {
            models: self.providers.iter().map(|provider| (provider.name, provider.example)).chain(simulated).collect(),
            missing: self
                .providers
                .iter()
                .map(Provider::variable_name)
                .filter(|name| std::env::var_os(name).is_none())
                .collect(),
        }
    }
}

/// One route to be made.
struct Route<'a> {
    /// `None`: the simulator.
    provider: Option<&'a Provider>,
    endpoint: Option<String>,
    /// The first one takes every model that the others leave.
    position: usize,
}

impl Route<'_> {
    fn draft(&self, writer: &Writer<'_>) -> Draft {
        let id = format!("tidegate-{}", self.provider.map_or("simulator", |provider| provider.id));
        let mut value = json!({
            "id": id,
            "name": self.provider.map_or("simulated provider", |provider| provider.name),
            "desc": self.description(),
            "labels": self.labels(),
            "uris": self.provider.map_or(Offer::All, |provider| provider.offer).uris(),
            "methods": ["POST"],
            "priority": self.priority(),
            "plugins": self.plugins(writer),
        });
        if self.position > 0 {
            let models = self.provider.map_or("^simulat", |provider| provider.models);
            value["vars"] = json!([["post_arg.model", "~~", models]]);
        }
        Draft { kind: Kind::Route, id, value }
    }

    fn priority(&self) -> i64 {
        match self.position {
            0 => LOWEST_PRIORITY,
            position => HIGHEST_PRIORITY - i64::try_from(position).unwrap_or_default(),
        }
    }

    fn description(&self) -> String {
        match self.provider {
            Some(provider) => {
                format!("Made at the first start of Tidegate, because {} was set.", provider.variable_name())
            }
            None => "Made at the first start of Tidegate. SIMULATED: the answers come from no model.".to_owned(),
        }
    }

    fn labels(&self) -> Value {
        match self.provider {
            Some(provider) => json!({"managed_by": MANAGED_BY, "provider": provider.id}),
            None => json!({"managed_by": MANAGED_BY, "provider": "simulator", "simulated": "true"}),
        }
    }

    fn plugins(&self, writer: &Writer<'_>) -> Value {
        let mut ai_proxy = json!({
            "provider": self.provider.map_or("openai-compatible", |provider| provider.driver),
            "auth": match self.provider.map(|provider| provider.variable) {
                Some(Variable::Key(name)) => json!({"header": {"Authorization": format!("Bearer $env://{name}")}}),
                Some(Variable::Address(_)) | None => json!({}),
            },
        });
        if let Some(endpoint) = &self.endpoint {
            ai_proxy["override"] = json!({"endpoint": endpoint});
        }
        let all = [
            ("key-auth", json!({"header": "Authorization", "hide_credentials": true})),
            ("ai-proxy", ai_proxy),
            ("prometheus", json!({})),
        ];
        let enabled = all.into_iter().filter(|(name, _)| writer.has_plugin(name));
        Value::Object(enabled.map(|(name, conf)| (name.to_owned(), conf)).collect::<Map<_, _>>())
    }
}
