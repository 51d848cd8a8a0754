//! Documents against the problems they have; the fixtures cover most kinds beside these.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::cron::check_cron;
use super::{CheckLimits, Checked, check};
use crate::graph::document::{Document, EdgeDocument, NodeDocument};
use crate::graph::problem::{Problem, ProblemKind, Problems};
use crate::value::Value;

fn judge(document: &Json) -> Result<Checked, Problems> {
    let document = Document::from_json(&document.to_string()).unwrap();
    judge_document(&document)
}

fn judge_document(document: &Document) -> Result<Checked, Problems> {
    check(document, &CheckLimits::default(), None).map_err(|refused| refused.problems)
}

fn write(problem: &Problem) -> String {
    let node = problem.node.as_ref().map(|node| format!("@{node}")).unwrap_or_default();
    let detail = if problem.detail.is_empty() { "" } else { ":" };
    format!("{}{node}{detail}{}", problem.kind, problem.detail)
}

/// Checks the problems of a document with these nodes and these other parts.
fn check_parts(nodes: Json, parts: &Json, expected: &[&str]) {
    let mut document = json!({ "name": "g", "nodes": nodes });
    let parts = parts.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(parts);
    let found = judge(&document).err().unwrap_or_default();
    assert_eq!(found.iter().map(write).collect::<Vec<_>>(), expected, "{document}\n{found}");
}

fn check_nodes(nodes: Json, expected: &[&str]) {
    check_parts(nodes, &json!({}), expected);
}

/// A node whose handler is called like itself.
fn node(identifier: &str, parts: Json) -> Json {
    let mut node = json!({ "node_name": identifier, "identifier": identifier });
    node.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    node
}

#[test]
fn what_is_missing_or_blank_is_told() {
    check_nodes(
        json!([{}]),
        &["field_missing:identifier", "field_missing:node_name", "root_count:0"],
    );
    check_nodes(json!([{ "identifier": "a" }]), &["field_missing@a:node_name"]);
    check_nodes(json!([node("a", json!({ "namespace": " " }))]), &["graph_namespace_empty@a"]);
    check_nodes(json!([]), &["root_count:0"]);
    check_nodes(json!([node("store", json!({}))]), &["identifier_reserved@store:store"]);
    let edges = json!([{ "when": "true" }, "", "b", " b "]);
    let expected =
        ["field_missing@a:next_nodes.to", "next_node_duplicate@a:b", "next_node_empty@a"];
    check_nodes(
        json!([node("a", json!({ "next_nodes": edges })), node("b", json!({}))]),
        &expected,
    );
    let unnamed = judge(&json!({ "nodes": [node("a", json!({}))] })).unwrap_err();
    assert_eq!(unnamed.iter().map(write).collect::<Vec<_>>(), ["field_missing:name"]);
}

/// Checks the whole text of what is wrong with a document of these nodes.
fn check_text(nodes: Json, expected: &str) {
    let problems = judge(&json!({ "name": "g", "nodes": nodes })).unwrap_err();
    assert_eq!(problems.to_string(), expected);
}

#[test]
fn a_message_says_what_is_the_case() {
    check_text(json!([]), "the graph has no nodes (root_count)");
    let unites = node("a", json!({ "unites": { "strategy": "ALL_DONE" } }));
    check_text(json!([unites]), "node `a`: `unites.identifier` is missing (field_missing)");
    let next = |to: &str| json!({ "next_nodes": [to] });
    check_text(
        json!([node("a", next("b")), node("b", next("a"))]),
        "every node comes after another one (root_count)\n\
         node `a`: these nodes lead back to themselves: a, b (cycle)",
    );
    check_text(
        json!([node("a", json!({ "inputs": { "x": "${{aa.outputs.x}}" } }))]),
        "node `a`: `${{aa.outputs.x}}` reads `aa`, and there is no such node (input_not_ancestor)",
    );
    let unnamed = judge(&json!({ "nodes": [node("a", json!({}))] })).unwrap_err();
    let expected = "`name` is missing; `Document::named` gives a template its name (field_missing)";
    assert_eq!(unnamed.to_string(), expected);
}

#[test]
fn structures_that_cannot_run_are_told() {
    let next = |to: &str| json!({ "next_nodes": [to] });
    let unites = |of: &str| json!({ "unites": { "identifier": of } });
    check_nodes(json!([node("a", json!({})), node("b", json!({}))]), &["root_count:2"]);
    check_nodes(
        json!([node("a", next("b")), node("b", next("c")), node("c", next("b"))]),
        &["cycle@b:b, c"],
    );
    check_nodes(
        json!([node("a", json!({})), node("b", next("c")), node("c", next("b"))]),
        &["cycle@b:b, c", "disconnected@b:b", "disconnected@c:c"],
    );
    check_nodes(json!([node("a", json!({})), node("m", unites("x"))]), &["unites_unknown@m:x"]);
    let strategy = json!({ "unites": { "identifier": "a", "strategy": "ANY" } });
    check_nodes(
        json!([node("a", json!({})), node("m", strategy)]),
        &["unites_strategy_unknown@m:ANY"],
    );
    check_nodes(
        json!([node("a", json!({})), node("m", json!({ "unites": {} }))]),
        &["field_missing@m:unites.identifier"],
    );
    check_nodes(
        json!([node("a", next("b")), node("b", json!({})), node("b", next("a"))]),
        &["root_count:0", "cycle@a:a, b", "identifier_duplicate@b:b"],
    );
    check_parts(json!([node("a", json!({}))]), &json!({ "result": "b" }), &["result_unknown:b"]);
}

#[test]
fn expressions_and_conditions_are_judged() {
    let graph = |inputs: Json, when: &str| {
        json!([
            node("a", json!({ "next_nodes": [{ "when": when, "to": "b" }, "c"] })),
            node("b", json!({ "inputs": inputs })),
            node("c", json!({})),
        ])
    };
    check_nodes(graph(json!({ "x": ["${{a.outputs.v}}", 1] }), "${{a.outputs.v}} > 1"), &[]);
    check_nodes(
        graph(json!({ "x": { "y": "${{a." } }), "${{a.outputs.v"),
        &["condition_invalid@a:b", "input_syntax@b:x"],
    );
    check_nodes(
        graph(json!({ "x": "${{c.outputs.v}} ${{c.outputs.w}}", "y": "${{b.outputs}}" }), "true"),
        &["input_not_ancestor@b:b", "input_not_ancestor@b:c", "input_not_ancestor@b:c"],
    );
    check_nodes(
        graph(json!({}), "${{b.outputs.v}} == ${{store.k}}"),
        &["input_not_ancestor@a:b", "store_key_undeclared@a:k"],
    );
}

#[test]
fn numbers_out_of_range_are_told() {
    let retry = json!({ "max_retries": -1, "backoff_factor": 0, "exponent": 0.5, "max_delay": "1",
        "strategy": "NONE" });
    let expected = [
        "retry_backoff_not_positive@a:backoff_factor",
        "retry_exponent_not_positive@a:exponent",
        "retry_max_delay_not_positive@a:max_delay",
        "retry_max_retries_negative@a:max_retries",
        "retry_strategy_unknown@a:NONE",
    ];
    check_nodes(json!([node("a", json!({ "retry": retry }))]), &expected);
    let expected = expected.map(|problem| problem.replace("@a", ""));
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    check_parts(json!([node("a", json!({}))]), &json!({ "retry_policy": retry }), &expected);
    let times = json!({ "timeout": { "attempt_ms": 0, "total_ms": true }, "concurrency": 0 });
    check_nodes(
        json!([node("a", times)]),
        &[
            "concurrency_invalid@a:concurrency",
            "timeout_invalid@a:attempt_ms",
            "timeout_invalid@a:total_ms",
        ],
    );
    let limits = json!({ "limits": { "max_fanout": 0, "max_states": -1, "in_flight": [] },
        "timeout_ms": 1.5 });
    check_parts(
        json!([node("a", json!({}))]),
        &limits,
        &[
            "limit_invalid:in_flight",
            "limit_invalid:max_fanout",
            "limit_invalid:max_states",
            "timeout_invalid:timeout_ms",
        ],
    );
}

#[test]
fn sub_graphs_and_triggers_are_judged() {
    let graph = |graph: Json| json!([{ "identifier": "a", "graph": graph }]);
    check_nodes(graph(json!({ "name": "g" })), &[]);
    check_nodes(graph(json!({ "name": "g", "version": 1.0 })), &[]);
    check_nodes(graph(json!({})), &["field_missing@a:graph.name"]);
    check_nodes(graph(json!({ "name": " " })), &["subgraph_invalid@a"]);
    check_nodes(graph(json!({ "name": "g", "version": 0 })), &["subgraph_invalid@a:version"]);
    let both = json!({ "name": "g", "version": 1, "label": "l" });
    check_nodes(graph(both), &["subgraph_invalid@a:label"]);
    let both = node("a", json!({ "graph": { "name": "g" } }));
    check_nodes(json!([both]), &["subgraph_invalid@a:a"]);
    let triggers = json!([{}, { "type": "CRON" }, { "type": "CRON", "value": { "expression": 1 } },
        { "type": "CRON", "value": { "expression": "0 0 * * * *" } },
        { "type": "CRON", "value": { "expression": "1,,2 * * * *" } }]);
    check_parts(
        json!([node("a", json!({}))]),
        &json!({ "triggers": triggers }),
        &[
            "cron_invalid",
            "cron_invalid:0 0 * * * *",
            "cron_invalid:1,,2 * * * *",
            "field_missing:expression",
            "field_missing:type",
        ],
    );
}

#[test]
fn a_cron_expression_is_what_croniter_takes_for_one() {
    let valid = [
        "5/15 * * * *",
        "0 22-6 * * *",
        "0 0 * * fri-MON",
        "*,7 * * * *",
        "50-10/7 * * * *",
        "*/60 * * * *",
        "0 0 L * *",
        "0 0 ? * mon#1",
        "@midnight",
        "@Daily",
    ];
    let invalid =
        ["60/5 * * * *", "5/0 * * * *", "1-2-3 * * * *", "-5 * * * *", "*-* * * * *", "@", ""];
    let taken = |expression: &&str| check_cron(expression).is_ok();
    assert_eq!(valid.iter().find(|it| !taken(it)), None);
    assert_eq!(invalid.iter().find(|it| taken(it)), None);
}

#[test]
fn keys_that_mean_nothing_are_warnings() {
    let parts = json!({ "colour": 1, "unites": { "identifier": "a", "tolerant": true } });
    let nodes = json!([
        node("a", json!({ "next_nodes": [{ "to": "b", "wehn": "false" }] })),
        node("b", parts)
    ]);
    let checked = judge(&json!({ "name": "g", "nodes": nodes, "extra": {} })).unwrap();
    let expected = [
        "field_unknown:extra",
        "field_unknown@a:next_nodes.wehn",
        "field_unknown@b:colour",
        "field_unknown@b:unites.tolerant",
    ];
    assert_eq!(checked.warnings.iter().map(write).collect::<Vec<_>>(), expected);
}

#[test]
fn a_trigger_is_a_warning_because_it_starts_no_run() {
    let triggers = json!([{ "type": "CRON", "value": { "expression": "0 9 * * 1-5" } }]);
    let document = json!({ "name": "g", "nodes": [node("a", json!({}))], "triggers": triggers });
    let warnings = judge(&document).unwrap().warnings;
    assert_eq!(warnings.iter().map(write).collect::<Vec<_>>(), ["trigger_inert:0 9 * * 1-5"]);
}

#[test]
fn the_canonical_document_means_the_same_and_holds_no_secret() {
    let nodes =
        json!([node("b", json!({ "timeout": 5 })), node("a", json!({ "next_nodes": ["b"] }))]);
    let document = json!({ "name": " g ", "nodes": nodes, "secrets": { "token": "hush" } });
    let canonical = judge(&document).unwrap().document;
    let text = canonical.to_json();
    assert!(text.contains("token") && !text.contains("hush"), "{text}");
    let mut given = canonical.clone();
    given.secrets.0.insert("token".into(), "other".into());
    let again = judge_document(&given).unwrap();
    assert_eq!(again.document, canonical);
}

/// A chain of so many nodes.
fn chain(length: usize) -> Document {
    let nodes = (0..length).map(|place| NodeDocument {
        identifier: Some(format!("n{place:07}")),
        node_name: Some("h".into()),
        next_nodes: (place + 1 < length)
            .then(|| EdgeDocument::from(&*format!("n{:07}", place + 1)))
            .into_iter()
            .collect(),
        ..NodeDocument::default()
    });
    Document { name: Some("g".into()), nodes: nodes.collect(), ..Document::default() }
}

/// Checks that a document is refused for its size alone, and soon.
fn check_hostile(document: &Document, detail: &str) {
    let start = Instant::now();
    let problems = judge_document(document).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(problems.len() < 4, "{problems}");
    let is_told =
        |problem: &Problem| problem.kind == ProblemKind::LimitExceeded && problem.detail == detail;
    assert!(problems.iter().any(is_told), "{problems}");
}

#[test]
fn hostile_documents_are_refused_soon() {
    check_hostile(&chain(1_000_000), "nodes");
    let mut document = chain(2);
    document.nodes[0].next_nodes = vec!["n0000001".into(); 1_000_000];
    check_hostile(&document, "edges");
    let mut document = chain(1);
    document.nodes[0].inputs.insert("x".into(), "x".repeat(100_000_000).into());
    check_hostile(&document, "bytes");
    let mut deep = Value::Null;
    for _ in 0..1000 {
        deep = Value::from(vec![deep]);
    }
    document.nodes[0].inputs.insert("x".into(), deep);
    check_hostile(&document, "nesting");
    document.nodes[0].inputs.insert("x".into(), "${{a.outputs}}".repeat(100_000).into());
    check_hostile(&document, "x");
}

#[test]
fn a_document_of_many_problems_tells_some_of_them() {
    let mut document = chain(1);
    let names = (0..90_000).map(|place| EdgeDocument::from(&*format!("x{place}")));
    document.nodes[0].next_nodes = names.collect();
    let problems = judge_document(&document).unwrap_err();
    assert_eq!(problems.len(), 10_001);
    assert!(problems.has(ProblemKind::LimitExceeded));
}

#[test]
fn the_largest_documents_are_checked_soon() {
    let start = Instant::now();
    let checked = judge_document(&chain(10_000)).unwrap();
    assert_eq!(checked.nodes.len(), 10_000);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Some graph of few nodes, valid or not: per node its next nodes, what it unites, what it reads.
fn documents() -> impl Strategy<Value = Document> {
    let names = || prop::sample::select(vec!["a", "b", "c", "d", "e", "ghost"]);
    let spec =
        (prop::collection::vec(names(), 0..3), prop::option::weighted(0.3, names()), names());
    prop::collection::vec((names(), spec), 1..6).prop_map(|nodes| {
        let mut document = chain(0);
        document.nodes = nodes.into_iter().enumerate().map(|(place, (name, (next, unites, reads)))| {
            let parts = json!({
                "identifier": if place % 4 == 3 { name } else { ["a", "b", "c", "d", "e"][place % 5] },
                "node_name": name,
                "next_nodes": next,
                "unites": unites.map(|united| json!({ "identifier": united })),
                "inputs": { "x": format!("${{{{{reads}.outputs.v}}}}") },
            });
            serde_json::from_value(parts).unwrap()
        }).collect();
        document
    })
}

/// What was found, without the order of next nodes.
fn summary(document: &Document) -> Result<String, Problems> {
    let checked = judge_document(document)?;
    let mut canonical = checked.document;
    canonical.nodes.iter_mut().for_each(|node| node.next_nodes.sort_by(|a, b| a.to.cmp(&b.to)));
    Ok(canonical.to_json())
}

proptest! {
    #[test]
    fn the_order_of_nodes_and_next_nodes_does_not_matter(
        (document, shuffled) in documents().prop_flat_map(|document| {
            let nodes = Just(document.nodes.clone()).prop_shuffle();
            (Just(document), nodes)
        }),
    ) {
        let mut other = document.clone();
        other.nodes = shuffled;
        other.nodes.iter_mut().for_each(|node| node.next_nodes.reverse());
        prop_assert_eq!(summary(&document), summary(&other));
    }

    #[test]
    fn a_valid_graph_is_in_topological_order(document in documents()) {
        if let Ok(checked) = judge_document(&document) {
            for (place, node) in checked.nodes.iter().enumerate() {
                prop_assert!(node.edges.iter().all(|(to, _)| to.at() > place));
                prop_assert!(node.unites.is_none_or(|(united, ..)| united.at() < place));
            }
        }
    }
}
