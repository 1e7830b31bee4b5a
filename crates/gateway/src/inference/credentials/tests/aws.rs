use super::server::TokenServer;
use super::world;
use crate::inference::credentials::aws::{AwsSource, KeyFetcher};
use crate::inference::credentials::sigv4::AwsKeys;
use crate::inference::credentials::token_cache::Source as _;

const ANSWER: &str = r#"{"Code": "Success", "AccessKeyId": "AKIA", "SecretAccessKey": "s3cret", "Token": "session",
    "Expiration": "2100-03-01T00:00:00Z"}"#;

fn temporary() -> AwsKeys {
    AwsKeys {
        access_key_id: "AKIA".to_owned(),
        secret_access_key: "s3cret".into(),
        session_token: Some("session".into()),
    }
}

async fn fetch(source: AwsSource, variables: &[(&str, &str)]) -> Result<AwsKeys, String> {
    let fetcher = KeyFetcher { source, region: "us-east-1".to_owned(), world: world(variables) };
    fetcher.fetch().await.map(|lease| lease.value).map_err(|error| error.to_string())
}

#[tokio::test]
async fn keys_stand_in_variables() {
    let variables =
        [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s3cret"), ("AWS_SESSION_TOKEN", "session")];
    assert_eq!(fetch(AwsSource::Environment, &variables).await, Ok(temporary()));
    let half = fetch(AwsSource::Default(None), &variables[..1]).await;
    assert_eq!(half, Err("AWS_SECRET_ACCESS_KEY is not set".to_owned()));
}

#[tokio::test]
async fn keys_stand_in_the_shared_files() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".aws");
    std::fs::create_dir(&folder).expect("a folder");
    let credentials = "# mine\n[default]\naws_access_key_id=A\naws_secret_access_key=a\n\n[ team ]\n\
                       aws_access_key_id = AKIA\naws_secret_access_key = s3cret\naws_session_token = session\n";
    std::fs::write(folder.join("credentials"), credentials).expect("written");
    let config = "[default]\nregion = eu-west-1\n[profile far]\naws_access_key_id = F\naws_secret_access_key = f=/+\n";
    std::fs::write(folder.join("config"), config).expect("written");
    let home = home.path().to_str().expect("text");
    let of = |id: &str, secret: &str| {
        Ok(AwsKeys { access_key_id: id.to_owned(), secret_access_key: secret.into(), session_token: None })
    };
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(fetch(AwsSource::Profile(None), &[("HOME", home)]).await, of("A", "a"));
    assert_eq!(fetch(AwsSource::Default(None), &[("HOME", home)]).await, of("A", "a"));
    assert_eq!(fetch(AwsSource::Profile(named("team")), &[("HOME", home)]).await, Ok(temporary()));
    assert_eq!(fetch(AwsSource::Profile(None), &[("HOME", home), ("AWS_PROFILE", "far")]).await, of("F", "f=/+"));
    let nobody = fetch(AwsSource::Default(named("nobody")), &[("HOME", home)]).await;
    assert_eq!(nobody, Err(r#"no shared AWS file has keys of the profile "nobody""#.to_owned()));
}

#[tokio::test]
async fn a_container_asks_its_endpoint() {
    let server = TokenServer::answering(|_| (200, ANSWER.to_owned()));
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "pod-token\n").expect("written");
    let (path, url) = (file.path().to_str().expect("text"), format!("{}/v1/credentials", server.url()));
    let variables =
        [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path)];
    assert_eq!(fetch(AwsSource::Container, &variables).await, Ok(temporary()));
    assert_eq!(fetch(AwsSource::Default(None), &variables[..1]).await, Ok(temporary()));
    let asked = server.asked();
    assert_eq!(asked[0].line, "GET /v1/credentials");
    assert_eq!((asked[0].header("authorization"), asked[1].header("authorization")), (Some("pod-token"), None));
}

#[tokio::test]
async fn a_web_identity_assumes_its_role() {
    let server = TokenServer::answering(|_| {
        let keys = "<AccessKeyId>AKIA</AccessKeyId><SecretAccessKey>s3cret</SecretAccessKey>\
                    <SessionToken>session</SessionToken><Expiration>2100-03-01T00:00:00Z</Expiration>";
        (200, format!("<AssumeRoleWithWebIdentityResponse><Credentials>{keys}</Credentials></x>"))
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "jwt").expect("written");
    let (path, url) = (file.path().to_str().expect("text"), server.url());
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
        ("AWS_ENDPOINT_URL_STS", url.as_str()),
    ];
    assert_eq!(fetch(AwsSource::WebIdentity, &variables).await, Ok(temporary()));
    assert_eq!(fetch(AwsSource::Default(None), &variables).await, Ok(temporary()));
    let asked = server.asked().remove(0);
    let fields = ["Action", "RoleArn", "WebIdentityToken"].map(|name| asked.field(name).expect("a field"));
    assert_eq!(fields, ["AssumeRoleWithWebIdentity", "arn:aws:iam::1:role/r", "jwt"]);
}

#[tokio::test]
async fn an_instance_asks_for_its_role_in_a_session() {
    let server = TokenServer::answering(|asked| match asked.line.as_str() {
        "PUT /latest/api/token" => (200, "opened".to_owned()),
        _ if asked.header("x-aws-ec2-metadata-token") != Some("opened") => (401, String::new()),
        "GET /latest/meta-data/iam/security-credentials/" => (200, "my-role".to_owned()),
        "GET /latest/meta-data/iam/security-credentials/my-role" => (200, ANSWER.to_owned()),
        _ => (404, String::new()),
    });
    let url = server.url();
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str());
    assert_eq!(fetch(AwsSource::Instance, &[endpoint]).await, Ok(temporary()));
    assert_eq!(fetch(AwsSource::Default(None), &[endpoint]).await, Ok(temporary()));
    let forbidden = fetch(AwsSource::Default(None), &[endpoint, ("AWS_EC2_METADATA_DISABLED", "true")]).await;
    assert!(forbidden.is_err_and(|error| error.contains("AWS_EC2_METADATA_DISABLED")));
}

#[tokio::test]
async fn a_refusal_is_told_by_its_code() {
    let server = TokenServer::answering(|_| {
        (403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>jwt</Message></Error></x>".to_owned())
    });
    let url = server.url();
    let refused = fetch(AwsSource::Container, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]).await;
    assert_eq!(refused, Err(format!("{} answered 403 Forbidden (AccessDenied)", server.authority())));
}
