//! What publishing knows of handlers: their types, their secrets, their names.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use hotgraph::{
    CatalogError, Context, Document, Emit, FieldType, Fields, Graph, GraphBuilder, Handler,
    NodeError, NodeSpec, ProblemKind, PublishError, RetryPolicy, RetryStrategy, Runtime, Value,
    VersionError,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

async fn runtime(handlers: impl IntoIterator<Item = Handler>) -> Runtime {
    let builder = handlers.into_iter().fold(Runtime::builder(), |all, one| all.handler(one));
    builder.build().await.unwrap()
}

fn pass() -> Handler {
    Handler::one("pass", |input: Number| async move { Ok(input) })
}

#[tokio::test(start_paused = true)]
async fn an_output_has_the_fields_that_are_written() {
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Renamed {
        #[serde(rename(serialize = "out", deserialize = "in"))]
        field: u64,
    }
    let rename = |input: Renamed| async move { Ok(input) };
    let runtime = runtime([Handler::one("rename", rename), pass()]).await;
    let graph = |read: &str| {
        Document::builder("g")
            .node(NodeSpec::new("rename").input("in", 3).next("pass"))
            .node(NodeSpec::new("pass").input("n", format!("${{{{rename.outputs.{read}}}}}")))
    };
    runtime.publish_and_promote(graph("out").build()).await.unwrap();
    let outcome = runtime.start("g", Value::Null).await.unwrap().await;
    assert_eq!(outcome.output::<Number>().unwrap().n, 3);
    let error = runtime.publish(graph("in").build()).await.unwrap_err();
    let PublishError::Invalid { problems, .. } = error else { panic!("{error}") };
    assert!(problems.has(ProblemKind::OutputFieldUnknown), "{problems}");
}

#[tokio::test]
async fn a_handler_without_fields_is_refused() {
    let input = || Handler::one("takes", |n: u64| async move { Ok(Number { n }) });
    let output = || Handler::many("gives", |_: ()| async { Ok(Emit::one(vec![1])) });
    let runtime = runtime([]).await;
    let refused = runtime.register(input()).unwrap_err();
    let (handler, found) = ("default/takes".to_owned(), FieldType::Integer);
    assert_eq!(refused, CatalogError::InputWithoutFields { handler, found });
    let refused = runtime.register(output()).unwrap_err();
    let (handler, found) = ("default/gives".to_owned(), FieldType::array(FieldType::Integer));
    assert_eq!(refused, CatalogError::OutputWithoutFields { handler, found });
    for handler in [input(), output()] {
        let graph = Graph::from(Document::builder("g").node(NodeSpec::new("a")).build());
        let error = runtime.publish(graph.bind("a", handler)).await.unwrap_err();
        let PublishError::Invalid { problems, .. } = error else { panic!("{error}") };
        assert!(problems.has(ProblemKind::HandlerWithoutFields), "{problems}");
    }
}

#[tokio::test]
async fn a_bound_handler_stands_in_for_a_sub_graph() {
    let child = NodeSpec::new("child").subgraph("nobody").input("n", 3);
    let graph = Graph::from(Document::builder("g").node(child).build()).bind("child", pass());
    let runtime = runtime([]).await;
    runtime.publish_and_promote(graph).await.unwrap();
    let outcome = runtime.start("g", Value::Null).await.unwrap().await;
    assert_eq!(outcome.output::<Number>().unwrap().n, 3);
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let runtime = runtime([pass()]).await;
    let check = async |graph: GraphBuilder, expected: &str| {
        let refused = runtime.publish(graph.build()).await.unwrap_err().to_string();
        let problems = refused.split_once('\n').unwrap().1;
        assert_eq!(problems, expected);
    };
    let node = || NodeSpec::new("pass");
    check(
        Document::builder("team/g").node(node().input("n", 1)),
        "node `pass`: no handler `pass` is registered in the namespace `team`; `default` has one, \
         for a node of that `namespace` (node_not_registered)",
    )
    .await;
    check(
        Document::builder("g").node(node().input("n", true)),
        "node `pass`: the value true cannot go into `n`, which takes integer (input_type_mismatch)",
    )
    .await;
}

#[tokio::test]
async fn a_refusal_tells_the_warnings_too() {
    let runtime = runtime([pass()]).await;
    let text = r#"{"name": "g", "nodes": [{"identifier": "pass", "node_name": "pass",
        "input": {"n": 1}}]}"#;
    let refused = runtime.publish(Document::from_json(text).unwrap()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "graph `default/g` is not valid:\n\
         node `pass`: the handler needs the input `n` (input_missing)\n\
         warning: node `pass`: `input` means nothing here (field_unknown)"
    );
    let PublishError::Invalid { warnings, .. } = refused else { panic!("{refused}") };
    assert!(warnings.has(ProblemKind::FieldUnknown), "{warnings}");
}

/// Which of the secrets `a`, `b` and `c` a handler can read.
fn reader() -> Handler {
    let read = |_: (), ctx: Context| async move {
        let read = ["a", "b", "c"].into_iter().filter(|name| ctx.secret(name).is_some());
        Ok(Fields::from_iter([("read".into(), Value::from(read.collect::<String>()))]))
    };
    Handler::one("reader", read)
}

fn secretive() -> GraphBuilder {
    Document::builder("g").node(NodeSpec::new("reader")).secret("a", "1").secret("b", "2")
}

async fn read(runtime: &Runtime) -> String {
    let outcome = runtime.start("g", Value::Null).await.unwrap().await;
    outcome.output::<BTreeMap<String, String>>().unwrap()["read"].clone()
}

#[tokio::test]
async fn a_handler_reads_the_secrets_it_declared_and_no_others() {
    let cases = [
        (reader(), ""),
        (reader().secrets(["a"]), "a"),
        (reader().secrets(["a"]).secrets(["b", "c"]), "bc"),
    ];
    for (handler, expected) in cases {
        let runtime = runtime([handler]).await;
        runtime.publish_and_promote(secretive().secret("c", "3").build()).await.unwrap();
        assert_eq!(read(&runtime).await, expected);
    }
}

#[tokio::test]
async fn a_publish_that_was_dropped_under_way_has_its_secrets() {
    let runtime = runtime([reader().secrets(["a"])]).await;
    drop(runtime.publish_and_promote(secretive().build()));
    assert!(runtime.versions("g").list().is_empty());
    {
        let publish = runtime.publish_and_promote(secretive().build()).into_future();
        assert!(publish.now_or_never().is_none());
    }
    while runtime.versions("g").list().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(read(&runtime).await, "a");
}

/// A runtime, and the graph with a value of the secret that its handler returns.
async fn telling() -> (Runtime, impl Fn(&str) -> Document) {
    let tell = |_: (), ctx: Context| async move {
        let told = ctx.secret("a").unwrap_or_default().to_owned();
        Ok(Fields::from_iter([("read".into(), Value::from(told))]))
    };
    let runtime = runtime([Handler::one("teller", tell).secrets(["a"])]).await;
    let graph = |secret: &str| {
        Document::builder("g").node(NodeSpec::new("teller")).secret("a", secret).build()
    };
    runtime.publish_and_promote(graph("old")).await.unwrap();
    (runtime, graph)
}

#[tokio::test]
async fn a_publish_of_the_same_graph_brings_its_secrets() {
    let (runtime, graph) = telling().await;
    let revision = runtime.routing().revision;
    assert!(!runtime.publish(graph("new")).await.unwrap().created);
    assert_eq!((read(&runtime).await.as_str(), runtime.routing().revision), ("new", revision));
}

#[tokio::test]
async fn a_refused_publish_takes_back_no_secrets_of_another() {
    let (runtime, graph) = telling().await;
    let refused = runtime.publish(graph("bad")).if_revision(99).into_future();
    let (refused, accepted) = tokio::join!(refused, runtime.publish(graph("new")).into_future());
    assert!(refused.is_err() && accepted.is_ok());
    assert_eq!(read(&runtime).await, "new");
}

#[tokio::test]
async fn a_publish_that_was_dropped_and_refused_leaves_no_secrets() {
    let (runtime, graph) = telling().await;
    let records = runtime.audit(&Default::default()).len();
    {
        let refused = runtime.publish(graph("bad")).if_revision(99).into_future();
        assert!(refused.now_or_never().is_none());
    }
    while runtime.audit(&Default::default()).len() == records {
        tokio::task::yield_now().await;
    }
    assert_eq!(read(&runtime).await, "old");
}

#[tokio::test]
async fn no_record_of_a_publish_tells_its_secrets() {
    let (runtime, graph) = telling().await;
    let publish = runtime.publish(graph("hush")).by("ann");
    assert!(!format!("{publish:?}").contains("hush"));
    publish.await.unwrap();
    let told = format!(
        "{:?}{:?}{:?}{runtime:?}",
        runtime.audit(&Default::default()),
        runtime.routing(),
        runtime.versions("g").list()
    );
    assert!(told.contains("ann") && !told.contains("hush"), "{told}");
}

#[tokio::test]
async fn a_publish_after_a_shutdown_is_refused() {
    let runtime = runtime([pass()]).await;
    let report = runtime.shutdown(Duration::ZERO).await;
    assert!(report.cancelled.is_empty());
    let graph = Document::builder("g").node(NodeSpec::new("pass").input("n", 1));
    let error = runtime.publish(graph.build()).await.unwrap_err();
    assert!(matches!(error, PublishError::Version(VersionError::Stopped)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_draws_other_numbers_than_its_retries() {
    const LONGEST: u64 = 1_000_000;
    let times = Arc::new(Mutex::new(Vec::new()));
    let drawn = Arc::new(AtomicU64::new(0));
    let (noted, kept) = (times.clone(), drawn.clone());
    let fails_once = move |_: (), ctx: Context| {
        noted.lock().unwrap().push(tokio::time::Instant::now());
        let first = ctx.attempt() == 0;
        if first {
            kept.store(ctx.rng().up_to(LONGEST), Ordering::Relaxed);
        }
        async move { if first { Err(NodeError::new("first")) } else { Ok(()) } }
    };
    let runtime = runtime([Handler::one("fails_once", fails_once)]).await;
    let delay = Duration::from_millis(LONGEST);
    let strategy = RetryStrategy::FixedFullJitter;
    let policy = RetryPolicy { strategy, ..RetryPolicy::fixed(1, delay) };
    let graph = Document::builder("g").node(NodeSpec::new("fails_once").retry(policy));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    runtime.start("g", Value::Null).await.unwrap().await;
    let times = times.lock().unwrap();
    let delay = u64::try_from((times[1] - times[0]).as_millis()).unwrap();
    assert!(delay.abs_diff(drawn.load(Ordering::Relaxed)) > 1, "{delay} ms");
}
