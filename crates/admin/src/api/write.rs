//! The verbs that write. Each one: decide the id, take the write lock, check the value against the snapshot,
//! encrypt, stamp, write. Invariant: between the check of a value and its being visible no other write of the
//! Admin API happens, and a PATCH never overwrites a revision that it has not seen.

use std::time::Duration;

use config::check::{Checker, check_delete};
use config::encrypt;
use config::patch::{merge_patch, patch_path};
use config::resource::{self, Kind};
use serde_json::{Value, json};
use store::{Expect, Item, Snapshot, StoreError, Write};

use super::envelope::Action;
use super::refusal::Refusal;
use super::resources::{KEY_PREFIX, Resources};
use super::stored::Stored;
use super::target::Target;
use super::{identity, timestamps};
use crate::reply::Reply;

/// By which a private key in clear is told from a sealed one.
const PEM_START: &str = "---";

impl Resources {
    /// Creates or replaces.
    pub(super) async fn put(
        &self,
        target: &Target,
        body: Option<Value>,
        ttl: Option<Duration>,
    ) -> Result<Reply, Refusal> {
        require(target, resource::Write::Put, "PUT")?;
        let mut value = body.map(object_if_empty).ok_or_else(|| invalid("missing configurations"))?;
        let id = identity::for_put(target, &mut value)?;
        timestamps::forbid(&value)?;
        self.open_private_keys(target.kind, &mut value);
        let _writing = self.writing.lock().await;
        let snapshot = self.store.snapshot();
        self.check(&snapshot, target, &id, &value)?;
        self.seal(target.kind, &mut value);
        let key = target.key(KEY_PREFIX, &id);
        timestamps::stamp(target.kind, &mut value, snapshot.get(&key).map(|item| &*item.value));
        self.store_one(Write::Put { key, value, expect: Expect::Any, ttl }, Action::Set).await
    }

    /// Creates under an id that the store gives.
    pub(super) async fn post(
        &self,
        target: &Target,
        body: Option<Value>,
        ttl: Option<Duration>,
    ) -> Result<Reply, Refusal> {
        require(target, resource::Write::Post, "POST")?;
        let mut value = body.map(object_if_empty).ok_or_else(|| invalid("missing configurations"))?;
        identity::refuse_for_post(target, &value)?;
        timestamps::forbid(&value)?;
        self.open_private_keys(target.kind, &mut value);
        let _writing = self.writing.lock().await;
        let id = format!("{:020}", self.store.next_id().await?);
        identity::insert_id(&mut value, Value::String(id.clone()));
        self.check(&self.store.snapshot(), target, &id, &value)?;
        self.seal(target.kind, &mut value);
        timestamps::stamp(target.kind, &mut value, None);
        let key = target.key(KEY_PREFIX, &id);
        self.store_one(Write::Put { key, value, expect: Expect::Absent, ttl }, Action::Set).await
    }

    /// Changes parts: a merge patch, or one value at a sub-path.
    pub(super) async fn patch(
        &self,
        target: &Target,
        body: Option<Value>,
        ttl: Option<Duration>,
    ) -> Result<Reply, Refusal> {
        require(target, resource::Write::Patch, "PATCH")?;
        let id = patched_id(target)?;
        let mut patch = body.ok_or_else(|| invalid("missing new configuration"))?;
        if target.sub_path.is_empty() {
            patch = object_if_empty(patch);
        }
        let _writing = self.writing.lock().await;
        let snapshot = self.store.snapshot();
        let key = target.key(KEY_PREFIX, id);
        let old = snapshot.get(&key).ok_or(Refusal::KeyNotFound)?;
        let mut value = self.patched(target, old, &patch)?;
        identity::for_put(target, &mut value)?;
        self.check(&snapshot, target, id, &value)?;
        self.seal(target.kind, &mut value);
        let expect = Expect::Revision(old.modified_index);
        self.store_one(Write::Put { key, value, expect, ttl }, Action::CompareAndSwap).await
    }

    /// Removes a resource and what lives below it. `force` skips the question whether something refers to it.
    pub(super) async fn delete(&self, target: &Target, force: bool) -> Result<Reply, Refusal> {
        let id = required_id(target)?;
        let _writing = self.writing.lock().await;
        let snapshot = self.store.snapshot();
        if !force {
            let stored = Stored::new(&snapshot, &self.catalog, &self.keyring);
            check_delete(target.kind, &target.full_id(id), &self.catalog, &stored)?;
        }
        let key = target.key(KEY_PREFIX, id);
        if snapshot.get(&key).is_none() {
            return Err(Refusal::KeyNotFound);
        }
        let below = format!("{key}/");
        let children = snapshot.under(&below).map(|item| Write::Delete { key: item.key.to_string() });
        let batch = children.chain([Write::Delete { key: key.clone() }]).collect();
        self.store.write(batch).await?;
        Ok(self.envelope.deleted(&key))
    }

    /// The stored value in clear, with the patch applied and stamped.
    fn patched(&self, target: &Target, old: &Item, patch: &Value) -> Result<Value, Refusal> {
        let mut value = Value::clone(&old.value);
        encrypt::open(target.kind, &mut value, &self.catalog, &self.keyring);
        let is_merge = target.sub_path.is_empty();
        let path: Vec<&str> = target.sub_path.iter().map(String::as_str).collect();
        let applied = if is_merge { merge_patch(&mut value, patch) } else { patch_path(&mut value, &path, patch) };
        applied.map_err(|error| invalid(error.to_string()))?;
        let sets_update_time = is_merge && patch.get("update_time").is_some();
        timestamps::stamp_patched(&mut value, sets_update_time);
        Ok(value)
    }

    /// Everything that must be true of a value before it is stored.
    fn check(&self, snapshot: &Snapshot, target: &Target, id: &str, value: &Value) -> Result<(), Refusal> {
        let stored = Stored::new(snapshot, &self.catalog, &self.keyring);
        Ok(Checker::new(&self.catalog, &stored).check(target.kind, &target.full_id(id), value)?)
    }

    /// A client may send a private key back as it was shown, sealed; the checks want to see the key itself.
    fn open_private_keys(&self, kind: Kind, value: &mut Value) {
        let open = |kind, value: &mut Value| encrypt::open(kind, value, &self.catalog, &self.keyring);
        match kind {
            Kind::Ssl | Kind::Upstream => open(kind, value),
            _ => value.get_mut("upstream").into_iter().for_each(|upstream| open(Kind::Upstream, upstream)),
        }
    }

    /// Encrypts what must not lie open in the store: private keys, and plugin fields unless switched off.
    fn seal(&self, kind: Kind, value: &mut Value) {
        if self.encrypt_fields {
            return encrypt::seal(kind, value, &self.catalog, &self.keyring);
        }
        encrypt::transform_secrets(kind, value, &self.catalog, &mut |text| {
            text.starts_with(PEM_START).then(|| self.keyring.encrypt(text))
        });
    }

    /// Writes one item and answers with it as it is stored. `replaced` is how a write that created nothing is
    /// called.
    async fn store_one(&self, write: Write, replaced: Action) -> Result<Reply, Refusal> {
        let outcomes = self.store.write(vec![write]).await?;
        let outcome = outcomes.first().ok_or(StoreError::Closed)?;
        let item = outcome.item.as_ref().ok_or(StoreError::Closed)?;
        Ok(self.envelope.written(if outcome.created { Action::Create } else { replaced }, item))
    }
}

fn require(target: &Target, write: resource::Write, verb: &str) -> Result<(), Refusal> {
    if target.kind.allows(write) {
        return Ok(());
    }
    Err(Refusal::VerbDisabled { verb: verb.to_owned(), label: target.kind.label() })
}

fn required_id(target: &Target) -> Result<&str, Refusal> {
    target.id.as_deref().ok_or_else(|| invalid(format!("missing {} id", target.kind)))
}

/// APISIX misses a secret's id in other words when it is to be patched.
fn patched_id(target: &Target) -> Result<&str, Refusal> {
    match (target.kind, &target.id) {
        (Kind::Secret, None) => Err(invalid("no secret id")),
        _ => required_id(target),
    }
}

/// To the reference, an empty array and an empty object are the same.
fn object_if_empty(value: Value) -> Value {
    if value == json!([]) { json!({}) } else { value }
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::Invalid(text.into())
}
