//! Conditions against one set of values.

use super::{BoundCondition, Condition};
use crate::graph::expression::{Lookup, Reference, Seen};
use crate::id::NodeIndex;
use crate::value::Value;

struct Values(Value, Vec<Value>);

impl Lookup for Values {
    fn node(&self, node: NodeIndex) -> Option<Seen<'_>> {
        match node.0 {
            0 => Some(Seen::One(&self.0)),
            1 => Some(Seen::Many(&self.1)),
            _ => None,
        }
    }

    fn store(&self, key: &str) -> Option<Value> {
        (key == "k").then(|| "v".into())
    }
}

fn bind(text: &str) -> BoundCondition {
    let names = ["a", "many"];
    let condition = Condition::parse(text).unwrap();
    condition.bind(&mut |name| {
        NodeIndex(names.iter().position(|known| *known == name).unwrap_or(9) as u32)
    })
}

fn check(text: &str, expected: bool) {
    let outputs = r#"{"n": 3, "f": 3.0, "s": "b", "no": false, "zero": 0.0, "empty": "", "null": null,
        "list": [1], "none": [], "object": {"x": {"y": 1}}}"#;
    let many = vec![Value::object([("v", 1)]), Value::object([("v", 2)])];
    let values = Values(Value::from_json(outputs).unwrap(), many);
    assert_eq!(bind(text).holds(&values), expected, "{text}");
}

#[test]
fn one_operand_is_taken_for_its_truth() {
    for (operand, expected) in [
        ("true", true),
        ("null", false),
        ("\"\"", false),
        (" [0] ", true),
        ("{}", false),
        ("-1", true),
        ("${{a.outputs.n}}", true),
        ("${{ a.outputs.no }}", false),
        ("${{a.outputs.zero}}", false),
        ("${{a.outputs.empty}}", false),
        ("${{a.outputs.null}}", false),
        ("${{a.outputs.list}}", true),
        ("${{a.outputs.none}}", false),
        ("${{a.outputs.object.x.y}}", true),
        ("${{a.outputs}}", true),
        ("${{a.outputs.absent}}", false),
        ("${{ghost.outputs.absent}}", false),
        ("${{store.k}}", true),
        ("${{store.absent}}", false),
        ("${{many.outputs.v}}", true),
        ("${{many.outputs.absent}}", false),
    ] {
        check(operand, expected);
    }
}

#[test]
fn two_operands_are_compared() {
    for (text, expected) in [
        ("${{a.outputs.n}}==3", true),
        ("${{a.outputs.n}} == ${{a.outputs.f}}", true),
        ("3 != 3.0", false),
        ("1<2", true),
        ("2 <= 2", true),
        ("2>= 2.5", false),
        ("18446744073709551615 > 9223372036854775807", true),
        ("${{a.outputs.s}} > \"a\"", true),
        ("\"==\" == \"==\"", true),
        ("${{a.outputs.s}} == 3", false),
        ("${{a.outputs.s}} < 3", false),
        ("${{a.outputs.s}} >= 3", false),
        ("${{a.outputs.absent}} == null", true),
        ("${{a.outputs.absent}} < 1", false),
        ("null <= null", false),
        ("true > false", false),
        ("[1] == [1]", true),
        ("${{many.outputs.v}} == [1, 2]", true),
        ("{\"a\": 1} != {\"a\": 1}", false),
    ] {
        check(text, expected);
    }
}

#[test]
fn what_is_no_condition_is_refused_with_its_place() {
    for (text, position) in [
        ("", 0),
        ("  ", 2),
        ("done", 0),
        ("${{a.outputs.n", 0),
        ("${{a.outputs.n == ${{b.outputs.n}}", 0),
        ("1 == ${{a.inputs.n}}", 5),
        ("1 = 1", 2),
        ("1 ==", 4),
        ("1 == 1 == 1", 7),
        ("${{a.outputs.n}} and true", 17),
        ("\"open", 0),
        ("1 == done", 5),
    ] {
        let error = Condition::parse(text).unwrap_err();
        assert_eq!(error.position, position, "{text}: {error}");
    }
}

#[test]
fn references_are_what_the_placeholders_read() {
    let condition = Condition::parse("${{a.outputs.x.y}} < ${{store.k}}").unwrap();
    let references: Vec<_> = condition.references().collect();
    let expected =
        [Reference::Node { node: "a", field: Some("x.y") }, Reference::Store { key: "k" }];
    assert_eq!(references, expected);
}
