//! A user's consent, as `gcloud auth application-default login` keeps it: a refresh token is exchanged for a token.

use config::secret::Secret;
use serde::Deserialize;

use super::super::fetch::TokenRequest;
use super::TOKEN_URI;

#[derive(Deserialize)]
pub(super) struct UserKey {
    client_id: String,
    client_secret: Secret,
    refresh_token: Secret,
    token_uri: Option<String>,
}

impl UserKey {
    /// The request for a token.
    pub(super) fn request(&self) -> TokenRequest {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
            ("refresh_token", self.refresh_token.expose()),
        ];
        TokenRequest::post_form(self.token_uri.as_deref().unwrap_or(TOKEN_URI), &fields)
    }
}
