//! What waits for what.

use std::collections::{BTreeMap, BTreeSet};

/// Nodes by name, each with those that come before it.
pub(crate) struct Graph<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Graph<'a> {
    /// Those before a node may be named even if they are no nodes; they do not count.
    pub fn new(nodes: impl IntoIterator<Item = (&'a str, &'a BTreeSet<String>)>) -> Self {
        let mut before: BTreeMap<&str, BTreeSet<&str>> =
            nodes.into_iter().map(|(node, before)| (node, before.iter().map(String::as_str).collect())).collect();
        let names: BTreeSet<&str> = before.keys().copied().collect();
        before.values_mut().for_each(|before| before.retain(|name| names.contains(name)));
        Self(before)
    }

    /// The nodes that wait for themselves, by way of others or not; sorted.
    pub fn cyclic(&self) -> Vec<&'a str> {
        self.0.keys().copied().filter(|node| self.all_before(node).contains(node)).collect()
    }

    /// All nodes before one, however far.
    pub fn all_before(&self, node: &str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&str> = self.0.get(node).into_iter().flatten().copied().collect();
        while let Some(name) = open.pop() {
            if found.insert(name) {
                open.extend(self.0.get(name).into_iter().flatten());
            }
        }
        found
    }

    /// All nodes in an order in which each comes after those before it; in a cycle, as good as it can be.
    pub fn order(&self) -> Vec<&'a str> {
        let mut waiting = self.0.clone();
        let mut ordered = vec![];
        while !waiting.is_empty() {
            let ready = waiting.iter().filter(|(_, before)| before.iter().all(|name| !waiting.contains_key(name)));
            let mut ready: Vec<&str> = ready.map(|(node, _)| *node).collect();
            if ready.is_empty() {
                ready.extend(waiting.keys().next());
            }
            ready.iter().for_each(|node| {
                waiting.remove(node);
            });
            ordered.extend(ready);
        }
        ordered
    }
}
