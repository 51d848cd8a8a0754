//! Documents as people write them, and as nobody should.

use super::{Document, DocumentError, EdgeDocument, MAX_DOCUMENT_BYTES, OnFailure, Secrets};
use crate::value::Value;

const FULL: &str = r#"{
    "name": "g", "namespace": "ns",
    "nodes": [
        {"node_name": "list", "namespace": "ns", "identifier": "a", "inputs": {"x": {"y": [1]}},
         "next_nodes": ["b", {"when": "${{a.outputs.ok}}", "to": "c"}], "timeout": 500,
         "concurrency": 2, "retry": {"max_retries": 0}},
        {"identifier": "b", "graph": {"name": "sub", "label": "stable"}, "next_nodes": null},
        {"node_name": "merge", "identifier": "c", "inputs": null, "comment": "hello",
         "timeout": {"attempt_ms": 1, "total_ms": 2},
         "unites": {"identifier": "a", "strategy": "ALL_DONE", "tolerate": true}}
    ],
    "retry_policy": {"strategy": "FIXED", "max_delay": null},
    "store_config": {"required_keys": ["k"], "default_values": {" d ": 1, "d": null}},
    "secrets": {"token": "hush"},
    "triggers": [{"type": "CRON", "value": {"expression": "* * * * *"}}],
    "result": "c", "on_failure": "fail_fast", "limits": {"max_fanout": 10}, "timeout_ms": 1000
}"#;

#[test]
fn every_part_of_a_document_is_read() {
    let document = Document::from_json(FULL).unwrap();
    let [a, b, c] = &*document.nodes else { panic!("three nodes") };
    assert_eq!(a.next_nodes[0], EdgeDocument::from("b"));
    assert_eq!(a.next_nodes[1].when.as_deref(), Some("${{a.outputs.ok}}"));
    assert_eq!(a.timeout.as_ref().unwrap().attempt_ms, Some(Value::Int(500)));
    assert_eq!(b.graph.as_ref().unwrap().label.as_deref(), Some("stable"));
    assert!(b.node_name.is_none() && b.next_nodes.is_empty());
    assert!(c.unites.as_ref().unwrap().tolerate);
    assert_eq!(c.unknown["comment"], Value::from("hello"));
    assert_eq!(document.store_config.default_values.0.len(), 2);
    assert_eq!(document.on_failure, OnFailure::FailFast);
    assert_eq!(document.limits.max_fanout, Some(Value::Int(10)));
}

#[test]
fn a_document_is_written_as_it_was_read() {
    let document = Document::from_json(FULL).unwrap();
    assert_eq!(Document::from_json(&document.to_json()).unwrap(), document);
}

#[test]
fn null_is_as_good_as_missing() {
    let text = r#"{"name": "g", "namespace": null, "nodes": null, "retry_policy": null, "limits": null,
        "store_config": null, "secrets": null, "triggers": null, "on_failure": null}"#;
    let document = Document::from_json(text).unwrap();
    assert_eq!(document, Document::from_json(r#"{"name": "g"}"#).unwrap());
}

#[test]
fn secrets_do_not_show() {
    let document =
        Document::from_json(r#"{"secrets": {"token": "hush", "number": 4711}}"#).unwrap();
    assert_eq!(document.secrets.get("number"), Some("4711"));
    let text = format!("{document:?}");
    assert!(text.contains("token") && !text.contains("hush") && !text.contains("4711"), "{text}");
    assert_eq!(format!("{:?}", Secrets::default()), "{}");
}

fn check_malformed(text: &str, expected: (u64, u64)) {
    let error = Document::from_json(text).unwrap_err();
    let DocumentError::Malformed { line, column, .. } = error else { panic!("{error}") };
    assert_eq!((line, column), expected, "{error}");
}

#[test]
fn what_has_not_the_shape_of_a_document_is_refused_with_its_place() {
    check_malformed("", (1, 0));
    check_malformed("{\n \"nodes\": 1}", (2, 11));
    check_malformed("{\"nodes\": [\n{\"next_nodes\": [1]}]}", (2, 17));
    check_malformed("{\"name\": \"g\",}", (1, 14));
    check_malformed("{\"on_failure\": \"panic\"}", (1, 22));
    check_malformed(&"[".repeat(1_000_000), (1, 0));
    let nested = format!("{{\"nodes\": [{{\"inputs\": {{\"x\": {}", "[".repeat(1_000_000));
    let error = Document::from_json(&nested).unwrap_err();
    assert!(error.to_string().contains("recursion limit"), "{error}");
}

#[test]
fn a_text_that_is_too_long_is_not_parsed() {
    let expected = |bytes| DocumentError::TooLarge { bytes, limit: MAX_DOCUMENT_BYTES };
    let text = "x".repeat(100_000_000);
    assert_eq!(Document::from_json(&text), Err(expected(100_000_000)));
    let text = " ".repeat(MAX_DOCUMENT_BYTES - 2) + "{}";
    assert!(Document::from_json(&text).is_ok());
}

#[cfg(feature = "yaml")]
mod yaml {
    use super::{Document, DocumentError, FULL};

    #[test]
    fn yaml_means_the_same_as_json() {
        let text = r#"
name: g
namespace: ns
nodes:
  - node_name: list
    namespace: ns
    identifier: a
    inputs: {x: {y: [1]}}
    next_nodes:
      - b
      - when: ${{a.outputs.ok}}
        to: c
    timeout: 500
    concurrency: 2
    retry: {max_retries: 0}
  - identifier: b
    graph: {name: sub, label: stable}
    next_nodes: null
  - node_name: merge
    identifier: c
    inputs: ~
    comment: hello
    timeout: {attempt_ms: 1, total_ms: 2}
    unites: {identifier: a, strategy: ALL_DONE, tolerate: true}
retry_policy: {strategy: FIXED, max_delay: null}
store_config: {required_keys: [k], default_values: {" d ": 1, d: null}}
secrets: {token: hush}
triggers: [{type: CRON, value: {expression: "* * * * *"}}]
result: c
on_failure: fail_fast
limits: {max_fanout: 10}
timeout_ms: 1000
"#;
        assert_eq!(Document::from_yaml(text).unwrap(), Document::from_json(FULL).unwrap());
        assert_eq!(Document::from_yaml(FULL).unwrap(), Document::from_json(FULL).unwrap());
    }

    #[test]
    fn malformed_yaml_is_refused_with_its_place() {
        let error = Document::from_yaml("name: g\nnodes: 3\nsecrets: {token: hush}").unwrap_err();
        let DocumentError::Malformed { line, .. } = &error else { panic!("{error}") };
        assert_eq!(*line, 2, "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    #[test]
    fn yaml_bombs_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(Document::from_yaml(&bomb).is_err());
        assert!(Document::from_yaml(&"[".repeat(1_000_000)).is_err());
        assert!(Document::from_yaml(&"- ".repeat(1_000_000)).is_err());
    }
}
