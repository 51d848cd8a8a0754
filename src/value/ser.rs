//! From Rust data to values and from values to any format, without JSON text in between.
//!
//! A value inside the data that [`to_value`] converts is shared, not rebuilt, with safe code only:
//! 1. [`Value`] serialises as a newtype struct named [`TOKEN`]; formats see through it.
//! 2. On that name, [`ToValue`] lets the value serialise once more in [`ToValue::Receive`], where
//!    all that could be shared fails with an error whose `source()` is an empty [`Slot`].
//! 3. The value finds the slot in the error and puts a clone of itself into it.
//! 4. If the slot stays empty, the value is rebuilt: nothing fails, it only costs a copy.

mod build;
mod error;

use std::error::Error as StdError;

use serde::ser::{Serialize, Serializer};

use build::ToValue;
use error::Slot;
pub(super) use error::TOKEN;

use super::{Fields, Key, Value, ValueError};

/// Converts data to a value; [`Value`]s inside it are shared, names of fields are not copied.
///
/// The result is what `serde_json` would write: enums are tagged from outside, NaN and the
/// infinities become null, keys that are numbers, truth values or characters become text.
///
/// # Errors
///
/// If a map has a key that has no text, a number fits neither 64 bits signed nor unsigned, or a
/// `Serialize` implementation fails.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, ValueError> {
    value.serialize(ToValue::Build).map_err(ValueError::new)
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(TOKEN, &Content(self))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Value::Object(self.clone()).serialize(serializer)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What is inside the newtype of a value.
struct Content<'a>(&'a Value);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let result = match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Uint(number) => serializer.serialize_u64(*number),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(items) => serializer.collect_seq(items.iter()),
            Value::Object(fields) => serializer.collect_map(fields.iter()),
        };
        if let Err(error) = &result
            && let Some(slot) = error.source().and_then(|source| source.downcast_ref::<Slot>())
        {
            slot.put(self.0.clone());
        }
        result
    }
}
