//! The algorithms, and the key that checks a signature. A token must use exactly the algorithm that the consumer
//! is configured for: that rule, and nothing in the token, decides how a signature is checked.

use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CredentialConfig;
use super::token::Token;

/// A signature algorithm by its RFC 7518 (RFC 8037) name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    #[default]
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    ES256,
    ES384,
    ES512,
    PS256,
    PS384,
    PS512,
    EdDSA,
}

/// Why a consumer's key material cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("secret is missing")]
    NoSecret,
    #[error("secret is not base64")]
    NotBase64(#[from] base64::DecodeError),
    #[error("public_key is missing")]
    NoPublicKey,
    #[error("public_key is no PEM key of the algorithm's kind: {0}")]
    NotAKey(#[from] jsonwebtoken::errors::Error),
}

/// What checks the signatures of one consumer's tokens.
pub(super) struct VerificationKey {
    name: &'static str,
    verifier: Verifier,
}

enum Verifier {
    Library(DecodingKey, jsonwebtoken::Algorithm),
    /// ES512, which the library does not have: the public point of a key on P-521.
    P521(UnparsedPublicKey<Vec<u8>>),
}

/// How a public key is read.
enum Family {
    Hmac,
    Rsa,
    Curve,
    Edwards,
}

impl Algorithm {
    /// `true` for the algorithms with a shared secret.
    pub(super) fn is_symmetric(self) -> bool {
        matches!(self.family(), Family::Hmac)
    }

    fn family(self) -> Family {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => Family::Hmac,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => Family::Rsa,
            Self::ES256 | Self::ES384 | Self::ES512 => Family::Curve,
            Self::EdDSA => Family::Edwards,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// `None` for ES512.
    fn in_library(self) -> Option<jsonwebtoken::Algorithm> {
        self.name().parse().ok()
    }
}

impl VerificationKey {
    /// Reads the key that `config` holds.
    pub fn new(config: &CredentialConfig) -> Result<Self, KeyError> {
        let algorithm = config.algorithm;
        let pem = || config.public_key.as_deref().map(str::as_bytes).ok_or(KeyError::NoPublicKey);
        let key = match algorithm.family() {
            Family::Hmac => {
                let secret = config.secret.as_deref().ok_or(KeyError::NoSecret)?;
                let bytes = if config.base64_secret { from_base64(secret)? } else { secret.as_bytes().to_vec() };
                if bytes.is_empty() {
                    return Err(KeyError::NoSecret);
                }
                DecodingKey::from_secret(&bytes)
            }
            Family::Rsa => DecodingKey::from_rsa_pem(pem()?)?,
            Family::Curve => DecodingKey::from_ec_pem(pem()?)?,
            Family::Edwards => DecodingKey::from_ed_pem(pem()?)?,
        };
        let verifier = match algorithm.in_library() {
            Some(known) => Verifier::Library(key, known),
            None => Verifier::P521(UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, key.try_get_as_bytes()?.to_vec())),
        };
        Ok(Self { name: algorithm.name(), verifier })
    }

    /// Whether `token` names this key's algorithm and its signature is right.
    pub fn verifies(&self, token: &Token<'_>) -> bool {
        if *token.algorithm != *self.name {
            return false;
        }
        match &self.verifier {
            Verifier::Library(key, algorithm) => {
                jsonwebtoken::crypto::verify(token.signature, token.signed, key, *algorithm).unwrap_or(false)
            }
            Verifier::P521(key) => URL_SAFE_NO_PAD
                .decode(token.signature)
                .is_ok_and(|signature| key.verify(token.signed, &signature).is_ok()),
        }
    }
}

/// A secret written in base64.
fn from_base64(secret: &str) -> Result<Vec<u8>, base64::DecodeError> {
    STANDARD.decode(secret)
}
