//! The name under which a node is greeted over TLS.
//!
//! APISIX sends the Host of the request as SNI. Here a node that is configured by name is greeted by that name,
//! whatever the Host: it is the name its certificate is held against, and one set of connections serves all hosts. Only
//! a node configured by address with `pass_host: pass` has no name of its own; it is greeted by the Host, over
//! connections that are kept apart by host and bounded together: Hosts come from clients.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderValue;
use rustls::pki_types::ServerName;

use crate::transport::{Origin, Origins};

/// Hosts that a node is known by at a time; there may be any number of them.
const MOST_HOSTS: usize = 256;

/// One node's origins by host.
pub(super) struct NamedOrigins {
    /// The node without a name.
    node: Arc<Origin>,
    known: ArcSwap<HashMap<Box<str>, Arc<Origin>>>,
}

impl NamedOrigins {
    pub fn new(node: Arc<Origin>) -> Self {
        Self { node, known: ArcSwap::default() }
    }

    /// The origin that is greeted as `host`, a Host header; `None` if that is no name. When there are too many, all are
    /// forgotten: those in use are soon known again.
    pub fn of(&self, host: &HeaderValue, origins: &Origins) -> Option<Arc<Origin>> {
        let host = crate::path::without_port(host.to_str().ok()?).trim_end_matches('.');
        if let Some(origin) = self.known.load().get(host) {
            return Some(origin.clone());
        }
        let server_name = ServerName::try_from(host.to_ascii_lowercase()).ok()?;
        if !matches!(server_name, ServerName::DnsName(_)) {
            return None;
        }
        let origin = origins.intern_named(&self.node, server_name)?;
        self.known.rcu(|known| {
            let mut grown = if known.len() < MOST_HOSTS { HashMap::clone(known) } else { HashMap::new() };
            grown.insert(host.into(), origin.clone());
            grown
        });
        Some(origin)
    }
}
