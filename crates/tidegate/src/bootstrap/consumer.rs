//! The first consumer: one who may call the first routes.

use config::catalog::Catalog;
use config::encrypt;
use config::keyring::Keyring;
use config::resource::Kind;
use config::secret::Secret;
use serde_json::{Value, json};
use store::Snapshot;

use super::Environment;
use super::resources::{Draft, MANAGED_BY};
use crate::failure::Failure;
use crate::random;

/// The environment variable that gives the key at the first start.
pub const VARIABLE: &str = "TIDEGATE_KEY";

const USERNAME: &str = "default";
const CREDENTIAL: &str = "first";

/// Marks keys of Tidegate, for people and for secret scanners.
const KEY_PREFIX: &str = "tg-";
const LETTERS: usize = 32;

/// What can be told of the key by which the first consumer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstKey {
    /// Made just now, to be shown.
    Made(Secret),
    /// [`VARIABLE`] holds it.
    Variable,
    /// Of an earlier start; [`VARIABLE`] is not set.
    EarlierStart,
    /// Of an earlier start; [`VARIABLE`] holds another one, which is no key.
    NotTheVariable,
    /// Somebody has deleted it since.
    Deleted,
}

/// The consumer with its key, which is not to be had again.
pub struct First {
    key: Secret,
    is_generated: bool,
}

impl First {
    /// Takes the key from the environment, or makes one.
    ///
    /// # Errors
    /// If there are no random numbers.
    pub fn make(env: Environment<'_>) -> Result<Self, Failure> {
        if let Some(key) = variable(env) {
            return Ok(Self { key: key.into(), is_generated: false });
        }
        let key = format!("{KEY_PREFIX}{}", random::letters(LETTERS)?);
        Ok(Self { key: key.into(), is_generated: true })
    }

    /// What there is to tell of the key.
    pub fn into_key(self) -> FirstKey {
        if self.is_generated { FirstKey::Made(self.key) } else { FirstKey::Variable }
    }

    /// The consumer and its credential.
    pub fn drafts(&self) -> Vec<Draft> {
        let consumer = json!({
            "username": USERNAME,
            "desc": "Made at the first start of Tidegate.",
            "labels": {"managed_by": MANAGED_BY},
        });
        let plugins = json!({"key-auth": {"key": self.key.expose()}});
        let credential = Draft {
            kind: Kind::Credential,
            id: format!("{USERNAME}/credentials/{CREDENTIAL}"),
            value: json!({"id": CREDENTIAL, "labels": {"managed_by": MANAGED_BY}, "plugins": plugins}),
        };
        vec![Draft { kind: Kind::Consumer, id: USERNAME.to_owned(), value: consumer }, credential]
    }
}

/// What can be told of the key that an earlier start stored.
pub fn stored(snapshot: &Snapshot, catalog: &Catalog, keyring: &Keyring, env: Environment<'_>) -> FirstKey {
    let key = format!("/apisix/{}/{USERNAME}/credentials/{CREDENTIAL}", Kind::Credential.collection());
    let Some(item) = snapshot.get(&key) else { return FirstKey::Deleted };
    let mut credential = Value::clone(&item.value);
    encrypt::open(Kind::Credential, &mut credential, catalog, keyring);
    let stored = credential.pointer("/plugins/key-auth/key").and_then(Value::as_str).unwrap_or_default();
    match variable(env) {
        None => FirstKey::EarlierStart,
        // Both spellings of a key that SDKs send as a bearer's are found.
        Some(key) if stored.strip_prefix("Bearer ").unwrap_or(stored) == key => FirstKey::Variable,
        Some(_) => FirstKey::NotTheVariable,
    }
}

fn variable(env: Environment<'_>) -> Option<String> {
    env(VARIABLE).filter(|key| !key.is_empty())
}
