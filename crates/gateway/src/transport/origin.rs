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
    /// Unique among all origins of this process.
    pub id: u64,
    /// The origins that share one bound on idle connections: those by which one node is greeted by several names.
    /// Mostly an origin's own `id`. The pool's key.
    pub node: u64,
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
    /// Of an origin that is one of several names.
    node: Option<u64>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let same_tls = match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(&a.config, &b.config) && a.server_name == b.server_name,
            _ => false,
        };
        let same_place = self.host == other.host && self.port == other.port && self.node == other.node;
        same_tls && same_place && self.keepalive == other.keepalive
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
        self.intern_key(Key { host, port, tls, keepalive, node: None })
    }

    /// The node `node` greeted as `server_name`, over connections of its own that count as the node's. `None` if it
    /// does not speak TLS.
    pub fn intern_named(&self, node: &Origin, server_name: ServerName<'static>) -> Option<Arc<Origin>> {
        let tls = OriginTls { config: node.tls.as_ref()?.config.clone(), server_name };
        let (host, port, keepalive) = (node.host.clone(), node.port, node.keepalive);
        Some(self.intern_key(Key { host, port, tls: Some(tls), keepalive, node: Some(node.id) }))
    }

    fn intern_key(&self, key: Key) -> Arc<Origin> {
        let mut known = self.known.lock();
        if let Some(origin) = known.get(&key).and_then(std::sync::Weak::upgrade) {
            return origin;
        }
        known.retain(|_, origin| origin.strong_count() > 0);
        let Key { host, port, tls, keepalive, node } = key.clone();
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let node = node.unwrap_or(id);
        let origin = Arc::new(Origin { id, node, host, port, address: address.into(), tls, keepalive });
        known.insert(key, Arc::downgrade(&origin));
        origin
    }
}
