//! Google's tokens for identities of other issuers, and for who may act as a service account.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::TokenServer;
use super::world;
use crate::inference::credentials::google::{GoogleConfig, GoogleTokens};
use crate::inference::credentials::token_cache::Source as _;

const AUDIENCE: &str = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";

/// With a key that stands in the operator's environment.
async fn fetch(key: &Value) -> Result<String, String> {
    let config = GoogleConfig { service_account_json: None, max_ttl: None, expire_early: Duration::from_secs(60) };
    let world = world(&[("GCP_SERVICE_ACCOUNT", &key.to_string())]);
    let lease = GoogleTokens::new(config, world).fetch().await.map_err(|error| error.to_string())?;
    assert!(lease.value.is_sensitive());
    Ok(lease.value.to_str().expect("text").to_owned())
}

/// Google, and a server of another issuer.
fn google() -> TokenServer {
    TokenServer::answering(|asked| match asked.line.as_str() {
        "GET /subject" if asked.header("x-claim") == Some("yes") => (200, r#"{"id": "jwt-of-url"}"#.to_owned()),
        "POST /exchange" => (200, r#"{"access_token": "exchanged", "expires_in": 3599}"#.to_owned()),
        "POST /token" => (200, r#"{"access_token": "user", "expires_in": 3599}"#.to_owned()),
        "POST /impersonate" => (200, r#"{"accessToken": "bot", "expireTime": "2100-01-01T00:00:00Z"}"#.to_owned()),
        _ => (404, String::new()),
    })
}

fn external(server: &TokenServer, source: Value) -> Value {
    json!({
        "type": "external_account", "audience": AUDIENCE, "credential_source": source,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": format!("{}/exchange", server.url()),
    })
}

#[tokio::test]
async fn a_token_in_a_file_is_exchanged() {
    let server = google();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "jwt-of-file\n").expect("written");
    let key = external(&server, json!({ "file": file.path() }));
    assert_eq!(fetch(&key).await, Ok("Bearer exchanged".to_owned()));

    let asked = server.asked().remove(0);
    let names = ["grant_type", "audience", "subject_token", "subject_token_type", "requested_token_type"];
    assert_eq!(
        names.map(|name| asked.field(name).expect("a field")),
        [
            "urn:ietf:params:oauth:grant-type:token-exchange",
            AUDIENCE,
            "jwt-of-file",
            "urn:ietf:params:oauth:token-type:jwt",
            "urn:ietf:params:oauth:token-type:access_token",
        ]
    );
}

#[tokio::test]
async fn a_token_of_a_server_is_exchanged_and_acts_as_a_service_account() {
    let server = google();
    let source = json!({
        "url": format!("{}/subject", server.url()), "headers": { "X-Claim": "yes" },
        "format": { "type": "json", "subject_token_field_name": "id" },
    });
    let mut key = external(&server, source);
    key["service_account_impersonation_url"] = format!("{}/impersonate", server.url()).into();
    key["service_account_impersonation"] = json!({ "token_lifetime_seconds": 600 });
    assert_eq!(fetch(&key).await, Ok("Bearer bot".to_owned()));

    let asked = server.asked();
    assert_eq!(asked[1].field("subject_token").as_deref(), Some("jwt-of-url"));
    assert_eq!(asked[2].header("authorization"), Some("Bearer exchanged"));
    let body: Value = serde_json::from_str(&asked[2].body).expect("JSON");
    assert_eq!(body["lifetime"], "600s");
    assert_eq!(body["scope"], json!(["https://www.googleapis.com/auth/cloud-platform"]));
}

#[tokio::test]
async fn a_user_acts_as_a_service_account() {
    let server = google();
    let key = json!({
        "type": "impersonated_service_account", "delegates": ["between"],
        "service_account_impersonation_url": format!("{}/impersonate", server.url()),
        "source_credentials": {
            "type": "authorized_user", "client_id": "id", "client_secret": "cs", "refresh_token": "rt",
            "token_uri": format!("{}/token", server.url()),
        },
    });
    assert_eq!(fetch(&key).await, Ok("Bearer bot".to_owned()));
    let asked = server.asked();
    assert_eq!(asked[1].header("authorization"), Some("Bearer user"));
    let body: Value = serde_json::from_str(&asked[1].body).expect("JSON");
    assert_eq!((&body["delegates"], &body["lifetime"]), (&json!(["between"]), &json!("3600s")));
}

#[tokio::test]
async fn a_route_does_not_say_which_files_and_urls_of_the_host_are_read() {
    let server = google();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "s3cret").expect("written");
    let of_file = external(&server, json!({ "file": file.path() }));
    let of_url = external(&server, json!({ "url": format!("{}/subject", server.url()) }));
    let acting = json!({
        "type": "impersonated_service_account", "source_credentials": of_file,
        "service_account_impersonation_url": format!("{}/impersonate", server.url()),
    });
    for key in [of_file, of_url, acting] {
        let config = GoogleConfig {
            service_account_json: Some(key.to_string().into()),
            max_ttl: None,
            expire_early: Duration::from_secs(60),
        };
        let error = GoogleTokens::new(config, world(&[])).fetch().await.expect_err("no token").to_string();
        assert!(error.contains("not from service_account_json"), "{error}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn tokens_are_exchanged_at_googles_own_servers_alone() {
    let server = google();
    let source = json!({ "url": format!("{}/subject", server.url()), "headers": { "X-Claim": "yes" } });
    let elsewhere = [
        "https://tokens.example/v1/token",
        "https://googleapis.com.example/v1/token",
        "https://notgoogleapis.com/v1/token",
        "https://sts.googleapis.com@tokens.example/v1/token",
        "http://sts.googleapis.com/v1/token",
        "/v1/token",
    ];
    for url in elsewhere {
        for field in ["token_url", "service_account_impersonation_url"] {
            let mut key = external(&server, source.clone());
            key[field] = url.into();
            assert_eq!(fetch(&key).await, Err(format!("{field} is no https URL on googleapis.com")), "{url}");
        }
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn sources_that_hold_no_token_are_told_without_what_they_hold() {
    let server = google();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), r#"{"other": "s3cret"}"#).expect("written");
    let format = json!({ "type": "json", "subject_token_field_name": "id" });
    let cases = [
        (
            json!({ "file": file.path(), "format": format }),
            "credential_source holds no token of the form that it tells",
        ),
        (
            json!({ "environment_id": "aws1", "url": server.url() }),
            "credential_source must have a file or a url: programs and AWS are not asked",
        ),
        (
            json!({ "executable": { "command": "true" }, "file": file.path() }),
            "credential_source must have a file or a url: programs and AWS are not asked",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(fetch(&external(&server, source)).await, Err(expected.to_owned()));
    }
}

#[tokio::test]
async fn what_gcloud_has_been_given_as_default_is_found() {
    let server = google();
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".config/gcloud");
    std::fs::create_dir_all(&folder).expect("a folder");
    let key = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "cs", "refresh_token": "rt",
        "token_uri": format!("{}/token", server.url()),
    });
    std::fs::write(folder.join("application_default_credentials.json"), key.to_string()).expect("written");
    let config = GoogleConfig { service_account_json: None, max_ttl: None, expire_early: Duration::from_secs(60) };
    let tokens = GoogleTokens::new(config, world(&[("HOME", home.path().to_str().expect("text"))]));
    assert_eq!(tokens.fetch().await.expect("a token").value, "Bearer user");
}
