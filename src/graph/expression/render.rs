//! Resolves a template by names, without a graph: for tools and tests of a user's own.

use super::{Lookup, ResolveError, ResolveTarget, Seen, Template};
use crate::id::NodeIndex;
use crate::value::Value;

impl Template {
    /// The value as text or JSON, with the outputs of nodes and the keys of the store looked up by
    /// name.
    ///
    /// # Errors
    ///
    /// If something that the template reads is missing or null.
    pub fn render(
        &self,
        node: impl Fn(&str) -> Option<Value>,
        store: impl Fn(&str) -> Option<Value>,
    ) -> Result<Value, ResolveError> {
        let mut outputs = Vec::new();
        let bound = self.bind(&mut |name| {
            outputs.push(node(name));
            NodeIndex(u32::try_from(outputs.len() - 1).unwrap_or(u32::MAX))
        });
        bound.resolve(&Named { outputs, store }, ResolveTarget { string: false, nullable: false })
    }
}

struct Named<S> {
    outputs: Vec<Option<Value>>,
    store: S,
}

impl<S: Fn(&str) -> Option<Value>> Lookup for Named<S> {
    fn node(&self, node: NodeIndex) -> Option<Seen<'_>> {
        self.outputs.get(node.at())?.as_ref().map(Seen::One)
    }

    fn store(&self, key: &str) -> Option<Value> {
        (self.store)(key)
    }
}
