//! Whether a conditional edge is taken: `lhs`, or `lhs op rhs`.
//!
//! Each side is one placeholder or a JSON literal. A value that is missing or null is null, never
//! an error. Numbers and texts have an order; any other comparison by order does not hold.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::Arc;

use super::expression::{Lookup, Part, Reference, Source, parse_placeholder};
use crate::id::NodeIndex;
use crate::value::Value;

/// The condition of an edge, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: Arc<str>,
    left: Operand,
    right: Option<(Operator, Operand)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Literal(Value),
    Placeholder(Part),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The longer ones first, so that `<` does not hide `<=`.
const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at byte {position}")]
#[non_exhaustive]
pub struct ConditionError {
    /// Where, in bytes.
    pub position: usize,
    /// What was expected.
    pub message: &'static str,
}

/// A condition whose references are places.
#[derive(Clone, Debug)]
pub(crate) struct BoundCondition {
    left: BoundOperand,
    right: Option<(Operator, BoundOperand)>,
}

#[derive(Clone, Debug)]
enum BoundOperand {
    Literal(Value),
    Source(Source),
}

impl Condition {
    /// Parses a condition.
    ///
    /// # Errors
    ///
    /// If it is not one operand, or two with an operator between them.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let mut reader = Reader { text, position: 0 };
        let left = reader.operand()?;
        let right = match reader.rest() {
            "" => None,
            _ => Some((reader.operator()?, reader.operand()?)),
        };
        match reader.rest() {
            "" => Ok(Self { text: text.trim().into(), left, right }),
            _ => Err(reader.error("expected the end of the condition")),
        }
    }

    /// The text that was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the placeholders read.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let right = self.right.as_ref().map(|(_, operand)| operand);
        [Some(&self.left), right].into_iter().flatten().filter_map(|operand| match operand {
            Operand::Literal(_) => None,
            Operand::Placeholder(part) => part.reference(),
        })
    }

    /// The identifiers of the nodes that are read.
    pub(crate) fn node_names(&self) -> impl Iterator<Item = &str> {
        self.references().filter_map(Reference::node)
    }

    /// Replaces the identifiers of nodes by their places.
    pub(crate) fn bind(&self, place: &mut dyn FnMut(&str) -> NodeIndex) -> BoundCondition {
        let left = self.left.bind(place);
        let right = self.right.as_ref().map(|(operator, right)| (*operator, right.bind(place)));
        BoundCondition { left, right }
    }
}

impl Operand {
    fn bind(&self, place: &mut dyn FnMut(&str) -> NodeIndex) -> BoundOperand {
        match self {
            Self::Literal(value) => BoundOperand::Literal(value.clone()),
            Self::Placeholder(part) => Source::bind(part, place)
                .map_or(BoundOperand::Literal(Value::Null), BoundOperand::Source),
        }
    }
}

impl BoundCondition {
    /// Whether the edge is taken.
    #[must_use]
    pub(crate) fn holds(&self, lookup: &dyn Lookup) -> bool {
        let left = self.left.get(lookup);
        match &self.right {
            None => is_truthy(&left),
            Some((operator, right)) => operator.holds(&left, &right.get(lookup)),
        }
    }
}

impl BoundOperand {
    fn get(&self, lookup: &dyn Lookup) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            // What cannot be read is null: a condition has no way to fail.
            Self::Source(source) => source.find(lookup).unwrap_or_default(),
        }
    }
}

impl Operator {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = compare(left, right);
        match self {
            Self::Equal => order.map_or_else(|| left == right, Ordering::is_eq),
            Self::NotEqual => order.map_or_else(|| left != right, Ordering::is_ne),
            Self::Less => order.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}

/// The order of two numbers or two texts.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
    }
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => Some((*number).into()),
        Value::Uint(number) => Some((*number).into()),
        _ => None,
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Int(number) => *number != 0,
        Value::Uint(number) => *number != 0,
        Value::Float(number) => *number != 0.0,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    /// What is left, without white space in front.
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.position..];
        let trimmed = rest.trim_start();
        self.position += rest.len() - trimmed.len();
        trimmed
    }

    fn error(&self, message: &'static str) -> ConditionError {
        ConditionError { position: self.position, message }
    }

    fn operator(&mut self) -> Result<Operator, ConditionError> {
        let rest = self.rest();
        let found = OPERATORS.into_iter().find(|(text, _)| rest.starts_with(text));
        let (text, operator) =
            found.ok_or_else(|| self.error("expected one of == != < <= > >="))?;
        self.position += text.len();
        Ok(operator)
    }

    fn operand(&mut self) -> Result<Operand, ConditionError> {
        let rest = self.rest();
        match rest.strip_prefix("${{") {
            Some(inner) => {
                let length = inner.find("}}").filter(|end| !inner[..*end].contains("${{"));
                let length = length.ok_or_else(|| self.error("`${{` is not closed"))?;
                let part = parse_placeholder(&inner[..length])
                    .ok_or_else(|| self.error("expected node.outputs.field or store.key"))?;
                self.position += "${{".len() + length + "}}".len();
                Ok(Operand::Placeholder(part))
            }
            None => self.literal(rest).map(Operand::Literal),
        }
    }

    fn literal(&mut self, rest: &str) -> Result<Value, ConditionError> {
        let expected = "expected a placeholder or JSON, where text stands in quotes";
        if rest.starts_with(['"', '[', '{']) {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter();
            let value = values.next().and_then(Result::ok).ok_or_else(|| self.error(expected))?;
            self.position += values.byte_offset();
            return Ok(value);
        }
        let ends = |char: char| char.is_whitespace() || "=!<>$".contains(char);
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let value = Value::from_json(word).map_err(|_| self.error(expected))?;
        self.position += word.len();
        Ok(value)
    }
}
