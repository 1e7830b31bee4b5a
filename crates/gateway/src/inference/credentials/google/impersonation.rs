//! Tokens of a service account for who may act as it: the IAM Credentials API gives one for another token.

use std::time::Duration;

use config::secret::Secret;
use serde::Deserialize;
use serde_json::json;

use super::super::fetch::{FetchError, TokenRequest, World};
use super::super::oauth::{self, Token};
use super::{Key, SCOPE, Writer, of_google};
use crate::variables::timestamp;

/// The member of keys that says where to ask.
pub(super) const URL: &str = "service_account_impersonation_url";

/// What is asked for unless the key says otherwise; Google gives an hour at most by default.
const USUAL_SECONDS: u64 = 3600;

/// Acts as a service account with another key's token.
#[derive(Deserialize)]
pub(super) struct ImpersonatedKey {
    service_account_impersonation_url: String,
    source_credentials: Box<Key>,
    /// Accounts in between, each of which may act as the next.
    #[serde(default)]
    delegates: Vec<String>,
}

/// Whom to act as.
pub(super) struct Impersonation<'a> {
    pub url: &'a str,
    pub delegates: &'a [String],
    pub seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GeneratedToken {
    access_token: Secret,
    expire_time: String,
}

impl ImpersonatedKey {
    /// A token of the account.
    pub(super) async fn token(&self, world: &World, writer: Writer) -> Result<Token, FetchError> {
        let url = of_google(&self.service_account_impersonation_url, URL)?;
        let source = self.source_credentials.token(world, writer).await?;
        Impersonation { url, delegates: &self.delegates, seconds: None }.token(world, &source).await
    }
}

impl Impersonation<'_> {
    /// The account's token, for `source`.
    pub(super) async fn token(&self, world: &World, source: &Token) -> Result<Token, FetchError> {
        let seconds = self.seconds.unwrap_or(USUAL_SECONDS);
        let body = json!({ "scope": [SCOPE], "lifetime": format!("{seconds}s"), "delegates": self.delegates });
        let answer = world.ask(TokenRequest::post_json(self.url, &body).authorised(&source.bearer)).await?;
        let told: GeneratedToken = answer.json()?;
        let bearer = oauth::bearer(told.access_token.expose()).ok_or_else(|| answer.unusable())?;
        let until: Duration = timestamp::read_rfc3339(&told.expire_time).ok_or_else(|| answer.unusable())?;
        Ok(Token { bearer, lifetime: until.saturating_sub(timestamp::now()) })
    }
}
