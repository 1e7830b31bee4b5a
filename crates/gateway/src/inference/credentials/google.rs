//! Google's access tokens: for a service account by a signed grant, for a user by a refresh token, and on Google's own
//! machines from the metadata server.
//!
//! What the JSON of a key holds is checked when it is used, as in APISIX: a key that is no good fails requests and not
//! the configuration.

use std::time::Duration;

use config::secret::Secret;
use http::header::HeaderValue;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

use super::fetch::{FetchError, TokenRequest, World};
use super::oauth::{self, Token};
use super::token_cache::{Lease, Source};
use crate::variables::timestamp;

const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Google takes grants that live at most an hour.
const GRANT_LIFETIME: Duration = Duration::from_secs(3600);

/// Seconds by which a token is given up before its end, unless configured.
pub const EXPIRE_EARLY_SECS: u64 = 60;

/// `auth.gcp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleConfig {
    /// A service account's key, or what `gcloud auth application-default login` writes. Else the variable
    /// `GCP_SERVICE_ACCOUNT`, else the file that `GOOGLE_APPLICATION_CREDENTIALS` names, else the metadata server.
    pub service_account_json: Option<Secret>,
    /// A token is used no longer than this.
    pub max_ttl: Option<Duration>,
    /// A token is given up this long before its end, if it lives longer.
    pub expire_early: Duration,
}

/// Where tokens come from.
pub(super) struct GoogleTokens {
    config: GoogleConfig,
    world: World,
}

/// What the JSON of a key holds.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Key {
    #[serde(rename = "authorized_user")]
    User(UserKey),
    #[serde(untagged)]
    Account(AccountKey),
}

#[derive(Deserialize)]
struct AccountKey {
    client_email: String,
    private_key: Secret,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    scope: Option<Scope>,
}

#[derive(Deserialize)]
struct UserKey {
    client_id: String,
    client_secret: Secret,
    refresh_token: Secret,
    token_uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scope {
    One(String),
    Many(Vec<String>),
}

/// What a service account asks with.
#[derive(Serialize)]
struct Grant<'a> {
    iss: &'a str,
    aud: &'a str,
    scope: String,
    iat: u64,
    exp: u64,
}

impl GoogleTokens {
    pub(super) fn new(config: GoogleConfig, world: World) -> Self {
        Self { config, world }
    }

    async fn token(&self) -> Result<Token, FetchError> {
        let answer = match self.key().await? {
            Some(Key::Account(key)) => self.world.ask(key.request()?).await?,
            Some(Key::User(key)) => self.world.ask(key.request()).await?,
            None => self.world.ask(self.metadata_request()?).await?,
        };
        oauth::token(&answer)
    }

    /// `None` on a machine that is to be Google's.
    async fn key(&self) -> Result<Option<Key>, FetchError> {
        let text = match &self.config.service_account_json {
            Some(json) => json.clone(),
            None => match self.world.variable("GCP_SERVICE_ACCOUNT") {
                Some(json) => json.into(),
                None => match self.world.variable("GOOGLE_APPLICATION_CREDENTIALS") {
                    Some(path) => self.world.file(path).await?.into(),
                    None => return Ok(None),
                },
            },
        };
        // serde's words may repeat parts of the key.
        let unusable = |_| FetchError::Unusable("the key is neither a service account's nor a user's".to_owned());
        serde_json::from_str(text.expose()).map(Some).map_err(unusable)
    }

    fn metadata_request(&self) -> Result<TokenRequest, FetchError> {
        let host = self.world.variable("GCE_METADATA_HOST").unwrap_or_else(|| "metadata.google.internal".to_owned());
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
        TokenRequest::get(url).header("metadata-flavor", "Google")
    }
}

impl AccountKey {
    fn request(&self) -> Result<TokenRequest, FetchError> {
        let token_uri = self.token_uri.as_deref().unwrap_or(TOKEN_URI);
        let now = timestamp::now();
        let grant = Grant {
            iss: &self.client_email,
            aud: token_uri,
            scope: match &self.scope {
                None => SCOPE.to_owned(),
                Some(Scope::One(scope)) => scope.clone(),
                Some(Scope::Many(scopes)) => scopes.join(" "),
            },
            iat: now.as_secs(),
            exp: (now + GRANT_LIFETIME).as_secs(),
        };
        let unusable = |_| FetchError::Unusable("private_key is no RSA key in PEM".to_owned());
        let key = EncodingKey::from_rsa_pem(self.private_key.expose().as_bytes()).map_err(unusable)?;
        let header = Header { kid: self.private_key_id.clone(), ..Header::new(Algorithm::RS256) };
        let assertion = jsonwebtoken::encode(&header, &grant, &key).map_err(unusable)?;
        Ok(TokenRequest::post_form(token_uri, &[("grant_type", JWT_GRANT), ("assertion", &assertion)]))
    }
}

impl UserKey {
    fn request(&self) -> TokenRequest {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
            ("refresh_token", self.refresh_token.expose()),
        ];
        TokenRequest::post_form(self.token_uri.as_deref().unwrap_or(TOKEN_URI), &fields)
    }
}

impl GoogleConfig {
    /// How long a token of `lifetime` is used: without its last `expire_early`, if it is longer, and at most `max_ttl`.
    fn ttl(&self, lifetime: Duration) -> Duration {
        let ttl = if lifetime > self.expire_early { lifetime - self.expire_early } else { lifetime };
        self.max_ttl.map_or(ttl, |max| ttl.min(max))
    }
}

impl Source for GoogleTokens {
    type Value = HeaderValue;

    async fn fetch(&self) -> Result<Lease<HeaderValue>, FetchError> {
        let Token { bearer, lifetime } = self.token().await?;
        Ok(Lease::fresh(bearer, self.config.ttl(lifetime), lifetime))
    }
}
