//! What a state can read: the outputs above it, the nearest first.

use std::collections::BTreeMap;
use std::rc::Rc;

use hotgraph::Value;

use super::model::{Graph, Input, When};

#[derive(Clone)]
pub enum Seen {
    One(Option<Value>),
    Many(Vec<Value>),
}

pub type Scope = Option<Rc<Frame>>;

pub struct Frame {
    pub seen: BTreeMap<usize, Seen>,
    pub up: Scope,
}

impl Graph {
    /// The inputs of a node; `None` if one of them cannot be made.
    pub fn inputs(&self, node: usize, scope: Option<&Frame>) -> Option<Value> {
        let value = |input: &Input| match input {
            Input::Constant(text) => Some(Value::from(*text)),
            Input::Whole(node, field) => read(scope, *node, field),
            Input::Text(node, field) => {
                let value = read(scope, *node, field).filter(|value| !value.is_null())?;
                let text = value.as_str().map_or_else(|| value.to_json(), str::to_owned);
                Some(Value::from(format!("<{text}>")))
            }
        };
        let inputs = &self.nodes[node].inputs;
        let fields: Option<Vec<_>> =
            inputs.iter().map(|(field, input)| Some((*field, value(input)?))).collect();
        fields.map(Value::object)
    }
}

fn find(scope: Option<&Frame>, node: usize) -> Option<&Seen> {
    std::iter::successors(scope, |frame| frame.up.as_deref())
        .find_map(|frame| frame.seen.get(&node))
}

fn read(scope: Option<&Frame>, node: usize, field: &str) -> Option<Value> {
    match find(scope, node)? {
        Seen::One(output) => output.as_ref()?.get(field).cloned(),
        Seen::Many(outputs) => {
            let set = |output: &Value| output.get(field).filter(|value| !value.is_null()).cloned();
            outputs.iter().map(set).collect::<Option<Vec<_>>>().map(Value::from)
        }
    }
}

pub fn holds(when: &When, scope: Option<&Frame>) -> bool {
    let value = read(scope, when.node, "v").and_then(|value| value.as_i64());
    value.is_some_and(|value| (value < when.bound) == when.less)
}
