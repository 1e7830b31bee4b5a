use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use config::schema::Validator;
use serde_json::json;

use super::*;

const SECRET: &str = "a secret for tests";

/// Writes a token: `sign` gets what is to be signed.
fn token(algorithm: &str, payload: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = URL_SAFE_NO_PAD.encode(json!({"typ": "JWT", "alg": algorithm}).to_string());
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn with_secret(algorithm: hmac::Algorithm) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, SECRET.as_bytes());
    move |signed| hmac::sign(&key, signed).as_ref().to_vec()
}

fn hs256(payload: &Value) -> String {
    token("HS256", payload, with_secret(hmac::HMAC_SHA256))
}

fn verifies(credential: Value, token: &str) -> bool {
    let config: CredentialConfig = definition::read(&credential).expect("a credential");
    let key = VerificationKey::new(&config).expect("a key");
    key.verifies(&Token::parse(token).expect("a token"))
}

fn pem(key: &impl AsDer<PublicKeyX509Der<'static>>) -> String {
    let der = key.as_der().expect("a public key");
    let der = STANDARD.encode(der.as_ref());
    format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
}

fn edwards_key() -> String {
    pem(Ed25519KeyPair::generate().expect("a key pair").public_key())
}

/// The signature's second to last character carries whole bits; changing it changes the signature.
fn tampered(token: &str) -> String {
    let at = token.len() - 2;
    let other = if &token[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[test]
fn shared_secrets_verify_all_hs_algorithms() {
    let rows = [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)];
    for (name, algorithm) in rows {
        let token = token(name, &json!({"key": "jack"}), with_secret(algorithm));
        let credential = |secret: &str, base64: bool| json!({"key": "jack", "algorithm": name, "secret": secret, "base64_secret": base64});
        assert!(verifies(credential(SECRET, false), &token), "{name}");
        assert!(verifies(credential(&STANDARD.encode(SECRET), true), &token), "{name}");
        assert!(!verifies(credential("another", false), &token), "{name}");
        assert!(!verifies(credential(SECRET, false), &tampered(&token)), "{name}");
    }
}

#[test]
fn an_empty_secret_verifies_nothing() {
    for base64 in [false, true] {
        let credential = json!({"key": "jack", "secret": "", "base64_secret": base64});
        let config: CredentialConfig = definition::read(&credential).expect("a credential");
        assert!(matches!(VerificationKey::new(&config), Err(KeyError::NoSecret)));
    }
}

#[test]
fn rsa_keys_verify_rs_and_ps_algorithms() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key pair");
    let rows: [(&str, &'static dyn RsaEncoding); 6] = [
        ("RS256", &RSA_PKCS1_SHA256),
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA384),
        ("PS512", &RSA_PSS_SHA512),
    ];
    let public_key = pem(pair.public_key());
    for (name, encoding) in rows {
        let token = token(name, &json!({}), |signed| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), signed, &mut signature).expect("a signature");
            signature
        });
        let credential = json!({"key": "jack", "algorithm": name, "public_key": public_key});
        assert!(verifies(credential.clone(), &token), "{name}");
        assert!(!verifies(credential, &tampered(&token)), "{name}");
    }
}

#[test]
fn curve_keys_verify_es_algorithms() {
    let rows: [(&str, &'static EcdsaSigningAlgorithm, usize); 3] = [
        ("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING, 64),
        ("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING, 96),
        ("ES512", &ECDSA_P521_SHA512_FIXED_SIGNING, 132),
    ];
    for (name, algorithm, length) in rows {
        let pair = EcdsaKeyPair::generate(algorithm).expect("a key pair");
        let token = token(name, &json!({}), |signed| {
            let signature = pair.sign(&SystemRandom::new(), signed).expect("a signature").as_ref().to_vec();
            assert_eq!(signature.len(), length);
            signature
        });
        let credential = json!({"key": "jack", "algorithm": name, "public_key": pem(pair.public_key())});
        assert!(verifies(credential.clone(), &token), "{name}");
        assert!(!verifies(credential, &tampered(&token)), "{name}");
    }
}

#[test]
fn edwards_keys_verify_eddsa() {
    let pair = Ed25519KeyPair::generate().expect("a key pair");
    let token = token("EdDSA", &json!({}), |signed| pair.sign(signed).as_ref().to_vec());
    let credential = json!({"key": "jack", "algorithm": "EdDSA", "public_key": pem(pair.public_key())});
    assert!(verifies(credential.clone(), &token));
    assert!(!verifies(credential, &tampered(&token)));
}

#[test]
fn the_consumers_algorithm_decides_and_not_the_tokens() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key pair");
    let public_key = pem(pair.public_key());
    let credential = json!({"key": "jack", "algorithm": "RS256", "public_key": public_key});
    // Signed with the public key as if it were a shared secret.
    let key = hmac::Key::new(hmac::HMAC_SHA256, public_key.as_bytes());
    let forged = token("HS256", &json!({}), |signed| hmac::sign(&key, signed).as_ref().to_vec());
    assert!(!verifies(credential.clone(), &forged));
    assert!(!verifies(credential, &token("none", &json!({}), |_| Vec::new())));
    let hs384 = json!({"key": "jack", "algorithm": "HS384", "secret": SECRET});
    assert!(!verifies(hs384, &hs256(&json!({}))));
}

#[test]
fn what_is_no_token_is_not_parsed() {
    let good = hs256(&json!({"key": "jack"}));
    assert!(Token::parse(&good).is_some());
    let (header, rest) = good.split_once('.').expect("three parts");
    let rows = [
        String::new(),
        "a.b".to_owned(),
        "a.b.c".to_owned(),
        format!("{good}.more"),
        format!("{header}.!.{rest}"),
        token("HS256", &json!("not an object"), |_| Vec::new()),
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"typ": "JWT"}"#)),
    ];
    for text in rows {
        assert!(Token::parse(&text).is_none(), "{text}");
    }
}

#[test]
fn time_claims_hold_within_the_grace_period() {
    const NOW: f64 = 1000.0;
    let both: Option<&[Claim]> = Some(&[Claim::Exp, Claim::Nbf]);
    let rows = [
        (json!({}), None, 0.0, true),
        (json!({}), both, 0.0, false),
        (json!({"exp": 1001, "nbf": 999}), both, 0.0, true),
        (json!({"exp": 1000}), None, 0.0, false),
        (json!({"exp": 1000}), None, 1.0, true),
        (json!({"nbf": 1000}), None, 0.0, false),
        (json!({"nbf": 1000}), None, 1.0, true),
        (json!({"exp": "1001"}), None, 0.0, false),
        (json!({"exp": 1001, "nbf": 2000}), Some(&[Claim::Exp][..]), 0.0, true),
    ];
    for (payload, required, grace, expected) in rows {
        let text = hs256(&payload);
        let token = Token::parse(&text).expect("a token");
        assert_eq!(token.claims_hold(required, NOW, grace), expected, "{payload} {required:?} {grace}");
    }
}

#[test]
fn credentials_without_their_key_are_refused_when_written() {
    let schema = Validator::compile(&definition().info.consumer_schema.expect("one").make()).expect("a schema");
    let both = |config: &Value| {
        let mut filled = config.clone();
        schema.check_and_fill(&mut filled).and_then(|()| check(&filled, Side::Consumer))
    };
    let rows = [
        (json!({"secret": "s"}), "property \"key\" is required"),
        (json!({"key": "k"}), "property \"secret\" is required when using HS based algorithms"),
        (
            json!({"key": "k", "secret": "%%", "base64_secret": true}),
            "base64_secret required but the secret is not in base64 format",
        ),
        (
            json!({"key": "k", "algorithm": "RS256"}),
            "failed to validate dependent schema for \"algorithm\": \
             value should match only one schema, but matches none",
        ),
        (json!({"key": "k", "algorithm": "ES512", "public_key": ""}), "missing valid public key"),
        (json!({"key": "k", "algorithm": "RS256", "public_key": "zz"}), "missing valid public key"),
        (json!({"key": "k", "algorithm": "ES256", "public_key": edwards_key()}), "missing valid public key"),
        (
            json!({"key": "k", "algorithm": "RS999", "public_key": "p"}),
            "property \"algorithm\" validation failed: matches none of the enum values",
        ),
    ];
    for (config, expected) in rows {
        assert_eq!(both(&config), Err(expected.to_owned()), "{config}");
    }
    for config in [
        json!({"key": "k", "secret": "s"}),
        json!({"key": "k", "secret": "$env://JWT", "base64_secret": true}),
        json!({"key": "k", "algorithm": "EdDSA", "public_key": edwards_key()}),
        json!({"key": "k", "algorithm": "PS384", "public_key": "$env://JWT_KEY"}),
    ] {
        assert_eq!(both(&config), Ok(()), "{config}");
    }
}
