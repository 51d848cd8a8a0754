//! What travels along an edge: cheap to clone, serde in and out, no copy on the way.
//!
//! A [`Value`] is JSON data whose long strings, arrays and objects are shared: cloning one counts a
//! reference. [`to_value`] and [`from_value`] convert from and to user types without JSON text.

mod de;
mod deep;
mod fields;
mod ser;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::sync::Arc;

pub use de::from_value;
pub(crate) use deep::read_record;
pub use fields::{Fields, Key};
pub use ser::to_value;
pub use text::Text;

/// Why a value could not be converted: what was expected, what was found, and at which path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    message: String,
}

impl ValueError {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string() }
    }
}

/// JSON data that is cheap to clone.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing; counts as not set.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A number that fits a signed integer.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Uint(u64),
    /// A number with a fraction; never NaN or infinite.
    Float(f64),
    /// Text.
    String(Text),
    /// A sequence.
    Array(Arc<[Value]>),
    /// Fields by name.
    Object(Fields),
}

impl Value {
    /// The object without fields.
    #[must_use]
    pub fn empty_object() -> Self {
        Self::Object(Fields::default())
    }

    /// Makes an object of pairs; a later pair replaces an earlier one of the same name.
    ///
    /// All values have one type here: for fields of several types, derive `Serialize` for a struct
    /// and use [`to_value`], or write `Value::from` around each.
    #[must_use]
    pub fn object<K: Into<Key>, V: Into<Value>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Object(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// Whether this is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The whole number, if this is one that fits.
    #[must_use]
    pub const fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if this is one; integers are rounded to the nearest float.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the rounding is what the caller asks for")]
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Uint(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The fields, if this is an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Fields> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The field of an object; `None` if there is none or this is no object.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.as_object()?.get(field)
    }

    /// The value at a path such as `a.b.0`, where a number steps into an array.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self, |value, step| match value {
            Self::Object(fields) => fields.get(step),
            Self::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Reads JSON text.
    ///
    /// # Errors
    ///
    /// If the text is not JSON, with line and column; or nested deeper than 128 levels.
    pub fn from_json(text: &str) -> Result<Self, ValueError> {
        serde_json::from_str(text).map_err(ValueError::new)
    }

    /// Writes compact JSON, with the fields of objects sorted by name.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a value has string keys and finite numbers")
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Uint(number), Self::Int)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        // No machine has a wider `usize`.
        u64::try_from(number).unwrap_or(u64::MAX).into()
    }
}

impl From<f64> for Value {
    /// NaN and the infinities become null, as in JSON.
    fn from(number: f64) -> Self {
        if number.is_finite() { Self::Float(number) } else { Self::Null }
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Self::Object(fields)
    }
}
