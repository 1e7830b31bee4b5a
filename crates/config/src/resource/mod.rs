//! Resources as types. JSON goes in through `from_value`, which holds it against the kind's schema, fills the
//! defaults and yields a value that needs no further checking of its shape. References to other resources and plugin
//! configurations are not looked at here; that is [`crate::check`]. The data plane compiles its plan from these types.

mod consumer;
mod forms;
mod health;
mod kind;
mod node;
mod parse;
mod route;
mod schemas;
mod secret;
mod ssl;
mod upstream;

pub use consumer::{Consumer, ConsumerGroup, Credential, GlobalRule, PluginConfig};
pub use health::{
    ActiveCheck, ActiveHealthy, ActiveUnhealthy, CheckType, HealthChecks, PassiveCheck, PassiveHealthy,
    PassiveUnhealthy,
};
pub use kind::{Kind, Write};
pub use node::{InvalidPort, Node, split_host_port};
pub use parse::ConfigError;
pub(crate) use parse::readable;
pub use route::{Labels, Plugins, Route, Service};
pub use schemas::{named_schema, schema, secret_schema, validator};
pub(crate) use schemas::{named_validator, secret_validator};
pub use secret::SecretManager;
pub use ssl::{ClientVerification, KeyPair, Ssl, SslType, TlsVersion};
pub use upstream::{HashOn, KeepalivePool, PassHost, Scheme, Timeout, Upstream, UpstreamTls, UpstreamType};

#[cfg(test)]
mod tests;
