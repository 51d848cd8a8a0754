//! Retries by hand below mergers that wait for the merger of a fanout around their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, GraphBuilder, Handler, MemoryJournal, NodeError, NodeSpec,
    RetryPolicy, Run, RunStatus, Runtime, SkipReason, StateStatus,
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
    let list = |_: ()| async { Ok(Emit::each([0, 1].map(|n| Number { n }))) };
    let builder = Runtime::builder().journal(journal.clone()).handler(Handler::many("list", list));
    let builder = builder.handler(Handler::one("pass", |_: ()| async { Ok(()) }));
    builder.handler(Handler::one("side", side)).build().await.unwrap()
}

/// The states of the mergers and of what follows them: how many skipped, how many that succeeded.
fn mergers(run: &Run) -> [[u64; 2]; 3] {
    let status = run.status();
    let of = |name| [StateStatus::Skipped, StateStatus::Success].map(|of| status.of(name, of));
    ["first", "second", "last"].map(of)
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

/// How often a `leaf` still fails, and how often a `side`.
type Ill = Arc<[AtomicU64; 2]>;

/// Whether one of these is left.
fn take(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

/// A process in which a `leaf` fails so often after so many milliseconds, and the second `side` so often
/// after a second.
async fn process(ill: [u64; 2], delay: Arc<AtomicU64>) -> Runtime {
    let ill: Ill = Arc::new(ill.map(AtomicU64::new));
    let of_leaf = ill.clone();
    let leaf = move |_: (), ctx: Context| {
        let (ill, delay) = (of_leaf.clone(), delay.load(Ordering::SeqCst));
        async move {
            ctx.sleep(Duration::from_millis(delay)).await;
            let fails = take(&ill[0]);
            if fails { Err(NodeError::new("leaf")) } else { Ok(Number { n: 0 }) }
        }
    };
    let side = move |input: Number, ctx: Context| {
        let ill = ill.clone();
        async move {
            ctx.sleep(Duration::from_secs(input.n as u64)).await;
            let fails = input.n == 1 && take(&ill[1]);
            if fails { Err(NodeError::new("side")) } else { Ok(()) }
        }
    };
    let list = |_: ()| async { Ok(Emit::each([0, 1].map(|n| Number { n }))) };
    let builder = Runtime::builder().handler(Handler::many("list", list));
    let builder = builder.handler(Handler::one("pass", |_: ()| async { Ok(()) }));
    let builder = builder.handler(Handler::one("leaf", leaf)).handler(Handler::one("side", side));
    builder.build().await.unwrap()
}

/// Each `third` waits for the `second` around it, which waits for the only `first`.
fn waits_in_line() -> GraphBuilder {
    Document::builder("g")
        .node(spec("outer").handler("list").next("inner").next("side"))
        .node(spec("side").input("n", "${{outer.outputs.n}}"))
        .node(spec("inner").handler("list").next("near").next("deep"))
        .node(spec("near").handler("pass").next("first"))
        .node(spec("deep").handler("list").next("leaf"))
        .node(spec("leaf").next("second").next("third"))
        .node(spec("first").handler("pass").unites("outer").next("second"))
        .node(spec("second").handler("pass").unites("inner").next("third"))
        .node(spec("third").handler("pass").unites("deep"))
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_later_prevents_all_that_wait_in_line() {
    let runtime = process([1, 1], Arc::default()).await;
    let run = start(&runtime, waits_in_line()).await;
    let ended = end_of(&run).await;
    let mergers = || {
        let status = run.status();
        let of = |name| [StateStatus::Skipped, StateStatus::Success].map(|of| status.of(name, of));
        ["first", "second", "third"].map(of)
    };
    assert_eq!((ended.failures.len(), mergers()), (2, [[1, 0], [2, 0], [4, 0]]));
    for (node, expected) in [("leaf", [[1, 0], [2, 0], [4, 0]]), ("side", [[0, 1], [0, 2], [0, 4]])]
    {
        let failure = ended.failures.iter().find(|failure| &*failure.node == node).unwrap();
        run.retry(failure.state, node).await.unwrap();
        end_of(&run).await;
        assert_eq!(mergers(), expected, "{node} is retried");
    }
    assert_eq!(end_of(&run).await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_prevented_two_mergers_counts_in_neither_when_it_is_retried() {
    // The `side` fails at once, then the `leaf`; when both are retried no way leads to a merger.
    let after = Arc::new(AtomicU64::new(2_000));
    let runtime = process([1, 1], after).await;
    let to = |node: NodeSpec, merger| node.next_when(merger, "${{leaf.outputs.n}} > 0");
    let graph = Document::builder("g")
        .node(spec("outer").handler("list").next("inner").next("side"))
        .node(spec("side").input("n", "${{outer.outputs.n}}"))
        .node(spec("inner").handler("list").next("leaf"))
        .node(to(to(spec("leaf"), "first"), "second"))
        .node(spec("first").handler("pass").unites("outer").next("second"))
        .node(spec("second").handler("pass").unites("inner"));
    let run = start(&runtime, graph).await;
    assert_eq!(end_of(&run).await.failures.len(), 2);
    run.retry_failed("again").await.unwrap();
    let ended = end_of(&run).await;
    let skipped: Vec<_> = ended.skipped.iter().map(|skip| (&*skip.node, &skip.reason)).collect();
    let no_way = |node| (node, &SkipReason::NoWay);
    assert_eq!(skipped, ["second", "second", "first"].map(no_way), "{:?}", run.status());
}
