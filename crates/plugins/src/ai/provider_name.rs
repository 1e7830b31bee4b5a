//! A provider's name in a configuration: one of the table of providers.

use std::borrow::Cow;

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
