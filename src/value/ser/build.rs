//! The serializer that builds values.

use std::num::TryFromIntError;

use serde::ser::{self, Serialize, Serializer};

use super::super::{Key, Value, fields};
use super::error::{Error, Result, Slot, TOKEN};

/// The serializer, by what it is wanted for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ToValue {
    /// The data as a value.
    Build,
    /// The name of a field, as a value that [`into_key`] accepts.
    Key,
    /// A value that can put itself into a slot.
    Receive,
}

impl ToValue {
    /// Holds out a slot to a value that could be shared.
    #[inline]
    fn receive(self) -> Result<()> {
        if self == Self::Receive { Err(Error::Slot(Slot::default())) } else { Ok(()) }
    }
}

macro_rules! small_integers {
    ($($serialize:ident: $integer:ty),*) => {$(
        #[inline]
        fn $serialize(self, number: $integer) -> Result<Value> {
            Ok(Value::Int(number.into()))
        }
    )*};
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Pairs;
    type SerializeStruct = Struct;
    type SerializeStructVariant = Pairs;

    fn serialize_bool(self, flag: bool) -> Result<Value> {
        Ok(Value::Bool(flag))
    }

    small_integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32
    }

    fn serialize_i128(self, number: i128) -> Result<Value> {
        if self == Self::Key {
            return Ok(number.to_string().into());
        }
        let small = i64::try_from(number).map(Value::Int);
        small.or_else(|_| u64::try_from(number).map(Value::Uint)).map_err(out_of_range)
    }

    #[inline]
    fn serialize_u64(self, number: u64) -> Result<Value> {
        Ok(number.into())
    }

    fn serialize_u128(self, number: u128) -> Result<Value> {
        if self == Self::Key {
            return Ok(number.to_string().into());
        }
        u64::try_from(number).map(Value::from).map_err(out_of_range)
    }

    fn serialize_f32(self, number: f32) -> Result<Value> {
        // As a key the shortest text of the 32 bits, not of the 64 they are widened to.
        if self == Self::Key { float_text(number) } else { Ok(f64::from(number).into()) }
    }

    fn serialize_f64(self, number: f64) -> Result<Value> {
        if self == Self::Key { float_text(number) } else { Ok(number.into()) }
    }

    fn serialize_char(self, letter: char) -> Result<Value> {
        Ok(Value::from(&*letter.encode_utf8(&mut [0; 4])))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<Value> {
        self.receive()?;
        Ok(text.into())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value> {
        Ok(Value::Array(bytes.iter().map(|byte| Value::Int((*byte).into())).collect()))
    }

    fn serialize_none(self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value> {
        if self == Self::Key { Err(Error::key()) } else { value.serialize(self) }
    }

    fn serialize_unit(self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value> {
        if name != TOKEN {
            return value.serialize(self);
        }
        match value.serialize(Self::Receive) {
            Ok(value) => Ok(value),
            Err(Error::Slot(slot)) => slot.take().map_or_else(|| value.serialize(self), Ok),
            Err(_) => value.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value> {
        Ok(tagged(Some(variant), value.serialize(Self::Build)?))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items> {
        self.receive()?;
        Ok(Items::new(None, len.unwrap_or(0)))
    }

    fn serialize_tuple(self, len: usize) -> Result<Items> {
        Ok(Items::new(None, len))
    }

    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<Items> {
        Ok(Items::new(None, len))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items> {
        Ok(Items::new(Some(variant), len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Pairs> {
        self.receive()?;
        Ok(Pairs::new(None, len.unwrap_or(0)))
    }

    // Built in place, by the `Serialize` of the user's type.
    #[inline]
    fn serialize_struct(self, _name: &'static str, len: usize) -> Result<Struct> {
        Ok(Struct(fields::Pairs::with_capacity(len)))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Pairs> {
        Ok(Pairs::new(Some(variant), len))
    }
}

fn out_of_range(_: TryFromIntError) -> Error {
    Error::Failed("number out of range".into())
}

fn float_text<T: Into<f64> + Serialize + Copy>(number: T) -> Result<Value> {
    if !number.into().is_finite() {
        return Err(Error::Failed("float key must be finite".into()));
    }
    serde_json::to_string(&number).map(Value::from).map_err(ser::Error::custom)
}

/// The name of a field, of what [`ToValue::Key`] made.
fn into_key(value: Value) -> Result<Key> {
    match value {
        Value::String(text) => Ok(text.as_str().into()),
        Value::Bool(true) => Ok(Key::from_static("true")),
        Value::Bool(false) => Ok(Key::from_static("false")),
        Value::Int(number) => Ok(number.to_string().into()),
        Value::Uint(number) => Ok(number.to_string().into()),
        _ => Err(Error::key()),
    }
}

fn tagged(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::object([(Key::from_static(variant), value)]),
        None => value,
    }
}

/// Collects an array, and the variant it belongs to.
pub(super) struct Items {
    variant: Option<&'static str>,
    items: Vec<Value>,
}

impl Items {
    fn new(variant: Option<&'static str>, len: usize) -> Self {
        Self { variant, items: Vec::with_capacity(len) }
    }

    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
        self.items.push(item.serialize(ToValue::Build)?);
        Ok(())
    }

    fn finish(self) -> Value {
        tagged(self.variant, Value::Array(self.items.into()))
    }
}

/// Collects the fields of a struct: most of what handlers return.
pub(super) struct Struct(fields::Pairs);

impl Struct {
    #[inline]
    fn push<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.0.push((Key::from_static(name), value.serialize(ToValue::Build)?));
        Ok(())
    }

    #[inline]
    fn finish(self) -> Value {
        Value::Object(self.0.into())
    }
}

/// Collects a map or the fields of a variant, and the variant it belongs to.
pub(super) struct Pairs {
    variant: Option<&'static str>,
    pairs: Struct,
    key: Option<Key>,
}

impl Pairs {
    fn new(variant: Option<&'static str>, len: usize) -> Self {
        Self { variant, pairs: Struct(fields::Pairs::with_capacity(len)), key: None }
    }

    fn push<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.pairs.push(name, value)
    }

    fn finish(self) -> Value {
        tagged(self.variant, self.pairs.finish())
    }
}

macro_rules! collect_items {
    ($($collector:ident :: $push:ident),*) => {$(
        impl ser::$collector for Items {
            type Ok = Value;
            type Error = Error;

            fn $push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
                self.push(item)
            }

            fn end(self) -> Result<Value> {
                Ok(self.finish())
            }
        }
    )*};
}

collect_items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! collect_fields {
    ($($collector:ident for $fields:ident),*) => {$(
        impl ser::$collector for $fields {
            type Ok = Value;
            type Error = Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<()> {
                self.push(name, value)
            }

            #[inline]
            fn end(self) -> Result<Value> {
                Ok(self.finish())
            }
        }
    )*};
}

collect_fields!(SerializeStruct for Struct, SerializeStructVariant for Pairs);

impl ser::SerializeMap for Pairs {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key = Some(into_key(key.serialize(ToValue::Key)?)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let key = self.key.take().ok_or_else(|| Error::Failed("a value without a key".into()))?;
        self.pairs.0.push((key, value.serialize(ToValue::Build)?));
        Ok(())
    }

    fn end(self) -> Result<Value> {
        Ok(self.finish())
    }
}
