use super::server::TokenServer;
use super::world;
use crate::inference::credentials::entra::{EntraConfig, EntraTokens};
use crate::inference::credentials::token_cache::Source as _;

const SCOPE: &str = "https://cognitiveservices.azure.com/.default";

fn token_server() -> TokenServer {
    TokenServer::answering(|_| {
        (200, r#"{"token_type": "Bearer", "access_token": "tok", "expires_in": 1000}"#.to_owned())
    })
}

fn application(server: &TokenServer) -> EntraConfig {
    EntraConfig {
        tenant_id: Some("tenant".to_owned()),
        client_id: Some("app".to_owned()),
        authority_host: Some(server.url()),
        ..EntraConfig::default()
    }
}

#[tokio::test]
async fn an_application_asks_with_its_secret() {
    let server = token_server();
    let config = EntraConfig { client_secret: Some("s3cret".into()), ..application(&server) };
    let lease = EntraTokens::new(config, world(&[])).fetch().await.expect("a token");
    assert_eq!(lease.value, "Bearer tok");
    assert_eq!(lease.valid_for.as_secs(), 1000);
    let asked = server.asked().remove(0);
    assert_eq!(asked.line, "POST /tenant/oauth2/v2.0/token");
    let fields = ["grant_type", "client_id", "scope", "client_secret"].map(|name| asked.field(name).expect("a field"));
    assert_eq!(fields, ["client_credentials", "app", SCOPE, "s3cret"]);
}

#[tokio::test]
async fn a_workload_asks_with_the_token_in_its_file() {
    let server = token_server();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "federated\n").expect("written");
    let (path, authority) = (file.path().to_str().expect("text"), server.url());
    let variables = [
        ("AZURE_FEDERATED_TOKEN_FILE", path),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "app"),
        ("AZURE_AUTHORITY_HOST", authority.as_str()),
    ];
    EntraTokens::new(EntraConfig::default(), world(&variables)).fetch().await.expect("a token");
    let asked = server.asked().remove(0);
    assert_eq!(asked.line, "POST /tenant/oauth2/v2.0/token");
    assert_eq!(asked.field("client_assertion").as_deref(), Some("federated"));
}

#[tokio::test]
async fn a_managed_identity_asks_its_machine() {
    let server = TokenServer::answering(|_| (200, r#"{"access_token": "tok", "expires_on": "9999999999"}"#.to_owned()));
    let (url, resource) = (server.url(), "resource=https%3A%2F%2Fcognitiveservices.azure.com");
    let config = EntraConfig { client_id: Some("app".to_owned()), ..EntraConfig::default() };
    let of_machine = world(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]);
    EntraTokens::new(config.clone(), of_machine).fetch().await.expect("a token");
    let endpoint = format!("{url}/msi");
    let of_service = world(&[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", "h")]);
    EntraTokens::new(config, of_service).fetch().await.expect("a token");
    let [machine, service] = &server.asked()[..] else { panic!("two requests") };
    let path = "GET /metadata/identity/oauth2/token?api-version=2018-02-01";
    assert_eq!(machine.line, format!("{path}&{resource}&client_id=app"));
    assert_eq!(machine.header("metadata"), Some("true"));
    assert_eq!(service.line, format!("GET /msi?api-version=2019-08-01&{resource}&client_id=app"));
    assert_eq!(service.header("x-identity-header"), Some("h"));
}

#[tokio::test]
async fn a_refusal_is_told_by_its_code() {
    let server = TokenServer::answering(|_| {
        (401, r#"{"error": "invalid_client", "error_description": "s3cret is wrong"}"#.to_owned())
    });
    let config = EntraConfig { client_secret: Some("s3cret".into()), ..application(&server) };
    let error = EntraTokens::new(config, world(&[])).fetch().await.expect_err("a refusal").to_string();
    assert_eq!(error, format!("{} answered 401 Unauthorized (invalid_client)", server.authority()));
}
