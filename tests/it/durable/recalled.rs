//! A handler that is called again for its resumable stream: its turn, its time, its retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hotgraph::{
    Context, Document, Durability, Emit, Handler, MemoryJournal, NodeError, NodeSpec, RetryPolicy,
    RunStatus, Runtime, RuntimeBuilder, Signal, Value,
};

use super::resumable::{Emitted, Number, graph_of, interrupted_in, numbers, process, resumed};

/// The rest of ten numbers, after two waits of a second.
async fn slowly(ctx: Context) -> Emitted {
    ctx.sleep(Duration::from_secs(1)).await;
    ctx.sleep(Duration::from_secs(1)).await;
    Ok(numbers(ctx.cursor::<u64>()?.map_or(0, |last| last + 1), 10))
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_while_the_run_is_paused() {
    let graph = graph_of(NodeSpec::new("rows").timeout(Duration::from_secs(10)));
    let journal = interrupted_in(graph, Durability::EveryState).await;
    let runtime = process(&journal, slowly).build().await.unwrap();
    let run = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    run.pause();
    tokio::time::sleep(Duration::from_secs(60)).await;
    run.resume();
    assert_eq!(run.outcome().await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_node_covers_all_calls() {
    let graph = graph_of(NodeSpec::new("rows").total_timeout(Duration::from_secs(25)));
    let journal = interrupted_in(graph, Durability::EveryState).await;
    let calls = Arc::new(AtomicU64::new(0));
    let counted = calls.clone();
    let rows = move |_: Context| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Err(Signal::RequeueAfter(Duration::from_secs(10)).into()) }
    };
    let outcome = resumed(process(&journal, rows)).await;
    let failures: Vec<_> = outcome.failures.iter().map(|failure| &*failure.error).collect();
    assert_eq!(failures, ["the node ran out of time"]);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_retried_as_its_node_is() {
    for (fails, status) in [(3, RunStatus::Success), (4, RunStatus::Failed)] {
        let retries = RetryPolicy::fixed(3, Duration::from_secs(1));
        let graph = graph_of(NodeSpec::new("rows").retry(retries));
        let journal = interrupted_in(graph, Durability::EveryState).await;
        let calls = AtomicU64::new(0);
        let rows = move |ctx: Context| {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            async move {
                let cursor = ctx.cursor::<u64>()?;
                match call < fails {
                    true => Err(NodeError::new("the source is starting")),
                    false => Ok(numbers(cursor.map_or(0, |last| last + 1), 10)),
                }
            }
        };
        assert_eq!(resumed(process(&journal, rows)).await.status, status, "{fails}");
    }
}

/// A process whose `rows` are many resumable streams below a list; the second one goes on with them.
fn many(journal: &Arc<MemoryJournal>, outer: u64, second: bool) -> RuntimeBuilder {
    let rows = move |input: Number, ctx: Context| async move {
        let cursor = ctx.cursor::<u64>()?;
        ctx.sleep(Duration::from_secs(1)).await;
        if !second && input.n >= 8 {
            std::future::pending::<()>().await;
        }
        let last = if second { 10 } else { 5 };
        let there = (cursor.map_or(0, |last| last + 1)..last).map(|n| Ok((Number { n }, n)));
        Ok(Emit::resumable(match second {
            true => stream::iter(there).boxed(),
            false => stream::iter(there).chain(stream::pending()).boxed(),
        }))
    };
    let list = move |_: ()| async move { Ok(Emit::each((0..outer).map(|n| Number { n }))) };
    let add = |sum: &mut u64, one: Number| {
        *sum += one.n;
        Ok(())
    };
    Runtime::builder()
        .lanes(2)
        .journal(journal.clone())
        .handler(Handler::many("list", list))
        .handler(Handler::many("rows", rows))
        .handler(Handler::one("work", |input: Number| async move { Ok(input) }))
        .handler(Handler::fold("sum", || 0, add, |n| Ok(Number { n })))
}

#[tokio::test(start_paused = true)]
async fn calls_that_hold_all_permits_do_not_wait_for_those_that_wait_for_permits() {
    for (in_flight, outer) in [(1_u32, 3), (64, 200), (4_096, 6_000)] {
        let graph = Document::builder("g")
            .node(NodeSpec::new("list").next("rows"))
            .node(
                NodeSpec::new("rows").input("n", "${{list.outputs.n}}").concurrency(4).next("work"),
            )
            .node(NodeSpec::new("work").input("n", "${{rows.outputs.n}}").next("sum"))
            .node(NodeSpec::new("sum").input("n", "${{work.outputs.n}}").unites("list"));
        let mut graph = graph.build();
        graph.limits.in_flight = Some(in_flight.into());
        let journal = Arc::new(MemoryJournal::new());
        let runtime = many(&journal, outer, false).build().await.unwrap();
        runtime.publish_and_promote(graph).await.unwrap();
        drop(runtime.start("g", Value::Null).idempotency_key("once").await.unwrap());
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(runtime);
        let outcome = resumed(many(&journal, outer, true)).await;
        assert_eq!(outcome.output::<Number>().unwrap().n, 45 * outer, "{in_flight}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_inside_a_stream_are_not_drawn_further_ahead_than_there_is_room() {
    const WIDTH: u64 = 150;
    let (ahead, most) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let (drawn, highest) = (ahead.clone(), most.clone());
    // Outputs that were drawn at any level, less those whose branch began.
    let rows = move |_: Number, ctx: Context| {
        let (drawn, highest) = (drawn.clone(), highest.clone());
        drawn.fetch_sub(1, Ordering::Relaxed);
        async move {
            let first = ctx.cursor::<u64>()?.map_or(0, |last| last + 1);
            let count = move |n| {
                highest.fetch_max(drawn.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                Ok((Number { n }, n))
            };
            Ok(Emit::resumable(stream::iter((first..WIDTH).map(count))))
        }
    };
    let work = move |input: Number| {
        ahead.fetch_sub(1, Ordering::Relaxed);
        async move { Ok(input) }
    };
    let runtime = Runtime::builder()
        .lanes(2)
        .journal(Arc::new(MemoryJournal::new()))
        .handler(Handler::many("rows", rows))
        .handler(Handler::one("work", work));
    let runtime = runtime.build().await.unwrap();
    let row = |name: &str, n: Value| NodeSpec::new(name).handler("rows").input("n", n);
    let graph = Document::builder("g")
        .node(row("outer", 1.into()).next("inner"))
        .node(row("inner", "${{outer.outputs.n}}".into()).next("work"))
        .node(NodeSpec::new("work").input("n", "${{inner.outputs.n}}"));
    let mut graph = graph.build();
    graph.limits.in_flight = Some(16.into());
    runtime.publish_and_promote(graph).await.unwrap();
    let outcome = runtime.start("g", Value::Null).run().await.unwrap();
    assert_eq!(outcome.outputs["work"].as_array().unwrap().len() as u64, WIDTH * WIDTH);
    // Each of two lanes may have seen room for the same outputs, and has taken some.
    let most = most.load(Ordering::Relaxed);
    assert!((1..=64).contains(&most), "{most}");
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

#[tokio::test(start_paused = true)]
async fn what_it_returns_in_place_of_a_stream_may_panic_when_it_is_dropped() {
    let graph = graph_of(NodeSpec::new("rows"));
    let journal = interrupted_in(graph, Durability::EveryState).await;
    let rows = |_: Context| async {
        let bomb = Bomb;
        Ok(Emit::each((0..3).map(move |n| {
            let _held = &bomb;
            Number { n }
        })))
    };
    let outcome = resumed(process(&journal, rows)).await;
    assert_eq!((outcome.status, &outcome.stopped), (RunStatus::Failed, &None));
    assert!(outcome.failures[0].error.contains("outputs without cursors"), "{outcome:?}");
}
