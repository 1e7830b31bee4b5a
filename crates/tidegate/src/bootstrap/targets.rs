//! Deciding which providers the first routes lead to.

use config::settings::Settings;

use super::providers::{PROVIDERS, Provider, Variable};
use super::record::Record;
use super::{Environment, Served};

/// Stands for the simulator among the ids of providers.
pub const SIMULATOR_ID: &str = "simulator";

/// `ai-proxy`'s `provider` for the simulator.
const SIMULATOR_DRIVER: &str = "openai-compatible";

/// Where a route is to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `None`: the simulator.
    pub provider: Option<&'static Provider>,
    /// `override.endpoint` of `ai-proxy`, if it needs one.
    pub endpoint: Option<String>,
    /// Whether the environment has what the provider needs.
    pub is_available: bool,
}

/// The providers found in the environment. Without any, and if asked for, the simulator.
pub fn wanted(settings: &Settings, env: Environment<'_>) -> Vec<Target> {
    let found = |provider: &'static Provider| {
        let endpoint = provider.endpoint(&value(provider, env)?);
        Some(Target { provider: Some(provider), endpoint, is_available: true })
    };
    let mut targets: Vec<Target> = PROVIDERS.iter().filter_map(found).collect();
    if settings.tidegate.simulator.unwrap_or(targets.is_empty()) {
        targets.push(Target { provider: None, endpoint: None, is_available: true });
    }
    targets
}

/// Where the routes lead that an earlier start has written.
pub fn recorded(record: &Record, env: Environment<'_>) -> Vec<Target> {
    let of_provider = |provider: &'static Provider| {
        let endpoint = record.endpoint(provider.id)?.map(str::to_owned);
        Some(Target { provider: Some(provider), endpoint, is_available: value(provider, env).is_some() })
    };
    let simulator = record.endpoint(SIMULATOR_ID).map(|endpoint| Target {
        provider: None,
        endpoint: endpoint.map(str::to_owned),
        is_available: true,
    });
    PROVIDERS.iter().filter_map(of_provider).chain(simulator).collect()
}

/// The one that gets what none of them claims: a server of one's own, so that what is meant for it never leaves the
/// house, else the first.
pub fn rest(targets: &[Target]) -> Option<&Target> {
    let is_own =
        |target: &&Target| target.provider.is_some_and(|provider| matches!(provider.variable, Variable::Address(_)));
    targets.iter().find(is_own).or_else(|| targets.first())
}

fn value(provider: &Provider, env: Environment<'_>) -> Option<String> {
    env(provider.variable_name()).filter(|value| !value.trim().is_empty())
}

impl Target {
    /// Unique among targets.
    pub fn id(&self) -> &'static str {
        self.provider.map_or(SIMULATOR_ID, |provider| provider.id)
    }

    /// `ai-proxy`'s `provider`.
    pub fn driver(&self) -> &'static str {
        self.provider.map_or(SIMULATOR_DRIVER, |provider| provider.driver)
    }

    /// What clients are told about it.
    pub fn served(&self) -> Served {
        match self.provider {
            None => Served { provider: "the built-in simulator", model: "simulated", missing: None },
            Some(provider) => Served {
                provider: provider.name,
                model: provider.example,
                missing: (!self.is_available).then_some(provider.variable_name()),
            },
        }
    }
}
