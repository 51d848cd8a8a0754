//! Where a placeholder's value comes from, once nodes have places.

use std::sync::Arc;

use super::text::{Part, Reference};
use crate::id::NodeIndex;
use crate::value::Value;

/// What a state sees of its run.
pub(crate) trait Lookup {
    /// What a node returned, as far as this state sees it.
    fn node(&self, node: NodeIndex) -> Option<Seen<'_>>;

    /// What the store holds under a key.
    fn store(&self, key: &str) -> Option<Value>;
}

/// What a state sees of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen<'a> {
    /// The output of one state.
    One(&'a Value),
    /// The outputs of several; a path is followed in each of them.
    Many(&'a [Value]),
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// No state of the node leads here.
    #[error("`{node}` has no outputs on this branch")]
    NodeMissing {
        /// The node's identifier.
        node: String,
    },
    /// The node did not return the field.
    #[error("`{node}` returned no field `{field}`")]
    FieldMissing {
        /// The node's identifier.
        node: String,
        /// The path of the field.
        field: String,
    },
    /// There is only null, where null is not allowed.
    #[error("`{expression}` is not set")]
    ValueNotSet {
        /// What was read, such as `node.outputs.field`.
        expression: String,
    },
    /// The store does not hold the key.
    #[error("the store has no key `{key}`")]
    StoreKeyMissing {
        /// The key.
        key: String,
    },
}

impl ResolveError {
    /// The stable name, such as `value_not_set`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NodeMissing { .. } => "node_missing",
            Self::FieldMissing { .. } => "field_missing",
            Self::ValueNotSet { .. } => "value_not_set",
            Self::StoreKeyMissing { .. } => "store_key_missing",
        }
    }
}

/// Where a placeholder's value comes from.
#[derive(Clone, Debug)]
pub(in crate::graph) enum Source {
    Node { node: NodeIndex, path: Box<[Step]>, part: Arc<Part> },
    Store { key: Arc<str>, part: Arc<Part> },
}

/// One step of a path: into an object by name, into an array by number.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Step {
    name: Box<str>,
    place: Option<usize>,
}

/// Why there is no value; told apart without allocating.
#[derive(Clone, Copy, Debug)]
pub(in crate::graph) enum Miss {
    Node,
    Field,
    NotSet,
    Key,
}

impl Source {
    /// Binds a placeholder; `None` for a literal.
    pub(in crate::graph) fn bind(
        part: &Part,
        place: &mut dyn FnMut(&str) -> NodeIndex,
    ) -> Option<Self> {
        Some(match part.reference()? {
            Reference::Node { node, field } => {
                let steps = field.into_iter().flat_map(|field| field.split('.'));
                let path = steps.map(|step| Step { name: step.into(), place: step.parse().ok() });
                Self::Node { node: place(node), path: path.collect(), part: part.clone().into() }
            }
            Reference::Store { key } => Self::Store { key: key.into(), part: part.clone().into() },
        })
    }

    /// The value, which may be null.
    pub(in crate::graph) fn find(&self, lookup: &dyn Lookup) -> Result<Value, Miss> {
        match self {
            Self::Node { node, path, .. } => match lookup.node(*node).ok_or(Miss::Node)? {
                Seen::One(value) => follow(value, path).cloned().ok_or(Miss::Field),
                Seen::Many(values) if path.is_empty() => Ok(Value::Array(values.into())),
                Seen::Many(values) => {
                    // What ends early does not say how long it may be.
                    let mut fields = Vec::with_capacity(values.len());
                    for value in values {
                        fields.push(match follow(value, path) {
                            None => return Err(Miss::Field),
                            Some(Value::Null) => return Err(Miss::NotSet),
                            Some(value) => value.clone(),
                        });
                    }
                    Ok(Value::Array(fields.into()))
                }
            },
            Self::Store { key, .. } => lookup.store(key).ok_or(Miss::Key),
        }
    }

    /// The value, which is not null unless that is allowed.
    pub(super) fn get(&self, lookup: &dyn Lookup, nullable: bool) -> Result<Value, ResolveError> {
        match self.find(lookup) {
            Ok(Value::Null) if !nullable => Err(self.error(Miss::NotSet)),
            found => found.map_err(|miss| self.error(miss)),
        }
    }

    fn error(&self, miss: Miss) -> ResolveError {
        let (Self::Node { part, .. } | Self::Store { part, .. }) = self;
        let expression = part.reference().map(|reference| reference.to_string());
        let expression = expression.unwrap_or_default();
        match (miss, &**part) {
            (Miss::Node, Part::Node { node, .. }) => {
                ResolveError::NodeMissing { node: node.clone() }
            }
            (Miss::Field, Part::Node { node, field }) => ResolveError::FieldMissing {
                node: node.clone(),
                field: field.clone().unwrap_or_default(),
            },
            (Miss::Key, Part::Store { key }) => ResolveError::StoreKeyMissing { key: key.clone() },
            _ => ResolveError::ValueNotSet { expression },
        }
    }
}

fn follow<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get(&step.name),
        Value::Array(items) => items.get(step.place?),
        _ => None,
    })
}
