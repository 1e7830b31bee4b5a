//! The key of a service account: a grant is signed with it and exchanged for a token.

use std::time::Duration;

use config::secret::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

use super::super::fetch::{FetchError, TokenRequest};
use super::{SCOPE, TOKEN_URI};
use crate::variables::timestamp;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Google takes grants that live at most an hour.
const GRANT_LIFETIME: Duration = Duration::from_secs(3600);

#[derive(Deserialize)]
pub(super) struct AccountKey {
    client_email: String,
    private_key: Secret,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    scope: Option<Scope>,
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

impl AccountKey {
    /// The request for a token.
    ///
    /// # Errors
    /// If the private key cannot sign.
    pub(super) fn request(&self) -> Result<TokenRequest, FetchError> {
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
        Ok(TokenRequest::post_form(token_uri, &[("grant_type", GRANT_TYPE), ("assertion", &assertion)]))
    }
}
