//! Keys from the endpoints that AWS gives to its own machines: one for containers (ECS, EKS Pod Identity), one for
//! instances (EC2's metadata service, version 2). Both answer with the same JSON.

use config::secret::Secret;
use serde::Deserialize;

use super::super::fetch::{Answered, FetchError, TokenRequest, World};
use super::super::sigv4::AwsKeys;
use super::super::token_cache::Lease;

const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// Where relative URIs of containers lead.
const CONTAINER_HOST: &str = "http://169.254.170.2";

const INSTANCE_HOST: &str = "http://169.254.169.254";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Seconds for which a session with the metadata service lasts; one fetch needs it for two requests.
const SESSION_SECONDS: &str = "60";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeysAnswer {
    access_key_id: String,
    secret_access_key: Secret,
    token: Option<Secret>,
    expiration: String,
}

/// `true` in a container that was given an endpoint.
pub(super) fn is_container(world: &World) -> bool {
    world.variable(RELATIVE_URI).or_else(|| world.variable(FULL_URI)).is_some()
}

/// The keys of this container's role.
pub(super) async fn of_container(world: &World) -> Result<Lease<AwsKeys>, FetchError> {
    let url = match world.variable(RELATIVE_URI) {
        Some(path) => format!("{CONTAINER_HOST}{path}"),
        None => world.needed_variable(FULL_URI)?,
    };
    let token = match world.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(world.file(file).await?),
        None => world.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    let request = TokenRequest::get(url);
    let request = match token {
        Some(token) => request.header("authorization", &token)?,
        None => request,
    };
    keys(&world.ask(request).await?)
}

/// The keys of this instance's role.
pub(super) async fn of_instance(world: &World) -> Result<Lease<AwsKeys>, FetchError> {
    if world.variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        let message = "no AWS keys were found, and AWS_EC2_METADATA_DISABLED forbids to ask the instance for them";
        return Err(FetchError::Unusable(message.to_owned()));
    }
    let host = world.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let host = host.as_deref().unwrap_or(INSTANCE_HOST).trim_end_matches('/');
    let session = TokenRequest::put(format!("{host}/latest/api/token"))
        .header("x-aws-ec2-metadata-token-ttl-seconds", SESSION_SECONDS)?;
    let session = world.ask(session).await?;
    let ask = |url| TokenRequest::get(url).header("x-aws-ec2-metadata-token", session.text()?);
    let roles = world.ask(ask(format!("{host}{ROLES}"))?).await?;
    let role = roles.text()?.lines().next().ok_or_else(|| roles.unusable())?;
    keys(&world.ask(ask(format!("{host}{ROLES}{role}"))?).await?)
}

fn keys(answer: &Answered) -> Result<Lease<AwsKeys>, FetchError> {
    let KeysAnswer { access_key_id, secret_access_key, token, expiration } = answer.json()?;
    let keys = AwsKeys { access_key_id, secret_access_key, session_token: token };
    super::expiring(keys, &expiration).ok_or_else(|| answer.unusable())
}
