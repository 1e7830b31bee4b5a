//! What was made of stored values for the last plan, taken over while the value is the same.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

/// Things made of values, by key. Between [`Parsed::begin`] and [`Parsed::finish`] every thing of a plan is asked for;
/// what is not asked for is forgotten.
pub(super) struct Parsed<T> {
    last: HashMap<Arc<str>, Made<T>>,
    next: HashMap<Arc<str>, Made<T>>,
}

struct Made<T> {
    source: Arc<Value>,
    thing: Arc<T>,
}

impl<T> Default for Parsed<T> {
    fn default() -> Self {
        Self { last: HashMap::new(), next: HashMap::new() }
    }
}

impl<T> Parsed<T> {
    /// A plan begins to be built.
    pub fn begin(&mut self) {
        self.last.extend(self.next.drain());
    }

    /// The plan is built.
    pub fn finish(&mut self) {
        self.last = std::mem::take(&mut self.next);
    }

    /// Something else that the things are made of has changed.
    pub fn forget_all(&mut self) {
        self.last.clear();
        self.next.clear();
    }

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
        let made = match self.last.remove(key) {
            Some(made) if made.source == *value => made,
            _ => Made { source: value.clone(), thing: Arc::new(parse(value)?) },
        };
        let thing = made.thing.clone();
        self.next.insert(key.clone(), made);
        Ok(thing)
    }
}
