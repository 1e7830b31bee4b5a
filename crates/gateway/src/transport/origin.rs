//! An origin: one server as connections see it. Interned for the life of the process, so that idle connections
//! outlive changes of the configuration that do not concern them.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use config::resource::KeepalivePool;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// A server to connect to, and how.
#[derive(Debug)]
pub struct Origin {
    /// Unique among all origins of this process; the pool's key.
    pub id: u64,
    /// A name or an address; IPv6 addresses without brackets.
    pub host: Arc<str>,
    pub port: u16,
    /// `host:port`, as logs show it.
    pub address: Arc<str>,
    /// `None`: plain text.
    pub tls: Option<OriginTls>,
    pub keepalive: KeepalivePool,
}

/// TLS towards an origin.
#[derive(Clone)]
pub struct OriginTls {
    pub config: Arc<ClientConfig>,
    pub server_name: ServerName<'static>,
}

impl std::fmt::Debug for OriginTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OriginTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// What makes two origins the same.
#[derive(Clone)]
struct Key {
    host: Arc<str>,
    port: u16,
    tls: Option<OriginTls>,
    keepalive: KeepalivePool,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let same_tls = match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(&a.config, &b.config) && a.server_name == b.server_name,
            _ => false,
        };
        same_tls && self.host == other.host && self.port == other.port && self.keepalive == other.keepalive
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.host.hash(state);
        self.port.hash(state);
        self.tls.is_some().hash(state);
    }
}

/// Every origin in use.
#[derive(Debug, Default)]
pub struct Origins {
    next: AtomicU64,
    known: Mutex<HashMap<Key, std::sync::Weak<Origin>>>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Origins {
    /// The origin of these properties, the same one each time while it is in use.
    pub fn intern(&self, host: &str, port: u16, tls: Option<OriginTls>, keepalive: KeepalivePool) -> Arc<Origin> {
        let host: Arc<str> = host.trim_start_matches('[').trim_end_matches(']').into();
        let key = Key { host: host.clone(), port, tls: tls.clone(), keepalive };
        let mut known = self.known.lock();
        if let Some(origin) = known.get(&key).and_then(std::sync::Weak::upgrade) {
            return origin;
        }
        known.retain(|_, origin| origin.strong_count() > 0);
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let origin = Arc::new(Origin { id, host, port, address: address.into(), tls, keepalive });
        known.insert(key, Arc::downgrade(&origin));
        origin
    }
}
