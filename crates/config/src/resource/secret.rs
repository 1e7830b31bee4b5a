//! Secret managers: where references such as `$secret://vault/1/name/key` are looked up. Stored and served by
//! the Admin API in this form; the secrets themselves never pass through here.

use std::fmt;

use serde_json::Value;

/// The product behind a secret resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretManager {
    Vault,
    Aws,
    Gcp,
}

impl SecretManager {
    pub fn from_name(name: &str) -> Option<SecretManager> {
        match name {
            "vault" => Some(SecretManager::Vault),
            "aws" => Some(SecretManager::Aws),
            "gcp" => Some(SecretManager::Gcp),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            SecretManager::Vault => "vault",
            SecretManager::Aws => "aws",
            SecretManager::Gcp => "gcp",
        }
    }
}

/// A secret manager's access data: `conf` is the object that the manager's schema describes.
#[derive(Clone, PartialEq)]
pub struct Secret {
    pub manager: SecretManager,
    /// Without the manager's name.
    pub id: String,
    pub conf: Value,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("manager", &self.manager)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
