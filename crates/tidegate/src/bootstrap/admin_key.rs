//! The Admin API's keys. One that `config.yaml` leaves empty is taken from the environment, or made at the first
//! start: shown once, and only its SHA-256 is kept.

use admin::{Access, AdminKey, AdminSettings, KeyMatcher};
use aws_lc_rs::digest::{SHA256, digest};
use config::secret::Secret;
use config::settings::{self, Settings};
use store::Store;

use super::Environment;
use crate::failure::Failure;
use crate::random;

/// The environment variable that gives the key.
pub const VARIABLE: &str = "TIDEGATE_ADMIN_KEY";

const LENGTH: usize = 32;

/// A key that was made just now, to be shown.
#[derive(Debug)]
pub struct Generated {
    /// Its name in `config.yaml`.
    pub name: String,
    pub key: Secret,
}

/// The settings of the Admin API with all keys in place, and the keys that were made for it: [`keep`] them when they are
/// shown, not before.
///
/// # Errors
/// If there are no random numbers.
pub fn complete(
    settings: &Settings,
    store: &Store,
    env: Environment<'_>,
) -> Result<(AdminSettings, Vec<Generated>), Failure> {
    let mut complete = AdminSettings::from(settings);
    let mut generated = Vec::new();
    if let Access::Keys(keys) = &mut complete.access {
        let written = settings.deployment.admin.admin_key.as_deref().unwrap_or_default();
        for empty in written.iter().filter(|key| key.key.is_empty()) {
            let secret = match env(VARIABLE).filter(|key| !key.is_empty()) {
                Some(key) => KeyMatcher::Plain(Secret::from(key)),
                None => KeyMatcher::Sha256(kept_or_made(empty, store, &mut generated)?),
            };
            keys.push(AdminKey { name: empty.name.clone(), role: empty.role, secret });
        }
    }
    Ok((complete, generated))
}

/// Keeps the digests of the keys, so that they are good at the next start too.
///
/// # Errors
/// If the store cannot be written.
pub async fn keep(generated: &[Generated], store: &Store) -> Result<(), Failure> {
    for Generated { name, key } in generated {
        store.put_meta(&place(name), &to_hex(&sha256(key.expose()))).await.map_err(Failure::runtime)?;
    }
    Ok(())
}

/// The digest of the key that was made at an earlier start, or of one made now.
fn kept_or_made(
    empty: &settings::AdminKey,
    store: &Store,
    generated: &mut Vec<Generated>,
) -> Result<[u8; 32], Failure> {
    if let Some(kept) = store.get_meta(&place(&empty.name)).as_deref().and_then(from_hex) {
        return Ok(kept);
    }
    let key = random::letters(LENGTH)?;
    let hash = sha256(&key);
    generated.push(Generated { name: empty.name.clone(), key: Secret::from(key) });
    Ok(hash)
}

/// Where the digest of the key `name` is kept in the store.
fn place(name: &str) -> String {
    format!("admin_key_sha256/{name}")
}

fn sha256(key: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    hash
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}
