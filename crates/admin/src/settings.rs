//! What `deployment.admin` of `config.yaml` says, as types. The binary fills it; [`crate::AdminServer`] reads it.

use config::secret::Secret;
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
}

impl AdminSettings {
    /// The defaults of `config.yaml`, with these keys: the whole loopback network may connect, CORS is on.
    pub fn with_keys(keys: Vec<AdminKey>) -> Self {
        let loopback =
            [IpNet::new_assert([127, 0, 0, 0].into(), 8), IpNet::new_assert([0u16, 0, 0, 0, 0, 0, 0, 1].into(), 128)];
        Self { access: Access::Keys(keys), allow_admin: Some(loopback.into()), cors: true, server_tokens: true }
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
    pub role: Role,
    pub secret: KeyMatcher,
}

/// What a key's holder may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything. Any `role` but `viewer` means this.
    Admin,
    /// GET only.
    Viewer,
}

impl From<&str> for Role {
    fn from(role: &str) -> Self {
        if role == "viewer" { Role::Viewer } else { Role::Admin }
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
