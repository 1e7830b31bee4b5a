//! `thoughtSignature`: how a proof stands in the one field that Gemini has for it.
//!
//! Google's SDKs decode the field as base64 and write it back in either of base64's alphabets. Invariant: what is
//! written is base64, so a foreign signature, whose tag holds colons, is encoded as a whole.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};

use crate::dialect::Dialect;
use crate::model::{Signature, Text};

/// What the base64 of every tagged signature begins with: the tag's own three characters.
const TAGGED: &str = "dGc6";

/// Reads base64 with padding and without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The signature that the field holds.
pub(super) fn read(field: Text<'_>) -> Signature<'_> {
    let tagged = field.starts_with(TAGGED).then(|| decoded(&field)).flatten();
    Signature::read(Dialect::Gemini, tagged.map_or(field, Cow::Owned))
}

/// The field for `signature`.
pub(super) fn write<'s>(signature: &'s Signature<'_>) -> Cow<'s, str> {
    match signature.native(Dialect::Gemini) {
        Some(value) => Cow::Borrowed(value),
        None => Cow::Owned(general_purpose::STANDARD.encode(signature.written(Dialect::Gemini).as_bytes())),
    }
}

fn decoded(field: &str) -> Option<String> {
    let standard: String = field.chars().map(standard_digit).collect();
    String::from_utf8(LENIENT.decode(standard).ok()?).ok()
}

/// The digit of base64's standard alphabet that means the same.
pub(super) fn standard_digit(digit: char) -> char {
    match digit {
        '-' => '+',
        '_' => '/',
        other => other,
    }
}
