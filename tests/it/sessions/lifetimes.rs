//! Slots that live as long as one input are gone with it, whatever way it ends.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Context, Document, Handler, Lifetime, MemoryJournal, NodeSpec, RetryPolicy, RunStatus, Runtime,
    RuntimeBuilder, Session, StateKey, Value,
};

use super::{Calls, builder, n, number, runtime};

#[tokio::test(start_paused = true)]
async fn the_next_input_finds_nothing_of_the_one_before() {
    let session = runtime().await.session("s").graph("draft");
    for input in [7, 8, 9] {
        assert_eq!(number(&session.next(n(input)).await.unwrap()), 0);
    }
    assert!(session.view().await.unwrap().slots.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nor_of_one_that_failed() {
    let session = runtime().await.session("s").graph("draft");
    let failed = session.next(n(13)).await.unwrap();
    assert_eq!(failed.outcome.status, RunStatus::Failed);
    assert_eq!(number(&session.next(n(1)).await.unwrap()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_another_lifetime_is_another_slot() {
    const ONE: StateKey<u64> = StateKey::new("sums", "draft", 1);
    let session = runtime().await.session("s").graph("draft");
    session.slot(&ONE).put(&5).await.unwrap();
    assert_eq!(number(&session.next(n(7)).await.unwrap()), 0);
    assert_eq!(session.slot(&ONE).get().await.unwrap(), Some(5));
}

const FLAG: StateKey<u64> = StateKey::new("cut", "flag", 1).lifetime(Lifetime::Invocation);

/// Leaves a flag, and waits for a long time unless the input says otherwise; says what it found.
fn flags() -> RuntimeBuilder {
    let flag = |input: Value, ctx: Context| async move {
        let found = ctx.slot(&FLAG).get()?.unwrap_or(0);
        let wait = input.get("n").and_then(Value::as_i64).unwrap_or(0);
        ctx.slot(&FLAG).put(&u64::try_from(wait)?)?;
        // Something that is on record, after the flag.
        Ok(Value::object([("n", Value::from(found)), ("wait", Value::from(wait))]))
    };
    let wait = |input: Value, ctx: Context| async move {
        let seconds = input.get("wait").and_then(Value::as_i64).unwrap_or(0);
        ctx.sleep(Duration::from_secs(u64::try_from(seconds)?)).await;
        let held = ctx.slot(&FLAG).get()?.unwrap_or(0);
        Ok(Value::object(
            [("found", input.get("n").cloned()), ("held", Some(held.into()))]
                .map(|(name, value)| (name, value.unwrap_or_default())),
        ))
    };
    builder(&Calls::default())
        .handler(Handler::one("flag", flag))
        .handler(Handler::one("wait", wait))
}

fn graph() -> Document {
    let wait = NodeSpec::new("wait");
    let wait = wait.input("n", "${{flag.outputs.n}}").input("wait", "${{flag.outputs.wait}}");
    Document::builder("flags")
        .node(NodeSpec::new("flag").input("n", 0).next("wait"))
        .node(wait)
        .retry(RetryPolicy::fixed(0, Duration::from_secs(1)))
        .build()
}

async fn begin(journal: &Arc<MemoryJournal>) -> (Runtime, Session) {
    let runtime = flags().journal(journal.clone()).build().await.unwrap();
    runtime.publish_and_promote(graph()).await.unwrap();
    let session = runtime.session("s").graph("flags");
    (runtime, session)
}

#[tokio::test(start_paused = true)]
async fn nor_of_one_that_was_cancelled() {
    let (runtime, session) = begin(&Arc::default()).await;
    let mut events = session.events();
    let input = tokio::spawn(session.next(n(60)).into_future());
    let run = events.next().await.unwrap().unwrap().run.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    runtime.run(run).unwrap().cancel();
    assert_eq!(input.await.unwrap().unwrap().outcome.status, RunStatus::Cancelled);
    let next = session.next(n(0)).await.unwrap();
    assert_eq!(next.outcome.outputs["wait"].get("found").and_then(Value::as_i64), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_crash_brings_it_back_to_its_own_input_and_to_no_other() {
    let journal = Arc::new(MemoryJournal::new());
    let (first, session) = begin(&journal).await;
    let input = tokio::spawn(session.next(n(60)).input_id("a").into_future());
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The next process takes the journal from this one.
    let (_second, again) = begin(&journal).await;
    let ended = again.next(n(60)).input_id("a").await.unwrap();
    let of = |field: &str, outputs: &Value| outputs.get(field).and_then(Value::as_i64);
    let outputs = &ended.outcome.outputs["wait"];
    assert_eq!((of("found", outputs), of("held", outputs)), (Some(0), Some(60)));
    let next = again.next(n(0)).await.unwrap();
    assert_eq!(of("found", &next.outcome.outputs["wait"]), Some(0));
    assert!(again.view().await.unwrap().slots.is_empty());
    drop((first, input));
}
