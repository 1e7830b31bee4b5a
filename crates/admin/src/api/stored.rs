//! What the checks may ask about other resources, answered from one snapshot. Invariant: one check sees one
//! revision of everything, and sees the secrets of consumers in clear, so that equal keys are found.

use std::borrow::Cow;
use std::sync::Arc;

use config::catalog::Catalog;
use config::check::References;
use config::encrypt;
use config::keyring::Keyring;
use config::resource::Kind;
use serde_json::Value;
use store::{Item, Snapshot};

use super::resources::KEY_PREFIX;
use super::target;

/// A snapshot, as [`References`].
pub(super) struct Stored<'a> {
    snapshot: &'a Snapshot,
    catalog: &'a Catalog,
    keyring: &'a Keyring,
}

impl<'a> Stored<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, catalog: &'a Catalog, keyring: &'a Keyring) -> Self {
        Self { snapshot, catalog, keyring }
    }

    fn opened<'v>(&self, kind: Kind, value: &'v Value) -> Cow<'v, Value> {
        match kind {
            Kind::Consumer | Kind::Credential | Kind::Ssl => {
                let mut value = value.clone();
                encrypt::open(kind, &mut value, self.catalog, self.keyring);
                Cow::Owned(value)
            }
            // Nothing is compared in these that could be encrypted.
            _ => Cow::Borrowed(value),
        }
    }

    fn item(&self, kind: Kind, id: &str) -> Option<&'a Arc<Item>> {
        self.snapshot.get(&target::key(KEY_PREFIX, kind, id))
    }
}

impl References for Stored<'_> {
    fn exists(&self, kind: Kind, id: &str) -> bool {
        self.item(kind, id).is_some()
    }

    fn get(&self, kind: Kind, id: &str) -> Option<Arc<Value>> {
        self.item(kind, id).map(|item| match self.opened(kind, &item.value) {
            Cow::Borrowed(_) => Arc::clone(&item.value),
            Cow::Owned(value) => Arc::new(value),
        })
    }

    fn each(&self, kind: Kind, each: &mut dyn FnMut(&str, &Value)) {
        let folder = format!("{KEY_PREFIX}/{}/", kind.collection());
        for item in self.snapshot.under(&folder) {
            let id = &item.key[folder.len()..];
            // Consumers and their credentials share a folder; the credentials are the deeper ones.
            let is_member = match kind {
                Kind::Consumer => !id.contains('/'),
                Kind::Credential => id.contains("/credentials/"),
                _ => true,
            };
            if is_member {
                each(id, &self.opened(kind, &item.value));
            }
        }
    }
}
