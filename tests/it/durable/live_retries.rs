//! An output of a fanout is retried by hand while its merger is waited for, and the process dies.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Context, Document, Durability, Emit, Epoch, Handler, Journal, JournalFuture, MemoryJournal,
    NodeError, NodeSpec, Outcome, RetryError, RetryPolicy, Run, RunStatus, Runtime, StateStatus,
    Stream, SystemClock, Value, Write,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::before::{Before, Hook};
use super::cut::{Cut, Process};
use super::seen::ended;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Maybe {
    n: Option<u64>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Number {
    pub n: u64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Numbers {
    pub n: Vec<u64>,
}

/// The first of two outputs cannot have its work the first time; `other` is the second one then.
fn graph() -> Document {
    Document::builder("g")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("list").input("n", 0).next("work"))
        .node(NodeSpec::new("work").input("n", "${{list.outputs.n}}").next("join"))
        .node(NodeSpec::new("join").unites("list").all_done().input("n", "${{work.outputs.n}}"))
        .build()
}

async fn open(journal: Arc<dyn Journal>, clock: SystemClock, level: Durability) -> Runtime {
    let list = |other: Number, ctx: Context| async move {
        ctx.sleep(Duration::from_secs(2)).await;
        let is_first = ctx.store().put("listed", true).is_none();
        let all = if is_first { [None, Some(other.n)] } else { [Some(5), Some(6)] };
        Ok(Emit::each(all.map(|n| Maybe { n })))
    };
    let work = |input: Number, ctx: Context| async move {
        ctx.sleep(Duration::from_secs(input.n)).await;
        Ok(input)
    };
    let join = |all: Numbers| async move { Ok(all) };
    let builder = Runtime::builder().handler(Handler::many("list", list)).durability(level);
    let builder = builder.handler(Handler::one("work", work)).lanes(2);
    let builder = builder.clock(clock).journal(journal);
    let runtime = builder.handler(Handler::one("join", join)).build().await.unwrap();
    runtime.publish_and_promote(graph()).await.unwrap();
    assert_eq!(runtime.stranded(), []);
    runtime
}

impl Process {
    /// Starts the run, or finds it, and retries what failed as soon as it can be seen.
    async fn carry_out(&self, level: Durability, other: u64) -> (Run, Arc<Outcome>) {
        let runtime = open(self.journal.clone(), self.clock.clone(), level).await;
        let start = runtime.start("g", Value::object([("n", other)])).idempotency_key("once");
        let run = start.await.unwrap();
        while let Err(RetryError::NothingToRetry) = run.retry_failed("by hand").await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let outcome = tokio::time::timeout(Duration::from_secs(3_600), run.outcome()).await;
        let outcome = outcome.unwrap_or_else(|_| panic!("it hangs: {:?}", run.status()));
        (run, outcome)
    }
}

/// The outputs of the new attempt are joined, once.
async fn check((run, outcome): (Run, Arc<Outcome>), kept: &MemoryJournal, place: &str) {
    assert_eq!(outcome.status, RunStatus::Success, "{place}: {outcome:?}");
    assert_eq!(outcome.output::<Numbers>().unwrap().n, [5, 6], "{place}");
    assert_eq!(outcome.skipped, [], "{place}");
    assert_eq!(run.status().of("join", StateStatus::Success), 1, "{place}: {:?}", run.status());
    let records = kept.read(Stream::Run(run.id()), 0, usize::MAX).await.unwrap();
    let fired = records.iter().filter(|record| record.body.starts_with(br#"{"Fired"#)).count();
    assert_eq!(fired, 1, "{place}");
}

/// Cuts the run off at a commit, if it has so many; says whether it had.
async fn cut_off(level: Durability, other: u64, cut: Cut) -> bool {
    let place = format!("{level:?}, {other}, {cut:?}");
    let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
    let first = Process::new(kept.clone(), cut, &clock);
    if let Some(ended) = first.until_it_dies(first.carry_out(level, other)).await {
        check(ended, &kept, &place).await;
        return false;
    }
    // What goes on finds out how the run ended, or that it had.
    for _ in 0..2 {
        let next = Process::new(kept.clone(), Cut::Never, &clock);
        check(next.carry_out(level, other).await, &kept, &place).await;
    }
    true
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_retried_while_its_merger_is_waited_for_is_joined_once_after_a_crash() {
    for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
        // What was begun with the failed output ends before the next attempt, amid it, after it.
        for other in [1, 4, 20] {
            let mut at = 0;
            while cut_off(level, other, Cut::Before(at)).await {
                assert!(cut_off(level, other, Cut::After(at)).await);
                at += 1;
            }
        }
    }
}

/// A journal that takes a second for each commit.
#[derive(Debug)]
struct Slow(Arc<MemoryJournal>);

impl Hook for Slow {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.0.commit(epoch, writes).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_and_not_told_yet_is_counted_after_the_retry_when_the_run_comes_back() {
    // The last branch of the merger's group ends while the retry is under way, or long before.
    for after in [3_000, 3_500, 3_900, 4_500] {
        let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
        let journal = Arc::new(Before(Slow(kept.clone())));
        let runtime = open(journal, clock.clone(), Durability::EveryState).await;
        let run = runtime.start("g", Value::object([("n", 4)])).idempotency_key("once");
        let run = run.await.unwrap();
        while run.status().of("list", StateStatus::NextCreatedError) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(after)).await;
        run.retry_failed("by hand").await.unwrap();
        let (outcome, view) = (run.outcome().await, run.status());
        assert_eq!(runtime.shutdown(Duration::from_secs(60)).await.parked, []);
        let runtime = open(kept, clock, Durability::EveryState).await;
        let again = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
        assert_eq!(ended(&*again.outcome().await), ended(&outcome), "{after}");
        assert_eq!(again.status(), view, "{after}");
    }
}

/// The work on the first of two numbers fails the first time.
async fn open_failing_work(journal: Arc<dyn Journal>, clock: SystemClock) -> Runtime {
    let list = |_: Number| async move { Ok(Emit::each([1, 4].map(|n| Number { n }))) };
    let work = |input: Number, ctx: Context| async move {
        if input.n == 1 && ctx.store().put("worked", true).is_none() {
            return Err(NodeError::permanent("not yet"));
        }
        ctx.sleep(Duration::from_secs(input.n)).await;
        Ok(input)
    };
    let join = |all: Numbers| async move { Ok(all) };
    let builder = Runtime::builder().handler(Handler::many("list", list)).lanes(2);
    let builder = builder.handler(Handler::one("work", work)).clock(clock).journal(journal);
    let runtime = builder.handler(Handler::one("join", join)).build().await.unwrap();
    let join = NodeSpec::new("join").unites("list").input("n", "${{work.outputs.n}}");
    let graph = Document::builder("g")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("list").input("n", 0).next("work"))
        .node(NodeSpec::new("work").input("n", "${{list.outputs.n}}").next("join"))
        .node(join);
    runtime.publish_and_promote(graph.build()).await.unwrap();
    assert_eq!(runtime.stranded(), []);
    runtime
}

#[tokio::test(start_paused = true)]
async fn a_merger_waits_for_a_state_that_is_retried_while_the_last_other_one_ends() {
    for after in (0..6_000).step_by(100) {
        let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
        let journal = Arc::new(Before(Slow(kept.clone())));
        let runtime = open_failing_work(journal, clock.clone()).await;
        let run = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
        while run.status().of("work", StateStatus::Errored) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(after)).await;
        run.retry_failed("by hand").await.unwrap();
        let outcome = run.outcome().await;
        assert_eq!(outcome.output::<Numbers>().unwrap().n, [1, 4], "{after}");
        let _ = runtime.shutdown(Duration::from_secs(60)).await;
        let runtime = open_failing_work(kept, clock).await;
        let again = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
        assert_eq!(ended(&*again.outcome().await), ended(&outcome), "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_retry_does_not_end_a_run_that_has_just_begun() {
    let pass = Handler::one("pass", |input: Number| async move { Ok(input) });
    let builder = Runtime::builder().journal(Arc::new(Before(Slow(Arc::default()))));
    let runtime = builder.handler(pass).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("pass").input("n", 1));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let run = runtime.start("g", Value::Null).await.unwrap();
    // What its only state did is about to be on record, and was not told yet.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(run.retry_failed("by hand").await, Err(RetryError::NothingToRetry));
    assert_eq!(run.outcome().await.output::<Number>().unwrap().n, 1);
}

/// A run that fails at once; when it is retried it takes ten seconds of the twenty that it has.
async fn timed(journal: Arc<MemoryJournal>, clock: &SystemClock) -> (Runtime, Run) {
    let work = |_: (), ctx: Context| async move {
        if ctx.store().put("failed", true).is_none() {
            return Err(NodeError::permanent("first"));
        }
        ctx.sleep(Duration::from_secs(10)).await;
        Ok(())
    };
    let builder = Runtime::builder().handler(Handler::one("work", work));
    let runtime = builder.clock(clock.clone()).journal(journal).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("work")).timeout(Duration::from_secs(20));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let run = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
    (runtime, run)
}

#[tokio::test(start_paused = true)]
async fn a_retry_has_the_time_of_a_run_anew_whichever_process_takes_it_or_goes_on_with_it() {
    for (ended_here, retried_here) in [(true, true), (false, true), (true, false)] {
        let (journal, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
        let (mut runtime, mut run) = timed(journal.clone(), &clock).await;
        assert_eq!(run.outcome().await.status, RunStatus::Failed);
        tokio::time::sleep(Duration::from_secs(60)).await;
        if !ended_here {
            let _ = runtime.shutdown(Duration::ZERO).await;
            (runtime, run) = timed(journal.clone(), &clock).await;
        }
        run.retry_failed("by hand").await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        if !retried_here {
            let _ = runtime.shutdown(Duration::ZERO).await;
            (runtime, run) = timed(journal.clone(), &clock).await;
        }
        let outcome = run.outcome().await;
        assert_eq!(outcome.status, RunStatus::Success, "{ended_here}, {retried_here}: {outcome:?}");
        let _ = runtime.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_merger_that_a_cancel_cut_off_and_somebody_retries_is_the_same_in_another_process() {
    let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
    let runtime = open(kept.clone(), clock.clone(), Durability::EveryState).await;
    let run = runtime.start("g", Value::object([("n", 60)])).idempotency_key("once");
    let run = run.await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    run.cancel();
    assert_eq!(run.outcome().await.status, RunStatus::Cancelled);
    let states = run.states();
    let cut_off = states.iter().find(|state| &*state.node == "join").unwrap();
    assert_eq!(cut_off.status, StateStatus::Cancelled);
    run.retry(cut_off.id, "by hand").await.unwrap();
    let (outcome, states) = (run.outcome().await, run.states());
    assert_eq!(runtime.shutdown(Duration::from_secs(60)).await.parked, []);
    let runtime = open(kept, clock, Durability::EveryState).await;
    let again = runtime.storage().unwrap().load(run.id()).await.unwrap();
    assert_eq!(ended(&*again.outcome().await), ended(&outcome));
    assert_eq!(again.states(), states);
}
