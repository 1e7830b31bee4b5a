//! Consumers and the credentials they are found by. One index per authentication plugin, keyed by a keyed hash of
//! the credential, compared in constant time, so that looking a key up tells nothing about other keys.

use std::any::Any;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

use http::HeaderValue;
use serde_json::Value;

use super::chain::PluginSet;

/// Somebody who calls.
#[derive(Debug)]
pub struct Consumer {
    pub username: Arc<str>,
    /// The username, ready to be a header value.
    pub username_header: HeaderValue,
    pub group_id: Option<Arc<str>>,
    pub labels: config::resource::Labels,
    /// The label `custom_id`, for `X-Consumer-Custom-ID`.
    pub custom_id: Option<HeaderValue>,
    /// What the consumer and its group add to a route's plugins.
    pub plugins: ConsumerPlugins,
    /// The consumer names a group that does not exist.
    pub group_missing: bool,
}

/// A consumer's plugins, its group's below them.
#[derive(Default)]
pub struct ConsumerPlugins(pub PluginSet);

impl std::fmt::Debug for ConsumerPlugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// One credential: a consumer's configuration of an authentication plugin.
pub struct Credential {
    pub consumer: Arc<Consumer>,
    /// Set if it is a credential object of its own.
    pub id: Option<Arc<str>>,
    /// The plugin's consumer-side configuration, decrypted and with secrets resolved.
    pub config: Value,
    /// Whatever the plugin wants to prepare once (a verification key).
    pub compiled: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// A credential and the key it is found by.
type Keyed = (Box<str>, Arc<Credential>);

/// All credentials of one authentication plugin.
#[derive(Default)]
pub struct CredentialIndex {
    hasher: foldhash::quality::RandomState,
    by_hash: HashMap<u64, Vec<Keyed>, foldhash::fast::RandomState>,
}

impl CredentialIndex {
    /// Adds a credential; one of the same key is replaced (the last one loaded wins).
    pub fn insert(&mut self, key: &str, credential: Arc<Credential>) {
        let bucket = self.by_hash.entry(self.hasher.hash_one(key)).or_default();
        bucket.retain(|(known, _)| &**known != key);
        bucket.push((key.into(), credential));
    }

    /// The credential whose key is exactly `key`.
    pub fn find(&self, key: &str) -> Option<&Arc<Credential>> {
        let bucket = self.by_hash.get(&self.hasher.hash_one(key))?;
        bucket.iter().find(|(known, _)| same(known.as_bytes(), key.as_bytes())).map(|(_, credential)| credential)
    }

    /// `true` if no consumer uses the plugin.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}

fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}
