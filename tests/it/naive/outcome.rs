//! What a naive run says when it has ended.

use hotgraph::{Fields, Key, Value};

use super::executor::{Naive, State};

impl Naive<'_> {
    /// The outputs of the leaves, by identifier.
    pub fn outputs(&self) -> Fields {
        let mut outputs = Vec::new();
        for (node, spec) in self.graph.nodes.iter().enumerate().filter(|(_, n)| n.next.is_empty()) {
            let states = self.states.iter().filter(|state| state.node == node);
            let mut found: Vec<_> =
                states.filter_map(|state| Some((&state.path, state.output.clone()?))).collect();
            found.sort_by(|a, b| a.0.cmp(b.0));
            let mut found: Vec<Value> = found.into_iter().map(|(_, output)| output).collect();
            let repeats = self.graph.most(0, &|_| true, node) * self.graph.width(node) > 1;
            if !found.is_empty() {
                let value = if repeats { Value::from(found) } else { found.remove(0) };
                outputs.push((Key::from(spec.name.clone()), value));
            }
        }
        outputs.into_iter().collect()
    }

    /// Whether a merger that tolerates failures has the state in one of its regions.
    pub fn is_tolerated(&self, state: &State) -> bool {
        self.groups.iter().any(|group| {
            self.graph.nodes[group.merger].unites.is_some_and(|unites| unites.tolerate)
                && self.belongs(group, state.node, state.exec, state.parent)
        })
    }
}
