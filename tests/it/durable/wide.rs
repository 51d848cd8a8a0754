//! Fanouts of many branches, on several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream;
use hotgraph::{
    Context, Document, Durability, Emit, Handler, MemoryJournal, NodeSpec, RunStatus, Runtime,
    Value,
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
    let rows = |input: Number, ctx: Context| async move {
        let first = ctx.cursor::<u64>()?.map_or(0, |last| last + 1);
        Ok(Emit::resumable(stream::iter((first..input.n).map(|n| Ok((Number { n }, n))))))
    };
    let add = |sum: &mut Number, one: Number| {
        sum.n += one.n;
        Ok(())
    };
    let runtime = Runtime::builder()
        .lanes(3)
        .handler(Handler::many("list", list))
        .handler(Handler::many("rows", rows))
        .handler(Handler::one("work", |input: Number| async move { Ok(input) }))
        .handler(Handler::fold("sum", || Number { n: 0 }, add, Ok))
        .journal(Arc::new(MemoryJournal::new()))
        .build()
        .await
        .unwrap();
    for source in ["list", "rows"] {
        let graph = Document::builder(source)
            .node(NodeSpec::new("list").handler(source).input("n", 1).next("work"))
            .node(NodeSpec::new("work").input("n", "${{list.outputs.n}}").next("sum"))
            .node(NodeSpec::new("sum").input("n", "${{work.outputs.n}}").unites("list"));
        runtime.publish_and_promote(graph.build()).await.unwrap();
    }
    let levels = [Durability::OnFanoutAndUnites, Durability::EveryState];
    for (source, level) in ["list", "rows"].into_iter().flat_map(|s| levels.map(|l| (s, l))) {
        for _ in 0..5 {
            let start = runtime.start(source, Value::object([("n", 10_000)])).durability(level);
            let run = start.await.unwrap();
            let ended = tokio::time::timeout(Duration::from_secs(60), run.outcome()).await;
            let outcome =
                ended.unwrap_or_else(|_| panic!("{source} {level:?} hangs: {:?}", run.status()));
            assert_eq!(outcome.status, RunStatus::Success);
            assert_eq!(outcome.output::<Number>().unwrap().n, 49_995_000);
        }
    }
}

#[tokio::test]
async fn others_have_their_turn_while_a_long_list_is_kept() {
    let turns = Arc::new(AtomicU64::new(0));
    let counted = turns.clone();
    // Each output says how often the other task had its turn.
    let list = move |_: ()| {
        let turns = counted.clone();
        let output = move |_| Number { n: turns.load(Ordering::Relaxed) };
        async move { Ok(Emit::each((0..20_000).map(output))) }
    };
    let journal = Arc::new(MemoryJournal::new());
    let builder = Runtime::builder().durability(Durability::OnFanoutAndUnites).journal(journal);
    let runtime = builder.handler(Handler::many("list", list)).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("list"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let other = tokio::spawn(async move {
        loop {
            turns.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let outcome = runtime.start("g", Value::Null).await.unwrap().await;
    other.abort();
    let outputs = outcome.output::<Vec<Number>>().unwrap();
    assert!(outputs[0].n < outputs[19_999].n, "nobody else had a turn");
}
