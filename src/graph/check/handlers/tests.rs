//! Inputs against the types of the handlers they go into and come from.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::Wanted;
use crate::graph::check::{CheckLimits, check};
use crate::graph::document::Document;
use crate::graph::problem::Problems;
use crate::node::{Arity, Context, Emit, FieldType, Handler, NodeError, Schema};
use crate::value::Value;

fn schema() -> Schema {
    use FieldType::{Bool, Integer, Object, String};
    let types =
        [("i", Integer), ("s", String), ("b", Bool), ("o", Object), ("n", Integer.or_null())];
    Schema::fields(types)
}

/// `make` returns one field of each type, `take` wants them, `any` does as it likes.
fn handler(name: &str) -> Option<Arc<Handler>> {
    let nothing = |_: Value, _: Context| async { Ok::<_, NodeError>(Emit::nothing()) };
    let schemas = match name {
        "make" => (Schema::fields([] as [(&str, FieldType); 0]), schema()),
        "take" => (schema(), Schema::any()),
        "any" => (Schema::any(), Schema::any()),
        _ => return None,
    };
    Some(Arc::new(Handler::dynamic(name, schemas, Arity::One, nothing)))
}

/// What is wrong with a graph in which `take` follows `make`, with some inputs in place of fitting ones.
fn problems(changed: &Json, unites: &Json) -> Problems {
    let mut inputs = json!({ "i": 1, "s": "", "b": true, "o": {}, "n": null });
    inputs.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    let nodes = json!([
        { "identifier": "make", "node_name": "make", "next_nodes": ["any"] },
        { "identifier": "any", "node_name": "any", "next_nodes": ["take"] },
        { "identifier": "take", "node_name": "take", "inputs": inputs, "unites": unites },
    ]);
    let document = json!({ "name": "g", "nodes": nodes });
    let document = Document::from_json(&document.to_string()).unwrap();
    let lookup = |wanted: Wanted<'_>| handler(wanted.name);
    let refused = check(&document, &CheckLimits::default(), Some(&lookup)).err();
    refused.unwrap_or_default().problems
}

fn check_inputs(changed: &Json, unites: &Json, expected: &[&str]) {
    let found = problems(changed, unites);
    let told = found.iter().map(|problem| format!("{}:{}", problem.kind, problem.detail));
    assert_eq!(told.collect::<Vec<_>>(), expected, "{found}");
}

fn check_alone(changed: Json, expected: &[&str]) {
    check_inputs(&changed, &Json::Null, expected);
}

#[test]
fn constants_must_fit() {
    check_alone(json!({ "n": 7, "s": [1, true] }), &[]);
    check_alone(
        json!({ "i": "1", "s": null, "b": 0, "o": [], "n": "x" }),
        &["b", "i", "n", "o", "s"]
            .map(|field| format!("input_type_mismatch:{field}"))
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn what_is_read_must_be_able_to_fit() {
    check_alone(json!({ "i": "${{make.outputs.n}}", "s": "${{make.outputs.o}}" }), &[]);
    check_alone(json!({ "o": "${{make.outputs}}", "b": "${{any.outputs.x.y}}" }), &[]);
    check_alone(json!({ "i": "${{make.outputs.b}}" }), &["input_type_mismatch:i"]);
    check_alone(json!({ "i": "${{make.outputs.i}}!" }), &["input_type_mismatch:i"]);
    check_alone(json!({ "b": ["${{make.outputs.b}}"] }), &["input_type_mismatch:b"]);
    check_alone(json!({ "i": { "x": "${{make.outputs.i}}" } }), &["input_type_mismatch:i"]);
}

#[test]
fn what_is_read_must_be_returned() {
    check_alone(json!({ "s": "${{make.outputs.o.deep}} ${{any.outputs.whatever}}" }), &[]);
    check_alone(json!({ "s": "${{make.outputs.x}}" }), &["output_field_unknown:x"]);
    check_alone(json!({ "s": "${{make.outputs.i.x}}" }), &["output_field_unknown:i.x"]);
    check_alone(json!({ "extra": 1 }), &["input_unknown:extra"]);
}

#[test]
fn a_field_that_is_not_there_is_told_with_those_that_are() {
    let told = problems(&json!({ "s": "${{make.outputs.x}}", "extra": 1 }), &Json::Null);
    let messages: Vec<_> = told.iter().map(|problem| problem.message.as_str()).collect();
    let unknown = "the handler does not know the input `extra`, but `b`, `i`, `n`, `o`, `s`";
    let unread = "`make` does not return `x`, but `b`, `i`, `n`, `o`, `s`";
    assert_eq!(messages, [unknown, unread]);
}

#[test]
fn a_merger_may_read_arrays() {
    let unites = json!({ "identifier": "make" });
    check_inputs(&json!({ "i": "${{make.outputs.b}}" }), &unites, &[]);
    check_inputs(&json!({ "i": true }), &unites, &["input_type_mismatch:i"]);
}

#[test]
fn a_handler_is_looked_up_once_and_is_the_one_that_was_checked() {
    let document = json!({ "name": "g", "nodes": [{ "identifier": "a", "node_name": "any" }] });
    let document = Document::from_json(&document.to_string()).unwrap();
    let given = RefCell::new(Vec::new());
    let lookup = |wanted: Wanted<'_>| {
        let handler = handler(wanted.name).unwrap();
        given.borrow_mut().push(handler.clone());
        Some(handler)
    };
    let checked = check(&document, &CheckLimits::default(), Some(&lookup)).unwrap();
    let given = given.borrow();
    assert_eq!(given.len(), 1);
    assert!(Arc::ptr_eq(&given[0], checked.nodes[0].handler.as_ref().unwrap()));
}
