//! Fanouts of many branches, on several threads.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Durability, Emit, Handler, MemoryJournal, NodeSpec, RunStatus, Runtime, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wide_fanout_goes_on_record_while_others_wait_for_commits() {
    let list = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let add = |sum: &mut Number, one: Number| {
        sum.n += one.n;
        Ok(())
    };
    let runtime = Runtime::builder()
        .lanes(3)
        .handler(Handler::many("list", list))
        .handler(Handler::one("work", |input: Number| async move { Ok(input) }))
        .handler(Handler::fold("sum", || Number { n: 0 }, add, Ok))
        .journal(Arc::new(MemoryJournal::new()))
        .build()
        .await
        .unwrap();
    let graph = Document::builder("g")
        .node(NodeSpec::new("list").input("n", 1).next("work"))
        .node(NodeSpec::new("work").input("n", "${{list.outputs.n}}").next("sum"))
        .node(NodeSpec::new("sum").input("n", "${{work.outputs.n}}").unites("list"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    for level in [Durability::OnFanoutAndUnites, Durability::EveryState] {
        for _ in 0..5 {
            let start = runtime.start("g", Value::object([("n", 10_000)])).durability(level);
            let run = start.await.unwrap();
            let ended = tokio::time::timeout(Duration::from_secs(60), run.outcome()).await;
            let outcome = ended.unwrap_or_else(|_| panic!("{level:?} hangs: {:?}", run.status()));
            assert_eq!(outcome.status, RunStatus::Success);
            assert_eq!(outcome.output::<Number>().unwrap().n, 49_995_000);
        }
    }
}
