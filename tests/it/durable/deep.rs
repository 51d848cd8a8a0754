//! Values nested deeper than a JSON parser goes by itself: what was acknowledged is read back.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Arity, Context, Document, Emit, Handler, MemoryJournal, NodeSpec, Runtime, Schema, Value,
};

/// As many levels as limits.md promises.
const LEVELS: usize = 500;

fn deep() -> Value {
    (1..LEVELS).fold(Value::from(Vec::<Value>::new()), |inner, _| vec![inner].into())
}

fn input() -> Value {
    Value::object([("v", deep().at("0").unwrap().clone())])
}

/// Two nodes that return their input, the second one after a minute.
async fn process(journal: &Arc<MemoryJournal>) -> Runtime {
    let any = || (Schema::any(), Schema::any());
    let echo = |input: Value, _: Context| async { Ok(Emit::one(input)) };
    let slow = |input: Value, ctx: Context| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(Emit::one(input))
    };
    let runtime = Runtime::builder()
        .journal(journal.clone())
        .handler(Handler::dynamic("echo", any(), Arity::One, echo))
        .handler(Handler::dynamic("slow", any(), Arity::One, slow))
        .build();
    let runtime = runtime.await.unwrap();
    let graph = Document::builder("g")
        .node(NodeSpec::new("echo").input("v", 0).next("slow"))
        .node(NodeSpec::new("slow").input("v", "${{echo.outputs.v}}"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    runtime
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_a_deep_input_output_and_store() {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).await;
    let run = first.start("g", input()).store("deep", deep()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(first.shutdown(Duration::ZERO).await.parked, [run.id()]);

    let second = process(&journal).await;
    assert!(second.stranded().is_empty(), "{:?}", second.stranded());
    let outcome = second.run(run.id()).unwrap().outcome().await;
    assert_eq!(outcome.outputs["slow"], input());
}

#[tokio::test(start_paused = true)]
async fn a_session_knows_a_deep_input_again() {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).await.session("s").graph("g");
    let given = first.next(input()).input_id("a").await.unwrap();
    let session = process(&journal).await.session("s");
    assert_eq!(session.next(input()).input_id("a").await.unwrap(), given);
}
