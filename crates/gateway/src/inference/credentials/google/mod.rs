//! Google's access tokens: for a service account by a signed grant, for a user by a refresh token, for an identity of
//! another issuer by an exchange (workload identity federation), each also as another service account; and on Google's
//! own machines from the metadata server.
//!
//! What the JSON of a key holds is checked when it is used, as in APISIX: a key that is no good fails requests and not
//! the configuration. Invariant: tokens of other issuers and tokens to act with go to Google's own servers alone, and a
//! key that came with a route reads nothing of the host's.

mod account;
mod federation;
mod impersonation;
mod user;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use config::secret::Secret;
use http::Uri;
use http::header::HeaderValue;
use serde::Deserialize;

use super::fetch::{FetchError, TokenRequest, World};
use super::oauth::{self, Token};
use super::token_cache::{Lease, Source};
use account::AccountKey;
use federation::ExternalKey;
use impersonation::ImpersonatedKey;
use user::UserKey;

/// Under which Google's services are found.
const DOMAIN: &str = "googleapis.com";

const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Where `gcloud` keeps what it has been given as default, below its folder.
const DEFAULT_FILE: &str = "application_default_credentials.json";

/// Seconds by which a token is given up before its end, unless configured.
pub const EXPIRE_EARLY_SECS: u64 = 60;

/// `auth.gcp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleConfig {
    /// A key of any kind that Google's tools write. Else the variable `GCP_SERVICE_ACCOUNT`, else the file that
    /// `GOOGLE_APPLICATION_CREDENTIALS` names, else the one of `gcloud auth application-default login`, else the
    /// metadata server.
    pub service_account_json: Option<Secret>,
    /// A token is used no longer than this.
    pub max_ttl: Option<Duration>,
    /// A token is given up this long before its end, if it lives longer.
    pub expire_early: Duration,
}

/// Who wrote a key. Who writes routes need not be who runs the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// It stands in the process's environment, or in a file that this or `gcloud` names: the key may name
    /// files and URLs of the host.
    Operator,
    /// It stands in a route's configuration: the key may send nothing of the host's to anybody.
    Route,
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
    #[serde(rename = "external_account")]
    External(ExternalKey),
    #[serde(rename = "impersonated_service_account")]
    Impersonated(ImpersonatedKey),
    #[serde(untagged)]
    Account(AccountKey),
}

impl Key {
    /// A token for the key, in the usual scope.
    async fn token(&self, world: &World, writer: Writer) -> Result<Token, FetchError> {
        match self {
            Key::Account(key) => oauth::token(&world.ask(key.request()?).await?),
            Key::User(key) => oauth::token(&world.ask(key.request()).await?),
            Key::External(key) => key.token(world, writer).await,
            Key::Impersonated(key) => Box::pin(key.token(world, writer)).await,
        }
    }
}

/// `url`, if what is secret may be sent there: Google's own servers, or this machine, where tests have theirs.
///
/// # Errors
/// If it leads anywhere else; `field` names it.
fn of_google<'a>(url: &'a str, field: &str) -> Result<&'a str, FetchError> {
    let leads_there = |uri: Uri| {
        let host = uri.host().unwrap_or_default();
        let loopback = host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => host == DOMAIN || host.strip_suffix(DOMAIN).is_some_and(|name| name.ends_with('.')),
            Some("http") => loopback,
            _ => false,
        }
    };
    match url.parse().is_ok_and(leads_there) {
        true => Ok(url),
        false => Err(FetchError::Unusable(format!("{field} is no https URL on {DOMAIN}"))),
    }
}

impl GoogleTokens {
    pub(super) fn new(config: GoogleConfig, world: World) -> Self {
        Self { config, world }
    }

    async fn token(&self) -> Result<Token, FetchError> {
        match self.key().await? {
            Some((key, writer)) => key.token(&self.world, writer).await,
            None => oauth::token(&self.world.ask(self.metadata_request()?).await?),
        }
    }

    /// `None` on a machine that is to be Google's.
    async fn key(&self) -> Result<Option<(Key, Writer)>, FetchError> {
        let (text, writer): (Secret, _) = match &self.config.service_account_json {
            Some(json) => (json.clone(), Writer::Route),
            None => match self.world.variable("GCP_SERVICE_ACCOUNT") {
                Some(json) => (json.into(), Writer::Operator),
                None => match self.key_file() {
                    Some(path) => (self.world.file(path).await?.into(), Writer::Operator),
                    None => return Ok(None),
                },
            },
        };
        // serde's words may repeat parts of the key.
        let unusable = |_| FetchError::Unusable("the key is of no known kind, or not whole".to_owned());
        serde_json::from_str(text.expose()).map(|key| Some((key, writer))).map_err(unusable)
    }

    /// The file that is named must be there; that of `gcloud` may be.
    fn key_file(&self) -> Option<PathBuf> {
        let named = self.world.variable("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
        let folder = || {
            let in_home = || Some(PathBuf::from(self.world.variable("HOME")?).join(".config/gcloud"));
            self.world.variable("CLOUDSDK_CONFIG").map(PathBuf::from).or_else(in_home)
        };
        named.or_else(|| folder().map(|folder| folder.join(DEFAULT_FILE)).filter(|path| path.exists()))
    }

    fn metadata_request(&self) -> Result<TokenRequest, FetchError> {
        let host = self.world.variable("GCE_METADATA_HOST").unwrap_or_else(|| "metadata.google.internal".to_owned());
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
        TokenRequest::get(url).header("metadata-flavor", "Google")
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
