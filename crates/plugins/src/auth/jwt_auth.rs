//! `jwt-auth`: the consumer is named by a claim of a JSON Web Token, and the token's signature is checked with
//! that consumer's own key.
//!
//! The token is read apart in [`token`], its signature is checked in [`key`]; here stands what is configured and
//! in which order things are asked.

mod key;
mod location;
mod token;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use config::catalog::Side;
use gateway::exchange::Exchange;
use gateway::plan::consumers::{Credential, CredentialIndex};
use gateway::plugin::{Phases, Plugin, PluginDef, Step};
use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Refusal;
use crate::definition::{self, Declare as _, FromConfig};
use key::{Algorithm, KeyError, VerificationKey};
use location::Location;
use token::{Claim, Token};

const NAME: &str = "jwt-auth";

/// Where the token is, and what must hold for it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The header that carries the token, bare or after `Bearer `.
    pub header: String,
    /// The query argument that carries it if the header is absent.
    pub query: String,
    /// The cookie that carries it if the argument is absent too.
    pub cookie: String,
    /// Keep the token from the upstream.
    pub hide_credentials: bool,
    /// The claim that holds the consumer's `key`.
    #[schemars(length(min = 1))]
    pub key_claim_name: String,
    /// Keep the token's payload for later phases (`$jwt_auth_payload`, JSON).
    pub store_in_ctx: bool,
    /// Named in `WWW-Authenticate` when a request is refused.
    #[schemars(length(min = 1, max = 128), regex(pattern = super::REALM))]
    pub realm: String,
    /// The username of the consumer that requests without a valid token are taken for.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_consumer: Option<String>,
    /// Claims that must be there and hold. Without this list they must hold if they are there.
    #[schemars(extend("uniqueItems" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims_to_verify: Option<Vec<Claim>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header: "authorization".to_owned(),
            query: "jwt".to_owned(),
            cookie: "jwt".to_owned(),
            hide_credentials: false,
            key_claim_name: "key".to_owned(),
            store_in_ctx: false,
            realm: "jwt".to_owned(),
            anonymous_consumer: None,
            claims_to_verify: None,
        }
    }
}

/// A consumer's key material. `key` and `exp` stand in the schema only: the gateway's index of credentials has read
/// the one, and nothing here signs tokens.
#[derive(Clone, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "the schema needs every field")]
#[schemars(extend("dependencies" = {
    "algorithm": {
        "oneOf": [
            {"properties": {"algorithm": {"enum": ["HS256", "HS384", "HS512"], "default": "HS256"}}},
            {
                "properties": {
                    "public_key": {"type": "string"},
                    "algorithm": {"enum": [
                        "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"
                    ]}
                },
                "required": ["public_key"]
            }
        ]
    }
}))]
pub struct CredentialConfig {
    /// What the token's claim says. Unique among all consumers and credentials.
    #[schemars(length(min = 1))]
    pub key: String,
    /// The shared secret of the HS algorithms.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub secret: Option<String>,
    /// The only algorithm that this consumer's tokens may use.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// The public key, in PEM, of the other algorithms.
    #[serde(default)]
    pub public_key: Option<String>,
    /// Seconds that a token lives when signed by APISIX's own endpoint. Kept for compatibility.
    #[serde(default = "default_expiry")]
    #[schemars(range(min = 1))]
    pub exp: u64,
    /// `secret` is written in base64.
    #[serde(default)]
    pub base64_secret: bool,
    /// Seconds by which clocks may differ when `exp` and `nbf` are checked.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub lifetime_grace_period: u64,
}

fn default_expiry() -> u64 {
    86400
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin_made::<JwtAuth>(NAME, 2510).authenticating::<CredentialConfig>("key", &["secret"]).checked(check)
}

fn check(config: &Value, side: Side) -> Result<(), String> {
    match side {
        Side::Route => return definition::can_be_made::<JwtAuth>(config),
        Side::Consumer => {}
        Side::Metadata => return Ok(()),
    }
    let credential: CredentialConfig = definition::read(config)?;
    let material = if credential.algorithm.is_symmetric() { &credential.secret } else { &credential.public_key };
    // What a reference stands for is not known at write time.
    let is_reference = material.as_deref().is_some_and(|text| config::secret::Reference::parse(text).is_some());
    match VerificationKey::new(&credential) {
        Err(KeyError::NoSecret) => Err("property \"secret\" is required when using HS based algorithms".to_owned()),
        Err(_) if is_reference => Ok(()),
        Err(KeyError::NotBase64(_)) => Err("base64_secret required but the secret is not in base64 format".to_owned()),
        Err(KeyError::NoPublicKey | KeyError::NotAKey(_)) => Err("missing valid public key".to_owned()),
        Ok(_) => Ok(()),
    }
}

struct JwtAuth {
    location: Location,
    hide_credentials: bool,
    key_claim_name: Box<str>,
    store_in_ctx: bool,
    /// `None`: those that are there.
    claims_to_verify: Option<Vec<Claim>>,
    refusal: Refusal,
}

impl FromConfig for JwtAuth {
    type Config = Config;

    fn from_config(config: Config) -> Result<Self, String> {
        let header: HeaderName =
            config.header.parse().map_err(|_| format!("header {:?} is not a header name", config.header))?;
        Ok(Self {
            location: Location { header, query: config.query.into(), cookie: config.cookie.into() },
            hide_credentials: config.hide_credentials,
            key_claim_name: config.key_claim_name.into(),
            store_in_ctx: config.store_in_ctx,
            claims_to_verify: config.claims_to_verify.filter(|claims| !claims.is_empty()),
            refusal: Refusal::new("Bearer", &config.realm, config.anonymous_consumer.as_deref())?,
        })
    }
}

impl Plugin for JwtAuth {
    fn phases(&self) -> Phases {
        Phases::REWRITE
    }

    fn refuses_unread(&self, exchange: &Exchange) -> bool {
        let verified = |text: &str| {
            Token::parse(text).is_some_and(|token| self.verified(&token, exchange.plan.credentials(NAME)).is_ok())
        };
        let found = || self.location.find(&exchange.request);
        self.refusal.anonymous.is_none() && !found().is_some_and(|found| verified(&found.token))
    }

    fn rewrite<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        match self.authenticate(exchange) {
            Ok(credential) => {
                exchange.attach_credential(&credential);
                Step::Next
            }
            Err(failure) => self.refusal.apply(exchange, &failure.to_string()),
        }
    }
}

impl JwtAuth {
    fn authenticate(&self, exchange: &mut Exchange) -> Result<Arc<Credential>, Failure> {
        let found = self.location.find(&exchange.request).ok_or(Failure::Missing)?;
        let (text, place) = (found.token.into_owned(), found.place);
        exchange.note_credential(self.location.noted(place));
        if self.hide_credentials {
            self.location.hide(exchange, place);
        }
        let token = Token::parse(&text).ok_or(Failure::Invalid)?;
        let credential = self.verified(&token, exchange.plan.credentials(NAME))?.clone();
        if self.store_in_ctx {
            exchange.set_variable("jwt_auth_payload", token.payload_json());
        }
        Ok(credential)
    }

    /// The credential that `token` names, if it is signed with its key and its claims hold.
    fn verified<'c>(
        &self,
        token: &Token<'_>,
        credentials: &'c CredentialIndex,
    ) -> Result<&'c Arc<Credential>, Failure> {
        let key = token.payload.get(&*self.key_claim_name).filter(|key| !key.is_null()).ok_or(Failure::NoUserKey)?;
        let credential = key.as_str().and_then(|key| credentials.find(key)).ok_or(Failure::UnknownUserKey)?;
        let now = jsonwebtoken::get_current_timestamp() as f64;
        let key = Prepared::of(credential).ok_or(Failure::NotVerified)?;
        let verified = key.verification.verifies(token)
            && token.claims_hold(self.claims_to_verify.as_deref(), now, key.grace_seconds);
        if verified { Ok(credential) } else { Err(Failure::NotVerified) }
    }
}

/// A credential, made ready for verifying. Kept with the credential for as long as the plan lives.
struct Prepared {
    verification: VerificationKey,
    grace_seconds: f64,
}

impl Prepared {
    /// `None` if the key material is unusable, which is logged the first time it is asked for.
    fn of(credential: &Credential) -> Option<&Prepared> {
        let prepared = credential.compiled.get_or_init(|| Arc::new(Prepared::new(credential)));
        prepared.downcast_ref::<Option<Prepared>>()?.as_ref()
    }

    fn new(credential: &Credential) -> Option<Prepared> {
        let prepared = definition::read(&credential.config).and_then(|config: CredentialConfig| {
            let verification = VerificationKey::new(&config).map_err(|error| error.to_string())?;
            Ok(Prepared { verification, grace_seconds: config.lifetime_grace_period as f64 })
        });
        let username = &credential.consumer.username;
        prepared.inspect_err(|error| tracing::error!(consumer = %username, %error, "jwt-auth key is unusable")).ok()
    }
}

/// Why a request is refused. The texts are what the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Failure {
    #[error("Missing JWT token in request")]
    Missing,
    #[error("JWT token invalid")]
    Invalid,
    #[error("missing user key in JWT token")]
    NoUserKey,
    #[error("Invalid user key in JWT token")]
    UnknownUserKey,
    #[error("failed to verify jwt")]
    NotVerified,
}
