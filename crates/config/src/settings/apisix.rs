//! The `apisix` section: listeners, routing options, encryption at rest.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

use super::SettingsError;
use super::reader::{Entry, Reader};
use super::ssl::Ssl;
use crate::keyring::Keyring;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The `apisix` section.
#[derive(Debug, Clone)]
pub struct Apisix {
    /// Plain HTTP listeners.
    pub node_listen: Vec<Listen>,
    /// Listen on `[::]` wherever no address is given.
    pub enable_ipv6: bool,
    /// Names the installation in `/v1/server_info`; `None` leaves it to an id that is made at the first start.
    pub id: Option<String>,
    /// HTTP/2 for clients: by ALPN on TLS, by prior knowledge on plain connections.
    pub enable_http2: bool,
    pub enable_admin: bool,
    pub enable_control: bool,
    /// The Control API's listener.
    pub control: SocketAddr,
    /// The status listener (`/status`, `/status/ready`); off by default.
    pub status: Option<SocketAddr>,
    /// Route `/a/` as `/a`.
    pub delete_uri_tail_slash: bool,
    /// Route `/a;x=1/b` as `/a/b`.
    pub normalize_uri_like_servlet: bool,
    /// Route `/a%2Fb` by a pattern for one segment.
    pub match_uri_encoded_slash: bool,
    /// Send `X-APISIX-Upstream-Status` for every status, not only 5xx.
    pub show_upstream_status_in_response_header: bool,
    /// Name the version in the `Server` header.
    pub enable_server_tokens: bool,
    /// Bytes of a body that `post_arg.*` reads; 0 reads none. The file has it in MiB.
    pub max_post_args_readable_size: u64,
    pub router: Router,
    pub ssl: Ssl,
    pub data_encryption: DataEncryption,
    /// Peers whose `X-Forwarded-*` headers are believed; empty is nobody.
    pub trusted_addresses: Vec<IpNet>,
    pub disable_upstream_healthcheck: bool,
}

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// `None` is every address.
    pub ip: Option<IpAddr>,
    pub port: u16,
}

/// The `apisix.router` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Router {
    pub http: RouterKind,
}

/// How routes are found (`apisix.router.http`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouterKind {
    /// By host, then path.
    #[default]
    HostUri,
    /// By path; hosts only filter.
    Uri,
    /// By path with `:parameters`; hosts only filter.
    UriWithParameter,
}

/// The `apisix.data_encryption` section.
#[derive(Debug, Clone)]
pub struct DataEncryption {
    /// Store the secret fields of plugins encrypted.
    pub enable_encrypt_fields: bool,
    /// Also encrypts TLS keys; empty if the file says `keyring: null`.
    pub keyring: Keyring,
}

// === impl Apisix ===

impl Default for Apisix {
    fn default() -> Self {
        Self {
            node_listen: vec![Listen { ip: None, port: 9080 }],
            enable_ipv6: true,
            id: None,
            enable_http2: true,
            enable_admin: true,
            enable_control: true,
            control: SocketAddr::new(LOOPBACK, 9090),
            status: None,
            delete_uri_tail_slash: false,
            normalize_uri_like_servlet: false,
            match_uri_encoded_slash: false,
            show_upstream_status_in_response_header: false,
            enable_server_tokens: true,
            max_post_args_readable_size: 64 << 20,
            router: Router::default(),
            ssl: Ssl::default(),
            data_encryption: DataEncryption::default(),
            trusted_addresses: Vec::new(),
            disable_upstream_healthcheck: false,
        }
    }
}

/// Keys that tune nginx, LuaJIT or features that are not here.
const WITHOUT_EFFECT: [&str; 18] = [
    "enable_reuseport",
    "enable_dev_mode",
    "extra_lua_path",
    "extra_lua_cpath",
    "lua_module_hook",
    "proxy_cache",
    "proxy_protocol",
    "stream_proxy",
    "dns_resolver",
    "dns_resolver_valid",
    "resolver_timeout",
    "enable_resolv_search_opt",
    "disable_sync_configuration_during_start",
    "worker_startup_time_threshold",
    "events",
    "lru",
    "tracing",
    "enable_admin_cors",
];

impl Apisix {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let default = Self::default();
        if let Some(mode) = from.entry("proxy_mode")
            && mode.text()? != "http"
        {
            return Err(mode.unsupported("only http is"));
        }
        let read = Self {
            node_listen: listens(from, "node_listen", default.node_listen)?,
            enable_ipv6: from.flag("enable_ipv6", default.enable_ipv6)?,
            id: from.text("id")?,
            enable_http2: from.flag("enable_http2", default.enable_http2)?,
            enable_admin: from.flag("enable_admin", default.enable_admin)?,
            enable_control: from.flag("enable_control", default.enable_control)?,
            control: control(&mut from.section("control")?, default.control)?,
            status: status(from)?,
            delete_uri_tail_slash: from.flag("delete_uri_tail_slash", default.delete_uri_tail_slash)?,
            normalize_uri_like_servlet: from.flag("normalize_uri_like_servlet", default.normalize_uri_like_servlet)?,
            match_uri_encoded_slash: from.flag("match_uri_encoded_slash", default.match_uri_encoded_slash)?,
            show_upstream_status_in_response_header: from
                .flag("show_upstream_status_in_response_header", default.show_upstream_status_in_response_header)?,
            enable_server_tokens: from.flag("enable_server_tokens", default.enable_server_tokens)?,
            max_post_args_readable_size: from.integer("max_post_args_readable_size", 0..=4096, 64)? << 20,
            router: Router::read(&mut from.section("router")?)?,
            ssl: Ssl::read(&mut from.section("ssl")?)?,
            data_encryption: DataEncryption::read(&mut from.section("data_encryption")?)?,
            trusted_addresses: from.networks("trusted_addresses")?.unwrap_or_default(),
            disable_upstream_healthcheck: from
                .flag("disable_upstream_healthcheck", default.disable_upstream_healthcheck)?,
        };
        from.without_effect(&WITHOUT_EFFECT);
        from.finish();
        Ok(read)
    }
}

fn control(from: &mut Reader<'_>, default: SocketAddr) -> Result<SocketAddr, SettingsError> {
    let address = address(from, default)?;
    from.without_effect(&["router"]);
    from.finish();
    Ok(address)
}

fn status(from: &mut Reader<'_>) -> Result<Option<SocketAddr>, SettingsError> {
    let Some(entry) = from.entry("status") else {
        return Ok(None);
    };
    let mut section = entry.reader()?;
    let address = address(&mut section, SocketAddr::new(LOOPBACK, 7085))?;
    section.finish();
    Ok(Some(address))
}

/// `ip` and `port` of a section that has both.
pub(super) fn address(from: &mut Reader<'_>, default: SocketAddr) -> Result<SocketAddr, SettingsError> {
    Ok(SocketAddr::new(from.ip("ip", default.ip())?, from.port("port", default.port())?))
}

/// A port, or a list of ports and `{ip, port}`.
pub(super) fn listens(from: &mut Reader<'_>, key: &str, default: Vec<Listen>) -> Result<Vec<Listen>, SettingsError> {
    match from.entry(key) {
        None => Ok(default),
        Some(entry) if entry.value.is_array() => entry.list()?.iter().map(listen).collect(),
        Some(entry) => Ok(vec![listen(&entry)?]),
    }
}

fn listen(entry: &Entry<'_>) -> Result<Listen, SettingsError> {
    if !entry.value.is_object() {
        return Ok(Listen { ip: None, port: entry.port()? });
    }
    let mut from = entry.reader()?;
    let port = from.entry("port").ok_or_else(|| entry.invalid("a port, or a mapping with a port"))?.port()?;
    let ip = from.entry("ip").map(|entry| entry.ip()).transpose()?;
    if let Some(http3) = from.entry("enable_http3")
        && http3.flag()?
    {
        http3.warn("has no effect in Tidegate: there is no HTTP/3 yet");
    }
    from.without_effect(&["enable_http2"]);
    from.finish();
    Ok(Listen { ip: ip.filter(|ip| *ip != IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port })
}

// === impl Router ===

impl Router {
    fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let kinds = RouterKind::ALL.map(|kind| (kind.as_str(), kind));
        let http = match from.entry("http") {
            None => RouterKind::default(),
            Some(entry) => entry.one_of(&kinds)?,
        };
        if let Some(entry) = from.entry("ssl") {
            entry.one_of(&[("radixtree_sni", ())])?;
        }
        from.finish();
        Ok(Self { http })
    }
}

// === impl RouterKind ===

impl RouterKind {
    const ALL: [Self; 3] = [Self::HostUri, Self::Uri, Self::UriWithParameter];

    /// APISIX's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            RouterKind::HostUri => "radixtree_host_uri",
            RouterKind::Uri => "radixtree_uri",
            RouterKind::UriWithParameter => "radixtree_uri_with_parameter",
        }
    }
}

// === impl DataEncryption ===

impl Default for DataEncryption {
    fn default() -> Self {
        Self { enable_encrypt_fields: true, keyring: Keyring::published() }
    }
}

impl DataEncryption {
    fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let default = Self::default();
        let keyring = match from.entry("keyring") {
            None if from.is_removed("keyring") => Keyring::default(),
            None => default.keyring,
            Some(entry) => keyring(&entry)?,
        };
        let enable_encrypt_fields = from.flag("enable_encrypt_fields", default.enable_encrypt_fields)?;
        from.finish();
        Ok(Self { enable_encrypt_fields, keyring })
    }
}

fn keyring(entry: &Entry<'_>) -> Result<Keyring, SettingsError> {
    let keys = if entry.value.is_array() { entry.list()? } else { vec![entry.clone()] };
    let secrets = keys.iter().map(Entry::secret).collect::<Result<Vec<_>, _>>()?;
    Keyring::new(secrets).map_err(|error| {
        let at = keys.get(error.number - 1).unwrap_or(entry);
        at.invalid_secret("a key of 16 or 32 bytes")
    })
}
