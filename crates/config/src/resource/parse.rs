//! From JSON to the resource types: schema, defaults, then serde.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Consumer, ConsumerGroup, Credential, GlobalRule, Kind, PluginConfig, Route, Service, Ssl, Upstream, validator,
};

/// Why a JSON value is not the resource it should be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The schema says no; the message is APISIX's.
    #[error("invalid {kind}: {message}")]
    Schema { kind: Kind, message: String },
    /// The schema says yes and the value still makes no sense, for example a port outside 1..=65535.
    #[error("invalid {kind}: {source}")]
    Value { kind: Kind, source: serde_json::Error },
}

fn parse<T: DeserializeOwned>(kind: Kind, value: &Value) -> Result<T, ConfigError> {
    let mut filled = value.clone();
    if let Value::Object(map) = &mut filled {
        // Declarative files carry it beside the resource; it is no part of it.
        map.shift_remove("modifiedIndex");
    }
    validator(kind).check_and_fill(&mut filled).map_err(|message| ConfigError::Schema { kind, message })?;
    serde_json::from_value(filled).map_err(|source| ConfigError::Value { kind, source })
}

/// Whether the type of `kind` can hold a value that has passed the schema. The schemas, being APISIX's, allow numbers
/// without bounds; the types do not.
pub(crate) fn readable(kind: Kind, filled: &Value) -> Result<(), serde_json::Error> {
    match kind {
        Kind::Route => Route::deserialize(filled).map(drop),
        Kind::Service => Service::deserialize(filled).map(drop),
        Kind::Upstream => Upstream::deserialize(filled).map(drop),
        Kind::Consumer => Consumer::deserialize(filled).map(drop),
        Kind::Credential => Credential::deserialize(filled).map(drop),
        Kind::ConsumerGroup => ConsumerGroup::deserialize(filled).map(drop),
        Kind::PluginConfig => PluginConfig::deserialize(filled).map(drop),
        Kind::GlobalRule => GlobalRule::deserialize(filled).map(drop),
        Kind::Ssl => Ssl::deserialize(filled).map(drop),
        Kind::PluginMetadata | Kind::Secret | Kind::Proto | Kind::StreamRoute => Ok(()),
    }
}

macro_rules! from_value {
    ($($kind:ident),*) => {$(
        impl $kind {
            /// Holds `value` against the schema of this kind and fills the defaults.
            ///
            /// # Errors
            /// If the schema refuses it, or a value lies outside what the type can hold.
            pub fn from_value(value: &Value) -> Result<Self, ConfigError> {
                parse(Kind::$kind, value)
            }
        }
    )*};
}

from_value!(Route, Service, Upstream, Consumer, Credential, ConsumerGroup, PluginConfig, GlobalRule, Ssl);
