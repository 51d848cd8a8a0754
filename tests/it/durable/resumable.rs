//! Resumable streams: what a handler is told after a restart, and what becomes of what it returns.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use hotgraph::{
    Context, Document, Durability, Emit, Epoch, Handler, Journal, JournalFuture, MemoryJournal,
    NodeError, NodeSpec, Outcome, Run, RunQuery, RunStatus, Runtime, RuntimeBuilder, Signal,
    StateStatus, Stream, Value, Write,
};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::before::{Before, Hook};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Number {
    pub n: u64,
}

pub type Emitted = Result<Emit<Number>, NodeError>;

type Emitter = fn() -> Emit<Number>;

/// A process whose handler `rows` is that.
pub fn process<F: Future<Output = Emitted> + Send + 'static>(
    journal: &Arc<MemoryJournal>,
    rows: impl Fn(Context) -> F + Send + Sync + 'static,
) -> RuntimeBuilder {
    let work = |input: Number, ctx: Context| async move {
        ctx.sleep(Duration::from_secs(1)).await;
        Ok(input)
    };
    let add = |sum: &mut u64, one: Number| {
        *sum += one.n;
        Ok(())
    };
    Runtime::builder()
        .lanes(2)
        .journal(journal.clone())
        .handler(Handler::many("rows", move |_: (), ctx: Context| rows(ctx)))
        .handler(Handler::one("work", work))
        .handler(Handler::fold("sum", || 0, add, |n| Ok(Number { n })))
}

fn graph() -> Document {
    graph_of(NodeSpec::new("rows"))
}

pub fn graph_of(rows: NodeSpec) -> Document {
    Document::builder("g")
        .node(rows.next("work"))
        .node(NodeSpec::new("work").input("n", "${{rows.outputs.n}}").next("sum"))
        .node(NodeSpec::new("sum").input("n", "${{work.outputs.n}}").unites("rows").all_done())
        .build()
}

/// The numbers from one on to before another, each the cursor of itself.
pub fn numbers(from: u64, to: u64) -> Emit<Number> {
    Emit::resumable(stream::iter((from..to).map(|n| Ok((Number { n }, n)))))
}

/// The first five numbers; then there is nothing for ever.
fn five() -> Emit<Number> {
    let five = stream::iter((0..5).map(|n| Ok((Number { n }, n))));
    Emit::resumable(five.chain(stream::pending()))
}

/// Leaves a run of the graph in its journal whose first five outputs, and what follows, are there.
pub async fn interrupted_in(graph: Document, level: Durability) -> Arc<MemoryJournal> {
    let journal = Arc::new(MemoryJournal::new());
    let runtime = process(&journal, |_| async { Ok(five()) }).durability(level);
    let runtime = runtime.build().await.unwrap();
    runtime.publish_and_promote(graph).await.unwrap();
    drop(runtime.start("g", Value::Null).idempotency_key("once").await.unwrap());
    tokio::time::sleep(Duration::from_secs(60)).await;
    journal
}

async fn interrupted() -> Arc<MemoryJournal> {
    interrupted_in(graph(), Durability::EveryState).await
}

/// Goes on with a run, and waits for its end.
pub async fn resumed(builder: RuntimeBuilder) -> Arc<Outcome> {
    let runtime = builder.build().await.unwrap();
    assert_eq!(runtime.stranded(), []);
    let run = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(86_400), run.outcome()).await;
    let outcome = ended.unwrap_or_else(|_| panic!("it hangs: {:?}", run.status()));
    assert_eq!(runtime.live_runs(), 0);
    outcome
}

/// The records of the only run.
async fn records(journal: &MemoryJournal) -> Vec<Json> {
    let row = journal.runs(&RunQuery::default()).await.unwrap().remove(0);
    let records = journal.read(Stream::Run(row.run), 0, usize::MAX).await.unwrap();
    records.iter().map(|record| serde_json::from_slice(&record.body).unwrap()).collect()
}

/// A run that was interrupted fails, with the five outputs that were on record, as `rows` says.
async fn check_fails<F: Future<Output = Emitted> + Send + 'static>(
    rows: impl Fn(Context) -> F + Send + Sync + 'static,
    expected: &str,
) {
    let rows = Arc::new(rows);
    for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
        let (journal, rows) = (interrupted_in(graph(), level).await, rows.clone());
        let outcome = resumed(process(&journal, move |ctx| rows(ctx))).await;
        let failures: Vec<_> = outcome.failures.iter().map(|failure| &*failure.error).collect();
        assert_eq!((outcome.status, failures), (RunStatus::Failed, vec![expected]), "{level:?}");
        assert_eq!(outcome.output::<Number>().unwrap().n, 1 + 2 + 3 + 4, "{expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_handler_is_called_again_with_the_cursor_of_the_last_output_on_record() {
    let (journal, calls) = (interrupted().await, Arc::new(Mutex::new(Vec::new())));
    let told = calls.clone();
    let rows = move |ctx: Context| {
        let cursor = ctx.cursor::<u64>();
        told.lock().push((cursor.clone(), ctx.attempt(), ctx.idempotency_key()));
        async move { Ok(numbers(cursor?.map_or(0, |last| last + 1), 10)) }
    };
    let outcome = resumed(process(&journal, rows)).await;
    assert_eq!(outcome.status, RunStatus::Success);
    assert_eq!(outcome.output::<Number>().unwrap().n, 45);
    let entries = records(&journal).await;
    let of = entries.iter().find_map(|entry| entry.get("FannedOutResumable")).unwrap();
    let key = format!("{}-{:016x}", outcome.run, of["of"][0].as_u64().unwrap());
    assert_eq!(*calls.lock(), [(Ok(Some(4)), 0, key)]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_of_another_type_is_an_error_of_the_stream() {
    let rows = |ctx: Context| async move {
        let next = ctx.cursor::<String>()?.map_or(0, |last| last.len() as u64);
        Ok(numbers(next, 10))
    };
    let expected = "node `rows`: its cursor cannot be read as `alloc::string::String`: \
                    invalid type: integer `4`, expected a string";
    check_fails(rows, expected).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_go_on_behind_a_cursor_is_an_error_of_the_stream() {
    let kinds: [(Emitter, &str); 4] = [
        (|| Emit::each((0..10).map(|n| Number { n })), "outputs without cursors"),
        (|| Emit::stream(stream::empty()), "outputs without cursors"),
        (|| Emit::one(Number { n: 1 }), "at most one output"),
        (Emit::nothing, "at most one output"),
    ];
    for (emit, returned) in kinds {
        let expected = format!(
            "node `rows`: it was called to go on after 5 outputs of `Emit::resumable`, and returned {returned}"
        );
        check_fails(move |_| async move { Ok(emit()) }, &expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_when_it_is_called_again_fails_what_is_left() {
    check_fails(|_| async { Err(NodeError::new("gone")) }, "gone").await;
    check_fails(|_| async { panic!("oh") }, "panicked: oh").await;
    let prune = |_| async { Err(Signal::Prune(Value::from("why")).into()) };
    check_fails(prune, "pruned: \"why\"").await;
    let later = |ctx: Context| async move {
        ctx.sleep(Duration::from_secs(1)).await;
        panic!("later")
    };
    check_fails(later, "panicked: later").await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_or_panics_behind_its_cursor_fails_what_is_left() {
    let broken = |_| async {
        let broken = stream::iter([Err::<(Number, u64), _>(NodeError::new("broken"))]);
        Ok(Emit::resumable(broken))
    };
    check_fails(broken, "broken").await;
    let panics = |_| async {
        let panics = stream::iter([()]).map(|()| -> Result<(Number, u64), _> { panic!("oh") });
        Ok(Emit::resumable(panics))
    };
    check_fails(panics, "panicked: oh").await;
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_is_no_value_is_an_error_of_the_stream() {
    let journal = interrupted().await;
    let rows = |_| async {
        let no_value = std::collections::HashMap::from([((1, 2), 3)]);
        Ok(Emit::resumable(stream::iter([Ok((Number { n: 5 }, no_value))])))
    };
    let outcome = resumed(process(&journal, rows)).await;
    assert!(outcome.failures[0].error.starts_with("cursor: "), "{:?}", outcome.failures);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_ask_to_be_called_again_later() {
    let calls = Arc::new(AtomicU64::new(0));
    let told = calls.clone();
    let rows = move |ctx: Context| {
        let call = told.fetch_add(1, Ordering::Relaxed);
        async move {
            match call {
                0..3 => Err(Signal::RequeueAfter(Duration::from_secs(30)).into()),
                _ => Ok(numbers(ctx.cursor::<u64>()?.unwrap() + 1, 10)),
            }
        }
    };
    let outcome = resumed(process(&interrupted().await, rows)).await;
    assert_eq!(outcome.output::<Number>().unwrap().n, 45);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn a_call_behind_a_cursor_has_the_time_of_an_attempt() {
    let rows = NodeSpec::new("rows");
    let limits = [
        (rows.clone().timeout(Duration::from_secs(4)), "timed out after 4000 ms"),
        (rows.total_timeout(Duration::from_secs(4)).concurrency(1), "the node ran out of time"),
    ];
    for (rows, expected) in limits {
        let graph = graph_of(rows);
        let journal = interrupted_in(graph, Durability::EveryState).await;
        let rows = |_| -> BoxFuture<'static, Emitted> { Box::pin(std::future::pending()) };
        let outcome = resumed(process(&journal, rows)).await;
        let failures: Vec<_> = outcome.failures.iter().map(|failure| &*failure.error).collect();
        assert_eq!(failures, [expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_before_a_restart_count_against_the_limit() {
    let mut graph = graph();
    graph.limits.max_fanout = Some(8.into());
    let journal = interrupted_in(graph, Durability::EveryState).await;
    let endless = |_| async { Ok(numbers(5, u64::MAX)) };
    let outcome = resumed(process(&journal, endless)).await;
    assert_eq!(&*outcome.failures[0].error, "limit of 8 outputs exceeded");
    assert_eq!(outcome.output::<Number>().unwrap().n, (0..8).sum::<u64>());
}

#[tokio::test(start_paused = true)]
async fn a_run_is_cancelled_while_it_waits_behind_a_cursor() {
    let journal = interrupted().await;
    let rows = |_| -> BoxFuture<'static, Emitted> { Box::pin(std::future::pending()) };
    let runtime = process(&journal, rows).build().await.unwrap();
    let run = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    run.cancel();
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Cancelled);
    let nodes = run.status().nodes;
    drop(runtime);
    // It reads as it ended.
    let next = process(&journal, |_| async { Ok(five()) }).build().await.unwrap();
    let again = next.start("g", Value::Null).idempotency_key("once").await.unwrap();
    assert_eq!(again.outcome().await.outputs, outcome.outputs);
    assert_eq!(again.status().nodes, nodes);
}

/// A journal that takes a second for each commit.
#[derive(Debug, Default)]
struct Slow(MemoryJournal);

impl Hook for Slow {
    fn inner(&self) -> &dyn Journal {
        &self.0
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.0.commit(epoch, writes).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_branches_that_wait_to_be_on_record() {
    let none = Arc::new(MemoryJournal::new());
    let runtime = process(&none, |_| async { Ok(five()) });
    let runtime = runtime.journal(Arc::new(Before(Slow::default()))).build().await.unwrap();
    runtime.publish_and_promote(graph()).await.unwrap();
    let run = runtime.start("g", Value::Null).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    run.cancel();
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Cancelled);
    let works = BTreeMap::from([(StateStatus::Cancelled, 5)]);
    assert_eq!(run.status().nodes["work"], works);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_what_was_drawn_and_is_not_written_yet() {
    let (journal, slot) = (Arc::new(MemoryJournal::new()), Arc::new(OnceLock::<Run>::new()));
    let run = slot.clone();
    let rows = move |ctx: Context| {
        let run = run.clone();
        async move {
            ctx.sleep(Duration::from_secs(1)).await;
            let five = (0..5).map(move |n| {
                run.get().unwrap().cancel();
                Ok((Number { n }, n))
            });
            Ok(Emit::resumable(stream::iter(five).chain(stream::pending())))
        }
    };
    let runtime = process(&journal, rows).build().await.unwrap();
    runtime.publish_and_promote(graph()).await.unwrap();
    let run = runtime.start("g", Value::Null).await.unwrap();
    assert!(slot.set(run.clone()).is_ok());
    let ended = tokio::time::timeout(Duration::from_secs(2), run.outcome()).await;
    assert_eq!(ended.expect("not by force").status, RunStatus::Cancelled);
    let rows = BTreeMap::from([(StateStatus::Success, 5), (StateStatus::Cancelled, 1)]);
    let works = BTreeMap::from([(StateStatus::Cancelled, 5)]);
    assert_eq!((&run.status().nodes["rows"], &run.status().nodes["work"]), (&rows, &works));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_parked_goes_on_behind_its_cursor() {
    let rows = |ctx: Context| async move {
        Ok(match ctx.cursor::<u64>()? {
            None => five(),
            Some(last) => numbers(last + 1, 10),
        })
    };
    let journal = Arc::new(MemoryJournal::new());
    let runtime = process(&journal, rows).build().await.unwrap();
    runtime.publish_and_promote(graph()).await.unwrap();
    let run = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
    // Some branches have started, and none has ended.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(runtime.shutdown(Duration::ZERO).await.parked, [run.id()]);
    assert_eq!(resumed(process(&journal, rows)).await.output::<Number>().unwrap().n, 45);
}

#[tokio::test(start_paused = true)]
async fn a_process_without_the_handler_strands_the_run_until_one_has_it() {
    let journal = interrupted().await;
    let without = Runtime::builder().journal(journal.clone()).build().await.unwrap();
    assert_eq!(without.stranded().len(), 1);
    drop(without);
    let rows = |ctx: Context| async move { Ok(numbers(ctx.cursor::<u64>()?.unwrap() + 1, 10)) };
    assert_eq!(resumed(process(&journal, rows)).await.output::<Number>().unwrap().n, 45);
}

#[tokio::test(start_paused = true)]
async fn a_run_with_a_resumable_stream_can_be_seen_at_each_of_its_steps() {
    let journal = interrupted().await;
    let rows = |ctx: Context| async move { Ok(numbers(ctx.cursor::<u64>()?.unwrap() + 1, 10)) };
    let outcome = resumed(process(&journal, rows)).await;
    let runtime = process(&journal, |_| async { Ok(five()) }).build().await.unwrap();
    let storage = runtime.storage().unwrap();
    let steps = records(&journal).await.len() as u64;
    for step in 1..=steps {
        let seen = storage.load_at(outcome.run, step).await;
        seen.unwrap_or_else(|why| panic!("step {step}: {why:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_are_drawn_as_branches_finish_and_nothing_is_kept_whole() {
    const ALL: u64 = 1_000;
    for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
        let (given, ahead) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let journal = Arc::new(MemoryJournal::new());
        let source = given.clone();
        let rows = move |_| {
            let source = source.clone();
            let numbers = (0..ALL).map(move |n| {
                source.fetch_add(1, Ordering::Relaxed);
                Ok((Number { n }, n))
            });
            async move { Ok(Emit::resumable(stream::iter(numbers))) }
        };
        let most = ahead.clone();
        let work = move |input: Number, ctx: Context| {
            // How many were drawn when this branch starts.
            let drawn = given.load(Ordering::Relaxed);
            most.fetch_max(drawn.saturating_sub(input.n), Ordering::Relaxed);
            async move {
                ctx.sleep(Duration::from_secs(1)).await;
                Ok(input)
            }
        };
        let mut graph = graph();
        graph.limits.in_flight = Some(16.into());
        let runtime = process(&journal, rows).handler(Handler::one("work", work).version("2"));
        let runtime = runtime.durability(level).build().await.unwrap();
        runtime.publish_and_promote(graph).await.unwrap();
        let outcome = runtime.start("g", Value::Null).run().await.unwrap();
        assert_eq!(outcome.output::<Number>().unwrap().n, ALL * (ALL - 1) / 2);
        let ahead = ahead.load(Ordering::Relaxed);
        assert!(ahead <= 3 * 16, "{level:?}: {ahead} outputs were drawn ahead");
        assert!(records(&journal).await.iter().all(|entry| entry.get("Kept").is_none()));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_a_resumable_stream_is_a_stream() {
    let rows = |ctx: Context| async move {
        assert_eq!(ctx.cursor::<u64>(), Ok(None));
        Ok(numbers(0, 10))
    };
    let journal = Arc::new(MemoryJournal::new());
    let runtime = process(&journal, rows).durability(Durability::None).build().await.unwrap();
    runtime.publish_and_promote(graph()).await.unwrap();
    let outcome = runtime.start("g", Value::Null).run().await.unwrap();
    assert_eq!(outcome.output::<Number>().unwrap().n, 45);
    assert_eq!(journal.size().await.unwrap().runs, 0);
}
