//! The paths of one set of routes, and the order in which they are tried.
//!
//! A path without wildcard beats every prefix, a longer prefix beats a shorter; within one path or prefix higher
//! `priority` comes first, then the longer pattern, then the earlier route. The caller checks the other
//! conditions and simply takes the next candidate when one fails.

use std::collections::BTreeMap;
use std::ops::Range;

use foldhash::{HashMap, HashMapExt};

use super::pattern::{IndexKey, PathPattern};
use super::trie::Trie;

/// One pattern of one route, before sorting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub rule: usize,
    pub pattern: usize,
    pub priority: i64,
}

/// One pattern of one route, as [`PathTable::candidates`] gives it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub rule: u32,
    pub pattern: u32,
}

#[derive(Debug, Default)]
pub(super) struct TableBuilder {
    exact: BTreeMap<String, Vec<Waiting>>,
    prefixes: BTreeMap<String, Vec<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    seat: Seat,
    pattern_len: usize,
}

#[derive(Debug, Default)]
pub(super) struct PathTable {
    /// Candidates grouped by path or prefix, each group in the order of trying.
    candidates: Vec<Candidate>,
    exact: HashMap<Box<str>, Range<usize>>,
    /// Gives positions in `prefix_groups`.
    prefixes: Trie,
    prefix_groups: Vec<Range<usize>>,
}

impl TableBuilder {
    /// Seats of equal rank keep the order in which they were added.
    pub(super) fn add(&mut self, pattern: &PathPattern, seat: Seat) {
        let side = match pattern.index() {
            IndexKey::Exact => &mut self.exact,
            IndexKey::Prefix(_) => &mut self.prefixes,
        };
        let waiting = Waiting { seat, pattern_len: pattern.as_str().len() };
        side.entry(pattern.indexed().to_owned()).or_default().push(waiting);
    }

    pub(super) fn build(self) -> PathTable {
        let mut table = PathTable { exact: HashMap::with_capacity(self.exact.len()), ..PathTable::default() };
        for (path, group) in self.exact {
            let range = table.seat(group);
            table.exact.insert(path.into(), range);
        }
        let mut keys = Vec::with_capacity(self.prefixes.len());
        for (prefix, group) in self.prefixes {
            let range = table.seat(group);
            keys.push((prefix, index(table.prefix_groups.len())));
            table.prefix_groups.push(range);
        }
        let entries: Vec<_> = keys.iter().map(|(prefix, group)| (prefix.as_bytes(), *group)).collect();
        table.prefixes = Trie::new(&entries);
        table
    }
}

impl PathTable {
    /// Everything that may answer `path`, best first. Conditions and the rest of the pattern are not checked.
    pub(super) fn candidates(&self, path: &str) -> impl Iterator<Item = Candidate> {
        let exact = self.exact.get(path).cloned().into_iter();
        let prefixes = self.prefixes.prefixes_of(path.as_bytes());
        let groups = exact.chain(prefixes.map(|group| self.prefix_groups[group as usize].clone()));
        groups.flat_map(|group| self.candidates[group].iter().copied())
    }

    fn seat(&mut self, mut group: Vec<Waiting>) -> Range<usize> {
        let start = self.candidates.len();
        group.sort_by_key(|waiting| (std::cmp::Reverse(waiting.seat.priority), std::cmp::Reverse(waiting.pattern_len)));
        self.candidates.extend(
            group
                .iter()
                .map(|waiting| Candidate { rule: index(waiting.seat.rule), pattern: index(waiting.seat.pattern) }),
        );
        start..self.candidates.len()
    }
}

fn index(position: usize) -> u32 {
    u32::try_from(position).expect("fewer patterns than fit in memory four billion times")
}
