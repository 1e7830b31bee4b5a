//! What is kept from one plan to the next. Every thing that a plan uses is renewed or put in while the plan is built;
//! what a finished plan did not use is forgotten. A plan that is given up half way forgets nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use serde_json::Value;

/// Things by key.
pub(in crate::plan) struct Kept<K, V> {
    plan: u64,
    known: HashMap<K, Used<V>, foldhash::fast::RandomState>,
}

struct Used<V> {
    /// The last plan that used it.
    by: u64,
    thing: V,
}

/// Things made of stored values, by the values' keys; made again only when a value changes.
pub(super) type Parsed<T> = Kept<Arc<str>, (Arc<Value>, Arc<T>)>;

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { plan: 0, known: HashMap::default() }
    }
}

impl<K: Eq + Hash, V> Kept<K, V> {
    /// A plan begins to be built.
    pub fn begin(&mut self) {
        self.plan += 1;
    }

    /// The plan is built.
    pub fn finish(&mut self) {
        self.known.retain(|_, used| used.by == self.plan);
    }

    /// Something else that the things are made of has changed.
    pub fn forget_all(&mut self) {
        self.known.clear();
    }

    /// The thing as an earlier plan had it.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.known.get(key).map(|used| &used.thing)
    }

    /// The thing as an earlier plan had it; this plan uses it, too.
    pub fn renew<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let used = self.known.get_mut(key)?;
        used.by = self.plan;
        Some(&mut used.thing)
    }

    /// This plan uses `thing`.
    pub fn put(&mut self, key: K, thing: V) -> &mut V {
        let used = Used { by: self.plan, thing };
        let place = self.known.entry(key).insert_entry(used);
        &mut place.into_mut().thing
    }

    /// How many things are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }
}

impl<T> Parsed<T> {
    /// What `parse` makes of `value`, the value under `key`.
    ///
    /// # Errors
    /// If `parse` fails; it is asked again the next time.
    pub fn of<E>(
        &mut self,
        key: &Arc<str>,
        value: &Arc<Value>,
        parse: impl FnOnce(&Value) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        if let Some((source, thing)) = self.renew(key)
            && source == value
        {
            return Ok(thing.clone());
        }
        let thing = Arc::new(parse(value)?);
        self.put(key.clone(), (value.clone(), thing.clone()));
        Ok(thing)
    }
}
