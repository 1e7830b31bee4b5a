//! `key-auth`: the consumer is found by a key that the client sends in a header or, failing that, in a query
//! argument.

use std::sync::Arc;

use gateway::credential::CredentialPlace;
use gateway::exchange::{Exchange, Request};
use gateway::headers;
use gateway::plan::consumers::{Credential, CredentialIndex};
use gateway::plugin::{Phases, Plugin, PluginDef, Step};
use http::HeaderName;
use http::header::AUTHORIZATION;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::definition::{self, Declare as _, FromConfig};
use crate::query;

const NAME: &str = "key-auth";

/// Where to look for the key, and what to do without one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The header that carries the key. In `Authorization`, `Bearer` before the key is no part of it.
    pub header: String,
    /// The query argument that carries the key if the header is absent.
    pub query: String,
    /// Named in `WWW-Authenticate` when a request is refused.
    #[schemars(length(min = 1, max = 128), regex(pattern = super::REALM))]
    pub realm: String,
    /// Keep the key from the upstream.
    pub hide_credentials: bool,
    /// The username of the consumer that requests without a valid key are taken for.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_consumer: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header: "apikey".to_owned(),
            query: "apikey".to_owned(),
            realm: "key".to_owned(),
            hide_credentials: false,
            anonymous_consumer: None,
        }
    }
}

/// A consumer's key. Only its schema is used: the gateway's index of credentials reads the key.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema needs every field")]
pub struct CredentialConfig {
    /// Unique among all consumers and credentials.
    #[schemars(length(min = 1))]
    pub key: String,
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin_made::<KeyAuth>(NAME, 2500).authenticating::<CredentialConfig>("key", &["key"])
}

struct KeyAuth {
    header: HeaderName,
    query: Box<str>,
    hide_credentials: bool,
    refusal: Refusal,
}

impl FromConfig for KeyAuth {
    type Config = Config;

    fn from_config(config: Config) -> Result<Self, String> {
        Ok(Self {
            header: config.header.parse().map_err(|_| format!("header {:?} is not a header name", config.header))?,
            query: config.query.into(),
            hide_credentials: config.hide_credentials,
            refusal: Refusal::new("apikey", &config.realm, config.anonymous_consumer.as_deref())?,
        })
    }
}

impl Plugin for KeyAuth {
    fn phases(&self) -> Phases {
        Phases::REWRITE
    }

    fn refuses_unread(&self, exchange: &Exchange) -> bool {
        let shown = || self.shown(&exchange.request, exchange.plan.credentials(NAME));
        self.refusal.anonymous.is_none() && !matches!(shown(), Shown::Right(_))
    }

    fn rewrite<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let plan = exchange.plan.clone();
        let found = match self.shown(&exchange.request, plan.credentials(NAME)) {
            Shown::Nothing => return self.refusal.apply(exchange, "Missing API key in request"),
            Shown::Wrong => None,
            Shown::Right(credential) => Some(credential),
        };
        // Also when the key is wrong: on anonymous access it must not reach the upstream either.
        self.note(exchange);
        if self.hide_credentials {
            self.hide(exchange);
        }
        match found {
            Some(credential) => {
                exchange.attach_credential(credential);
                Step::Next
            }
            None => self.refusal.apply(exchange, "Invalid API key in request"),
        }
    }
}

/// The key that a request shows.
enum Shown<'c> {
    Nothing,
    Wrong,
    Right(&'c Arc<Credential>),
}

impl KeyAuth {
    fn shown<'c>(&self, request: &Request, credentials: &'c CredentialIndex) -> Shown<'c> {
        let found = if let Some(key) = request.headers.get(&self.header) {
            let key = std::str::from_utf8(key.as_bytes()).ok();
            key.and_then(|key| credentials.find(key).or_else(|| credentials.find(self.bearer(key)?)))
        } else if let Some(key) = request.query().and_then(|query| query::argument(query, &self.query)) {
            credentials.find(&key)
        } else {
            return Shown::Nothing;
        };
        found.map_or(Shown::Wrong, Shown::Right)
    }

    /// SDKs send `Authorization: Bearer KEY`: where that header is configured, the scheme is no part of the key.
    fn bearer<'k>(&self, value: &'k str) -> Option<&'k str> {
        let (scheme, key) = value.split_once(' ')?;
        (self.header == AUTHORIZATION && scheme.eq_ignore_ascii_case("bearer")).then_some(key)
    }

    /// Tells the gateway where the key is, for upstreams that must never see it.
    fn note(&self, exchange: &mut Exchange) {
        // A client may show it in both places.
        if exchange.request.headers.contains_key(&self.header) {
            exchange.note_credential(CredentialPlace::Header(self.header.clone()));
        }
        if exchange.request.query().is_some() {
            exchange.note_credential(CredentialPlace::Argument(self.query.clone()));
        }
    }

    /// Removes the header, or the argument if it was that which carried the key.
    fn hide(&self, exchange: &mut Exchange) {
        if !headers::remove(&mut exchange.request.headers, &self.header) {
            query::hide(exchange, &self.query);
        }
    }
}
