//! A provider's name in a configuration: one of the table of providers.

use std::borrow::Cow;

use config::secret::Reference;
use gateway::inference::{Backend, Place};
use llm::Provider;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A provider's name: those that APISIX knows, and all others of the table.
#[derive(Debug, Clone, Copy)]
pub struct ProviderName(pub &'static Provider);

impl<'de> Deserialize<'de> for ProviderName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        let provider = Provider::by_name(&name);
        provider.map(Self).ok_or_else(|| D::Error::custom(format!("there is no provider {name:?}")))
    }
}

/// Whether the provider has a usable address. What references in it stand for is not known when they are written.
///
/// # Errors
/// If it has none.
pub(super) fn check_address(provider: &'static Provider, endpoint: Option<&str>, place: &Place) -> Result<(), String> {
    let texts = [endpoint, place.project.as_deref(), place.region.as_deref(), place.api_version.as_deref()];
    match texts.into_iter().flatten().any(|text| Reference::parse(text).is_some()) {
        true => Ok(()),
        false => Backend::check(provider, endpoint, place).map_err(|error| error.to_string()),
    }
}

impl JsonSchema for ProviderName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ProviderName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = Provider::all().iter().map(|provider| provider.name).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}
