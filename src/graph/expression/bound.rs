//! A template whose references are places: what a state resolves.

use std::fmt::Write as _;
use std::sync::Arc;

use super::source::{Lookup, ResolveError, Source};
use super::text::Part;
use crate::id::NodeIndex;
use crate::node::Schema;
use crate::value::{Key, Value};

/// A template whose references are places.
#[derive(Clone, Debug)]
pub(crate) struct BoundTemplate(pub(super) BoundPiece);

#[derive(Clone, Debug)]
pub(super) enum BoundPiece {
    Constant(Value),
    Whole(Source),
    Text(Box<[TextPart]>),
    Array(Box<[BoundPiece]>),
    Object(Box<[(Key, BoundPiece)]>),
}

#[derive(Clone, Debug)]
pub(super) enum TextPart {
    Literal(Arc<str>),
    Source(Source),
}

/// What the field that a value goes into takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResolveTarget {
    /// Only text: anything else becomes compact JSON.
    pub string: bool,
    /// Null as well.
    pub nullable: bool,
}

impl ResolveTarget {
    /// What a field of a schema takes.
    #[must_use]
    pub(crate) fn of(schema: &Schema, field: &str) -> Self {
        Self {
            string: schema.field(field).is_some_and(|kind| kind.is_text()),
            nullable: schema.allows_null(field),
        }
    }

    /// What becomes of a value in the field.
    pub(crate) fn fill(self, value: Value) -> Value {
        match value {
            Value::String(_) | Value::Null => value,
            other if self.string => Value::String(other.to_json().into()),
            other => other,
        }
    }

    /// Whether a value goes into the field unchanged.
    #[must_use]
    pub(crate) const fn takes(self, value: &Value) -> bool {
        match value {
            Value::Null => self.nullable,
            Value::String(_) => true,
            _ => !self.string,
        }
    }
}

impl BoundTemplate {
    /// Makes the value.
    ///
    /// # Errors
    ///
    /// If what is read is missing, or null where null is not allowed.
    pub(crate) fn resolve(
        &self,
        lookup: &dyn Lookup,
        target: ResolveTarget,
    ) -> Result<Value, ResolveError> {
        let value = match &self.0 {
            BoundPiece::Constant(Value::Null) if !target.nullable => {
                return Err(ResolveError::ValueNotSet { expression: "null".to_owned() });
            }
            BoundPiece::Whole(source) => source.get(lookup, target.nullable)?,
            piece => piece.resolve(lookup)?,
        };
        Ok(target.fill(value))
    }
}

impl BoundPiece {
    pub(super) fn whole(part: &Part, place: &mut dyn FnMut(&str) -> NodeIndex) -> Self {
        match Source::bind(part, place) {
            Some(source) => Self::Whole(source),
            None => Self::text(std::slice::from_ref(part), place),
        }
    }

    pub(super) fn text(parts: &[Part], place: &mut dyn FnMut(&str) -> NodeIndex) -> Self {
        let parts = parts.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(TextPart::Literal(text.clone())),
            part => Source::bind(part, place).map(TextPart::Source),
        });
        Self::Text(parts.collect())
    }

    fn resolve(&self, lookup: &dyn Lookup) -> Result<Value, ResolveError> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Whole(source) => source.get(lookup, false),
            Self::Text(parts) => resolve_text(parts, lookup),
            Self::Array(pieces) => {
                let items = pieces.iter().map(|piece| piece.resolve(lookup));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            Self::Object(pieces) => {
                let fields =
                    pieces.iter().map(|(key, piece)| Ok((key.clone(), piece.resolve(lookup)?)));
                fields.collect::<Result<_, _>>().map(Value::Object)
            }
        }
    }
}

fn resolve_text(parts: &[TextPart], lookup: &dyn Lookup) -> Result<Value, ResolveError> {
    let mut text = String::new();
    for part in parts {
        match part {
            TextPart::Literal(literal) => text.push_str(literal),
            TextPart::Source(source) => match source.get(lookup, false)? {
                Value::String(value) => text.push_str(&value),
                value => write!(text, "{value}").expect("writing to a string does not fail"),
            },
        }
    }
    Ok(text.into())
}
