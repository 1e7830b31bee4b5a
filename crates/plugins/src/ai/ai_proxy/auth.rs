//! `auth` of `ai-proxy`: how the gateway identifies itself to the provider. `header`, `query`, `gcp` and `aws` are
//! APISIX's; `entra` and the sources of AWS keys are Tidegate's own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use config::secret::{Reference, Secret};
use gateway::inference::{
    AwsConfig, AwsKeyConfig, AwsKeys, AwsSource, CredentialsConfig, EXPIRE_EARLY_SECS, EntraConfig, GoogleConfig,
    ProviderAuth,
};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use llm::{KeyPlace, Provider};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::header_change::settable;

/// Fields that are stored encrypted.
pub(super) const SECRETS: &[&str] = &[
    "auth.header",
    "auth.query",
    "auth.gcp.service_account_json",
    "auth.aws.secret_access_key",
    "auth.aws.session_token",
    "auth.entra.client_secret",
];

/// How the gateway identifies itself to the provider.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Auth {
    /// Headers, over the client's of the same names.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub header: BTreeMap<String, String>,
    /// Query arguments.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub query: BTreeMap<String, String>,
    /// Access tokens of Google Cloud.
    pub gcp: Option<Gcp>,
    /// Signatures of AWS; used by `bedrock` alone.
    pub aws: Option<Aws>,
    /// Tidegate's own: access tokens of Microsoft Entra ID.
    pub entra: Option<Entra>,
}

/// Access tokens of Google Cloud.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Gcp {
    /// A key, as JSON: of a service account, a user or an impersonated one. Else
    /// `GCP_SERVICE_ACCOUNT`, the file of `GOOGLE_APPLICATION_CREDENTIALS`, that of `gcloud`, the metadata server.
    pub service_account_json: Option<Secret>,
    /// Seconds for which a token is used at most.
    #[schemars(range(min = 1))]
    pub max_ttl: Option<u64>,
    /// Seconds by which a token is given up before its end.
    #[serde(default = "expire_early_secs")]
    #[schemars(range(min = 0))]
    pub expire_early_secs: u64,
}

/// Signatures of AWS.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Aws {
    /// Required where `source` is `static`.
    #[schemars(length(min = 1))]
    pub access_key_id: Option<String>,
    /// Required where `source` is `static`.
    #[schemars(length(min = 1))]
    pub secret_access_key: Option<Secret>,
    #[schemars(length(min = 1))]
    pub session_token: Option<Secret>,
    /// Tidegate's own: where the keys come from.
    #[serde(default)]
    pub source: Source,
    /// Tidegate's own: the profile for the sources `profile` and `default`.
    #[schemars(length(min = 1))]
    pub profile: Option<String>,
}

/// Where AWS keys come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    #[default]
    Static,
    Environment,
    Profile,
    Container,
    WebIdentity,
    Instance,
    /// The first of these that is there.
    Default,
}

/// Access tokens of Microsoft Entra ID.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Entra {
    /// Else `AZURE_TENANT_ID`.
    #[schemars(length(min = 1))]
    pub tenant_id: Option<String>,
    /// The application, or a user-assigned managed identity. Else `AZURE_CLIENT_ID`.
    #[schemars(length(min = 1))]
    pub client_id: Option<String>,
    /// The application's secret. Without it, and without a token file, the machine's managed identity is used.
    #[schemars(length(min = 1))]
    pub client_secret: Option<Secret>,
    /// A file with another issuer's token (workload identity). Else `AZURE_FEDERATED_TOKEN_FILE`.
    #[schemars(length(min = 1))]
    pub federated_token_file: Option<String>,
    /// Else `https://cognitiveservices.azure.com/.default`.
    #[schemars(length(min = 1))]
    pub scope: Option<String>,
    /// Else `AZURE_AUTHORITY_HOST`, else `https://login.microsoftonline.com`.
    #[schemars(length(min = 1))]
    pub authority_host: Option<String>,
}

fn expire_early_secs() -> u64 {
    EXPIRE_EARLY_SECS
}

impl Auth {
    /// What the schema cannot say. Texts that refer to secrets pass: what they stand for is not known yet.
    pub(super) fn check(&self, provider: &Provider) -> Result<(), String> {
        for name in self.header.keys() {
            header_name(name)?;
        }
        if let Some(gcp) = &self.gcp {
            gcp.check()?;
        }
        if let Some(aws) = &self.aws {
            aws.check()?;
        }
        if let Some(entra) = &self.entra {
            entra.check()?;
        }
        if self.gcp.is_some() && self.entra.is_some() {
            return Err("auth.gcp and auth.entra exclude each other: both set the header Authorization".to_owned());
        }
        // Bedrock's own API keys are bearer tokens.
        let has_bearer = self.header.keys().any(|name| name.eq_ignore_ascii_case(AUTHORIZATION.as_str()));
        if provider.key == KeyPlace::SigV4 && self.aws.is_none() && !has_bearer {
            return Err(format!("{} requires auth.aws", provider.name));
        }
        Ok(())
    }

    /// What the dispatch works with, for resources in `region`.
    pub(super) fn compile(&self, provider: &Provider, region: Option<&str>) -> Result<ProviderAuth, String> {
        Ok(ProviderAuth {
            headers: self.header.iter().map(header).collect::<Result<_, _>>()?,
            query: self.query.clone().into_iter().collect(),
            credentials: self.credentials(provider, region)?,
        })
    }

    /// AWS's signature comes last, so that it stands over the others.
    fn credentials(&self, provider: &Provider, region: Option<&str>) -> Result<Option<CredentialsConfig>, String> {
        if let Some(aws) = self.aws.as_ref().filter(|_| provider.key == KeyPlace::SigV4) {
            let region = region.ok_or("bedrock requires provider_conf.region")?.to_owned();
            return Ok(Some(CredentialsConfig::Aws(AwsConfig { region, keys: aws.compile()? })));
        }
        let google = self.gcp.as_ref().map(|gcp| CredentialsConfig::Google(gcp.compile()));
        Ok(google.or_else(|| self.entra.as_ref().map(|entra| CredentialsConfig::Entra(entra.compile()))))
    }
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    settable(name).map_err(|reason| format!("auth.header: {reason}"))
}

fn header((name, value): (&String, &String)) -> Result<(HeaderName, HeaderValue), String> {
    let name = header_name(name)?;
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("auth.header.{name}: the value holds characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

impl Gcp {
    fn check(&self) -> Result<(), String> {
        let known =
            self.service_account_json.as_ref().map(Secret::expose).filter(|text| Reference::parse(text).is_none());
        match known.map(serde_json::from_str::<IgnoredAny>) {
            Some(Err(error)) => Err(format!("invalid gcp service_account_json: {error}")),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn compile(&self) -> GoogleConfig {
        GoogleConfig {
            service_account_json: self.service_account_json.clone(),
            max_ttl: self.max_ttl.map(Duration::from_secs),
            expire_early: Duration::from_secs(self.expire_early_secs),
        }
    }
}

impl Aws {
    /// In the schema's words, as APISIX says it of fixed keys.
    fn check(&self) -> Result<(), String> {
        let missing = match (&self.access_key_id, &self.secret_access_key) {
            (None, _) => "access_key_id",
            (_, None) => "secret_access_key",
            (Some(_), Some(_)) => return self.check_source(),
        };
        match self.source {
            Source::Static => Err(format!(
                r#"property "auth" validation failed: property "aws" validation failed: property "{missing}" is required"#
            )),
            _ => self.check_source(),
        }
    }

    fn check_source(&self) -> Result<(), String> {
        let has_keys = self.access_key_id.is_some() || self.secret_access_key.is_some() || self.session_token.is_some();
        let takes_profile = matches!(self.source, Source::Profile | Source::Default);
        if has_keys && self.source != Source::Static {
            return Err("auth.aws: keys are only taken where source is static".to_owned());
        }
        if self.profile.is_some() && !takes_profile {
            return Err("auth.aws.profile is only taken where source is profile or default".to_owned());
        }
        Ok(())
    }

    fn compile(&self) -> Result<AwsKeyConfig, String> {
        let source = match self.source {
            Source::Static => return self.fixed_keys().map(AwsKeyConfig::Static),
            Source::Environment => AwsSource::Environment,
            Source::Profile => AwsSource::Profile(self.profile.clone()),
            Source::Container => AwsSource::Container,
            Source::WebIdentity => AwsSource::WebIdentity,
            Source::Instance => AwsSource::Instance,
            Source::Default => AwsSource::Default(self.profile.clone()),
        };
        Ok(AwsKeyConfig::Fetched(source))
    }

    fn fixed_keys(&self) -> Result<AwsKeys, String> {
        let (Some(access_key_id), Some(secret_access_key)) = (&self.access_key_id, &self.secret_access_key) else {
            return Err("auth.aws needs access_key_id and secret_access_key".to_owned());
        };
        Ok(AwsKeys {
            access_key_id: access_key_id.clone(),
            secret_access_key: secret_access_key.clone(),
            session_token: self.session_token.clone(),
        })
    }
}

impl Entra {
    fn check(&self) -> Result<(), String> {
        if self.client_secret.is_some() && self.federated_token_file.is_some() {
            return Err("auth.entra: client_secret and federated_token_file exclude each other".to_owned());
        }
        if self.client_secret.is_some() && (self.tenant_id.is_none() || self.client_id.is_none()) {
            return Err("auth.entra: client_secret needs tenant_id and client_id".to_owned());
        }
        Ok(())
    }

    fn compile(&self) -> EntraConfig {
        EntraConfig {
            tenant_id: self.tenant_id.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            federated_token_file: self.federated_token_file.as_ref().map(PathBuf::from),
            scope: self.scope.clone(),
            authority_host: self.authority_host.clone(),
        }
    }
}
