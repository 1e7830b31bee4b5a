//! Certificates and keys. Those in `testdata/` were made for these tests and secure nothing.

use super::*;

const CERT: &str = include_str!("../testdata/rsa.cert.pem");
const KEY: &str = include_str!("../testdata/rsa.key.pem");
const EC_CERT: &str = include_str!("../testdata/ec.cert.pem");
const EC_KEY: &str = include_str!("../testdata/ec.key.pem");
const ED25519_KEY: &str = include_str!("../testdata/ed25519.key.pem");
const PKCS1_KEY: &str = include_str!("../testdata/rsa-pkcs1.key.pem");

fn server(more: Value) -> Value {
    with(json!({"sni": "a.example", "cert": CERT, "key": KEY}), more)
}

fn broken(pem: &str) -> String {
    pem.replacen("MII", "AAA", 1)
}

#[test]
fn ssls_are_refused_in_the_words_of_apisix() {
    let no_cert = "failed to parse cert: PEM_read_bio_X509_AUX() failed";
    let no_key = "failed to parse key: PEM_read_bio_PrivateKey() failed";
    let table = [
        (json!({"sni": "a"}), "invalid configuration: then clause did not match".to_owned()),
        (server(json!({"snis": ["b"]})), "invalid configuration: then clause did not match".to_owned()),
        (json!({"type": "client"}), "invalid configuration: else clause did not match".to_owned()),
        (server(json!({"name": "x"})), "invalid configuration: additional properties forbidden, found name".to_owned()),
        (server(json!({"cert": broken(CERT)})), no_cert.to_owned()),
        (server(json!({"cert": KEY})), no_cert.to_owned()),
        (server(json!({"key": broken(KEY)})), no_key.to_owned()),
        (server(json!({"key": CERT})), no_key.to_owned()),
        (server(json!({"key": "A".repeat(64)})), "failed to decrypt previous encrypted key".to_owned()),
        (server(json!({"certs": [CERT], "keys": []})), "mismatched number of certs and keys".to_owned()),
        (
            server(json!({"certs": [CERT, broken(CERT)], "keys": [KEY, KEY]})),
            format!("failed to handle cert-key pair[2]: {no_cert}"),
        ),
        (
            server(json!({"client": {"ca": CERT, "skip_mtls_uri_regex": ["("]}})),
            "invalid skip_mtls_uri_regex: invalid regex '(': Parsing error at position 1: Opening parenthesis without closing parenthesis".to_owned(),
        ),
        (
            server(json!({"ssl_protocols": ["TLSv1.1"]})),
            "ssl_protocols without TLSv1.2 and TLSv1.3 is not supported by this version of Tidegate".to_owned(),
        ),
        (server(json!({"client": {"ca": broken(CERT)}})), format!("failed to validate client_cert: {no_cert}")),
    ];
    for (value, text) in table {
        assert_eq!(refusal(&Store::default(), Kind::Ssl, "1", value), format!("400 {text}"));
    }
}

#[test]
fn certificates_with_every_usual_kind_of_key_are_accepted() {
    for (cert, key) in [(CERT, KEY), (CERT, PKCS1_KEY), (EC_CERT, EC_KEY), (EC_CERT, ED25519_KEY)] {
        accepts(&Store::default(), Kind::Ssl, "1", json!({"snis": ["*.a.example"], "cert": cert, "key": key}));
    }
    let full = server(json!({
        "certs": [EC_CERT], "keys": [EC_KEY], "client": {"ca": CERT}, "ssl_protocols": ["TLSv1.3"], "status": 0
    }));
    accepts(&Store::default(), Kind::Ssl, "1", full);
    accepts(&Store::default(), Kind::Ssl, "1", server(json!({"ssl_protocols": ["TLSv1.1", "TLSv1.2"]})));
    accepts(&Store::default(), Kind::Ssl, "1", json!({"type": "client", "cert": CERT, "key": KEY}));
}

#[test]
fn references_to_secrets_are_not_looked_into() {
    let refs = json!({"cert": "$secret://vault/1/tls/cert", "key": "$env://TLS_KEY"});
    accepts(&Store::default(), Kind::Ssl, "1", server(refs));
}

#[test]
fn the_certificate_of_an_upstream_is_checked_too() {
    let upstream = |tls: Value| json!({"nodes": {"a": 1}, "scheme": "https", "tls": tls});
    accepts(&Store::default(), Kind::Upstream, "1", upstream(json!({"client_cert": CERT, "client_key": KEY})));
    let table = [
        (
            json!({"client_cert": broken(CERT), "client_key": KEY}),
            "failed to parse cert: PEM_read_bio_X509_AUX() failed",
        ),
        (
            json!({"client_cert": CERT}),
            "invalid configuration: property \"tls\" validation failed: failed to validate dependent schema for \
             \"client_cert\": property \"client_key\" is required",
        ),
        (
            json!({"client_cert_id": 1, "client_cert": CERT, "client_key": KEY}),
            "invalid configuration: property \"tls\" validation failed: failed to validate dependent schema for \
             \"client_cert\": value wasn't supposed to match schema",
        ),
    ];
    for (tls, text) in table {
        assert_eq!(refusal(&Store::default(), Kind::Upstream, "1", upstream(tls)), format!("400 {text}"));
    }
}
