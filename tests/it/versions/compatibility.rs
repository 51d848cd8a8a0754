//! What differs between two versions, and what that means for callers and for runs.

use hotgraph::{
    Arity, Compatibility, Context, Document, Emit, FieldType, Graph, GraphBuilder, Handler,
    NodeDiff, NodeSpec, Runtime, Schema, Value, VersionError,
};

use super::{graph, numbered, promoted, runtime};

use Compatibility::{Breaking, Compatible, MinorChange, Unknown};

fn handler(name: &str, inputs: Schema, outputs: Schema, version: &str) -> Handler {
    let nothing = |_: Value, _: Context| async { Ok(Emit::nothing()) };
    Handler::dynamic(name, (inputs, outputs), Arity::One, nothing).version(version)
}

fn open(fields: &[(&str, FieldType)]) -> Schema {
    Schema::fields(fields.iter().map(|(name, kind)| (*name, kind.clone())))
}

/// `ask` takes `q` and returns `a`; `log` takes and returns anything.
async fn asking() -> Runtime {
    let text = ("q", FieldType::String);
    let answer = open(&[("a", FieldType::Integer)]);
    let more = open(&[("a", FieldType::Integer), ("b", FieldType::Integer)]);
    let other = open(&[("a", FieldType::String)]);
    let builder = Runtime::builder()
        .handler(handler("ask", open(std::slice::from_ref(&text)), answer.clone(), "1"))
        .handler(handler("ask_more", open(std::slice::from_ref(&text)), more, "1"))
        .handler(handler("ask_number", open(&[("q", FieldType::Integer)]), answer.clone(), "1"))
        .handler(handler("ask_any", open(&[("q", FieldType::Any)]), answer.clone(), "1"))
        .handler(handler("ask_again", open(std::slice::from_ref(&text)), answer.clone(), "2"))
        .handler(handler("ask_twice", open(&[text.clone(), ("r", FieldType::String)]), answer, "1"))
        .handler(handler("tell", open(&[text]), other, "1"))
        .handler(handler("log", Schema::any(), Schema::any(), "1"))
        .handler(handler("log_again", Schema::any(), Schema::any(), "2"));
    builder.build().await.unwrap()
}

fn ask(handler: &str) -> NodeSpec {
    let q: Value = if handler == "ask_number" { 1.into() } else { "?".into() };
    NodeSpec::new("ask").handler(handler).input("q", q)
}

fn of(nodes: impl IntoIterator<Item = NodeSpec>) -> GraphBuilder {
    nodes.into_iter().fold(Document::builder("g"), GraphBuilder::node)
}

/// Publishes both, and checks the levels of the second one for callers and for runs.
async fn check(from: GraphBuilder, to: GraphBuilder, callers: Compatibility, runs: Compatibility) {
    let runtime = asking().await;
    let from = runtime.publish_and_promote(from.build()).await.unwrap().version;
    let to = runtime.publish(to.build()).await.unwrap().version;
    let report = runtime.versions("g").assess(from, to).unwrap();
    assert_eq!((report.callers, report.runs), (callers, runs), "{report}");
    let manifest = runtime.versions("g").get(to).unwrap().manifest;
    let kept = manifest.compatibility.as_ref().map(|kept| (kept.callers, kept.runs));
    // The same version was published twice if nothing differs.
    assert_eq!(kept.unwrap_or((Compatible, Compatible)), (callers, runs));
}

#[tokio::test]
async fn levels_follow_from_the_interface() {
    let log = |handler: &str| NodeSpec::new("log").handler(handler);
    let twice = || ask("ask_twice").input("r", "!");
    let cases = [
        (of([ask("ask")]), of([ask("ask")]), Compatible, Compatible),
        (of([ask("ask")]), of([ask("ask")]).timeout(super::FOREVER), Compatible, Compatible),
        (of([ask("ask")]), of([ask("ask_again")]), Compatible, Compatible),
        (of([ask("ask")]), of([ask("ask_more")]), MinorChange, MinorChange),
        (of([ask("ask_more")]), of([ask("ask")]), Breaking, Breaking),
        (of([ask("ask")]), of([ask("tell")]), Breaking, Breaking),
        (of([ask("ask")]), of([ask("ask_number")]), Breaking, Breaking),
        (of([ask("ask")]), of([ask("ask_any")]), MinorChange, MinorChange),
        (of([ask("ask")]), of([twice()]), MinorChange, Breaking),
        (of([twice()]), of([ask("ask")]), Breaking, Breaking),
        (of([ask("log")]), of([ask("log_again")]), Unknown, Unknown),
        (of([ask("ask")]), of([ask("ask").next("log"), log("log")]), Breaking, MinorChange),
        (
            of([ask("ask").next("log"), log("log")]),
            of([ask("ask").next("log"), log("log_again")]),
            Unknown,
            Unknown,
        ),
        (
            of([ask("ask").next("log"), log("log")]).result("ask"),
            of([ask("ask")]),
            Compatible,
            Breaking,
        ),
        (of([ask("ask")]), of([ask("ask")]).store_required("k"), Breaking, Compatible),
        (of([ask("ask")]).store_required("k"), of([ask("ask")]), MinorChange, Compatible),
        (
            of([ask("ask")]),
            of([ask("ask")]).store_required("k").store_default("k", 1),
            Compatible,
            Compatible,
        ),
    ];
    for (from, to, callers, runs) in cases {
        check(from, to, callers, runs).await;
    }
}

#[tokio::test]
async fn an_opaque_handler_is_unknown_and_what_is_broken_is_broken_all_the_same() {
    let runtime = asking().await;
    let versions = runtime.versions("g");
    runtime.publish_and_promote(of([ask("ask")]).build()).await.unwrap();
    let bound = |nodes: GraphBuilder| {
        let answer = open(&[("a", FieldType::Integer)]);
        let inputs = open(&[("q", FieldType::String)]);
        Graph::from(nodes.build()).bind("ask", handler("ask", inputs, answer, "1"))
    };
    let same = runtime.publish(bound(of([ask("ask")]))).await.unwrap().version;
    let report = versions.assess(1, same).unwrap();
    assert_eq!((report.callers, report.runs), (Unknown, Unknown), "{report}");
    let keyed = runtime.publish(bound(of([ask("ask")]).store_required("k"))).await.unwrap().version;
    assert_eq!(versions.assess(1, keyed).unwrap().callers, Breaking);
}

#[tokio::test]
async fn a_verdict_of_a_person_stands_before_what_is_derived() {
    let runtime = asking().await;
    let versions = runtime.versions("g");
    runtime.publish_and_promote(of([ask("log")]).build()).await.unwrap();
    runtime.publish(of([ask("log_again")]).build()).await.unwrap();
    assert_eq!(versions.assess(1, 2).unwrap().callers, Unknown);
    versions.judge(1, 2, Breaking).by("ann").await.unwrap();
    let report = versions.assess(1, 2).unwrap();
    assert_eq!(report.callers, Breaking);
    assert_eq!(report.approved_by.unwrap().by.as_deref(), Some("ann"));
    // Published again, it is assessed again, and the verdict is what counts.
    runtime.publish(of([ask("log_again")]).build()).await.unwrap();
    assert_eq!(versions.assess(1, 2).unwrap().callers, Breaking);
    let unknown = versions.judge(1, 9, Breaking).await.unwrap_err();
    assert!(matches!(unknown, VersionError::UnknownVersion { .. }), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn a_report_counts_the_runs_where_something_was_found() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    let review = NodeSpec::new("review").handler("hold").input("n", "${{pass.outputs.n}}");
    let start = NodeSpec::new("pass").input("n", 1).next("review");
    runtime.publish_and_promote(of([start, review]).build()).await.unwrap();
    runtime.publish(numbered(1)).await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(runtime.start("g", Value::Null).await.unwrap());
    }
    while runs.iter().any(|run| run.status().of("review", hotgraph::StateStatus::Queued) == 0) {
        tokio::task::yield_now().await;
    }
    let report = versions.assess(1, 2).unwrap();
    assert_eq!(report.impact.get("review"), Some(&3), "{report}");
    assert_eq!(report.impact.len(), 1, "{report}");
    assert!(report.to_string().contains("3 runs are at `review`"), "{report}");
    runs.iter().for_each(hotgraph::Run::cancel);
}

#[tokio::test]
async fn a_diff_tells_fields_and_draws_nodes() {
    let runtime = asking().await;
    let versions = runtime.versions("g");
    let log = |name: &str| NodeSpec::new(name).handler("log");
    let from = of([ask("ask").next("old"), log("old")]);
    let to = of([ask("ask_more").input("q", "!").next("new"), log("new")]).store_required("k");
    runtime.publish_and_promote(from.build()).await.unwrap();
    runtime.publish(to.build()).await.unwrap();
    let diff = versions.diff(1, 2).unwrap();
    assert_eq!(diff.nodes["old"], NodeDiff::Removed);
    assert_eq!(diff.nodes["new"], NodeDiff::Added);
    let NodeDiff::Changed(fields) = &diff.nodes["ask"] else { panic!("{diff:?}") };
    let named: Vec<_> = fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(named, ["inputs.q", "next_nodes", "node_name"]);
    let text = diff.to_string();
    for line in ["- node `old`", "+ node `new`", "    inputs.q: \"?\" -> \"!\""] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("~ store_config.required_keys: [] -> [\"k\"]"), "{text}");
    let drawing = diff.to_mermaid();
    for line in ["old<br/>log<br/>removed\"]:::removed", "]:::added", "]:::changed"] {
        assert!(drawing.contains(line), "{drawing}");
    }
    assert_eq!(drawing.matches("-->").count(), 2, "the edge to a removed node too: {drawing}");
    assert!(versions.diff(2, 2).unwrap().is_empty());
}

#[tokio::test]
async fn a_diff_tells_that_a_handler_or_a_binding_is_another() {
    let runtime = runtime().await;
    let parent = Document::builder("p").node(NodeSpec::new("sub").subgraph("g")).build();
    for n in 1..=2 {
        runtime.publish_and_promote(numbered(n)).await.unwrap();
        runtime.publish(&parent).await.unwrap();
    }
    let diff = runtime.versions("p").diff(1, 2).unwrap().to_string();
    assert!(diff.contains("handler: \"default/g@v1 (") && diff.contains("@v2 ("), "{diff}");
    assert_eq!(runtime.versions("p").assess(1, 2).unwrap().callers, Unknown);
}

#[tokio::test]
async fn retired_versions_can_still_be_compared() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    versions.retire(1).await.unwrap();
    let diff = versions.diff(1, 2).unwrap();
    assert_eq!(diff.to_string(), "~ node `pass`\n    inputs.n: 1 -> 2\n");
    assert_eq!(versions.assess(1, 2).unwrap().callers, Compatible);
    runtime.publish(graph("h", 1).build()).await.unwrap();
    let unknown = versions.diff(1, 3).unwrap_err();
    assert!(matches!(unknown, VersionError::UnknownVersion { .. }), "{unknown}");
}
