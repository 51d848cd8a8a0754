//! Values convert as serde_json converts, share what they hold, and say where a conversion failed.

mod random;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::value::{Error as PlainError, U64Deserializer};
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer, forward_to_deserialize_any};
use serde_json::{Value as Json, json};

use super::{Fields, Key, Text, Value, from_value, to_value};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f32),
    Line(i32, i32),
    Named { label: String, size: Option<u8> },
}

/// All conversions of `data` agree with those of serde_json.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &T) {
    let json = serde_json::to_value(data).unwrap();
    let value = to_value(data).unwrap();
    assert_eq!(value, to_value(&json).unwrap());
    assert_eq!(from_value::<Json>(&value).unwrap(), json);
    assert_eq!(&from_value::<T>(&value).unwrap(), data);
    assert_eq!(serde_json::to_value(&value).unwrap(), json);

    let text = value.to_json();
    let parsed = Value::from_json(&text).unwrap();
    assert_eq!(parsed, to_value(&serde_json::from_str::<Json>(&text).unwrap()).unwrap());
    assert_eq!(from_value::<T>(&parsed).unwrap(), serde_json::from_str::<T>(&text).unwrap());
}

fn check_failure<T: DeserializeOwned + Debug>(value: Json, expected: &str) {
    let error = from_value::<T>(&to_value(&value).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

proptest! {
    #[test]
    fn fields_are_a_sorted_map(pairs in vec(("[a-e]{0,2}", any::<i64>()), 0..30)) {
        let fields: Fields =
            pairs.iter().map(|(name, number)| (name.as_str().into(), (*number).into())).collect();
        let map: BTreeMap<_, _> = pairs.into_iter().collect();
        prop_assert!(fields.iter().map(|(name, _)| name.as_str()).eq(map.keys()));
        prop_assert_eq!((fields.len(), fields.is_empty()), (map.len(), map.is_empty()));
        for (name, number) in &map {
            prop_assert_eq!(fields.get(name), Some(&Value::Int(*number)));
        }
        prop_assert_eq!(fields.get("f"), None);
    }
}

#[test]
fn the_later_of_two_fields_with_one_name_wins() {
    let value = Value::object([("b", 1), ("a", 2), ("b", 3)]);
    assert_eq!(value.to_json(), r#"{"a":2,"b":3}"#);
    assert_eq!(Value::from_json(r#"{"b":1,"a":2,"b":3}"#).unwrap(), value);
}

#[test]
fn names_in_the_program_text_equal_names_that_were_made() {
    let name = Key::from_static("name");
    assert_eq!(name, Key::from("name".to_owned()));
    assert_eq!(from_value::<Key>(&to_value(&name).unwrap()).unwrap(), name);
    assert_eq!(HashMap::from([(name, 1)]).get("name"), Some(&1));
}

#[test]
fn numbers_keep_their_value() {
    assert_eq!(Value::from(3_usize), Value::Int(3));
    assert_eq!(Value::from(usize::MAX), Value::Uint(u64::MAX));
    check(&(u64::MAX, i64::MIN, i64::MAX as u64, i64::MAX as u64 + 1));
    check(&(u128::from(u64::MAX), i128::from(i64::MIN), 1.5f32, -0.0f64));
    assert_eq!(to_value(&u64::MAX).unwrap(), Value::Uint(u64::MAX));
    assert_eq!(to_value(&5u64).unwrap(), Value::Int(5));
    assert_eq!(from_value::<f64>(&Value::Int(-3)).unwrap(), -3.0);
    for number in [f64::NAN, f64::INFINITY] {
        assert_eq!(to_value(&number).unwrap(), Value::Null);
    }
    for number in [i128::from(i64::MIN) - 1, i128::from(u64::MAX) + 1] {
        assert_eq!(to_value(&number).unwrap_err().to_string(), "number out of range");
    }
    assert_eq!(to_value(&u128::MAX).unwrap_err().to_string(), "number out of range");
}

#[test]
fn keys_that_are_no_strings_become_strings() {
    check(&BTreeMap::from([(-1i8, 'a'), (2, 'b')]));
    check(&BTreeMap::from([(u64::MAX, 1), (0, 2)]));
    check(&BTreeMap::from([(i128::MIN, 1)]));
    check(&BTreeMap::from([(u128::MAX, 1)]));
    check(&BTreeMap::from([(true, 1), (false, 2)]));
    check(&BTreeMap::from([('x', 1)]));
    check(&BTreeMap::from([(("key").to_owned(), 1)]));
    let (single, double) = (FloatKey(1.1f32), FloatKey(1e30f64));
    assert_eq!(to_value(&single).unwrap().to_json(), r#"{"1.1":1}"#);
    assert_eq!(to_value(&double).unwrap().to_json(), json!(double).to_string());
}

/// A map with one key that no map of the standard library takes.
struct FloatKey<T>(T);

impl<T: Serialize> Serialize for FloatKey<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&self.0, 1)])
    }
}

#[test]
fn keys_that_have_no_text_are_refused() {
    fn check<K: Serialize + Ord>(key: K, expected: &str) {
        let error = to_value(&FloatKey(key)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    check((), "key must be a string");
    check(Some("a"), "key must be a string");
    check([1, 2], "key must be a string");
    check(BTreeMap::from([(1, 2)]), "key must be a string");
    let error = to_value(&FloatKey(f64::NAN)).unwrap_err();
    assert_eq!(error.to_string(), "float key must be finite");
    check_failure::<BTreeMap<u8, ()>>(
        json!({ "a": { "007": null } })["a"].take(),
        "007: invalid type: string \"007\", expected u8",
    );
}

#[test]
fn a_failure_names_the_path() {
    #[derive(Debug, Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "only its conversion matters")]
        items: Vec<Item>,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its conversion matters")]
    struct Item {
        name: u32,
        shape: Option<Shape>,
    }
    check_failure::<Order>(
        json!({ "items": [{ "name": 1 }, { "name": "x" }] }),
        "items.1.name: invalid type: string \"x\", expected u32",
    );
    check_failure::<Order>(json!({ "items": [{}] }), "items.0: missing field `name`");
    check_failure::<Order>(json!({}), "missing field `items`");
    check_failure::<Order>(
        json!({ "items": null }),
        "items: invalid type: null, expected a sequence",
    );
    check_failure::<Order>(
        json!({ "items": [{ "name": 1, "shape": { "Named": { "label": 1 } } }] }),
        "items.0.shape.Named.label: invalid type: integer `1`, expected a string",
    );
    check_failure::<Order>(
        json!({ "items": [{ "name": 1, "shape": { "Line": [1, 2, 3] } }] }),
        "items.0.shape.Line: invalid length 3, expected fewer elements in array",
    );
}

#[test]
fn fields_say_what_kind_of_value_is_no_object() {
    check_failure::<Fields>(json!(null), "expected an object, found null");
    check_failure::<Fields>(json!(true), "expected an object, found a boolean");
    check_failure::<Fields>(json!(-7), "expected an object, found an integer");
    check_failure::<Fields>(json!(u64::MAX), "expected an object, found an integer");
    check_failure::<Fields>(json!(0.5), "expected an object, found a number");
    check_failure::<Fields>(json!("long"), "expected an object, found a string");
    check_failure::<Fields>(json!([[1]]), "expected an object, found an array");
}

#[test]
fn fields_are_iterated_in_the_order_of_their_names() {
    let fields: Fields = from_value(&Value::object([("b", 2), ("a", 1)])).unwrap();
    let mut found = Vec::new();
    for (name, value) in &fields {
        found.push((name.as_str(), value.as_i64().unwrap()));
    }
    assert_eq!(found, [("a", 1), ("b", 2)]);
    assert_eq!((&Fields::default()).into_iter().len(), 0);
}

#[test]
fn an_enum_needs_the_content_of_its_variant() {
    let expected = "invalid type: unit variant, expected newtype variant";
    check_failure::<Shape>(json!("Circle"), expected);
    check_failure::<Shape>(
        json!("Oval"),
        "unknown variant `Oval`, expected one of `Point`, `Circle`, `Line`, `Named`",
    );
    let expected = "invalid value: map, expected a map with a single key";
    check_failure::<Shape>(json!({ "Point": null, "Circle": 1 }), expected);
    check_failure::<Shape>(
        json!({ "Point": 1 }),
        "Point: invalid type: integer `1`, expected unit",
    );
    check_failure::<Shape>(json!(7), "invalid type: integer `7`, expected string or map");
}

#[test]
fn a_value_inside_the_data_is_shared_both_ways() {
    #[derive(Serialize, Deserialize)]
    struct Holder<'a> {
        name: Cow<'a, str>,
        payload: Option<Value>,
        fields: HashMap<String, Vec<Value>>,
    }
    let shared = |value: &Value| match value {
        Value::String(text) => text.as_ptr().cast::<()>(),
        Value::Array(items) => items.as_ptr().cast(),
        Value::Object(fields) => std::ptr::from_ref(fields.get("a").unwrap()).cast(),
        other => panic!("{other} is not shared"),
    };
    for payload in
        [Value::from("a text that is no short one"), vec![1, 2].into(), Value::object([("a", 1)])]
    {
        let fields = HashMap::from([("list".to_owned(), vec![payload.clone()])]);
        let holder = Holder { name: "x".into(), payload: Some(payload.clone()), fields };
        let value = to_value(&holder).unwrap();
        assert_eq!(shared(value.get("payload").unwrap()), shared(&payload));
        assert_eq!(shared(value.at("fields.list.0").unwrap()), shared(&payload));

        let holder: Holder<'static> = from_value(&value).unwrap();
        assert_eq!(shared(&holder.payload.unwrap()), shared(&payload));
        assert_eq!(shared(&holder.fields["list"][0]), shared(&payload));
    }
    let fields: Fields = [(Key::from_static("a"), Value::Null)].into_iter().collect();
    assert_eq!(shared(&to_value(&fields).unwrap()), shared(&Value::Object(fields)));
}

#[test]
fn a_value_that_cannot_be_shared_is_rebuilt() {
    /// Looks like a value, but puts nothing into the slot.
    struct Stranger;
    impl Serialize for Stranger {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_struct("$hotgraph::Value", &["rebuilt"][..])
        }
    }
    assert_eq!(to_value(&Stranger).unwrap(), Value::from(vec!["rebuilt"]));
    assert_eq!(Value::deserialize(Hiding).unwrap(), Value::Int(7));
}

/// Offers a value like `from_value`, behind a wrapper that hides the error's source.
struct Hiding;

impl<'de> Deserializer<'de> for Hiding {
    type Error = PlainError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, PlainError> {
        Err(de::Error::custom("hidden"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, PlainError> {
        let content = U64Deserializer::new(7);
        visitor.visit_enum(de::value::MapAccessDeserializer::new(de::value::MapDeserializer::new(
            [(HidingKey, content)].into_iter(),
        )))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct HidingKey;

impl<'de> de::IntoDeserializer<'de> for HidingKey {
    type Deserializer = Hiding;

    fn into_deserializer(self) -> Hiding {
        Hiding
    }
}

#[test]
fn text_is_nested_at_most_128_levels() {
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Value::from_json(&nested(127)).is_ok());
    let error = Value::from_json(&nested(128)).unwrap_err();
    assert_eq!(error.to_string(), "recursion limit exceeded at line 1 column 128");
}

#[test]
fn bytes_are_numbers_and_unused_parts_are_skipped() {
    struct Bytes;
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&[1, 255])
        }
    }
    assert_eq!(to_value(&Bytes).unwrap(), Value::from(vec![1, 255]));
    let names: BTreeMap<String, de::IgnoredAny> =
        from_value(&Value::object([("a", vec![1])])).unwrap();
    assert_eq!(names.len(), 1);
    let text: Arc<str> = from_value(&Value::from("a")).unwrap();
    assert_eq!(&*text, "a");
}

#[test]
fn a_text_is_the_same_in_place_and_shared() {
    assert_eq!(size_of::<Value>(), 24);
    for bytes in [0, 1, 22, 23, 24, 100] {
        let text = "é".repeat(bytes / 2) + &"x".repeat(bytes % 2);
        let shared: Arc<str> = text.as_str().into();
        let ways = [Text::from(text.as_str()), text.clone().into(), shared.clone().into()];
        for one in &ways {
            assert_eq!((one.as_str(), one), (text.as_str(), &ways[0]));
            assert_eq!(format!("{one:?}"), format!("{text:?}"));
        }
        let is_shared = std::ptr::eq(ways[2].as_ptr(), shared.as_ptr());
        assert_eq!(is_shared, bytes > 23, "{bytes} bytes");
        let value = Value::from(text.as_str());
        assert_eq!(Value::from_json(&value.to_json()).unwrap(), value);
        assert_eq!(from_value::<String>(&value).unwrap(), text);
        assert_eq!(
            to_value(&BTreeMap::from([(text.as_str(), 1)])).unwrap().as_object().unwrap()[&text],
            1.into()
        );
    }
}
