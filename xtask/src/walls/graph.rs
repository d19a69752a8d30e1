//! Finds cycles in a graph.

use std::collections::{BTreeMap, BTreeSet};

/// What each node uses, with a sentence that says where.
#[derive(Default)]
pub(super) struct Graph(BTreeMap<String, BTreeMap<String, String>>);

impl Graph {
    /// Adds that `from` uses `to`; the first `place` is the one that is told.
    pub(super) fn add(&mut self, from: &str, to: &str, place: impl FnOnce() -> String) {
        self.0.entry(from.to_owned()).or_default().entry(to.to_owned()).or_insert_with(place);
    }

    /// One text for each set of nodes that use each other, with all places where they do.
    pub(super) fn cycles(&self) -> Vec<String> {
        let reached: BTreeMap<_, _> = self.0.keys().map(|node| (node, self.reached(node))).collect();
        let mut told = BTreeSet::new();
        let mut found = Vec::new();
        for (node, reach) in &reached {
            let returns = |other: &&String| reached.get(other).is_some_and(|back| back.contains(*node));
            let together: BTreeSet<_> = reach.iter().filter(returns).collect();
            if together.contains(node) && told.insert(together.clone()) {
                let edges = together.iter().flat_map(|from| self.0[*from].iter());
                let places = edges.filter(|(to, _)| together.contains(to)).map(|(_, place)| place.as_str());
                let names: Vec<_> = together.iter().map(|name| name.as_str()).collect();
                found.push(format!(
                    "{}\n    {}",
                    names.join(", "),
                    places.collect::<Vec<_>>().join("\n    ")
                ));
            }
        }
        found
    }

    fn reached(&self, from: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            for next in self.0.get(node).into_iter().flat_map(BTreeMap::keys) {
                if found.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        found
    }
}
