//! Workload identity federation: a token of another issuer, from a file or a server, is exchanged for one of Google's.
//! The exchange is RFC 8693, at Google's Security Token Service.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::secret::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::fetch::{FetchError, TokenRequest, World};
use super::super::oauth::{self, Token};
use super::SCOPE;
use super::impersonation::Impersonation;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const STS_URL: &str = "https://sts.googleapis.com/v1/token";

/// What `gcloud iam workload-identity-pools create-cred-config` writes.
#[derive(Deserialize)]
pub(super) struct ExternalKey {
    audience: String,
    subject_token_type: String,
    token_url: Option<String>,
    credential_source: SubjectSource,
    service_account_impersonation_url: Option<String>,
    service_account_impersonation: Option<ImpersonationOptions>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    workforce_pool_user_project: Option<String>,
}

#[derive(Deserialize)]
struct ImpersonationOptions {
    token_lifetime_seconds: Option<u64>,
}

/// Where the other issuer's token is.
#[derive(Deserialize)]
struct SubjectSource {
    file: Option<PathBuf>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    format: Option<Format>,
}

/// How it stands there: as it is, or in a member of an object.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Format {
    Text,
    Json { subject_token_field_name: String },
}

impl ExternalKey {
    /// Google's token for that of the other issuer.
    pub(super) async fn token(&self, world: &World) -> Result<Token, FetchError> {
        let subject = self.credential_source.token(world).await?;
        let exchanged = oauth::token(&world.ask(self.exchange(&subject)?).await?)?;
        let Some(url) = &self.service_account_impersonation_url else { return Ok(exchanged) };
        let seconds = self.service_account_impersonation.as_ref().and_then(|options| options.token_lifetime_seconds);
        Impersonation { url, delegates: &[], seconds }.token(world, &exchanged).await
    }

    fn exchange(&self, subject: &Secret) -> Result<TokenRequest, FetchError> {
        let options =
            self.workforce_pool_user_project.as_ref().map(|project| json!({ "userProject": project }).to_string());
        let mut fields = vec![
            ("grant_type", GRANT_TYPE),
            ("audience", &self.audience),
            ("scope", SCOPE),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token", subject.expose()),
            ("subject_token_type", &self.subject_token_type),
        ];
        fields.extend(options.as_deref().map(|options| ("options", options)));
        let request = TokenRequest::post_form(self.token_url.as_deref().unwrap_or(STS_URL), &fields);
        match (&self.client_id, &self.client_secret) {
            (Some(id), Some(secret)) => {
                let pair = STANDARD.encode(format!("{id}:{}", secret.expose()));
                request.header("authorization", &format!("Basic {pair}"))
            }
            _ => Ok(request),
        }
    }
}

impl SubjectSource {
    async fn token(&self, world: &World) -> Result<Secret, FetchError> {
        let text = match (&self.file, &self.url) {
            (Some(file), _) => world.file(file).await?,
            (None, Some(url)) => {
                let request = (self.headers.iter())
                    .try_fold(TokenRequest::get(url), |request, (name, value)| request.header(name, value))?;
                world.ask(request).await?.text()?.to_owned()
            }
            (None, None) => {
                let message = "credential_source must have a file or a url: programs and AWS are not asked";
                return Err(FetchError::Unusable(message.to_owned()));
            }
        };
        self.taken_out(text).ok_or_else(|| {
            FetchError::Unusable("credential_source holds no token of the form that it tells".to_owned())
        })
    }

    fn taken_out(&self, text: String) -> Option<Secret> {
        match &self.format {
            None | Some(Format::Text) => Some(text.into()).filter(|token: &Secret| !token.expose().is_empty()),
            Some(Format::Json { subject_token_field_name: name }) => {
                let told: Value = serde_json::from_str(&text).ok()?;
                told.get(name)?.as_str().map(Into::into)
            }
        }
    }
}
