//! Credentials for providers that are more than a fixed header: access tokens of Google and
//! Microsoft, signatures of AWS.
//!
//! Tokens are fetched on the side runtime and cached, one per backend for all workers; a signature is made per request.
//! Invariant: no secret is in an error, a log line or a `Debug`. Compiled with the [`Backend`](super::Backend); applied
//! by the dispatch to the request as its last change.

mod aws;
mod entra;
mod fetch;
mod google;
mod oauth;
mod sigv4;
mod token_cache;

#[cfg(test)]
mod tests;

use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use llm::{KeyPlace, Provider};

pub use aws::{AwsConfig, AwsKeyConfig, AwsSource};
pub use entra::EntraConfig;
pub use google::{EXPIRE_EARLY_SECS, GoogleConfig};
pub use sigv4::AwsKeys;

use self::aws::{AwsError, AwsSigner};
use self::entra::EntraTokens;
use self::fetch::{FetchError, World};
use self::google::GoogleTokens;
use self::token_cache::TokenCache;
use crate::answer::Answer;
use crate::headers;
use crate::services::Services;
use crate::transport::OutgoingBody;

/// What a plugin's configuration says about credentials, beside fixed headers and arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialsConfig {
    Google(GoogleConfig),
    Entra(EntraConfig),
    Aws(AwsConfig),
}

/// The same, ready for use.
pub(super) struct Credentials(Kind);

enum Kind {
    Google(TokenCache<GoogleTokens>),
    Entra(TokenCache<EntraTokens>),
    Aws(AwsSigner),
}

impl Credentials {
    /// Compiles `config`. Nothing is fetched yet.
    pub(super) fn compile(config: CredentialsConfig, services: &Services) -> Self {
        let (world, side) = (World::new(services.client.clone()), services.side.clone());
        Self(match config {
            CredentialsConfig::Google(config) => Kind::Google(TokenCache::new(GoogleTokens::new(config, world), side)),
            CredentialsConfig::Entra(config) => Kind::Entra(TokenCache::new(EntraTokens::new(config, world), side)),
            CredentialsConfig::Aws(config) => Kind::Aws(AwsSigner::new(config, world, side)),
        })
    }

    /// What authorises a request is made of its whole body.
    pub(super) fn sign_bodies(&self) -> bool {
        match &self.0 {
            Kind::Google(_) | Kind::Entra(_) => false,
            Kind::Aws(_) => true,
        }
    }

    /// Authorises `request`, which must not be changed any more.
    ///
    /// # Errors
    /// The answer for a request that cannot be authorised: 500, with the kind of failure; the log tells the rest.
    pub(super) async fn authorise(
        &self,
        provider: &Provider,
        request: &mut http::Request<OutgoingBody>,
    ) -> Result<(), Answer> {
        match &self.0 {
            Kind::Google(tokens) => {
                show(&*tokens.get().await.map_err(|error| no_token("gcp", &error))?, provider, request);
                Ok(())
            }
            Kind::Entra(tokens) => {
                show(&*tokens.get().await.map_err(|error| no_token("Entra", &error))?, provider, request);
                Ok(())
            }
            Kind::Aws(signer) => {
                let failed = |error: AwsError| refusal(&format!("failed to sign AWS request: {}", error.kind()));
                signer.sign(request).await.map_err(failed)
            }
        }
    }
}

/// Puts `bearer` in the place of every other key.
fn show(bearer: &HeaderValue, provider: &Provider, request: &mut http::Request<OutgoingBody>) {
    if let KeyPlace::Header(name) = provider.key {
        headers::remove(request.headers_mut(), &HeaderName::from_static(name));
    }
    request.headers_mut().insert(AUTHORIZATION, bearer.clone());
}

fn no_token(kind: &str, error: &FetchError) -> Answer {
    refusal(&format!("failed to get {kind} access token: {}", error.kind()))
}

fn refusal(message: &str) -> Answer {
    Answer::error_msg(StatusCode::INTERNAL_SERVER_ERROR, message)
}
