//! The kinds of resource: their names in paths, store keys and messages, and which verbs each one takes.
//! The Admin API routes by them; the store lays out its keys by them.

use std::fmt;

/// A verb that writes. Reading and deleting are possible for every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Put,
    Post,
    Patch,
}

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Route,
    Service,
    Upstream,
    Consumer,
    /// Lives under its consumer: `consumers/{username}/credentials/{id}`. Its id, wherever this crate takes
    /// one, is that whole path after `consumers/`.
    Credential,
    ConsumerGroup,
    PluginConfig,
    GlobalRule,
    PluginMetadata,
    Ssl,
    /// Its id is `{manager}/{id}`.
    Secret,
    Proto,
    StreamRoute,
}

impl Kind {
    pub const ALL: [Kind; 13] = [
        Kind::Route,
        Kind::Service,
        Kind::Upstream,
        Kind::Consumer,
        Kind::Credential,
        Kind::ConsumerGroup,
        Kind::PluginConfig,
        Kind::GlobalRule,
        Kind::PluginMetadata,
        Kind::Ssl,
        Kind::Secret,
        Kind::Proto,
        Kind::StreamRoute,
    ];

    /// The name in paths and store keys. Credentials share `consumers` with their consumers.
    pub fn collection(self) -> &'static str {
        match self {
            Kind::Route => "routes",
            Kind::Service => "services",
            Kind::Upstream => "upstreams",
            Kind::Consumer | Kind::Credential => "consumers",
            Kind::ConsumerGroup => "consumer_groups",
            Kind::PluginConfig => "plugin_configs",
            Kind::GlobalRule => "global_rules",
            Kind::PluginMetadata => "plugin_metadata",
            Kind::Ssl => "ssls",
            Kind::Secret => "secrets",
            Kind::Proto => "protos",
            Kind::StreamRoute => "stream_routes",
        }
    }

    /// The kind of a collection; `consumers` is [`Kind::Consumer`].
    pub fn from_collection(collection: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.collection() == collection)
    }

    /// The name in messages, as in `missing route id`.
    pub fn label(self) -> &'static str {
        match self {
            Kind::Route => "route",
            Kind::Service => "service",
            Kind::Upstream => "upstream",
            Kind::Consumer => "consumer",
            Kind::Credential => "credential",
            Kind::ConsumerGroup => "consumer group",
            Kind::PluginConfig => "plugin config",
            Kind::GlobalRule => "global rule",
            Kind::PluginMetadata => "plugin_metadata",
            Kind::Ssl => "ssl",
            Kind::Secret => "secret",
            Kind::Proto => "proto",
            Kind::StreamRoute => "stream route",
        }
    }

    /// Whether the Admin API takes `verb` for this kind; if not, it answers 405.
    pub fn allows(self, verb: Write) -> bool {
        match self {
            Kind::Route | Kind::Service | Kind::Upstream | Kind::Ssl => true,
            Kind::Proto | Kind::StreamRoute => verb != Write::Patch,
            Kind::Consumer | Kind::Credential | Kind::PluginMetadata => verb == Write::Put,
            Kind::ConsumerGroup | Kind::PluginConfig | Kind::GlobalRule | Kind::Secret => verb != Write::Post,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
