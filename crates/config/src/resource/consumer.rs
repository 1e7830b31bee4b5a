//! Who calls, and plugin sets that are shared: consumers, their credentials, consumer groups, plugin
//! configs, global rules.

use serde::Deserialize;

use super::forms;
use super::route::{Labels, Plugins};

/// Somebody who calls. Found by its username.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Consumer {
    pub username: String,
    pub desc: Option<String>,
    #[serde(default)]
    pub labels: Labels,
    #[serde(default, deserialize_with = "forms::optional_id")]
    pub group_id: Option<String>,
    /// Credentials of authentication plugins, and plugins that run for this consumer's requests.
    #[serde(default)]
    pub plugins: Plugins,
}

/// A credential of a consumer beside those in the consumer itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Credential {
    #[serde(default, deserialize_with = "forms::id")]
    pub id: String,
    pub name: Option<String>,
    pub desc: Option<String>,
    #[serde(default)]
    pub labels: Labels,
    /// At most one, of an authentication plugin.
    #[serde(default)]
    pub plugins: Plugins,
}

/// Plugins for all consumers that name this group.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ConsumerGroup {
    #[serde(deserialize_with = "forms::id")]
    pub id: String,
    pub name: Option<String>,
    pub desc: Option<String>,
    #[serde(default)]
    pub labels: Labels,
    pub plugins: Plugins,
}

/// Plugins for all routes that name this config.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PluginConfig {
    #[serde(deserialize_with = "forms::id")]
    pub id: String,
    pub name: Option<String>,
    pub desc: Option<String>,
    #[serde(default)]
    pub labels: Labels,
    pub plugins: Plugins,
}

/// Plugins for every request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GlobalRule {
    #[serde(deserialize_with = "forms::id")]
    pub id: String,
    pub plugins: Plugins,
}
