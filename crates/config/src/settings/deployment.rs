//! The `deployment` section: the role of this process and the Admin API's listener, keys and guards.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net};

use super::SettingsError;
use super::apisix::address;
use super::reader::{Entry, Reader};
use crate::secret::Secret;

/// The `deployment` section. The role is always `traditional` and resources live in the embedded store.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    pub admin: Admin,
}

/// The `deployment.admin` section.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Keys with their roles. `None` (the file says `admin_key: null`) switches authentication off, as in
    /// APISIX; a key with an empty text is to be generated.
    pub admin_key: Option<Vec<AdminKey>>,
    /// `false` switches authentication off.
    pub admin_key_required: bool,
    /// Peers that may connect. `None` (the file says `allow_admin: null`) is everybody.
    pub allow_admin: Option<Vec<IpNet>>,
    /// Loopback by default, where APISIX listens on every address.
    pub admin_listen: SocketAddr,
    pub enable_admin_cors: bool,
    /// `Some` if `https_admin` is true.
    pub tls: Option<AdminTls>,
    pub admin_api_version: AdminApiVersion,
}

/// One entry of `deployment.admin.admin_key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminKey {
    pub name: String,
    pub key: Secret,
    pub role: AdminRole,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdminRole {
    /// Everything.
    #[default]
    Admin,
    /// GET only.
    Viewer,
}

/// Files of the Admin API's own TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Client certificates must be signed by this authority; `None` asks for none.
    pub client_authority: Option<PathBuf>,
}

/// The envelope of Admin API answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdminApiVersion {
    /// The envelope of APISIX 2.
    V2,
    #[default]
    V3,
}

// === impl Deployment ===

impl Deployment {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        const EMBEDDED: &str = "resources live in the embedded store; remove this line";
        if let Some(role) = from.entry("role")
            && role.text()? != "traditional"
        {
            return Err(role.unsupported("only the role traditional is, which serves both traffic and the Admin API"));
        }
        let mut traditional = from.section("role_traditional")?;
        if let Some(provider) = traditional.entry("config_provider")
            && provider.text()? != "embedded"
        {
            return Err(provider.unsupported(EMBEDDED));
        }
        traditional.finish();
        if let Some(etcd) = from.entry("etcd") {
            etcd.warn("has no effect in Tidegate: resources live in the embedded store");
        }
        from.without_effect(&["role_control_plane", "role_data_plane", "certs"]);
        let admin = Admin::read(&mut from.section("admin")?)?;
        from.finish();
        Ok(Self { admin })
    }
}

// === impl Admin ===

impl Default for Admin {
    fn default() -> Self {
        let generated = AdminKey { name: "admin".to_owned(), key: Secret::default(), role: AdminRole::Admin };
        Self {
            admin_key: Some(vec![generated]),
            admin_key_required: true,
            allow_admin: Some(vec![IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 24))]),
            admin_listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9180),
            enable_admin_cors: true,
            tls: None,
            admin_api_version: AdminApiVersion::default(),
        }
    }
}

impl Admin {
    /// `true` if a request needs a key.
    pub fn authenticates(&self) -> bool {
        self.admin_key_required && self.admin_key.is_some()
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let default = Self::default();
        let admin_key = match from.entry("admin_key") {
            None if from.is_removed("admin_key") => None,
            None => default.admin_key,
            Some(entry) => Some(entry.list()?.iter().map(AdminKey::read).collect::<Result<_, _>>()?),
        };
        let allow_admin = match from.networks("allow_admin")? {
            None if from.is_removed("allow_admin") => None,
            None => default.allow_admin,
            written => written,
        };
        let mut listen = from.section("admin_listen")?;
        let admin_listen = address(&mut listen, default.admin_listen)?;
        listen.finish();
        let admin_api_version = match from.text("admin_api_version")?.as_deref() {
            None | Some("v3") => AdminApiVersion::V3,
            Some(_) => AdminApiVersion::V2,
        };
        let read = Self {
            admin_key,
            admin_key_required: from.flag("admin_key_required", default.admin_key_required)?,
            allow_admin,
            admin_listen,
            enable_admin_cors: from.flag("enable_admin_cors", default.enable_admin_cors)?,
            tls: AdminTls::read(from)?,
            admin_api_version,
        };
        from.not_obeyed("enable_admin_ui", "there is no console");
        from.finish();
        Ok(read)
    }
}

// === impl AdminKey ===

impl AdminKey {
    fn read(entry: &Entry<'_>) -> Result<Self, SettingsError> {
        let mut from = entry.reader()?;
        let key = match from.entry("key") {
            Some(key) => key.secret()?,
            None => Secret::default(),
        };
        let role = match from.entry("role") {
            Some(role) => role.one_of(&[("admin", AdminRole::Admin), ("viewer", AdminRole::Viewer)])?,
            None => AdminRole::default(),
        };
        let name = from.text_or("name", "")?;
        from.finish();
        Ok(Self { name, key, role })
    }
}

// === impl AdminTls ===

impl AdminTls {
    fn read(admin: &mut Reader<'_>) -> Result<Option<Self>, SettingsError> {
        let https = admin.flag("https_admin", false)?;
        let mut files = admin.section("admin_api_mtls")?;
        let certificate = files.text_or("admin_ssl_cert", "")?;
        let key = files.text_or("admin_ssl_cert_key", "")?;
        let client_authority = files.text_or("admin_ssl_ca_cert", "")?;
        files.finish();
        if !https {
            return Ok(None);
        }
        if certificate.is_empty() || key.is_empty() {
            return Err(admin.unsupported(
                "https_admin",
                "true without a certificate",
                "set admin_api_mtls.admin_ssl_cert and admin_api_mtls.admin_ssl_cert_key",
            ));
        }
        Ok(Some(Self {
            certificate: certificate.into(),
            key: key.into(),
            client_authority: (!client_authority.is_empty()).then(|| client_authority.into()),
        }))
    }
}
