//! Random data of many shapes converts as serde_json converts it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::super::{Value, from_value, to_value};
use super::{Shape, check};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    id: u64,
    ratio: f64,
    name: String,
    note: Option<String>,
    counts: BTreeMap<i16, Vec<i8>>,
    pair: (bool, char),
    unit: (),
    wrapped: Wrapped,
    shapes: Vec<Shape>,
    tagged: Tagged,
    adjacent: Adjacent,
    untagged: Untagged,
    payload: Value,
    child: Option<Box<Record>>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapped(i64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Extra {
    city: Cow<'static, str>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Empty,
    Full { value: Value },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "with")]
enum Adjacent {
    Unit,
    One(Value),
    Two(u8, String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Fields { inner: Vec<u32> },
}

fn jsons() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            btree_map(".{0,4}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    jsons().prop_map(|json| to_value(&json).unwrap())
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        (-1e6..1e6f32).prop_map(Shape::Circle),
        any::<(i32, i32)>().prop_map(|(from, to)| Shape::Line(from, to)),
        ("[a-z]{0,3}", any::<Option<u8>>()).prop_map(|(label, size)| Shape::Named { label, size }),
    ]
}

fn tags() -> impl Strategy<Value = (Tagged, Adjacent, Untagged)> {
    let tagged =
        prop_oneof![Just(Tagged::Empty), values().prop_map(|value| Tagged::Full { value }),];
    let adjacent = prop_oneof![
        Just(Adjacent::Unit),
        values().prop_map(Adjacent::One),
        (any::<u8>(), ".{0,3}").prop_map(|(number, text)| Adjacent::Two(number, text)),
    ];
    let untagged = prop_oneof![
        any::<i64>().prop_map(Untagged::Number),
        ".{0,3}".prop_map(Untagged::Text),
        vec(any::<u32>(), 0..3).prop_map(|inner| Untagged::Fields { inner }),
    ];
    (tagged, adjacent, untagged)
}

fn extras() -> impl Strategy<Value = Extra> {
    let rest = btree_map("x[0-9]", values(), 0..3);
    (".{0,4}", rest).prop_map(|(city, rest)| Extra { city: city.into(), rest })
}

fn single_records() -> impl Strategy<Value = Record> {
    let plain = (any::<(u64, bool, char, i64)>(), -1e9..1e9, any::<Option<String>>());
    let counts = btree_map(any::<i16>(), vec(any::<i8>(), 0..3), 0..3);
    let record = (plain, counts, vec(shapes(), 0..3), tags(), values(), extras());
    record.prop_map(|(plain, counts, shapes, tags, payload, extra)| {
        let ((id, flag, letter, number), ratio, note) = plain;
        let (tagged, adjacent, untagged) = tags;
        let (name, pair, unit) = (letter.to_string(), (flag, letter), ());
        let (wrapped, child) = (Wrapped(number), None);
        Record {
            id,
            ratio,
            name,
            note,
            counts,
            pair,
            unit,
            wrapped,
            shapes,
            tagged,
            adjacent,
            untagged,
            payload,
            child,
            extra,
        }
    })
}

fn records() -> impl Strategy<Value = Record> {
    (single_records(), option::of(single_records()))
        .prop_map(|(record, child)| Record { child: child.map(Box::new), ..record })
}

/// Replaces one place, chosen by `steps`, by `leaf`.
fn spoil(json: &mut Json, steps: &[usize], leaf: Json) {
    let place = match json {
        Json::Array(items) if !items.is_empty() => {
            let place = steps.first().map_or(0, |step| step % items.len());
            items.get_mut(place)
        }
        Json::Object(map) if !map.is_empty() => {
            let place = steps.first().map_or(0, |step| step % map.len());
            map.values_mut().nth(place)
        }
        _ => None,
    };
    match place {
        Some(inner) if !steps.is_empty() => spoil(inner, &steps[1..], leaf),
        _ => *json = leaf,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_data_converts_as_in_serde_json(json in jsons()) {
        check(&json);
    }

    #[test]
    fn derived_types_convert_as_in_serde_json(record in records()) {
        check(&record);
    }

    #[test]
    fn spoilt_data_is_accepted_exactly_when_serde_json_accepts_it(
        record in records(),
        steps in vec(any::<usize>(), 1..5),
        leaf in jsons(),
    ) {
        let mut json = serde_json::to_value(&record).unwrap();
        spoil(&mut json, &steps, leaf);
        let found = from_value::<Record>(&to_value(&json).unwrap());
        let expected = serde_json::from_value::<Record>(json);
        prop_assert_eq!(found.is_ok(), expected.is_ok(), "{:?} or {:?}", found, expected);
        prop_assert_eq!(found.ok(), expected.ok());
    }
}
