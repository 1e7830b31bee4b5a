//! Keys of a role from the Security Token Service: for other keys (`AssumeRole`) or for a token of another issuer
//! (`AssumeRoleWithWebIdentity`), which is what EKS gives to pods as "IAM roles for service accounts".

use super::super::fetch::{FetchError, TokenRequest, World, xml_element};
use super::super::sigv4::{AwsKeys, Signing};
use super::super::token_cache::Lease;
use crate::variables::timestamp;

/// The service's name in signatures.
const SERVICE: &str = "sts";
const VERSION: (&str, &str) = ("Version", "2011-06-15");

/// The variable that names the file with the token; it is read again for each fetch.
pub(super) const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// The variable that names the role.
pub(super) const ROLE: &str = "AWS_ROLE_ARN";

/// A role that is asked for with other keys.
pub(super) struct Assumed<'a> {
    pub role: &'a str,
    pub session: &'a str,
    /// What the role's owner has agreed on with its users.
    pub external_id: Option<&'a str>,
    /// Seconds, as text; the role's own limit is checked by the service.
    pub duration: Option<&'a str>,
}

/// A role that is asked for with a token.
pub(super) struct WebIdentity<'a> {
    pub role: &'a str,
    pub session: &'a str,
    pub token: &'a str,
}

/// Keys of the role that the variables name.
pub(super) async fn of_variables(world: &World, region: &str) -> Result<Lease<AwsKeys>, FetchError> {
    let token = world.file(world.needed_variable(TOKEN_FILE)?).await?;
    let role = world.needed_variable(ROLE)?;
    let identity = WebIdentity { role: &role, session: &session_name(world), token: &token };
    for_web_identity(world, region, &identity).await
}

/// What the service's log calls the gateway, unless a profile says otherwise.
pub(super) fn session_name(world: &World) -> String {
    world.variable("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "tidegate".to_owned())
}

/// Asks the service in `region` for a role with a token. Nothing is signed: the token is the proof.
pub(super) async fn for_web_identity(
    world: &World,
    region: &str,
    identity: &WebIdentity<'_>,
) -> Result<Lease<AwsKeys>, FetchError> {
    let fields = [
        ("Action", "AssumeRoleWithWebIdentity"),
        VERSION,
        ("RoleArn", identity.role),
        ("RoleSessionName", identity.session),
        ("WebIdentityToken", identity.token),
    ];
    keys(world, TokenRequest::post_form(endpoint(world, region), &fields)).await
}

/// Asks the service in `region` for a role, with `keys`.
pub(super) async fn with_keys(
    world: &World,
    region: &str,
    with: &AwsKeys,
    assumed: &Assumed<'_>,
) -> Result<Lease<AwsKeys>, FetchError> {
    let mut fields =
        vec![("Action", "AssumeRole"), VERSION, ("RoleArn", assumed.role), ("RoleSessionName", assumed.session)];
    fields.extend(assumed.external_id.map(|id| ("ExternalId", id)));
    fields.extend(assumed.duration.map(|seconds| ("DurationSeconds", seconds)));
    let signing = Signing { keys: with, region, service: SERVICE, at: timestamp::now() };
    keys(world, TokenRequest::post_form(endpoint(world, region), &fields).signed(&signing)?).await
}

async fn keys(world: &World, request: TokenRequest) -> Result<Lease<AwsKeys>, FetchError> {
    let answer = world.ask(request).await?;
    let xml = answer.text()?;
    let field = |name| xml_element(xml, name).ok_or_else(|| answer.unusable());
    let keys = AwsKeys {
        access_key_id: field("AccessKeyId")?.to_owned(),
        secret_access_key: field("SecretAccessKey")?.into(),
        session_token: Some(field("SessionToken")?.into()),
    };
    super::expiring(keys, field("Expiration")?).ok_or_else(|| answer.unusable())
}

fn endpoint(world: &World, region: &str) -> String {
    let moved = world.variable("AWS_ENDPOINT_URL_STS").or_else(|| world.variable("AWS_ENDPOINT_URL"));
    moved.unwrap_or_else(|| format!("https://sts.{region}.{}/", super::domain(region)))
}
