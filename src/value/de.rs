//! From values to Rust data and from any format to values.
//!
//! A [`Value`] inside the data that [`from_value`] makes is shared, not rebuilt, with safe code
//! only:
//! 1. [`Value`] asks its deserializer for a newtype struct named [`TOKEN`]; formats see through it.
//! 2. On that name, [`FromValue`] answers with an enum, as no format does unasked: [`Offer`].
//! 3. Its variant fails to deserialise, with an error whose `source()` holds the value's clone.
//! 4. If a wrapper has hidden the source, the content of the variant is the value as data: nothing
//!    fails, it only costs a copy.

mod any;
mod error;
mod key;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use error::{Error, Result, Shared};
use key::FromKey;

use super::ser::TOKEN;
use super::{Fields, Key, Value, ValueError};

/// Converts a value to data; nothing is copied but what the data keeps, and a [`Value`] is shared.
///
/// Where serde buffers the data first (`flatten`, untagged and internally tagged enums), what is
/// inside is copied, and a failure names the path to the buffered part only.
///
/// # Errors
///
/// If the value does not have the shape of the data; the message begins with the path to the
/// offending place, as in `items.3.name: invalid type: integer `7`, expected a string`.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, ValueError> {
    T::deserialize(FromValue(value)).map_err(ValueError::new)
}

/// The deserializer of a value.
#[derive(Clone, Copy)]
struct FromValue<'de>(&'de Value);

impl<'de> Deserializer<'de> for FromValue<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Int(number) => match u64::try_from(*number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(*number),
            },
            Value::Uint(number) => visitor.visit_u64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visit_array(items, visitor),
            Value::Object(fields) => visit_object(fields, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == TOKEN {
            visitor.visit_enum(Offer(self.0))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Variant { name, content: None }),
            Value::Object(fields) => {
                let mut pairs = fields.iter();
                let (Some((name, content)), None) = (pairs.next(), pairs.next()) else {
                    let expected = &"a map with a single key";
                    return Err(de::Error::invalid_value(Unexpected::Map, expected));
                };
                visitor.visit_enum(Variant { name: name.as_str(), content: Some(content) })
            }
            other => Err(de::Error::invalid_type(unexpected(other), &"string or map")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(flag) => Unexpected::Bool(*flag),
        Value::Int(number) => Unexpected::Signed(*number),
        Value::Uint(number) => Unexpected::Unsigned(*number),
        Value::Float(number) => Unexpected::Float(*number),
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

fn visit_array<'de, V: Visitor<'de>>(items: &'de [Value], visitor: V) -> Result<V::Value> {
    let mut rest = Items { items, next: 0 };
    let result = visitor.visit_seq(&mut rest)?;
    if rest.next < items.len() {
        return Err(de::Error::invalid_length(items.len(), &"fewer elements in array"));
    }
    Ok(result)
}

fn visit_object<'de, V: Visitor<'de>>(fields: &'de Fields, visitor: V) -> Result<V::Value> {
    let mut rest = Pairs { pairs: fields.iter(), current: None };
    let result = visitor.visit_map(&mut rest)?;
    if rest.pairs.len() > 0 {
        return Err(de::Error::invalid_length(fields.len(), &"fewer elements in map"));
    }
    Ok(result)
}

struct Items<'de> {
    items: &'de [Value],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let place = self.next;
        let Some(item) = self.items.get(place) else {
            return Ok(None);
        };
        self.next += 1;
        seed.deserialize(FromValue(item)).map(Some).map_err(|error| error.within(place))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct Pairs<'de, I> {
    pairs: I,
    current: Option<(&'de Key, &'de Value)>,
}

impl<'de, I> de::MapAccess<'de> for Pairs<'de, I>
where
    I: ExactSizeIterator<Item = (&'de Key, &'de Value)>,
{
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.current = self.pairs.next();
        let Some((key, _)) = self.current else {
            return Ok(None);
        };
        let name = key.as_str();
        seed.deserialize(FromKey(name)).map(Some).map_err(|error| error.within(name))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        let (key, value) =
            self.current.take().ok_or_else(|| de::Error::custom("a value without a key"))?;
        seed.deserialize(FromValue(value)).map_err(|error| error.within(key.as_str()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.pairs.len())
    }
}

/// A value for whoever asks by [`TOKEN`].
struct Offer<'de>(&'de Value);

impl<'de> de::EnumAccess<'de> for Offer<'de> {
    type Error = Error;
    type Variant = Variant<'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Variant<'de>)> {
        let taken = seed.deserialize(Handing(self.0))?;
        Ok((taken, Variant { name: TOKEN, content: Some(self.0) }))
    }
}

/// The variant of an offer: deserialising it fails with the value in the error.
struct Handing<'de>(&'de Value);

impl<'de> Deserializer<'de> for Handing<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value> {
        Err(Error::Shared(Box::new(Shared(self.0.clone()))))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// An enum's variant by name, with what is tagged by it.
struct Variant<'de> {
    name: &'de str,
    content: Option<&'de Value>,
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self)> {
        Ok((seed.deserialize(BorrowedStrDeserializer::<Error>::new(self.name))?, self))
    }
}

impl<'de> Variant<'de> {
    fn content(&self, expected: &str) -> Result<FromValue<'de>> {
        let missing = || de::Error::invalid_type(Unexpected::UnitVariant, &expected);
        self.content.map(FromValue).ok_or_else(missing)
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        let Some(content) = self.content else {
            return Ok(());
        };
        <()>::deserialize(FromValue(content)).map_err(|error| error.within(self.name))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        let content = self.content("newtype variant")?;
        seed.deserialize(content).map_err(|error| error.within(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value> {
        let content = self.content("tuple variant")?;
        content.deserialize_any(visitor).map_err(|error| error.within(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let content = self.content("struct variant")?;
        content.deserialize_any(visitor).map_err(|error| error.within(self.name))
    }
}
