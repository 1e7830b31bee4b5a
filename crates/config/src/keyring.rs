//! Secret fields at rest, in APISIX's form: AES-CBC with PKCS#7 padding, base64, and the first 16 bytes of the
//! key as the initialisation vector. The form is deterministic and carries no integrity check; it is kept so that
//! data moves between APISIX and Tidegate.
//! Invariant: what cannot be decrypted is returned as it is, so plain text stored before encryption was switched
//! on keeps working. Called by the Admin API on its way to the store and by the plan compiler on the way out.

use std::fmt;

use aws_lc_rs::cipher::{
    AES_128, AES_256, Algorithm, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::encrypt;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// The keys that APISIX ships. Everyone knows them: they hide, they do not protect.
pub const PUBLISHED_KEYS: [&str; 2] = ["qeddd145sfvddff3", "edd1c9f0985e76a2"];

const IV_BYTES: usize = 16;

/// Encryption keys: the first encrypts, all of them decrypt, and so do keys of the past. A keyring that was made of no
/// keys leaves texts as they are.
#[derive(Clone, Default)]
pub struct Keyring {
    keys: Vec<Secret>,
    /// Keys that decrypt, and never encrypt.
    past: Vec<Secret>,
}

/// A key that AES cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {number} of the keyring must be 16 or 32 bytes long, got {length}")]
pub struct KeyringError {
    /// Position in the keyring, from 1.
    pub number: usize,
    /// In bytes.
    pub length: usize,
}

impl Keyring {
    /// A keyring of 16-byte (AES-128) or 32-byte (AES-256) keys.
    pub fn new(keys: impl IntoIterator<Item = Secret>) -> Result<Self, KeyringError> {
        Ok(Self { keys: usable(keys)?, past: Vec::new() })
    }

    /// With keys of the past: what they have encrypted is read, and nothing is encrypted with them.
    ///
    /// # Errors
    /// As [`Keyring::new`].
    pub fn with_past(mut self, keys: impl IntoIterator<Item = Secret>) -> Result<Self, KeyringError> {
        self.past.extend(usable(keys)?);
        Ok(self)
    }

    /// APISIX's default keyring.
    pub fn published() -> Self {
        Self { keys: PUBLISHED_KEYS.into_iter().map(Secret::from).collect(), past: Vec::new() }
    }

    /// `true` if the encrypting key is one that everybody knows.
    pub fn is_published(&self) -> bool {
        self.keys.first().is_some_and(|key| PUBLISHED_KEYS.iter().any(|known| *key == **known))
    }

    /// The keys as configured, the encrypting one first, without those of the past.
    pub fn keys(&self) -> impl Iterator<Item = &Secret> {
        self.keys.iter()
    }

    /// Every key that decrypts.
    fn all(&self) -> impl Iterator<Item = &Secret> {
        self.keys.iter().chain(&self.past)
    }

    /// `true` if there is no key to encrypt with.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// `text` under the first key, in base64.
    pub fn encrypt(&self, text: &str) -> String {
        self.keys.first().and_then(|key| encrypt_with(key, text).ok()).unwrap_or_else(|| text.to_owned())
    }

    /// The text behind `stored`, or `stored` itself if no key opens it.
    pub fn decrypt(&self, stored: &str) -> String {
        let Ok(sealed) = STANDARD.decode(stored) else {
            return stored.to_owned();
        };
        self.all().find_map(|key| decrypt_with(key, &sealed)).unwrap_or_else(|| stored.to_owned())
    }

    /// `true` if `stored` has the form of an encrypted text and no key opens it. A plain text may have that form too,
    /// by chance: base64 of whole blocks.
    pub fn is_locked_out_of(&self, stored: &str) -> bool {
        let Ok(sealed) = STANDARD.decode(stored) else { return false };
        let is_blocks = !sealed.is_empty() && sealed.len() % IV_BYTES == 0;
        is_blocks && self.all().next().is_some() && !self.all().any(|key| decrypt_with(key, &sealed).is_some())
    }

    /// Encrypts the fields of `conf` at the dotted paths `fields`. Arrays on the way are walked through; at the
    /// end stands a string, an array of strings or a map of strings. References to secrets are encrypted like
    /// any text. Absent fields are passed over.
    pub fn encrypt_fields(&self, conf: &mut Value, fields: &[&str]) {
        for field in fields {
            encrypt::field(conf, field, &mut |text| Some(self.encrypt(text)));
        }
    }

    /// The reverse of [`Keyring::encrypt_fields`].
    pub fn decrypt_fields(&self, conf: &mut Value, fields: &[&str]) {
        for field in fields {
            encrypt::field(conf, field, &mut |text| Some(self.decrypt(text)));
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.all().count())
    }
}

/// `keys`, if AES can use all of them.
fn usable(keys: impl IntoIterator<Item = Secret>) -> Result<Vec<Secret>, KeyringError> {
    let keys: Vec<Secret> = keys.into_iter().collect();
    match keys.iter().position(|key| algorithm(key).is_none()) {
        Some(index) => Err(KeyringError { number: index + 1, length: keys[index].expose().len() }),
        None => Ok(keys),
    }
}

fn algorithm(key: &Secret) -> Option<&'static Algorithm> {
    match key.expose().len() {
        16 => Some(&AES_128),
        32 => Some(&AES_256),
        _ => None,
    }
}

fn cipher_key(key: &Secret) -> Result<(UnboundCipherKey, FixedLength<IV_BYTES>), Unspecified> {
    let bytes = key.expose().as_bytes();
    let cipher = UnboundCipherKey::new(algorithm(key).ok_or(Unspecified)?, bytes)?;
    let iv: [u8; IV_BYTES] = bytes[..IV_BYTES].try_into().map_err(|_| Unspecified)?;
    Ok((cipher, FixedLength::from(iv)))
}

fn encrypt_with(key: &Secret, text: &str) -> Result<String, Unspecified> {
    let (cipher, iv) = cipher_key(key)?;
    let mut sealed = text.as_bytes().to_vec();
    PaddedBlockEncryptingKey::cbc_pkcs7(cipher)?.less_safe_encrypt(&mut sealed, EncryptionContext::Iv128(iv))?;
    Ok(STANDARD.encode(sealed))
}

fn decrypt_with(key: &Secret, sealed: &[u8]) -> Option<String> {
    let (cipher, iv) = cipher_key(key).ok()?;
    let mut opened = sealed.to_vec();
    let opened =
        PaddedBlockDecryptingKey::cbc_pkcs7(cipher).ok()?.decrypt(&mut opened, DecryptionContext::Iv128(iv)).ok()?;
    String::from_utf8(opened.to_vec()).ok()
}
