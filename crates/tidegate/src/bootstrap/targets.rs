//! Deciding which providers the first routes lead to.

use config::settings::Settings;

use super::providers::{PROVIDERS, Provider};
use super::record::Record;
use super::{Environment, Served};

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

/// The providers found in the environment, and those that were found at an earlier start: a variable that is missing
/// once does not take a route away. Without any, and if asked for, the simulator.
pub fn wanted(settings: &Settings, env: Environment<'_>, record: Option<&Record>) -> Vec<Target> {
    let mut targets: Vec<Target> = PROVIDERS.iter().filter_map(|provider| found(provider, env, record)).collect();
    if settings.tidegate.simulator.unwrap_or(targets.is_empty()) {
        targets.push(Target { provider: None, endpoint: None, is_available: true });
    }
    targets
}

fn found(provider: &'static Provider, env: Environment<'_>, record: Option<&Record>) -> Option<Target> {
    let recorded = record.and_then(|record| record.endpoint(provider.id));
    let value = env(provider.variable_name()).filter(|value| !value.trim().is_empty());
    let endpoint = match (&value, recorded) {
        (Some(value), _) => provider.endpoint(value),
        (None, Some(endpoint)) => endpoint.map(str::to_owned),
        (None, None) => return None,
    };
    Some(Target { provider: Some(provider), endpoint, is_available: value.is_some() })
}

impl Target {
    /// Unique among targets.
    pub fn id(&self) -> &'static str {
        self.provider.map_or("simulator", |provider| provider.id)
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
