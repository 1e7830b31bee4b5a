//! Items found by the number that a stream gives them, kept in the order in which they began.
//!
//! Invariant: finding one costs the same however many there are, for it is the provider that chooses how many. Used by
//! the readers and writers of streams, and by the fold.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};

/// Items in their order, each with a number.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    items: Vec<T>,
    places: HashMap<u64, usize>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: HashMap::new() }
    }
}

impl<T> Numbered<T> {
    /// Where the last item is that was pushed with `number`.
    pub(crate) fn place(&self, number: impl Into<u64>) -> Option<usize> {
        self.places.get(&number.into()).copied()
    }

    /// Adds an item, which is now the one with this number, and tells where it is.
    pub(crate) fn push(&mut self, number: impl Into<u64>, item: T) -> usize {
        let place = self.items.len();
        self.places.insert(number.into(), place);
        self.items.push(item);
        place
    }

    /// The item with this number; made if there is none.
    pub(crate) fn get_or_push_with(&mut self, number: impl Into<u64>, make: impl FnOnce() -> T) -> &mut T {
        let number = number.into();
        let place = self.place(number).unwrap_or_else(|| self.push(number, make()));
        &mut self.items[place]
    }

    pub(crate) fn get_mut(&mut self, number: impl Into<u64>) -> Option<&mut T> {
        let place = self.place(number)?;
        self.items.get_mut(place)
    }

    pub(crate) fn last(&self) -> Option<&T> {
        self.items.last()
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut T> {
        self.items.last_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }
}

impl<T> Index<usize> for Numbered<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.items[place]
    }
}

impl<T> IndexMut<usize> for Numbered<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut self.items[place]
    }
}

impl<T> IntoIterator for Numbered<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}
