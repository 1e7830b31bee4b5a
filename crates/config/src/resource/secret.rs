//! Secret managers: the products in which references such as `$secret://vault/1/name/key` are looked up. Their
//! access data is encrypted in the store; the Admin API serves it as it was written.

/// The product behind a secret resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretManager {
    Vault,
    Aws,
    Gcp,
}

impl SecretManager {
    /// By the first part of a secret resource's id.
    pub fn from_name(name: &str) -> Option<SecretManager> {
        [SecretManager::Vault, SecretManager::Aws, SecretManager::Gcp]
            .into_iter()
            .find(|manager| manager.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            SecretManager::Vault => "vault",
            SecretManager::Aws => "aws",
            SecretManager::Gcp => "gcp",
        }
    }
}
