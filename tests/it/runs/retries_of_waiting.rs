//! Retries by hand below mergers that wait for the merger of a fanout around their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, GraphBuilder, Handler, MemoryJournal, NodeError, NodeSpec,
    RetryPolicy, Run, RunStatus, Runtime, StateStatus,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::control::end_of;
use super::start;

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Number {
    n: usize,
}

/// How often each branch of the outer list still fails.
type Failures = Arc<[AtomicU64; 2]>;

fn spec(name: &str) -> NodeSpec {
    NodeSpec::new(name).retry(RetryPolicy::none())
}

/// Each `second` joins an inner list, and waits for the one `first` of the outer list.
fn waits() -> GraphBuilder {
    let number = |node: NodeSpec| node.input("n", "${{outer.outputs.n}}");
    Document::builder("g")
        .node(spec("outer").handler("list").next("inner").next("side"))
        .node(number(spec("side")))
        .node(spec("inner").handler("list").next("work"))
        .node(spec("work").handler("pass").next("first").next("second"))
        .node(spec("first").handler("pass").unites("outer").next("second"))
        .node(spec("second").handler("pass").unites("inner").next("last"))
        .node(spec("last").handler("pass"))
}

async fn open(journal: &Arc<MemoryJournal>, failures: &Failures) -> Runtime {
    let failures = failures.clone();
    let side = move |input: Number| {
        let left = &failures[input.n];
        let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        async move {
            if fails.is_ok() {
                Err(NodeError::new(format!("fails in {}", input.n)))
            } else {
                Ok(())
            }
        }
    };
    let is_first = AtomicBool::new(true);
    let late = move |input: Number, ctx: Context| {
        let fails = input.n == 1 && is_first.swap(false, Ordering::SeqCst);
        async move {
            ctx.sleep(Duration::from_secs(1)).await;
            if fails { Err(NodeError::new("late")) } else { Ok(()) }
        }
    };
    let list = |_: ()| async { Ok(Emit::each([0, 1].map(|n| Number { n }))) };
    let builder = Runtime::builder().journal(journal.clone()).handler(Handler::many("list", list));
    let builder = builder.handler(Handler::one("pass", |_: ()| async { Ok(()) }));
    let builder = builder.handler(Handler::one("late", late));
    builder.handler(Handler::one("side", side)).build().await.unwrap()
}

/// The states of the mergers and of what follows them: how many skipped, how many that succeeded.
fn mergers(run: &Run) -> [[u64; 2]; 3] {
    mergers_of(run, ["first", "second", "last"])
}

fn mergers_of(run: &Run, names: [&str; 3]) -> [[u64; 2]; 3] {
    let status = run.status();
    let of = |name| [StateStatus::Skipped, StateStatus::Success].map(|of| status.of(name, of));
    names.map(of)
}

const WAITING: [[u64; 2]; 3] = [[1, 0], [2, 0], [0, 0]];
const JOINED: [[u64; 2]; 3] = [[0, 1], [0, 2], [0, 2]];

/// Another process reads what this one has.
async fn is_read_as_it_stands(journal: &Arc<MemoryJournal>, runtime: Runtime, run: &Run) {
    let ended = end_of(run).await;
    drop(runtime);
    let next = open(journal, &Failures::default()).await;
    let read = next.storage().unwrap().load(run.id()).await.unwrap();
    assert_eq!((&*read.outcome().await, read.status()), (&*ended, run.status()));
}

async fn failed(failures: [u64; 2]) -> (Arc<MemoryJournal>, Runtime, Run) {
    let (journal, failures) = (Arc::default(), Arc::new(failures.map(AtomicU64::new)));
    let runtime = open(&journal, &failures).await;
    let run = start(&runtime, waits()).await;
    assert_eq!(end_of(&run).await.status, RunStatus::Failed);
    assert_eq!(mergers(&run), WAITING);
    (journal, runtime, run)
}

#[tokio::test(start_paused = true)]
async fn a_merger_waits_again_for_one_around_its_fanout_whose_branch_is_retried() {
    for failures in [[1, 0], [0, 1], [1, 1]] {
        let (journal, runtime, run) = failed(failures).await;
        run.retry_failed("again").await.unwrap();
        let outcome = end_of(&run).await;
        assert_eq!(outcome.status, RunStatus::Success, "{failures:?}: {outcome:?}");
        assert_eq!((mergers(&run), &*outcome.skipped), (JOINED, &[][..]), "{failures:?}");
        is_read_as_it_stands(&journal, runtime, &run).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_stays_skipped_while_another_branch_prevents_the_one_that_it_waits_for() {
    // Each is retried by itself, and one fails again before the other is retried.
    let (journal, runtime, run) = failed([2, 1]).await;
    for (id, fails) in [("first", 0), ("second", 1), ("third", 0)] {
        assert_eq!(mergers(&run), WAITING, "{id}");
        let ended = end_of(&run).await;
        let place = format!("fails in {fails}");
        let failure = ended.failures.iter().find(|failure| failure.error.contains(&place)).unwrap();
        run.retry(failure.state, id).await.unwrap();
        end_of(&run).await;
    }
    assert_eq!((end_of(&run).await.status, mergers(&run)), (RunStatus::Success, JOINED));
    is_read_as_it_stands(&journal, runtime, &run).await;
}

/// Each `third` joins an innermost list and waits for a `second`, which waits for the one `first`.
fn waits_in_turn() -> GraphBuilder {
    let number = |node: NodeSpec| node.input("n", "${{outer.outputs.n}}");
    Document::builder("g")
        .node(spec("outer").handler("list").next("inner").next("side"))
        .node(number(spec("side").handler("late")))
        .node(spec("inner").handler("list").next("work").next("innermost"))
        .node(spec("work").handler("pass").next("first"))
        .node(spec("innermost").handler("list").next("early"))
        .node(number(spec("early").handler("side")).next("second").next("third"))
        .node(spec("first").handler("pass").unites("outer").next("second"))
        .node(spec("second").handler("pass").unites("inner").next("third"))
        .node(spec("third").handler("pass").unites("innermost"))
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_later_prevents_all_that_wait_for_each_other_in_turn() {
    let (journal, early) = (Arc::default(), Arc::new([1, 0].map(AtomicU64::new)));
    let runtime = open(&journal, &early).await;
    let run = start(&runtime, waits_in_turn()).await;
    let ended = end_of(&run).await;
    let of = |node| ended.failures.iter().find(|it| &*it.node == node).unwrap().state;
    let third = || mergers_of(&run, ["first", "second", "third"]);
    assert_eq!(third(), [[1, 0], [2, 0], [4, 0]]);
    run.retry(of("early"), "early").await.unwrap();
    end_of(&run).await;
    assert_eq!(third(), [[1, 0], [2, 0], [4, 0]]);
    run.retry(of("side"), "side").await.unwrap();
    assert_eq!(end_of(&run).await.status, RunStatus::Success);
    assert_eq!(third(), [[0, 1], [0, 2], [0, 4]]);
    is_read_as_it_stands(&journal, runtime, &run).await;
}
