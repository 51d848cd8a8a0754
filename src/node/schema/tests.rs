//! Types against the fields that publishing reads out of them.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FieldType, Schema};
use crate::value::Value;

#[derive(JsonSchema, Serialize, Deserialize)]
struct Inner {
    deep: i32,
}

/// A description that must not matter.
#[derive(JsonSchema, Serialize, Deserialize)]
struct Plain {
    /// A path.
    path: String,
    size: Option<u64>,
    #[serde(default)]
    ratio: f64,
    tags: Vec<String>,
    inner: Inner,
    anything: Value,
    title: Option<Inner>,
    renamed: Kind,
}

#[derive(JsonSchema, Serialize, Deserialize)]
enum Kind {
    Small,
    /// Documented variants become `oneOf`.
    Large,
}

#[derive(JsonSchema, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { both: i64, only_a: String },
    B { both: String },
}

#[derive(JsonSchema, Serialize, Deserialize)]
struct Flat {
    own: bool,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(JsonSchema, Serialize, Deserialize)]
struct Catching {
    own: bool,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[derive(JsonSchema, Serialize, Deserialize)]
struct Tree {
    children: Vec<Tree>,
    forest: Vec<Vec<Tree>>,
}

fn check(schema: &Schema, expected: &str) {
    let fields = schema.names().map(|name| {
        let required = schema.required().any(|required| required == name);
        let mark = if required { "" } else { "?" };
        format!("{name}{mark}: {}", schema.field(name).unwrap())
    });
    let mut text = fields.collect::<Vec<_>>();
    if schema.is_open() {
        text.push("..".to_owned());
    }
    assert_eq!(text.join(", "), expected);
}

#[test]
fn a_struct_declares_its_fields() {
    let expected = "anything: any, inner: object, path: string, ratio?: number, renamed: string, \
                    size?: null or integer, tags: array of (string), title?: null or object";
    check(&Schema::of::<Plain>(), expected);
}

#[test]
fn other_types_declare_what_is_known() {
    check(&Schema::of::<()>(), "");
    check(&Schema::of::<Vec<i32>>(), "");
    check(&Schema::of::<String>(), "");
    check(&Schema::of::<Value>(), "..");
    check(&Schema::of::<crate::value::Fields>(), "..");
    check(&Schema::of::<serde_json::Value>(), "..");
    check(&Schema::of::<HashMap<String, i32>>(), "..");
    check(&Schema::of::<serde_json::Map<String, serde_json::Value>>(), "..");
    check(&Schema::of::<Box<Inner>>(), "deep: integer");
    check(&Schema::of::<Option<Inner>>(), "deep: integer");
    check(&Schema::of::<Flat>(), "deep: integer, own: boolean");
    check(&Schema::of::<Catching>(), "own: boolean, ..");
    check(
        &Schema::of::<Tree>(),
        "children: array of (object), forest: array of (array of (object))",
    );
    check(&Schema::of::<Kind>(), "");
    check(&Schema::of::<Tagged>(), "both: integer or string, kind: string, only_a?: string");
    check(&Schema::any(), "..");
    check(&Schema::fields([("b", FieldType::Any), ("a", FieldType::Bool)]), "a: boolean, b: any");
}

#[test]
fn a_type_has_fields_or_is_a_unit() {
    #[derive(JsonSchema)]
    struct Unit;
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only schemars reads these fields")]
    enum Mixed {
        Small,
        Large { size: u64 },
    }
    let with_fields = [
        Schema::of::<()>(),
        Schema::of::<Unit>(),
        Schema::of::<Plain>(),
        Schema::of::<Tagged>(),
        Schema::of::<Mixed>(),
        Schema::of::<Flat>(),
        Schema::of::<Tree>(),
        Schema::of::<Option<Inner>>(),
        Schema::of::<Result<Inner, String>>(),
        Schema::of::<HashMap<String, i32>>(),
        Schema::of::<Value>(),
        Schema::any(),
        Schema::fields([("a", FieldType::Bool)]),
    ];
    for schema in with_fields {
        assert_eq!(schema.fieldless(), None, "{schema:?}");
    }
    for (schema, expected) in [
        (Schema::of::<u64>(), "integer"),
        (Schema::of::<String>(), "string"),
        (Schema::of::<Kind>(), "string"),
        (Schema::of::<Vec<Inner>>(), "array of (object)"),
        (Schema::of::<(u8, u8)>(), "array of (any)"),
        (Schema::of::<Option<u64>>(), "null or integer"),
    ] {
        assert_eq!(schema.fieldless().unwrap().to_string(), expected);
    }
}

#[test]
fn null_is_allowed_where_the_type_has_it() {
    let schema = Schema::of::<Plain>();
    for (field, expected) in
        [("path", false), ("size", true), ("ratio", false), ("anything", true), ("absent", false)]
    {
        assert_eq!(schema.allows_null(field), expected, "{field}");
    }
    assert!(Schema::any().allows_null("absent"));
}

#[test]
fn the_canonical_form_ignores_words_and_order() {
    mod other {
        use schemars::JsonSchema;

        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only schemars reads these fields")]
        struct Within {
            deep: i32,
        }

        /// Other words.
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only schemars reads these fields")]
        pub(super) struct Renamed {
            inner: Within,
            own: bool,
        }
    }
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only schemars reads these fields")]
    struct Original {
        own: bool,
        inner: Inner,
    }
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only schemars reads these fields")]
    struct Changed {
        own: bool,
        inner: Flat,
    }
    let original = Schema::of::<Original>();
    assert_eq!(original.canonical(), Schema::of::<other::Renamed>().canonical());
    assert_ne!(original.canonical(), Schema::of::<Changed>().canonical());
    let text = Schema::of::<Plain>().canonical().to_json();
    assert!(!text.contains("description") && text.contains("\"title\""), "{text}");
}

#[test]
fn outputs_are_described_as_they_are_written() {
    #[derive(JsonSchema, Serialize, Deserialize)]
    struct Both {
        #[serde(rename(serialize = "out", deserialize = "in"))]
        field: i32,
    }
    check(&Schema::of::<Both>(), "in: integer");
    check(&Schema::of_output::<Both>(), "out: integer");
}

#[test]
fn fits_says_no_only_when_nothing_can_fit() {
    use FieldType::{Any, Array, Bool, Integer, Null, Number, Object, String};
    let strings = || Array(Box::new(String));
    let integers = || FieldType::array(Integer);
    for (from, to, expected) in [
        (Any, Integer, true),
        (Object, Any, true),
        (Integer, Number, true),
        (Number, Integer, true),
        (Integer, String, true),
        (integers(), String, true),
        (Null, String, false),
        (Null, String.or_null(), true),
        (Object, String.or_null(), true),
        (String, Integer, false),
        (Bool, Number, false),
        (integers(), integers(), true),
        (integers(), strings(), false),
        (integers(), Integer, false),
        (Integer.or_null(), Integer, true),
        (Integer.or_null(), Bool.or_null(), true),
        (FieldType::union([Bool, Object]), Integer, false),
        (FieldType::union([]), Integer, false),
    ] {
        assert_eq!(from.fits(&to), expected, "{from} into {to}");
    }
}

#[test]
fn accepts_looks_at_the_value() {
    use FieldType::{Integer, Number, Object, String};
    for (kind, value, expected) in [
        (Integer, "1", true),
        (Integer, "1.5", false),
        (Number, "1", true),
        (Number, "\"1\"", false),
        (String, "[1]", true),
        (String, "null", false),
        (Object, "{}", true),
        (FieldType::array(Integer), "[]", true),
        (FieldType::array(Integer), "[1, \"a\"]", false),
        (FieldType::array(String), "[1]", false),
        (Integer.or_null(), "null", true),
    ] {
        let value = Value::from_json(value).unwrap();
        assert_eq!(kind.accepts(&value), expected, "{value} into {kind}");
    }
}
