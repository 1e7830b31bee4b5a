//! Microsoft Entra ID's access tokens, for Azure OpenAI and other services of Azure: for an application by its secret
//! or by a token of another issuer (workload identity), and for a managed identity from the machine's own endpoint.

use std::path::PathBuf;

use config::secret::Secret;
use http::header::HeaderValue;

use super::fetch::{FetchError, TokenRequest, World, form};
use super::oauth::{self, Token};
use super::token_cache::{Lease, Source};

/// What Azure OpenAI wants to be asked with.
const COGNITIVE_SERVICES: &str = "https://cognitiveservices.azure.com/.default";

const AUTHORITY_HOST: &str = "https://login.microsoftonline.com";
const METADATA_HOST: &str = "http://169.254.169.254";
const JWT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// `auth.entra`. Where a field is absent, the variables stand in that Azure sets for workload identity; without an
/// application's secret or token file the managed identity is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntraConfig {
    /// Else `AZURE_TENANT_ID`.
    pub tenant_id: Option<String>,
    /// Of the application, or of a user-assigned managed identity. Else `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    /// Else `AZURE_FEDERATED_TOKEN_FILE`. Read again for each token.
    pub federated_token_file: Option<PathBuf>,
    /// Else `https://cognitiveservices.azure.com/.default`.
    pub scope: Option<String>,
    /// A URL without path. Else `AZURE_AUTHORITY_HOST`, else the public cloud's.
    pub authority_host: Option<String>,
}

/// Where tokens come from.
pub(super) struct EntraTokens {
    config: EntraConfig,
    world: World,
}

impl EntraTokens {
    pub(super) fn new(config: EntraConfig, world: World) -> Self {
        Self { config, world }
    }

    async fn request(&self) -> Result<TokenRequest, FetchError> {
        if let Some(secret) = &self.config.client_secret {
            return self.application_request(&[("client_secret", secret.expose())]);
        }
        let configured = self.config.federated_token_file.clone();
        match configured.or_else(|| self.world.variable("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from)) {
            Some(file) => {
                let assertion = self.world.file(file).await?;
                self.application_request(&[("client_assertion_type", JWT_ASSERTION), ("client_assertion", &assertion)])
            }
            None => self.managed_identity_request(),
        }
    }

    fn application_request(&self, proof: &[(&str, &str)]) -> Result<TokenRequest, FetchError> {
        let tenant =
            self.or_variable(&self.config.tenant_id, "AZURE_TENANT_ID").ok_or(FetchError::Unset("tenant_id"))?;
        let client = self.client_id().ok_or(FetchError::Unset("client_id"))?;
        let authority = self.or_variable(&self.config.authority_host, "AZURE_AUTHORITY_HOST");
        let authority = authority.as_deref().unwrap_or(AUTHORITY_HOST).trim_end_matches('/');
        let mut fields = vec![("grant_type", "client_credentials"), ("client_id", &client), ("scope", self.scope())];
        fields.extend(proof);
        Ok(TokenRequest::post_form(format!("{authority}/{tenant}/oauth2/v2.0/token"), &fields))
    }

    /// App Service and its kin name an endpoint of their own; elsewhere it is the machine's metadata server.
    fn managed_identity_request(&self) -> Result<TokenRequest, FetchError> {
        let resource = self.scope().trim_end_matches("/.default");
        let client = self.client_id();
        let query = |version| {
            let mut fields = vec![("api-version", version), ("resource", resource)];
            fields.extend(client.as_deref().map(|client| ("client_id", client)));
            form(&fields)
        };
        if let Some(endpoint) = self.world.variable("IDENTITY_ENDPOINT") {
            let header = self.world.needed_variable("IDENTITY_HEADER")?;
            let request = TokenRequest::get(format!("{endpoint}?{}", query("2019-08-01")));
            return request.header("x-identity-header", &header);
        }
        let host = self.world.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST");
        let host = host.as_deref().unwrap_or(METADATA_HOST).trim_end_matches('/');
        let url = format!("{host}/metadata/identity/oauth2/token?{}", query("2018-02-01"));
        TokenRequest::get(url).header("metadata", "true")
    }

    fn client_id(&self) -> Option<String> {
        self.or_variable(&self.config.client_id, "AZURE_CLIENT_ID")
    }

    fn scope(&self) -> &str {
        self.config.scope.as_deref().unwrap_or(COGNITIVE_SERVICES)
    }

    fn or_variable(&self, configured: &Option<String>, name: &str) -> Option<String> {
        configured.clone().or_else(|| self.world.variable(name))
    }
}

impl Source for EntraTokens {
    type Value = HeaderValue;

    async fn fetch(&self) -> Result<Lease<HeaderValue>, FetchError> {
        let answer = self.world.ask(self.request().await?).await?;
        let Token { bearer, lifetime } = oauth::token(&answer)?;
        Ok(Lease::expiring(bearer, lifetime))
    }
}
