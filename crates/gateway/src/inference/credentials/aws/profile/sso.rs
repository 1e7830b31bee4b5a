//! Keys of a role for who has signed on at IAM Identity Center with `aws sso login`: the token which that has left in
//! `~/.aws/sso/cache` is shown to the portal. It is not renewed here, for that needs a person.

use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use config::secret::Secret;
use serde::Deserialize;

use super::super::super::fetch::{FetchError, TokenRequest, World, form};
use super::super::super::sigv4::AwsKeys;
use super::super::super::token_cache::Lease;
use super::files::{Profile, SharedFiles};
use crate::variables::timestamp;

/// The file in the cache.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignOn {
    access_token: Secret,
    expires_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortalAnswer {
    role_credentials: RoleKeys,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleKeys {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    /// Milliseconds since the Unix epoch.
    expiration: u64,
}

/// The keys of the role that `profile` names.
pub(super) async fn keys(
    world: &World,
    files: &SharedFiles,
    profile: &Profile<'_>,
) -> Result<Lease<AwsKeys>, FetchError> {
    let needed = |name: &str| {
        let session = profile.get("sso_session");
        let told = profile.get(name).or_else(|| files.of_sign_on(session?, name));
        told.ok_or_else(|| FetchError::Unusable(format!("the AWS profile signs on, but has no {name}")))
    };
    let (account, role) = (needed("sso_account_id")?, needed("sso_role_name")?);
    // The cache names a shared sign-on by its name, an older one by its address.
    let cached_as = match profile.get("sso_session") {
        Some(session) => session,
        None => needed("sso_start_url")?,
    };
    let token = cached_token(world, cached_as).await?;
    let host = match world.variable("AWS_ENDPOINT_URL_SSO").or_else(|| world.variable("AWS_ENDPOINT_URL")) {
        Some(host) => host.trim_end_matches('/').to_owned(),
        None => {
            let region = needed("sso_region")?;
            format!("https://portal.sso.{region}.{}", super::super::domain(region))
        }
    };
    let query = form(&[("role_name", role), ("account_id", account)]);
    let request = TokenRequest::get(format!("{host}/federation/credentials?{query}"))
        .header("x-amz-sso_bearer_token", token.expose())?;
    let answer = world.ask(request).await?;
    let PortalAnswer { role_credentials: keys } = answer.json()?;
    let lifetime = Duration::from_millis(keys.expiration).saturating_sub(timestamp::now());
    let keys = AwsKeys {
        access_key_id: keys.access_key_id,
        secret_access_key: keys.secret_access_key,
        session_token: Some(keys.session_token),
    };
    Ok(Lease::expiring(keys, lifetime))
}

/// The token of who signed on as `name`, if it is still good.
async fn cached_token(world: &World, name: &str) -> Result<Secret, FetchError> {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, name.as_bytes());
    let file: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let home = world.needed_variable("HOME")?;
    let path = format!("{home}/.aws/sso/cache/{file}.json");
    let over = || FetchError::Unusable("the AWS profile's sign-on is over: call `aws sso login`".to_owned());
    let text = world.file(path).await?;
    let sign_on: SignOn = serde_json::from_str(&text).map_err(|_| over())?;
    // Older tools end the time in `UTC`.
    let until = timestamp::read_rfc3339(&sign_on.expires_at.replace("UTC", "Z"));
    match until.is_some_and(|until| until > timestamp::now()) {
        true => Ok(sign_on.access_token),
        false => Err(over()),
    }
}
