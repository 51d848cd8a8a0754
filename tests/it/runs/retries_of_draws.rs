//! A fanout that is drawn anew while it is still drawn, of which outputs of both draws fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hotgraph::{
    Context, Document, Emit, Handler, MemoryJournal, NodeError, NodeSpec, RetryPolicy, Run,
    RunStatus, Runtime, StateStatus, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::control::end_of;
use super::start;

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Maybe {
    n: Option<u64>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Numbers {
    n: Vec<u64>,
}

fn spec(name: &str) -> NodeSpec {
    NodeSpec::new(name).retry(RetryPolicy::none())
}

/// A list that gives a number each second; the first time the first and the last lack, the second time the
/// one between them, unless it fails as a whole.
async fn open(journal: &Arc<MemoryJournal>, fails: bool, calls: &[Arc<AtomicU64>; 2]) -> Runtime {
    let [lists, joins] = calls.clone();
    let list = move |_: (), ctx: Context| {
        let call = lists.fetch_add(1, Ordering::SeqCst);
        let lacks = move |n| match call {
            0 => n != 1,
            1 => n == 1,
            _ => false,
        };
        let number = move |n: u64| {
            let ctx = ctx.clone();
            async move {
                ctx.sleep(Duration::from_secs(1)).await;
                Ok((Maybe { n: (!lacks(n)).then_some(n) }, n))
            }
        };
        let numbers = stream::iter(0..3).then(number);
        let fails = fails && call == 1;
        let failed = || NodeError::new("the second time");
        async move { if fails { Err(failed()) } else { Ok(Emit::resumable(numbers)) } }
    };
    let join = move |all: Numbers| {
        joins.fetch_add(1, Ordering::SeqCst);
        async move { Ok(all) }
    };
    Runtime::builder()
        .journal(journal.clone())
        .handler(Handler::many("list", list))
        .handler(Handler::one("work", |input: Number| async move { Ok(input) }))
        .handler(Handler::one("join", join))
        .build()
        .await
        .unwrap()
}

async fn drawn_twice(
    journal: &Arc<MemoryJournal>,
    fails: bool,
    calls: &[Arc<AtomicU64>; 2],
) -> (Runtime, Run) {
    let runtime = open(journal, fails, calls).await;
    let graph = Document::builder("g")
        .node(spec("list").next("work"))
        .node(spec("work").input("n", "${{list.outputs.n}}").next("join"))
        .node(spec("join").unites("list").input("n", "${{work.outputs.n}}"));
    let run = start(&runtime, graph).await;
    while run.status().of("list", StateStatus::NextCreatedError) == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    run.retry_failed("first").await.unwrap();
    (runtime, run)
}

async fn check(fails: bool, one: Option<usize>) {
    let (journal, calls) = (Arc::default(), Default::default());
    let (runtime, run) = drawn_twice(&journal, fails, &calls).await;
    let ended = end_of(&run).await;
    let failed: Vec<_> = ended.failures.iter().map(|one| one.state).collect();
    assert_eq!(failed.len(), 2, "{ended:?}");
    match one {
        Some(one) => run.retry(failed[one], "second").await.unwrap(),
        None => assert_eq!(run.retry_failed("second").await.unwrap().len(), 2),
    }
    let (outcome, place) = (end_of(&run).await, format!("{fails}, {one:?}"));
    assert_eq!(outcome.status, RunStatus::Success, "{place}: {outcome:?}");
    let numbers = Value::object([("n", [0, 1, 2].map(Value::from).to_vec())]);
    assert_eq!((&outcome.outputs["join"], &*outcome.skipped), (&numbers, &[][..]), "{place}");
    let calls = calls.map(|calls: Arc<AtomicU64>| calls.load(Ordering::SeqCst));
    assert_eq!(calls, [3, 1], "{place}: lists and joins");
    drop(runtime);
    let next = open(&journal, fails, &Default::default()).await;
    let read = next.storage().unwrap().load(run.id()).await.unwrap();
    assert_eq!((&*read.outcome().await, read.status()), (&*outcome, run.status()), "{place}");
}

#[tokio::test(start_paused = true)]
async fn a_fanout_is_drawn_once_whichever_of_its_draws_failed_and_in_part_or_as_a_whole() {
    for fails in [false, true] {
        for one in [None, Some(0), Some(1)] {
            check(fails, one).await;
        }
    }
}
