//! From any format to a value.

use std::error::Error as StdError;
use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, Unexpected, Visitor,
};

use super::super::ser::TOKEN;
use super::super::{Fields, Key, Value};
use super::error::Shared;

impl<'de> Deserialize<'de> for Value {
    /// How deep the data may be nested is up to the format.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TOKEN, ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(fields) => Ok(fields),
            other => {
                let found = kind_of(&other);
                Err(de::Error::custom(format_args!("expected an object, found {found}")))
            }
        }
    }
}

/// What an error calls a value: the value itself may be long.
const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::Uint(_) => "an integer",
        Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
        Ok(name.into())
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, format: D) -> Result<Value, D::Error> {
        format.deserialize_any(self)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::with_capacity(cautious(seq.size_hint()));
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items.into()))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut pairs: Vec<(Key, Value)> = Vec::with_capacity(cautious(map.size_hint()));
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Value::Object(pairs.into_iter().collect()))
    }

    fn visit_enum<A: de::EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (shared, content) = data.variant_seed(Taking)?;
        match shared {
            Some(value) => Ok(value),
            None => de::VariantAccess::newtype_variant_seed(content, Copying),
        }
    }
}

/// The room to reserve for a length that the input claims.
fn cautious(len: Option<usize>) -> usize {
    len.unwrap_or(0).min(1024)
}

/// Takes the value of an offer; `None` if a wrapper has hidden it.
struct Taking;

impl<'de> DeserializeSeed<'de> for Taking {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, variant: D) -> Result<Self::Value, D::Error> {
        match variant.deserialize_any(IgnoredAny) {
            Ok(_) => Err(de::Error::invalid_type(Unexpected::Enum, &ValueVisitor)),
            Err(error) => {
                let shared = error.source().and_then(|source| source.downcast_ref::<Shared>());
                Ok(shared.map(|shared| shared.0.clone()))
            }
        }
    }
}

/// Rebuilds the value of an offer.
struct Copying;

impl<'de> DeserializeSeed<'de> for Copying {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, content: D) -> Result<Value, D::Error> {
        content.deserialize_any(ValueVisitor)
    }
}
