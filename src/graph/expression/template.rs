//! A JSON value whose strings may hold placeholders.

use super::bound::{BoundPiece, BoundTemplate};
use super::text::{ExpressionError, ExpressionErrorKind, Part, Reference, parse_text};
use crate::id::NodeIndex;
use crate::value::{Key, Value};

/// How deep a template may be nested; parsing and resolving recurse no further.
pub const MAX_NESTING: usize = 64;

/// A JSON value whose strings may hold placeholders, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    source: Value,
    piece: Piece,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Constant(Value),
    /// A string that is exactly one placeholder.
    Whole(Part),
    Text(Vec<Part>),
    Array(Vec<Piece>),
    Object(Vec<(Key, Piece)>),
}

/// What a template makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form<'a> {
    /// Always this value.
    Constant(&'a Value),
    /// What one placeholder reads.
    Whole(Reference<'a>),
    /// Text with placeholders in it.
    Text,
    /// An array with placeholders in it.
    Array,
    /// An object with placeholders in it.
    Object,
}

impl Template {
    /// Parses every string inside a value.
    ///
    /// # Errors
    ///
    /// If a placeholder is not closed or malformed, or the value is nested too deep.
    pub fn parse(value: &Value) -> Result<Self, ExpressionError> {
        let piece = Piece::parse(value, MAX_NESTING)?;
        Ok(Self { source: value.clone(), piece })
    }

    /// The value that was parsed.
    #[must_use]
    pub const fn source(&self) -> &Value {
        &self.source
    }

    /// What the template makes.
    #[must_use]
    pub(crate) fn form(&self) -> Form<'_> {
        match &self.piece {
            Piece::Constant(value) => Form::Constant(value),
            Piece::Whole(part) => part.reference().map_or(Form::Text, Form::Whole),
            Piece::Text(_) => Form::Text,
            Piece::Array(_) => Form::Array,
            Piece::Object(_) => Form::Object,
        }
    }

    /// What the placeholders read, in the order in which they are written.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let mut references = Vec::new();
        self.piece.collect(&mut references);
        references.into_iter()
    }

    /// The identifiers of the nodes that are read.
    pub(crate) fn node_names(&self) -> impl Iterator<Item = &str> {
        self.references().filter_map(Reference::node)
    }

    /// The node that alone makes up the whole value.
    pub(crate) fn single_node(&self) -> Option<&str> {
        match self.form() {
            Form::Whole(reference) => reference.node(),
            _ => None,
        }
    }

    /// Replaces the identifiers of nodes by their places.
    pub(crate) fn bind(&self, place: &mut dyn FnMut(&str) -> NodeIndex) -> BoundTemplate {
        BoundTemplate(self.piece.bind(place))
    }
}

impl Piece {
    fn parse(value: &Value, depth: usize) -> Result<Self, ExpressionError> {
        let inner =
            || depth.checked_sub(1).ok_or(ExpressionError::new(ExpressionErrorKind::TooDeep, 0));
        match value {
            Value::String(text) => Self::parse_text(value, text),
            Value::Array(items) => {
                let depth = inner()?;
                let pieces = items.iter().enumerate().map(|(place, item)| {
                    Self::parse(item, depth).map_err(|error| error.inside(place))
                });
                let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
                Ok(match pieces.iter().all(Self::is_constant) {
                    true => Self::Constant(value.clone()),
                    false => Self::Array(pieces),
                })
            }
            Value::Object(fields) => {
                let depth = inner()?;
                let pieces = fields.iter().map(|(key, value)| {
                    let piece = Self::parse(value, depth);
                    Ok((key.clone(), piece.map_err(|error| error.inside(key.as_str()))?))
                });
                let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
                Ok(match pieces.iter().all(|(_, piece)| piece.is_constant()) {
                    true => Self::Constant(value.clone()),
                    false => Self::Object(pieces),
                })
            }
            other => Ok(Self::Constant(other.clone())),
        }
    }

    fn parse_text(value: &Value, text: &str) -> Result<Self, ExpressionError> {
        let mut parts = parse_text(text)?;
        let is_empty = |part: &Part| matches!(part, Part::Literal(text) if text.is_empty());
        Ok(match &*parts {
            [_] => Self::Constant(value.clone()),
            [before, _, after] if is_empty(before) && is_empty(after) => {
                Self::Whole(parts.swap_remove(1))
            }
            _ => {
                parts.retain(|part| !is_empty(part));
                Self::Text(parts)
            }
        })
    }

    const fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    fn collect<'a>(&'a self, references: &mut Vec<Reference<'a>>) {
        match self {
            Self::Constant(_) => {}
            Self::Whole(part) => references.extend(part.reference()),
            Self::Text(parts) => references.extend(parts.iter().filter_map(Part::reference)),
            Self::Array(pieces) => pieces.iter().for_each(|piece| piece.collect(references)),
            Self::Object(pieces) => {
                pieces.iter().for_each(|(_, piece)| piece.collect(references));
            }
        }
    }

    fn bind(&self, place: &mut dyn FnMut(&str) -> NodeIndex) -> BoundPiece {
        match self {
            Self::Constant(value) => BoundPiece::Constant(value.clone()),
            Self::Whole(part) => BoundPiece::whole(part, place),
            Self::Text(parts) => BoundPiece::text(parts, place),
            Self::Array(pieces) => {
                BoundPiece::Array(pieces.iter().map(|piece| piece.bind(place)).collect())
            }
            Self::Object(pieces) => BoundPiece::Object(
                pieces.iter().map(|(key, piece)| (key.clone(), piece.bind(place))).collect(),
            ),
        }
    }
}
