//! Documents made in code, and documents drawn.

use std::time::Duration;

use super::{Document, GraphBuilder, Mark, NodeSpec, ProblemKind, RetryPolicy};
use crate::value::Value;

fn analyse() -> GraphBuilder {
    Document::builder("reports/analyse")
        .node(NodeSpec::new("list").handler("list_files").next("measure").next("check"))
        .node(
            NodeSpec::new("measure")
                .input("path", "${{list.outputs.path}}")
                .next_when("table", "${{measure.outputs.size}} > 0"),
        )
        .node(NodeSpec::new("check").subgraph("tools/lint").version(3))
        .node(
            NodeSpec::new("table")
                .unites("list")
                .all_done()
                .tolerate()
                .input("rows", Value::from(vec!["${{measure.outputs}}"]))
                .timeout(Duration::from_secs(1))
                .total_timeout(Duration::from_secs(9))
                .concurrency(2)
                .retry(RetryPolicy::none()),
        )
}

#[test]
fn a_built_document_means_what_its_text_means() {
    let text = r#"{
        "name": "analyse", "namespace": "reports",
        "nodes": [
            {"identifier": "list", "node_name": "list_files", "next_nodes": ["measure", "check"]},
            {"identifier": "measure", "node_name": "measure",
             "inputs": {"path": "${{list.outputs.path}}"},
             "next_nodes": [{"when": "${{measure.outputs.size}} > 0", "to": "table"}]},
            {"identifier": "check", "graph": {"name": "lint", "namespace": "tools", "version": 3}},
            {"identifier": "table", "node_name": "table", "inputs": {"rows": ["${{measure.outputs}}"]},
             "unites": {"identifier": "list", "strategy": "ALL_DONE", "tolerate": true},
             "timeout": {"attempt_ms": 1000, "total_ms": 9000}, "concurrency": 2,
             "retry": {"max_retries": 0, "strategy": "EXPONENTIAL", "backoff_factor": 2000, "exponent": 2}}
        ],
        "retry_policy": {"max_retries": 1, "strategy": "FIXED", "backoff_factor": 5, "exponent": 2},
        "store_config": {"required_keys": ["k"], "default_values": {"d": 1}},
        "secrets": {"token": "hush"},
        "triggers": [{"type": "CRON", "value": {"expression": "0 9 * * 1-5"}}],
        "result": "table", "on_failure": "fail_fast", "timeout_ms": 60000,
        "limits": {"max_fanout": 1, "max_states": 2, "in_flight": 3}
    }"#;
    let built = analyse()
        .retry(RetryPolicy::fixed(1, Duration::from_millis(5)))
        .store_required("k")
        .store_default("d", 1)
        .secret("token", "hush")
        .cron("0 9 * * 1-5")
        .result("table")
        .fail_fast()
        .timeout(Duration::from_secs(60))
        .max_fanout(1)
        .max_states(2)
        .in_flight(3)
        .build();
    assert_eq!(built, Document::from_json(text).unwrap());
    let warnings = built.check().unwrap();
    assert!(warnings.iter().all(|warning| warning.kind == ProblemKind::TriggerInert), "{warnings}");
}

#[test]
fn a_document_is_drawn_in_mermaid() {
    let expected = "flowchart TD
    n0[\"list<br/>list_files\"]
    n1[\"measure\"]
    n2[\"check<br/>lint\"]
    n3[\"table\"]
    n0 --> n1
    n0 --> n2
    n1 -->|\"${{measure.outputs.size}} #62; 0\"| n3
    n0 -. unites .-> n3
";
    assert_eq!(analyse().build().to_mermaid(), expected);
}

#[test]
fn a_document_is_drawn_in_dot() {
    let expected = "digraph \"analyse\" {
    node [shape=box];
    n0 [label=\"list\\nlist_files\"];
    n1 [label=\"measure\"];
    n2 [label=\"check\\nlint\"];
    n3 [label=\"table\"];
    n0 -> n1;
    n0 -> n2;
    n1 -> n3 [label=\"${{measure.outputs.size}} > 0\"];
    n0 -> n3 [style=dashed, label=\"unites\"];
}
";
    assert_eq!(analyse().build().to_dot(), expected);
}

#[test]
fn marks_and_names_are_escaped() {
    let node = NodeSpec::new("a\"]\n<b>#\\|").handler("x").next("nowhere");
    let document = Document::builder("\"g\\").node(node).build();
    let mark = |_: &str| Some(Mark { label: "5 \"ok\"".into(), class: "done; evil".into() });
    let mermaid = document.to_mermaid_with(mark);
    let label = "a#34;] #60;b#62;#35;#92;#124;<br/>x<br/>5 #34;ok#34;";
    assert_eq!(mermaid, format!("flowchart TD\n    n0[\"{label}\"]:::doneevil\n"));
    let dot = document.to_dot_with(mark);
    let label = r#"a\"] <b>#\\|\nx\n5 \"ok\""#;
    let node = format!("    n0 [label=\"{label}\", class=\"doneevil\"];\n");
    assert_eq!(dot, format!("digraph \"\\\"g\\\\\" {{\n    node [shape=box];\n{node}}}\n"));
}

#[test]
fn a_time_below_a_millisecond_is_one_millisecond() {
    let short = Duration::from_micros(500);
    let node = NodeSpec::new("a").timeout(short).total_timeout(short);
    let graph = Document::builder("g").timeout(short).retry(RetryPolicy::fixed(1, short));
    let document = graph.node(node).build();
    document.check().unwrap();
    let timeout = document.nodes[0].timeout.clone().unwrap();
    let times = [document.timeout_ms, timeout.attempt_ms, timeout.total_ms];
    assert_eq!(times, [1, 1, 1].map(|one| Some(Value::from(one))));
}
