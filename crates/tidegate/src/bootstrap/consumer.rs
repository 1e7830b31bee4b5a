//! The first consumer: one who may call the first routes.

use config::resource::Kind;
use serde_json::json;

use super::Environment;
use super::resources::{Draft, MANAGED_BY};
use crate::failure::Failure;
use crate::random;

/// The environment variable that gives the key at the first start.
const VARIABLE: &str = "TIDEGATE_KEY";

const USERNAME: &str = "default";

/// Marks keys of Tidegate, for people and for secret scanners.
const KEY_PREFIX: &str = "tg-";
const LETTERS: usize = 32;

/// The consumer with its key, which is not to be had again.
pub struct First {
    key: String,
    is_generated: bool,
}

impl First {
    /// Takes the key from the environment, or makes one.
    ///
    /// # Errors
    /// If there are no random numbers.
    pub fn make(env: Environment<'_>) -> Result<Self, Failure> {
        if let Some(key) = env(VARIABLE).filter(|key| !key.is_empty()) {
            return Ok(Self { key, is_generated: false });
        }
        Ok(Self { key: format!("{KEY_PREFIX}{}", random::letters(LETTERS)?), is_generated: true })
    }

    /// The key, if it was made here and must be shown.
    pub fn into_generated_key(self) -> Option<String> {
        self.is_generated.then_some(self.key)
    }

    /// The consumer and its credential.
    pub fn drafts(&self) -> Vec<Draft> {
        let consumer = json!({
            "username": USERNAME,
            "desc": "Made at the first start of Tidegate.",
            "labels": {"managed_by": MANAGED_BY},
        });
        let id = "first";
        let credential = Draft {
            kind: Kind::Credential,
            id: format!("{USERNAME}/credentials/{id}"),
            value: json!({"id": id, "labels": {"managed_by": MANAGED_BY}, "plugins": {"key-auth": {"key": self.key}}}),
        };
        vec![Draft { kind: Kind::Consumer, id: USERNAME.to_owned(), value: consumer }, credential]
    }
}
