//! Which tables of paths a host leads to, most specific first: the exact host, then wildcards by the length of
//! what follows their `*`. Only `radixtree_host_uri` asks; elsewhere a host is a condition like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;

use super::table::{PathTable, TableBuilder};
use super::trie::Trie;

/// A DNS name has at most 253 bytes; of anything longer only the end is compared with wildcards.
const LONGEST_HOST: usize = 256;

#[derive(Debug, Default)]
pub(super) struct HostIndexBuilder {
    tables: BTreeMap<String, TableBuilder>,
}

#[derive(Debug, Default)]
pub(super) struct HostIndex {
    tables: Vec<(Arc<str>, PathTable)>,
    exact: HashMap<Box<str>, u32>,
    /// What follows the `*`, reversed, so that the longest suffix is the longest prefix.
    wildcards: Trie,
}

impl HostIndexBuilder {
    /// The table of one host pattern, in any letter case.
    pub(super) fn table_of(&mut self, host: &str) -> &mut TableBuilder {
        self.tables.entry(host.to_ascii_lowercase()).or_default()
    }

    pub(super) fn build(self) -> HostIndex {
        let mut index = HostIndex::default();
        let mut reversed = BTreeMap::new();
        for (position, (host, table)) in (0..).zip(self.tables) {
            match host.strip_prefix('*') {
                Some(suffix) => {
                    reversed.insert(suffix.bytes().rev().collect::<Vec<u8>>(), position);
                }
                None => {
                    index.exact.insert(host.as_str().into(), position);
                }
            }
            index.tables.push((host.into(), table.build()));
        }
        let entries: Vec<_> = reversed.iter().map(|(suffix, table)| (suffix.as_slice(), *table)).collect();
        index.wildcards = Trie::new(&entries);
        index
    }
}

impl HostIndex {
    /// The tables that `host` (lower-cased, no port) leads to, with the pattern that each stands for.
    pub(super) fn tables<'t>(&'t self, host: &str) -> impl Iterator<Item = (&'t Arc<str>, &'t PathTable)> + use<'t> {
        let exact = self.exact.get(host).copied().into_iter();
        let mut reversed = [0; LONGEST_HOST];
        let len = host.len().min(LONGEST_HOST);
        for (to, from) in reversed.iter_mut().zip(host.bytes().rev()) {
            *to = from;
        }
        let wildcards = self.wildcards.prefixes_of(&reversed[..len]);
        exact.chain(wildcards).map(|table| {
            let (pattern, table) = &self.tables[table as usize];
            (pattern, table)
        })
    }
}
