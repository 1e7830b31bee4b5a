//! Reading resources, and what all verbs share: the store, the catalog, the keyring and the write lock.
//! Invariant: what leaves here in a GET has plugin secrets in clear, and a TLS private key never.

use std::sync::Arc;

use config::catalog::Catalog;
use config::encrypt;
use config::keyring::Keyring;
use config::resource::Kind;
use config::settings::AdminApiVersion;
use serde_json::Value;
use store::{Item, Store};
use tokio::sync::Mutex;

use super::AdminServer;
use super::envelope::{self, Envelope};
use super::listing::Listing;
use super::refusal::Refusal;
use super::target::Target;
use crate::query::Query;
use crate::reply::Reply;

/// The first part of every store key (`deployment.etcd.prefix` in APISIX).
pub(crate) const KEY_PREFIX: &str = "/apisix";

/// The resources behind the Admin API.
pub(super) struct Resources {
    pub(super) store: Store,
    pub(super) catalog: Arc<Catalog>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) encrypt_fields: bool,
    pub(super) envelope: Envelope,
    /// Held from the snapshot that a write is checked against until that write is published. Without it two
    /// writes could each be right alone and wrong together: one deletes what the other begins to refer to.
    pub(super) writing: Mutex<()>,
}

impl Resources {
    pub(super) fn new(server: AdminServer) -> Self {
        Self {
            store: server.store,
            catalog: server.catalog,
            keyring: server.keyring,
            encrypt_fields: server.settings.encrypt_fields,
            envelope: Envelope(server.settings.api_version),
            writing: Mutex::new(()),
        }
    }

    /// `GET` of one resource or of a collection.
    pub(super) fn get(&self, target: &Target, query: &Query) -> Result<Reply, Refusal> {
        match &target.id {
            Some(id) => self.get_one(&target.key(KEY_PREFIX, id), target.kind),
            None => self.list(target, query),
        }
    }

    fn get_one(&self, key: &str, kind: Kind) -> Result<Reply, Refusal> {
        let snapshot = self.store.snapshot();
        let item = snapshot.get(key).ok_or(Refusal::KeyNotFound)?;
        Ok(self.envelope.read(self.shown(kind, item)))
    }

    fn list(&self, target: &Target, query: &Query) -> Result<Reply, Refusal> {
        let folder = target.folder(KEY_PREFIX);
        let snapshot = self.store.snapshot();
        // Credentials stand below their consumer, in the consumers' own folder.
        let is_member = |item: &&Arc<Item>| target.kind != Kind::Consumer || !item.key[folder.len()..].contains('/');
        let mut members = snapshot.under(&folder).filter(is_member).peekable();
        // Nested collections have no folder of their own that could be found empty.
        if target.kind == Kind::Credential && members.peek().is_none() {
            return Err(Refusal::KeyNotFound);
        }
        let listing = match self.envelope.0 {
            AdminApiVersion::V2 => Listing::everything(),
            AdminApiVersion::V3 => Listing::parse(query, target.kind)?,
        };
        let (items, total) = listing.select(members);
        let nodes = items.into_iter().map(|item| self.shown(target.kind, item)).collect();
        Ok(self.envelope.list(&folder, nodes, total))
    }

    /// An item, with its value as readers may see it.
    fn shown(&self, kind: Kind, item: &Item) -> Value {
        let mut value = Value::clone(&item.value);
        if let (Kind::Ssl, Value::Object(fields)) = (kind, &mut value) {
            fields.shift_remove("key");
            fields.shift_remove("keys");
        } else {
            encrypt::open(kind, &mut value, &self.catalog, &self.keyring);
            keep_private_keys_sealed(&mut value, &item.value);
        }
        envelope::node(item, value)
    }
}

/// An upstream's client key is shown as it is stored: a client may send it back, but has no use for it.
fn keep_private_keys_sealed(shown: &mut Value, stored: &Value) {
    for place in ["/tls/client_key", "/upstream/tls/client_key"] {
        if let (Some(shown), Some(stored)) = (shown.pointer_mut(place), stored.pointer(place)) {
            shown.clone_from(stored);
        }
    }
}
