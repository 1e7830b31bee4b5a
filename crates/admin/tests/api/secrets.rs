//! Secret fields: encrypted in the store and in the answers to writes, in clear to readers; private keys never.

use serde_json::json;
use tidegate_admin::AdminSettings;

use crate::server::{Admin, settings};

#[tokio::test]
async fn a_plugin_secret_is_sealed_at_rest_and_read_in_clear() {
    let admin = Admin::start();
    let consumer = json!({ "username": "jack", "plugins": { "key-auth": { "key": "hush-hush" } } });
    let answer = admin.put_ok("/consumers", &consumer).await;
    let sealed = answer.value()["plugins"]["key-auth"]["key"].clone();
    assert_ne!(sealed, "hush-hush");
    let snapshot = admin.store.snapshot();
    assert_eq!(snapshot.get("/apisix/consumers/jack").unwrap().value["plugins"]["key-auth"]["key"], sealed);
    let read = admin.get("/consumers/jack").await.value();
    assert_eq!(read["plugins"]["key-auth"]["key"], "hush-hush");
    let listed = admin.get("/consumers").await.json();
    assert_eq!(listed["list"][0]["value"]["plugins"]["key-auth"]["key"], "hush-hush");
}

#[tokio::test]
async fn a_private_key_never_leaves() {
    let admin = Admin::start();
    let (cert, key) = (CERTIFICATE, PRIVATE_KEY);
    let ssl = json!({ "sni": "test.com", "cert": cert, "key": key, "certs": [cert], "keys": [key] });
    let answer = admin.put_ok("/ssls/1", &ssl).await;
    assert!(!answer.text.contains("PRIVATE KEY"), "sealed in the echo");
    assert!(answer.value()["key"].is_string());
    for path in ["/ssls/1", "/ssls"] {
        let text = admin.get(path).await.text;
        assert!(!text.contains("\"key\":\"") || !text.contains("PRIVATE KEY"), "{path}: {text}");
        assert!(!text.contains("\"keys\""), "{path}: {text}");
        assert!(!text.contains(answer.value()["key"].as_str().unwrap()), "{path}: {text}");
    }
    let sealed = admin.store.snapshot().get("/apisix/ssls/1").unwrap().value["key"].clone();
    let patched = admin.patch("/ssls/1", &json!({ "labels": { "a": "b" } })).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(patched.value()["key"], sealed, "the same key, not sealed twice");
}

#[tokio::test]
async fn an_upstreams_client_key_stays_sealed() {
    let admin = Admin::start();
    let tls = json!({ "client_cert": CERTIFICATE, "client_key": PRIVATE_KEY });
    admin.put_ok("/upstreams/1", &json!({ "nodes": {}, "scheme": "https", "tls": tls })).await;
    let read = admin.get("/upstreams/1").await;
    assert!(!read.text.contains("PRIVATE KEY"), "{}", read.text);
    assert!(read.value()["tls"]["client_key"].is_string());
    let patched = admin.patch("/upstreams/1", &json!({ "name": "x" })).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(patched.value()["tls"]["client_key"], read.value()["tls"]["client_key"]);
}

#[tokio::test]
async fn a_sealed_key_may_be_sent_back() {
    let admin = Admin::start();
    let tls = json!({ "client_cert": CERTIFICATE, "client_key": PRIVATE_KEY });
    for (path, body, place) in [
        ("/ssls/1", json!({ "sni": "a.com", "cert": CERTIFICATE, "key": PRIVATE_KEY }), "/key"),
        ("/upstreams/1", json!({ "nodes": {}, "tls": tls }), "/tls/client_key"),
        ("/routes/1", json!({ "uri": "/", "upstream": { "nodes": {}, "tls": tls } }), "/upstream/tls/client_key"),
    ] {
        let mut echoed = admin.put_ok(path, &body).await.value();
        let sealed = echoed.pointer(place).unwrap().clone();
        for name in ["create_time", "update_time"] {
            echoed.as_object_mut().unwrap().remove(name);
        }
        let again = admin.put_ok(path, &echoed).await.value();
        assert_eq!(again.pointer(place), Some(&sealed), "{path}");
    }
}

#[tokio::test]
async fn private_keys_are_sealed_even_if_plugin_fields_are_not() {
    let admin = Admin::start_with(AdminSettings { encrypt_fields: false, ..settings() });
    let consumer = json!({ "username": "jack", "plugins": { "key-auth": { "key": "plain" } } });
    let stored = admin.put_ok("/consumers", &consumer).await.value();
    assert_eq!(stored["plugins"]["key-auth"]["key"], "plain");
    let ssl = json!({ "sni": "a.com", "cert": CERTIFICATE, "key": PRIVATE_KEY });
    assert!(!admin.put_ok("/ssls/1", &ssl).await.text.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn certificates_are_checked() {
    let admin = Admin::start();
    for (body, text) in [
        (json!({ "cert": CERTIFICATE, "key": PRIVATE_KEY }), "invalid configuration: then clause did not match"),
        (
            json!({ "sni": "a.com", "cert": "x".repeat(200), "key": PRIVATE_KEY }),
            "failed to parse cert: PEM_read_bio_X509_AUX() failed",
        ),
        (
            json!({ "sni": "a.com", "cert": CERTIFICATE, "key": format!("---{}", "x".repeat(200)) }),
            "failed to parse key: PEM_read_bio_PrivateKey() failed",
        ),
        (
            json!({ "sni": "a.com", "cert": CERTIFICATE, "key": "x".repeat(200) }),
            "failed to decrypt previous encrypted key",
        ),
        (
            json!({ "sni": "a.com", "cert": CERTIFICATE, "key": PRIVATE_KEY, "certs": [CERTIFICATE] }),
            "mismatched number of certs and keys",
        ),
    ] {
        assert_eq!(admin.put("/ssls/1", &body).await.refused(400), text);
    }
}

/// Made for these tests, valid for a hundred years.
pub const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBjjCCATWgAwIBAgIUMlnleEDoyl4lEASD1bfMqSgj8qUwCgYIKoZIzj0EAwIw\n\
EzERMA8GA1UEAwwIdGVzdC5jb20wIBcNMjYxMTIwMTg1NjExWhgPMjEyNjEwMjcx\n\
ODU2MTFaMBMxETAPBgNVBAMMCHRlc3QuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n\
AQcDQgAE1R6+lXBWYwTYfbppDTQox5VfWe5ak9ZEgWqYBW6RTBOcvAodsSHXikzF\n\
7sGpVBVNClWY/AWSN/kBbTGACCMg7qNlMGMwHQYDVR0OBBYEFG5ym+PYRSrkf/Ak\n\
HhNHrMEMmwYDMB8GA1UdIwQYMBaAFG5ym+PYRSrkf/AkHhNHrMEMmwYDMBMGA1Ud\n\
EQQMMAqCCHRlc3QuY29tMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDRwAwRAIg\n\
Ub/V0kg+3XdBP5xKsMx+axgVJN8o/UrBdRrtQh9hsS0CICf6wu8lZy+s8cHQrfHN\n\
+8PVTL3vrSMnVOV4AMjP2s4v\n\
-----END CERTIFICATE-----
";

pub const PRIVATE_KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZtW0Ah56CPzUtOUN\n\
OmG/mEoGk5T8w0f0Pt8pUB9i/aihRANCAATVHr6VcFZjBNh9umkNNCjHlV9Z7lqT\n\
1kSBapgFbpFME5y8Ch2xIdeKTMXuwalUFU0KVZj8BZI3+QFtMYAIIyDu\n\
-----END PRIVATE KEY-----
";
