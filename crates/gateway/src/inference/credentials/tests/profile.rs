//! Profiles that get their keys from a role, a sign-on or a program.

use std::path::Path;

use tempfile::TempDir;

use super::server::{Asked, TokenServer};
use super::world;
use crate::inference::credentials::aws::{AwsSource, KeyFetcher};
use crate::inference::credentials::sigv4::AwsKeys;
use crate::inference::credentials::token_cache::Source as _;

/// A home whose `.aws/config` says this.
fn home(config: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join(".aws")).expect("a folder");
    std::fs::write(home.path().join(".aws/config"), config).expect("written");
    home
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// Gives keys that are named after the role that is asked for.
fn token_service() -> TokenServer {
    TokenServer::answering(|asked| {
        let role = asked.field("RoleArn").unwrap_or_default();
        let name = role.rsplit('/').next().unwrap_or_default();
        let keys = format!(
            "<AccessKeyId>{name}</AccessKeyId><SecretAccessKey>{name}-secret</SecretAccessKey>\
             <SessionToken>{name}-session</SessionToken><Expiration>2100-03-01T00:00:00Z</Expiration>"
        );
        (200, format!("<AssumeRoleResponse><Credentials>{keys}</Credentials></AssumeRoleResponse>"))
    })
}

async fn fetch(profile: &str, variables: &[(&str, &str)]) -> Result<AwsKeys, String> {
    of(AwsSource::Profile(Some(profile.to_owned())), variables).await
}

async fn of(source: AwsSource, variables: &[(&str, &str)]) -> Result<AwsKeys, String> {
    let fetcher = KeyFetcher { source, region: "us-east-1".to_owned(), world: world(variables) };
    fetcher.fetch().await.map(|lease| lease.value).map_err(|error| error.to_string())
}

fn of_role(name: &str) -> AwsKeys {
    AwsKeys {
        access_key_id: name.to_owned(),
        secret_access_key: format!("{name}-secret").into(),
        session_token: Some(format!("{name}-session").into()),
    }
}

/// Who signed: the access key and the scope.
fn signer(asked: &Asked) -> (String, String) {
    let authorization = asked.header("authorization").expect("a signature");
    let credential = authorization.split("Credential=").nth(1).and_then(|rest| rest.split(',').next());
    let parts: Vec<&str> = credential.expect("a credential").split('/').collect();
    (parts[0].to_owned(), parts[2..].join("/"))
}

#[tokio::test]
async fn a_role_is_asked_for_with_the_keys_of_another_profile() {
    let service = token_service();
    let home = home(
        "[default]\naws_access_key_id = BASE\naws_secret_access_key = base\n\
         [profile first]\nrole_arn = arn:aws:iam::1:role/first\nsource_profile = default\n\
         [profile second]\nrole_arn = arn:aws:iam::2:role/second\nsource_profile = first\nregion = eu-west-1\n\
         external_id = agreed\nrole_session_name = gateway\nduration_seconds = 900\n",
    );
    let url = service.url();
    let variables = [("HOME", text(home.path())), ("AWS_ENDPOINT_URL_STS", url.as_str())];
    assert_eq!(fetch("second", &variables).await, Ok(of_role("second")));

    let asked = service.asked();
    let fields = ["Action", "RoleArn", "RoleSessionName", "ExternalId", "DurationSeconds"];
    let told = |asked: &Asked| fields.map(|name| asked.field(name).unwrap_or_default());
    assert_eq!(told(&asked[0]), ["AssumeRole", "arn:aws:iam::1:role/first", "tidegate", "", ""]);
    assert_eq!(told(&asked[1]), ["AssumeRole", "arn:aws:iam::2:role/second", "gateway", "agreed", "900"]);
    assert_eq!(signer(&asked[0]), ("BASE".to_owned(), "us-east-1/sts/aws4_request".to_owned()));
    assert_eq!(signer(&asked[1]), ("first".to_owned(), "eu-west-1/sts/aws4_request".to_owned()));
    assert_eq!(asked[1].header("x-amz-security-token"), Some("first-session"));
}

#[tokio::test]
async fn a_role_is_asked_for_with_the_keys_of_the_machine() {
    let service = token_service();
    let home = home("[profile app]\nrole_arn = arn:aws:iam::1:role/app\ncredential_source = Environment\n");
    let url = service.url();
    let variables = [
        ("HOME", text(home.path())),
        ("AWS_ENDPOINT_URL_STS", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "BASE"),
        ("AWS_SECRET_ACCESS_KEY", "base"),
    ];
    assert_eq!(fetch("app", &variables).await, Ok(of_role("app")));
    assert_eq!(signer(&service.asked()[0]).0, "BASE");
}

#[tokio::test]
async fn profiles_that_lead_nowhere_are_told_apart() {
    let home = home(
        "[profile loop]\nrole_arn = r\nsource_profile = pool\n[profile pool]\nrole_arn = r\nsource_profile = loop\n\
         [profile alone]\nrole_arn = r\n[profile person]\nrole_arn = r\nmfa_serial = m\nsource_profile = loop\n\
         [profile lost]\nrole_arn = r\nsource_profile = nobody\n",
    );
    let cases = [
        ("loop", r#"the AWS profile "loop" takes its keys from itself"#),
        ("alone", r#"the AWS profile "alone" names a role, but no source_profile or credential_source"#),
        ("person", r#"the AWS profile "person" asks for a code (mfa_serial), which no gateway can type"#),
        ("lost", r#"no shared AWS file has keys of the profile "nobody""#),
    ];
    for (profile, expected) in cases {
        assert_eq!(fetch(profile, &[("HOME", text(home.path()))]).await, Err(expected.to_owned()));
    }
}

#[tokio::test]
async fn who_has_signed_on_gets_keys_from_the_portal() {
    let portal = TokenServer::answering(|asked| match asked.header("x-amz-sso_bearer_token") {
        Some("signed-on") => (
            200,
            r#"{"roleCredentials": {"accessKeyId": "dev", "secretAccessKey": "dev-secret",
                "sessionToken": "dev-session", "expiration": 4107542400000}}"#
                .to_owned(),
        ),
        _ => (401, r#"{"message": "Session token not found or invalid"}"#.to_owned()),
    });
    let home = home(
        "[profile shared]\nsso_session = work\nsso_account_id = 12\nsso_role_name = Dev\n\
         [sso-session work]\nsso_region = eu-west-1\nsso_start_url = https://work.example/start\n\
         [profile older]\nsso_start_url = https://older.example/start\nsso_region = eu-west-1\n\
         sso_account_id = 12\nsso_role_name = Dev\n",
    );
    let cache = home.path().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).expect("a folder");
    let write = |hash: &str, until: &str| {
        let json = format!(r#"{{"accessToken": "signed-on", "expiresAt": "{until}", "region": "eu-west-1"}}"#);
        std::fs::write(cache.join(hash), json).expect("written");
    };
    // SHA-1 of `work` and of `https://older.example/start`.
    let [shared, older] = ["work", "https://older.example/start"].map(|name| {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, name.as_bytes());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>() + ".json"
    });
    write(&shared, "2100-01-01T00:00:00Z");
    write(&older, "2100-01-01T00:00:00UTC");
    let url = portal.url();
    let variables = [("HOME", text(home.path())), ("AWS_ENDPOINT_URL_SSO", url.as_str())];
    assert_eq!(fetch("shared", &variables).await, Ok(of_role("dev")));
    assert_eq!(fetch("older", &variables).await, Ok(of_role("dev")));
    assert_eq!(portal.asked()[0].line, "GET /federation/credentials?role_name=Dev&account_id=12");

    write(&shared, "2020-01-01T00:00:00Z");
    let over = fetch("shared", &variables).await;
    assert_eq!(over, Err("the AWS profile's sign-on is over: call `aws sso login`".to_owned()));
}

#[tokio::test]
async fn a_program_prints_keys_where_profiles_are_the_source() {
    let home = home(
        "[default]\ncredential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"p\", \"SecretAccessKey\": \"p-secret\", \
         \"SessionToken\": \"p-session\", \"Expiration\": \"2100-03-01T00:00:00+00:00\"}'\n\
         [profile broken]\ncredential_process = echo s3cret\n[profile failing]\ncredential_process = false\n\
         [profile missing]\ncredential_process = /nowhere/keys\n\
         [profile endless]\ncredential_process = cat /dev/zero\n",
    );
    let variables = [("HOME", text(home.path()))];
    assert_eq!(of(AwsSource::Profile(None), &variables).await, Ok(of_role("p")));
    let refused = of(AwsSource::Default(None), &variables).await.expect_err("no keys");
    assert!(refused.contains("runs only where auth.aws.source is profile"), "{refused}");
    let cases = [
        ("broken", "printed no keys"),
        ("failing", "failed"),
        ("missing", "cannot be started"),
        ("endless", "printed more than 65536 bytes"),
    ];
    for (profile, fault) in cases {
        let error = fetch(profile, &variables).await.expect_err("no keys");
        assert!(error.starts_with(&format!("the AWS profile's credential_process {fault}")), "{error}");
    }
}
