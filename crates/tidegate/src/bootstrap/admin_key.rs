//! The Admin API's keys. One that `config.yaml` leaves empty is taken from the environment, or made at the first
//! start: shown once, and only its SHA-256 is kept.

use admin::{Access, AdminKey, AdminSettings, KeyMatcher};
use config::secret::Secret;
use config::settings::{self, Settings};
use store::Store;

use super::Environment;
use crate::digest::{from_hex, sha256, to_hex};
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

/// Where the keys in force come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// `config.yaml` says that none is asked for.
    NoneAsked,
    /// `config.yaml`, and [`VARIABLE`] is not set or says the same.
    Configured,
    /// `config.yaml`, though [`VARIABLE`] holds another one.
    ConfiguredOverVariable,
    /// [`VARIABLE`].
    Variable,
    /// Made just now.
    Made,
    /// Made, and shown, at an earlier start.
    EarlierStart,
}

/// The Admin API's settings with all keys in place.
pub struct Completed {
    pub settings: AdminSettings,
    /// To be shown, and then to be kept with [`keep`], not before.
    pub generated: Vec<Generated>,
    /// Each once, in no order.
    pub origins: Vec<Origin>,
}

/// Puts all keys in place.
///
/// # Errors
/// If there are no random numbers.
pub fn complete(settings: &Settings, store: &Store, env: Environment<'_>) -> Result<Completed, Failure> {
    let mut complete =
        Completed { settings: AdminSettings::from(settings), generated: Vec::new(), origins: Vec::new() };
    let Access::Keys(keys) = &mut complete.settings.access else {
        complete.origins.push(Origin::NoneAsked);
        return Ok(complete);
    };
    let variable = env(VARIABLE).filter(|key| !key.is_empty());
    for written in settings.deployment.admin.admin_key.as_deref().unwrap_or_default() {
        if !written.key.is_empty() {
            let is_other = variable.as_deref().is_some_and(|variable| variable != written.key.expose());
            complete.origins.push(if is_other { Origin::ConfiguredOverVariable } else { Origin::Configured });
            continue;
        }
        let (secret, origin) = match &variable {
            Some(key) => (KeyMatcher::Plain(Secret::from(key.clone())), Origin::Variable),
            None => kept_or_made(written, store, &mut complete.generated)?,
        };
        complete.origins.push(origin);
        keys.push(AdminKey { name: written.name.clone(), role: written.role, secret });
    }
    complete.origins.sort_unstable();
    complete.origins.dedup();
    if complete.origins.iter().any(|origin| matches!(origin, Origin::Configured | Origin::Variable)) {
        complete.origins.retain(|origin| *origin != Origin::ConfiguredOverVariable);
    }
    Ok(complete)
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
) -> Result<(KeyMatcher, Origin), Failure> {
    if let Some(kept) = store.get_meta(&place(&empty.name)).as_deref().and_then(from_hex) {
        return Ok((KeyMatcher::Sha256(kept), Origin::EarlierStart));
    }
    let key = random::letters(LENGTH)?;
    let hash = sha256(&key);
    generated.push(Generated { name: empty.name.clone(), key: Secret::from(key) });
    Ok((KeyMatcher::Sha256(hash), Origin::Made))
}

/// Where the digest of the key `name` is kept in the store.
fn place(name: &str) -> String {
    format!("admin_key_sha256/{name}")
}
