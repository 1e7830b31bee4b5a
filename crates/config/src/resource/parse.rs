//! From JSON to the resource types: schema, defaults, then serde.

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
