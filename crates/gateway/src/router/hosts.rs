//! Which tables of paths a host leads to, most specific first: the exact host, then wildcards by the length of
//! what follows their `*`; of patterns that differ in their port alone, the one with the request's port first. Only
//! `radixtree_host_uri` asks; elsewhere a host is a condition like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;

use super::table::{PathTable, TableBuilder};
use super::trie::Trie;
use crate::path::{port_of, without_port};

/// A DNS name has at most 253 bytes; of anything longer only the end is compared with wildcards.
const LONGEST_HOST: usize = 256;

#[derive(Debug, Default)]
pub(super) struct HostIndexBuilder {
    /// By the pattern without its port; of each, the whole patterns with their tables.
    groups: BTreeMap<String, BTreeMap<String, TableBuilder>>,
}

#[derive(Debug, Default)]
pub(super) struct HostIndex {
    groups: Vec<Box<[HostTable]>>,
    exact: HashMap<Box<str>, u32>,
    /// What follows the `*`, reversed, so that the longest suffix is the longest prefix.
    wildcards: Trie,
}

/// The routes of one host pattern.
#[derive(Debug)]
struct HostTable {
    pattern: Arc<str>,
    paths: PathTable,
}

impl HostIndexBuilder {
    /// The table of one host pattern, in any letter case.
    pub(super) fn table_of(&mut self, host: &str) -> &mut TableBuilder {
        let pattern = host.to_ascii_lowercase();
        self.groups.entry(without_port(&pattern).to_owned()).or_default().entry(pattern).or_default()
    }

    pub(super) fn build(self) -> HostIndex {
        let mut index = HostIndex::default();
        let mut reversed = BTreeMap::new();
        for (position, (host, tables)) in (0..).zip(self.groups) {
            match host.strip_prefix('*') {
                Some(suffix) => {
                    reversed.insert(suffix.bytes().rev().collect::<Vec<u8>>(), position);
                }
                None => {
                    index.exact.insert(host.as_str().into(), position);
                }
            }
            // The pattern without a port is the first in the order of texts, and asked last.
            let tables = tables.into_iter().rev();
            let built = tables.map(|(pattern, table)| HostTable { pattern: pattern.into(), paths: table.build() });
            index.groups.push(built.collect());
        }
        let entries: Vec<_> = reversed.iter().map(|(suffix, group)| (suffix.as_slice(), *group)).collect();
        index.wildcards = Trie::new(&entries);
        index
    }
}

impl HostIndex {
    /// The tables that `host` (lower-cased, no port) leads to in a request whose Host header names `port`, with the
    /// pattern that each stands for.
    pub(super) fn tables<'t>(
        &'t self,
        host: &str,
        port: Option<&str>,
    ) -> impl Iterator<Item = (&'t Arc<str>, &'t PathTable)> {
        let exact = self.exact.get(host).copied().into_iter();
        let mut reversed = [0; LONGEST_HOST];
        let len = host.len().min(LONGEST_HOST);
        for (to, from) in reversed.iter_mut().zip(host.bytes().rev()) {
            *to = from;
        }
        let wildcards = self.wildcards.prefixes_of(&reversed[..len]);
        let tables = exact.chain(wildcards).flat_map(|group| &self.groups[group as usize]);
        let fits = move |table: &&HostTable| port_of(&table.pattern).is_none_or(|wanted| Some(wanted) == port);
        tables.filter(fits).map(|table| (&table.pattern, &table.paths))
    }
}
