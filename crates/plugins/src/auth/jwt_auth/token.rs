//! A JSON Web Token, read apart but not yet trusted, and its time claims.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{GeneralPurposeConfig, URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// RFC 7515 forbids padding, yet some issuers write it.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A claim about the time in which a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    Exp,
    Nbf,
}

/// The three parts of a token.
pub(super) struct Token<'t> {
    /// The header's `alg`.
    pub algorithm: Box<str>,
    pub payload: Map<String, Value>,
    /// Header and payload as sent, which is what is signed.
    pub signed: &'t [u8],
    /// Without padding, as the verifier wants it.
    pub signature: &'t str,
}

impl<'t> Token<'t> {
    /// Reads `text`; `None` if it is no token: not three parts, not base64url, not JSON objects, no `alg`.
    pub fn parse(text: &'t str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        let signature = signature.trim_end_matches('=');
        URL_SAFE_NO_PAD.decode(signature).ok()?;
        let header = object(header)?;
        let algorithm = header.get("alg")?.as_str()?.into();
        Some(Self { algorithm, payload: object(payload)?, signed: signed.as_bytes(), signature })
    }

    /// Whether the time claims hold at `now`, give or take `grace` (all in seconds, since the Unix epoch).
    /// `required` claims must be there; without a list those that are there must hold.
    pub fn claims_hold(&self, required: Option<&[Claim]>, now: f64, grace: f64) -> bool {
        let holds = |claim: Claim| {
            let Some(time) = self.payload.get(claim.name()) else { return required.is_none() };
            time.as_f64().is_some_and(|time| match claim {
                Claim::Exp => time > now - grace,
                Claim::Nbf => time < now + grace,
            })
        };
        required.unwrap_or(&[Claim::Exp, Claim::Nbf]).iter().all(|claim| holds(*claim))
    }

    /// The payload as JSON text.
    pub fn payload_json(&self) -> String {
        serde_json::to_string(&self.payload).unwrap_or_default()
    }
}

impl Claim {
    fn name(self) -> &'static str {
        match self {
            Claim::Exp => "exp",
            Claim::Nbf => "nbf",
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok()
}
