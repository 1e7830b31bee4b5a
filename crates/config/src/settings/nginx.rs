//! The `nginx_config` section: APISIX passes it to nginx; here the parts with an effect that users see are
//! obeyed, the rest is warned about.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;

use super::SettingsError;
use super::access_log::AccessLog;
use super::reader::Reader;
use crate::resource::KeepalivePool;

/// The `nginx_config` section.
#[derive(Debug, Clone, Default)]
pub struct Nginx {
    /// `None` (`auto`) is one per core.
    pub worker_processes: Option<NonZeroUsize>,
    pub error_log_level: LogLevel,
    pub http: NginxHttp,
}

/// nginx's log levels, from talkative to silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    #[default]
    Warn,
    Error,
    Crit,
    Alert,
    Emerg,
}

/// The `nginx_config.http` section.
#[derive(Debug, Clone)]
pub struct NginxHttp {
    /// For the whole request head; an idle connection waits for one.
    pub client_header_timeout: Duration,
    /// Between two reads of a request body.
    pub client_body_timeout: Duration,
    /// Bytes; 0 is unlimited. Beyond it: 413.
    pub client_max_body_size: u64,
    /// Between two writes of a response.
    pub send_timeout: Duration,
    /// The header that holds the client's address, if the peer is in `real_ip_from`.
    pub real_ip_header: String,
    /// Search that header from the right for the first address that is not in `real_ip_from`.
    pub real_ip_recursive: bool,
    pub real_ip_from: Vec<IpNet>,
    /// For upstreams that have no `keepalive_pool`; of size 0 it keeps no connection.
    pub upstream: KeepalivePool,
    pub access_log: AccessLog,
}

// === impl LogLevel ===

impl LogLevel {
    /// The level of the `tracing` crate that shows at least as much.
    pub fn as_tracing(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info | LogLevel::Notice => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error | LogLevel::Crit | LogLevel::Alert | LogLevel::Emerg => "error",
        }
    }
}

// === impl Nginx ===

impl Nginx {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let read = Self {
            worker_processes: worker_processes(from)?,
            error_log_level: match from.entry("error_log_level") {
                None => LogLevel::default(),
                Some(entry) => entry.one_of(&[
                    ("debug", LogLevel::Debug),
                    ("info", LogLevel::Info),
                    ("notice", LogLevel::Notice),
                    ("warn", LogLevel::Warn),
                    ("error", LogLevel::Error),
                    ("crit", LogLevel::Crit),
                    ("alert", LogLevel::Alert),
                    ("emerg", LogLevel::Emerg),
                ])?,
            },
            http: NginxHttp::read(&mut from.section("http")?)?,
        };
        from.without_effect(&[
            "user",
            "error_log",
            "enable_cpu_affinity",
            "worker_rlimit_nofile",
            "worker_shutdown_timeout",
            "max_pending_timers",
            "max_running_timers",
            "event",
            "envs",
            "meta",
            "stream",
            "main_configuration_snippet",
            "http_configuration_snippet",
            "http_server_configuration_snippet",
            "http_server_location_configuration_snippet",
            "http_admin_configuration_snippet",
            "http_end_configuration_snippet",
            "stream_configuration_snippet",
        ]);
        from.finish();
        Ok(read)
    }
}

fn worker_processes(from: &mut Reader<'_>) -> Result<Option<NonZeroUsize>, SettingsError> {
    match from.entry("worker_processes") {
        None => Ok(None),
        Some(entry) if entry.value == "auto" => Ok(None),
        Some(entry) => {
            let expected = || entry.invalid("auto or 1..1024");
            let number = entry.integer(1..=1024).map_err(|_| expected())?;
            Ok(usize::try_from(number).ok().and_then(NonZeroUsize::new))
        }
    }
}

/// What the environment says about the number of workers, for containers that see more cores than they have.
pub(super) fn worker_processes_of(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<NonZeroUsize>, SettingsError> {
    const VARIABLE: &str = "APISIX_WORKER_PROCESSES";
    let Some(text) = env(VARIABLE) else { return Ok(None) };
    match text.trim().parse::<usize>() {
        _ if text == "auto" => Ok(None),
        Ok(number @ 1..=1024) => Ok(NonZeroUsize::new(number)),
        _ => Err(SettingsError::Invalid {
            file: "environment".to_owned(),
            path: VARIABLE.to_owned(),
            expected: "auto or 1..1024".to_owned(),
            got: format!("{text:?}"),
        }),
    }
}

// === impl NginxHttp ===

impl Default for NginxHttp {
    fn default() -> Self {
        Self {
            client_header_timeout: Duration::from_secs(60),
            client_body_timeout: Duration::from_secs(60),
            client_max_body_size: 0,
            send_timeout: Duration::from_secs(10),
            real_ip_header: "X-Real-IP".to_owned(),
            real_ip_recursive: false,
            real_ip_from: vec![IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST))],
            upstream: KeepalivePool::default(),
            access_log: AccessLog::default(),
        }
    }
}

impl NginxHttp {
    fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let default = Self::default();
        let read = Self {
            client_header_timeout: from.duration("client_header_timeout", default.client_header_timeout)?,
            client_body_timeout: from.duration("client_body_timeout", default.client_body_timeout)?,
            client_max_body_size: from.bytes("client_max_body_size", default.client_max_body_size)?,
            send_timeout: from.duration("send_timeout", default.send_timeout)?,
            real_ip_header: real_ip_header(from)?.unwrap_or(default.real_ip_header),
            real_ip_recursive: match from.entry("real_ip_recursive") {
                None => default.real_ip_recursive,
                Some(entry) => entry.on_or_off()?,
            },
            real_ip_from: real_ip_from(from)?.unwrap_or(default.real_ip_from),
            upstream: keepalive_pool(&mut from.section("upstream")?)?,
            access_log: AccessLog::read(from)?,
        };
        from.not_obeyed("keepalive_timeout", "idle client connections end with client_header_timeout");
        from.without_effect(&[
            "access_log_buffer",
            "underscores_in_headers",
            "proxy_ssl_server_name",
            "charset",
            "variables_hash_max_size",
            "lua_shared_dict",
            "custom_lua_shared_dict",
        ]);
        from.finish();
        Ok(read)
    }
}

/// nginx takes `proxy_protocol` for that protocol, which is not spoken here: read as a header's name it would let every
/// client choose its address.
fn real_ip_header(from: &mut Reader<'_>) -> Result<Option<String>, SettingsError> {
    let Some(entry) = from.entry("real_ip_header") else {
        return Ok(None);
    };
    let name = entry.text()?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) || name.eq_ignore_ascii_case("proxy_protocol") {
        return Err(entry.invalid("the name of a header (the PROXY protocol is not supported)"));
    }
    Ok(Some(name))
}

/// nginx's list also knows `unix:` for peers on Unix sockets, of which there are none here.
fn real_ip_from(from: &mut Reader<'_>) -> Result<Option<Vec<IpNet>>, SettingsError> {
    let Some(entry) = from.entry("real_ip_from") else {
        return Ok(None);
    };
    let peers = entry.list()?;
    let networks = peers.iter().filter(|peer| *peer.value != "unix:").map(|peer| peer.network());
    networks.collect::<Result<_, _>>().map(Some)
}

/// The connections that upstreams keep where they do not say it themselves.
fn keepalive_pool(from: &mut Reader<'_>) -> Result<KeepalivePool, SettingsError> {
    let default = KeepalivePool::default();
    let size = match from.entry("keepalive") {
        None => default.size,
        Some(entry) => u32::try_from(entry.integer(0..=1_000_000)?).map_err(|_| entry.invalid("0..1000000"))?,
    };
    let pool = KeepalivePool {
        size,
        requests: from.integer("keepalive_requests", 1..=u64::MAX, default.requests)?,
        idle_timeout: from.duration("keepalive_timeout", default.idle_timeout)?,
    };
    from.finish();
    Ok(pool)
}
