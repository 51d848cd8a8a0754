//! The type of one field, as far as publishing looks at it.

use std::fmt;

use crate::value::Value;

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FieldType {
    /// Anything, null included.
    Any,
    /// Null.
    Null,
    /// A truth value.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Text.
    String,
    /// A sequence of one type.
    Array(Box<FieldType>),
    /// Fields by name.
    Object,
    /// One of several types; no type at all if there are none.
    Union(Vec<FieldType>),
}

impl FieldType {
    /// An array of a type.
    #[must_use]
    pub fn array(of: Self) -> Self {
        Self::Array(Box::new(of))
    }

    /// This type or null.
    #[must_use]
    pub fn or_null(self) -> Self {
        Self::union([self, Self::Null])
    }

    /// One of several types, in their simplest form.
    #[must_use]
    pub fn union(types: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for kind in types {
            match kind {
                Self::Union(inner) => all.extend(inner),
                kind => all.push(kind),
            }
        }
        all.sort_unstable();
        all.dedup();
        match all.len() {
            1 => all.remove(0),
            _ if all.contains(&Self::Any) => Self::Any,
            _ => Self::Union(all),
        }
    }

    /// Whether this is text, or text or null: what is not text is turned into compact JSON.
    #[must_use]
    pub fn is_text(&self) -> bool {
        match self {
            Self::String => true,
            Self::Union(types) => **types == [Self::Null, Self::String],
            _ => false,
        }
    }

    /// Whether some value of this type can go into a field of the target type.
    ///
    /// Whatever is set can go into a string, because it becomes compact JSON.
    #[must_use]
    pub fn fits(&self, target: &Self) -> bool {
        self.is_within(target) || (target.is_text() && !matches!(self, Self::Null))
    }

    /// Whether a value can go into a field of this type.
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        self.holds(value) || (self.is_text() && !value.is_null())
    }

    /// As `fits`, without turning anything into text.
    fn is_within(&self, target: &Self) -> bool {
        match (self, target) {
            (Self::Any, _)
            | (_, Self::Any)
            | (Self::Integer, Self::Number)
            | (Self::Number, Self::Integer) => true,
            (Self::Union(types), _) => types.iter().any(|kind| kind.is_within(target)),
            (_, Self::Union(types)) => types.iter().any(|kind| self.is_within(kind)),
            (Self::Array(item), Self::Array(target)) => item.is_within(target),
            _ => self == target,
        }
    }

    /// As `accepts`, without turning anything into text.
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (Self::Null, Value::Null)
            | (Self::Bool, Value::Bool(_))
            | (Self::Integer | Self::Number, Value::Int(_) | Value::Uint(_))
            | (Self::Number, Value::Float(_))
            | (Self::String, Value::String(_))
            | (Self::Object, Value::Object(_)) => true,
            (Self::Array(item), Value::Array(items)) => items.iter().all(|value| item.holds(value)),
            (Self::Union(types), _) => types.iter().any(|kind| kind.holds(value)),
            _ => false,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("boolean"),
            Self::Integer => f.write_str("integer"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::Array(item) => write!(f, "array of ({item})"),
            Self::Object => f.write_str("object"),
            Self::Union(types) if types.is_empty() => f.write_str("nothing"),
            Self::Union(types) => {
                for (place, kind) in types.iter().enumerate() {
                    let or = if place == 0 { "" } else { " or " };
                    write!(f, "{or}{kind}")?;
                }
                Ok(())
            }
        }
    }
}
