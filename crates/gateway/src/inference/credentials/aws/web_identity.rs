//! Keys of a role, for a token of another issuer: what EKS gives to pods as "IAM roles for service accounts".

use super::super::fetch::{FetchError, TokenRequest, World, xml_element};
use super::super::sigv4::AwsKeys;
use super::super::token_cache::Lease;

/// The variable that names the file with the token; it is read again for each fetch.
pub(super) const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// The variable that names the role.
pub(super) const ROLE: &str = "AWS_ROLE_ARN";

/// Asks the Security Token Service in `region`.
pub(super) async fn keys(world: &World, region: &str) -> Result<Lease<AwsKeys>, FetchError> {
    let token = world.file(world.needed_variable(TOKEN_FILE)?).await?;
    let role = world.needed_variable(ROLE)?;
    let session = world.variable("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "tidegate".to_owned());
    let endpoint = world.variable("AWS_ENDPOINT_URL_STS").or_else(|| world.variable("AWS_ENDPOINT_URL"));
    let request = TokenRequest::post_form(
        endpoint.unwrap_or_else(|| regional_endpoint(region)),
        &[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &role),
            ("RoleSessionName", &session),
            ("WebIdentityToken", &token),
        ],
    );
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

/// China's regions have a domain of their own.
fn regional_endpoint(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://sts.{region}.{domain}/")
}
