//! A byte trie with merged edges: all keys that a text begins with, longest first.
//!
//! Each node knows its nearest ancestor that holds a value, so going back to shorter keys needs no stack. Used for
//! path prefixes and, with reversed text, for host suffixes.

/// An immutable map from byte strings to small numbers.
#[derive(Debug, Default)]
pub(super) struct Trie {
    /// The root is the first node; empty for a trie without keys.
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    /// The bytes between the parent's end and this node.
    label: Box<[u8]>,
    value: Option<u32>,
    /// The nearest node above that holds a value.
    shorter: Option<u32>,
    /// First byte of each child's label, ascending, beside the child's position.
    first_bytes: Box<[u8]>,
    children: Box<[u32]>,
}

impl Trie {
    /// `entries` in ascending order of keys, without repeats.
    pub(super) fn new(entries: &[(&[u8], u32)]) -> Self {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "keys ascend without repeats");
        let mut trie = Self::default();
        if !entries.is_empty() {
            trie.grow(entries, 0, None);
        }
        trie
    }

    /// The values of all keys that `text` begins with, longest key first.
    pub(super) fn prefixes_of<'t>(&'t self, text: &[u8]) -> impl Iterator<Item = u32> + use<'t> {
        let mut next = self.longest(text);
        std::iter::from_fn(move || {
            let node = &self.nodes[next? as usize];
            next = node.shorter;
            node.value
        })
    }

    fn longest(&self, text: &[u8]) -> Option<u32> {
        let mut best = None;
        let mut rest = text;
        let mut at = 0;
        while let Some(node) = self.nodes.get(at as usize) {
            let Some(after) = rest.strip_prefix(&*node.label) else { break };
            if node.value.is_some() {
                best = Some(at);
            }
            let Some(&byte) = after.first() else { break };
            let Some(child) = memchr::memchr(byte, &node.first_bytes) else { break };
            at = node.children[child];
            rest = after;
        }
        best
    }

    /// Adds the node of all `entries`, which agree on their first `depth` bytes, and everything below it.
    fn grow(&mut self, entries: &[(&[u8], u32)], depth: usize, shorter: Option<u32>) -> u32 {
        let (first, last) = (entries[0].0, entries[entries.len() - 1].0);
        // In ascending order, what the outermost keys share all keys share.
        let shared = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
        let end = depth + shared;
        let own = (first.len() == end).then_some(entries[0].1);
        let position = u32::try_from(self.nodes.len()).expect("fewer nodes than bytes of configuration");
        self.nodes.push(Node {
            label: first[depth..end].into(),
            value: own,
            shorter,
            first_bytes: Box::default(),
            children: Box::default(),
        });
        let below = &entries[usize::from(own.is_some())..];
        let shorter = if own.is_some() { Some(position) } else { shorter };
        let groups = below.chunk_by(|a, b| a.0[end] == b.0[end]);
        let (first_bytes, children): (Vec<u8>, Vec<u32>) =
            groups.map(|group| (group[0].0[end], self.grow(group, end, shorter))).unzip();
        let node = &mut self.nodes[position as usize];
        node.first_bytes = first_bytes.into();
        node.children = children.into();
        position
    }
}
