//! Workload identity federation: a token of another issuer, from a file or a server, is exchanged for one of Google's.
//! The exchange is RFC 8693, at Google's Security Token Service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::secret::Secret;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::super::fetch::{FetchError, TokenRequest, World};
use super::super::oauth::{self, Token};
use super::impersonation::{self, Impersonation};
use super::{SCOPE, Writer, of_google};

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
    /// AWS, which is not asked.
    environment_id: Option<IgnoredAny>,
    /// A program, which is not run.
    executable: Option<IgnoredAny>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    format: Option<Format>,
}

/// Where a token is asked for.
enum Place<'a> {
    File(&'a Path),
    Url(&'a str),
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
    pub(super) async fn token(&self, world: &World, writer: Writer) -> Result<Token, FetchError> {
        let source = self.credential_source.known()?;
        if writer == Writer::Route {
            let message = "credential_source reads files and URLs of the host: a key of the type external_account is taken \
                           from GOOGLE_APPLICATION_CREDENTIALS or GCP_SERVICE_ACCOUNT, not from service_account_json";
            return Err(FetchError::Unusable(message.to_owned()));
        }
        let token_url = of_google(self.token_url.as_deref().unwrap_or(STS_URL), "token_url")?;
        let acting_url = self.service_account_impersonation_url.as_deref();
        let acting_url = acting_url.map(|url| of_google(url, impersonation::URL)).transpose()?;

        let subject = self.credential_source.token(world, source).await?;
        let exchanged = oauth::token(&world.ask(self.exchange(token_url, &subject)?).await?)?;
        let Some(url) = acting_url else { return Ok(exchanged) };
        let seconds = self.service_account_impersonation.as_ref().and_then(|options| options.token_lifetime_seconds);
        Impersonation { url, delegates: &[], seconds }.token(world, &exchanged).await
    }

    fn exchange(&self, token_url: &str, subject: &Secret) -> Result<TokenRequest, FetchError> {
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
        let request = TokenRequest::post_form(token_url, &fields);
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
    /// Where the token is, if it can be asked there.
    fn known(&self) -> Result<Place<'_>, FetchError> {
        let refused = self.environment_id.is_some() || self.executable.is_some();
        match (&self.file, &self.url) {
            (Some(file), _) if !refused => Ok(Place::File(file)),
            (None, Some(url)) if !refused => Ok(Place::Url(url)),
            _ => {
                let message = "credential_source must have a file or a url: programs and AWS are not asked";
                Err(FetchError::Unusable(message.to_owned()))
            }
        }
    }

    async fn token(&self, world: &World, place: Place<'_>) -> Result<Secret, FetchError> {
        let text = match place {
            Place::File(file) => world.file(file).await?,
            Place::Url(url) => {
                let request = (self.headers.iter())
                    .try_fold(TokenRequest::get(url), |request, (name, value)| request.header(name, value))?;
                world.ask(request).await?.text()?.to_owned()
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
