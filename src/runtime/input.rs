//! What a start brings: the root's input and the store, checked against the graph.

use smallvec::SmallVec;

use super::{Start, StartError};
use crate::graph::Plan;
use crate::node::Store;
use crate::run::{Scope, View};
use crate::value::{Fields, Key, Value};

/// Fields that were given; most roots have few.
type Given<'a> = SmallVec<[(&'a Key, &'a Value); 2]>;

impl Start {
    /// What the version makes of what was given: the store, the root's input, and warnings.
    pub(super) fn take_inputs(
        &self,
        plan: &Plan,
    ) -> Result<(Store, Value, Vec<String>), StartError> {
        let store = self.fill_store(plan)?;
        let (input, warnings) = self.root_input(plan, &store)?;
        Ok((store, input, warnings))
    }

    /// Whether a refusal says something of the version that the start got.
    pub(super) const fn is_of_version(&self, refusal: &StartError) -> bool {
        match refusal {
            StartError::MissingStoreKeys { .. } => true,
            // What is no object, every version refuses.
            StartError::InvalidInput { .. } => {
                matches!(self.inputs, Value::Null | Value::Object(_))
            }
            // The start got no version, or the runtime had no place for it.
            StartError::UnknownGraph(_)
            | StartError::UnknownLabel { .. }
            | StartError::VersionRevoked { .. }
            | StartError::NoActiveVersion(_)
            | StartError::UnknownVersion { .. }
            | StartError::VersionGone { .. }
            | StartError::VersionAbsent { .. }
            | StartError::Stranded { .. }
            | StartError::Journal { .. }
            | StartError::Entry { .. }
            | StartError::Overloaded { .. }
            | StartError::ShuttingDown => false,
        }
    }

    /// The run's store: what the graph says, overridden by what was given.
    fn fill_store(&self, plan: &Plan) -> Result<Store, StartError> {
        let defaults = &plan.store_defaults;
        let value = |key: &String| self.store.get(key).or_else(|| defaults.get(key));
        let is_set = |key: &&String| value(key).is_some_and(|value| !value.is_null());
        let missing = plan.required_keys.iter().filter(|key| !is_set(key));
        let keys: Vec<_> = missing.cloned().collect();
        if !keys.is_empty() {
            return Err(StartError::MissingStoreKeys { graph: self.graph.clone(), keys });
        }
        let mut data = defaults.clone();
        data.extend(self.store.clone());
        Ok(Store::new(data))
    }

    /// The root's input: what was given, else what the graph says. Given text is never parsed.
    fn root_input(&self, plan: &Plan, store: &Store) -> Result<(Value, Vec<String>), StartError> {
        let root = plan.node(plan.root);
        let invalid = |reason: String| StartError::InvalidInput {
            graph: self.graph.clone(),
            node: root.identifier.to_string(),
            reason,
        };
        let given = match &self.inputs {
            Value::Null => Fields::default(),
            Value::Object(fields) => fields.clone(),
            other => return Err(invalid(format!("expected an object, found {other}"))),
        };
        let declared = |name: &str| root.inputs.iter().any(|input| input.field.as_str() == name);
        let (known, unknown): (Given<'_>, Given<'_>) =
            given.iter().partition(|(key, _)| declared(key.as_str()));
        for (key, value) in &known {
            let wanted = root.handler.inputs().field(key.as_str());
            if let Some(wanted) = wanted.filter(|wanted| !wanted.accepts(value)) {
                let field = key.as_str();
                return Err(invalid(format!(
                    "field `{field}` cannot take {value}, it takes {wanted}"
                )));
            }
        }
        let view = View { own: None, scope: &Scope::default(), store };
        let fields = root.inputs.iter().map(|input| {
            let given = known.iter().find(|(key, _)| **key == input.field);
            let value = match given {
                Some((_, value)) => Ok(input.target.fill((*value).clone())),
                None => input.template.resolve(&view, input.target),
            };
            let value = value.map_err(|error| invalid(error.to_string()))?;
            Ok((input.field.clone(), value))
        });
        let input = match root.inputs.is_empty() {
            true => Value::empty_object(),
            false => Value::Object(fields.collect::<Result<_, StartError>>()?),
        };
        let warning = |key: &str| format!("input `{key}` is not declared by the root node");
        Ok((input, unknown.iter().map(|(key, _)| warning(key.as_str())).collect()))
    }
}
