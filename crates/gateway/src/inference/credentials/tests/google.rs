use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::server::TokenServer;
use super::world;
use crate::inference::credentials::google::{GoogleConfig, GoogleTokens};
use crate::inference::credentials::token_cache::Source as _;

fn config(service_account_json: Option<String>) -> GoogleConfig {
    let service_account_json = service_account_json.map(Into::into);
    GoogleConfig { service_account_json, max_ttl: None, expire_early: Duration::from_secs(60) }
}

fn token_server() -> TokenServer {
    TokenServer::answering(|_| {
        (200, r#"{"access_token": "tok", "expires_in": 3599, "token_type": "Bearer"}"#.to_owned())
    })
}

async fn failure(tokens: GoogleTokens) -> String {
    tokens.fetch().await.expect_err("no token").to_string()
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}

#[tokio::test]
async fn a_service_account_asks_with_a_grant_that_it_has_signed() {
    let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().expect("DER");
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    let server = token_server();
    let json = json!({
        "type": "service_account", "client_email": "bot@project.example", "private_key": pem, "private_key_id": "k1",
        "token_uri": format!("{}/token", server.url()),
    });
    let lease = GoogleTokens::new(config(Some(json.to_string())), world(&[])).fetch().await.expect("a token");
    assert_eq!(lease.value, "Bearer tok");
    assert!(lease.value.is_sensitive());
    assert_eq!((lease.fresh_for.as_secs(), lease.valid_for.as_secs()), (3539, 3599));

    let asked = server.asked().remove(0);
    assert_eq!(asked.line, "POST /token");
    assert_eq!(asked.field("grant_type").as_deref(), Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    let assertion = asked.field("assertion").expect("an assertion");
    let (signed, signature) = assertion.rsplit_once('.').expect("a signature");
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
        .verify(signed.as_bytes(), &decoded(signature))
        .expect("the account's own signature");
    let (header, claims) = signed.split_once('.').expect("two parts");
    let header: Value = serde_json::from_slice(&decoded(header)).expect("JSON");
    let claims: Value = serde_json::from_slice(&decoded(claims)).expect("JSON");
    assert_eq!(header, json!({"typ": "JWT", "alg": "RS256", "kid": "k1"}));
    assert_eq!(claims["iss"], "bot@project.example");
    assert_eq!(claims["aud"], json["token_uri"]);
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
    assert_eq!(claims["exp"].as_u64(), claims["iat"].as_u64().map(|issued| issued + 3600));
}

#[tokio::test]
async fn a_user_asks_with_a_refresh_token() {
    let server = token_server();
    let json = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "cs", "refresh_token": "rt",
        "token_uri": server.url(),
    });
    let variables = [("GCP_SERVICE_ACCOUNT", json.to_string())].map(|(name, value)| (name, value));
    let tokens = GoogleTokens::new(config(None), world(&[(variables[0].0, &variables[0].1)]));
    assert_eq!(tokens.fetch().await.expect("a token").value, "Bearer tok");
    let body = "grant_type=refresh_token&client_id=id&client_secret=cs&refresh_token=rt";
    assert_eq!(server.asked()[0].body, body);
}

#[tokio::test]
async fn without_a_key_the_metadata_server_is_asked() {
    let server = token_server();
    let tokens = GoogleTokens::new(config(None), world(&[("GCE_METADATA_HOST", &server.authority())]));
    assert_eq!(tokens.fetch().await.expect("a token").value, "Bearer tok");
    let asked = server.asked().remove(0);
    assert_eq!(asked.line, "GET /computeMetadata/v1/instance/service-accounts/default/token");
    assert_eq!(asked.header("metadata-flavor"), Some("Google"));
}

#[tokio::test]
async fn a_token_is_given_up_early_and_used_no_longer_than_allowed() {
    for (expire_early, max_ttl, fresh) in [(60, None, 3539), (0, None, 3599), (4000, None, 3599), (60, Some(100), 100)]
    {
        let server = token_server();
        let config = GoogleConfig {
            service_account_json: None,
            max_ttl: max_ttl.map(Duration::from_secs),
            expire_early: Duration::from_secs(expire_early),
        };
        let tokens = GoogleTokens::new(config, world(&[("GCE_METADATA_HOST", &server.authority())]));
        let lease = tokens.fetch().await.expect("a token");
        assert_eq!(lease.fresh_for.as_secs(), fresh, "{expire_early} {max_ttl:?}");
        assert!(lease.renew_after < lease.fresh_for);
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_the_key() {
    let refusing = TokenServer::answering(|_| {
        (400, r#"{"error": "invalid_grant", "error_description": "Bad rt for tok"}"#.to_owned())
    });
    let user = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "cs", "refresh_token": "rt",
        "token_uri": refusing.url(),
    });
    let refused = failure(GoogleTokens::new(config(Some(user.to_string())), world(&[]))).await;
    assert_eq!(refused, format!("{} answered 400 Bad Request (invalid_grant)", refusing.authority()));
    for (json, expected) in [
        ("{}", "the key is of no known kind, or not whole"),
        (r#"{"client_email": "a", "private_key": "SECRET"}"#, "private_key is no RSA key in PEM"),
    ] {
        assert_eq!(failure(GoogleTokens::new(config(Some(json.to_owned())), world(&[]))).await, expected);
    }
    let odd = TokenServer::answering(|_| (200, "<html>".to_owned()));
    let tokens = GoogleTokens::new(config(None), world(&[("GCE_METADATA_HOST", &odd.authority())]));
    let expected = format!("the answer of {} holds no credential that can be used", odd.authority());
    assert_eq!(failure(tokens).await, expected);
}
