//! What `config.yaml` says about the Admin API, and the keys that were generated. The binary makes it from the
//! settings; [`crate::AdminServer`] reads it.

use config::secret::Secret;
use config::settings::{self, AdminApiVersion, AdminRole, Settings};
use ipnet::IpNet;

/// How the Admin API is offered.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    pub access: Access,
    /// Client addresses that may connect (`allow_admin`); `None` lets everyone in.
    pub allow_admin: Option<Vec<IpNet>>,
    /// `enable_admin_cors`.
    pub cors: bool,
    /// `apisix.enable_server_tokens`: whether the `Server` header tells the version.
    pub server_tokens: bool,
    /// `apisix.data_encryption.enable_encrypt_fields`. Private keys are sealed even if plugin fields are not.
    pub encrypt_fields: bool,
    pub api_version: AdminApiVersion,
}

impl AdminSettings {
    /// The defaults of `config.yaml`, with these keys.
    pub fn with_keys(keys: Vec<AdminKey>) -> Self {
        Self { access: Access::Keys(keys), ..Self::from(&Settings::default()) }
    }
}

/// Keys whose text is empty are dropped: whoever generates them adds what was generated to [`Access::Keys`].
impl From<&Settings> for AdminSettings {
    fn from(settings: &Settings) -> Self {
        let admin = &settings.deployment.admin;
        let access = match &admin.admin_key {
            Some(keys) if admin.admin_key_required => {
                Access::Keys(keys.iter().filter(|key| !key.key.is_empty()).map(AdminKey::from).collect())
            }
            _ => Access::Open,
        };
        Self {
            access,
            allow_admin: admin.allow_admin.clone(),
            cors: admin.enable_admin_cors,
            server_tokens: settings.apisix.enable_server_tokens,
            encrypt_fields: settings.apisix.data_encryption.enable_encrypt_fields,
            api_version: admin.admin_api_version,
        }
    }
}

/// Who may call.
#[derive(Debug, Clone)]
pub enum Access {
    /// Holders of one of these keys.
    Keys(Vec<AdminKey>),
    /// Anyone who can connect (`admin_key_required: false`).
    Open,
}

/// One entry of `admin_key`.
#[derive(Debug, Clone)]
pub struct AdminKey {
    pub name: String,
    pub role: AdminRole,
    pub secret: KeyMatcher,
}

impl From<&settings::AdminKey> for AdminKey {
    fn from(key: &settings::AdminKey) -> Self {
        Self { name: key.name.clone(), role: key.role, secret: KeyMatcher::Plain(key.key.clone()) }
    }
}

/// What a key is compared with.
#[derive(Debug, Clone)]
pub enum KeyMatcher {
    /// A key written in `config.yaml`.
    Plain(Secret),
    /// A generated key, of which only the SHA-256 is kept.
    Sha256([u8; 32]),
}
