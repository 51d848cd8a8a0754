//! An actor of a run is killed at every step of it: one terminal status, no hang, nothing left.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorCell;

use super::cell::Listener;
use crate::{
    Context, Document, Emit, Handler, NodeError, NodeSpec, RetryPolicy, Run, RunStatus, Runtime,
    Value,
};

/// Which actor is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Run,
    /// A lane or the unites actor, by its place among the children.
    Child(usize),
}

/// Nested fanouts with a merger each, and a retry in every branch.
fn graph() -> Document {
    let outer = "${{outer.outputs.n}}";
    Document::builder("nested")
        .retry(RetryPolicy::fixed(1, Duration::from_millis(1)))
        .node(NodeSpec::new("outer").handler("list").next("inner"))
        .node(NodeSpec::new("inner").handler("list").input("above", outer).next("leaf"))
        .node(NodeSpec::new("leaf").input("n", "${{inner.outputs.n}}").next("near"))
        .node(NodeSpec::new("near").handler("join").unites("inner").next("far"))
        .node(NodeSpec::new("far").handler("join").unites("outer"))
        .build()
}

async fn runtime() -> Runtime {
    let open = || (crate::Schema::any(), crate::Schema::any());
    let list = |_: Value, ctx: Context| async move {
        ctx.sleep(Duration::from_millis(1)).await;
        Ok(Emit::each((0..3).map(|n| Value::object([("n", n)]))))
    };
    let leaf = |_: Value, ctx: Context| async move {
        ctx.sleep(Duration::from_millis(1)).await;
        if ctx.attempt() == 0 { Err(NodeError::new("first")) } else { Ok(Emit::nothing()) }
    };
    let join = |_: Value, ctx: Context| async move {
        ctx.sleep(Duration::from_millis(1)).await;
        Ok(Emit::nothing())
    };
    let builder = Runtime::builder()
        .seed(3)
        .lanes(2)
        .handler(Handler::dynamic("list", open(), crate::Arity::Many, list))
        .handler(Handler::dynamic("leaf", open(), crate::Arity::One, leaf))
        .handler(Handler::dynamic("join", open(), crate::Arity::One, join));
    let runtime = builder.build().await.unwrap();
    runtime.publish_and_promote(graph()).await.unwrap();
    runtime
}

fn actor(run: &Run, victim: Victim) -> Option<ActorCell> {
    let actor = match &run.cell().live.lock().listener {
        Listener::Here(actor) => actor.get_cell(),
        Listener::Expected(_) | Listener::Gone => return None,
    };
    match victim {
        Victim::Run => Some(actor),
        Victim::Child(place) => actor.get_children().into_iter().nth(place),
    }
}

/// Kills the victim after `steps` events; says how the run ended, if it had not by then.
async fn kill_after(steps: usize, victim: Victim) -> Option<RunStatus> {
    let tasks = tokio::runtime::Handle::current().metrics();
    let runtime = runtime().await;
    let baseline = tasks.num_alive_tasks();
    let mut events = runtime.events();
    let run = runtime.start("nested", Value::Null).await.unwrap();
    for _ in 0..steps {
        tokio::select! {
            biased;
            _ = events.next() => {}
            outcome = run.outcome() => {
                assert_eq!(outcome.status, RunStatus::Success);
                return None;
            }
        }
    }
    if let Some(actor) = actor(&run, victim) {
        actor.kill();
    }
    let end = tokio::time::timeout(Duration::from_secs(60), run.outcome()).await;
    let outcome = end.unwrap_or_else(|_| panic!("{victim:?} killed after {steps}: a hang"));
    assert!(outcome.status.is_terminal(), "{victim:?} killed after {steps}: {outcome:?}");
    let view = run.status();
    assert_eq!(view.status, outcome.status);
    assert!(view.nodes.values().flatten().all(|(status, _)| status.is_terminal()), "{view:?}");
    assert!(runtime.versions("nested").list().iter().all(|version| version.live == 0));
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(Arc::ptr_eq(&outcome, &run.outcome().await), "the run ended twice");
    assert!(tasks.num_alive_tasks() <= baseline, "{victim:?} killed after {steps}: a task is left");
    Some(outcome.status)
}

async fn kill_everywhere(victim: Victim) {
    let (mut steps, mut broken) = (0, 0);
    while let Some(status) = kill_after(steps, victim).await {
        steps += 1;
        broken += usize::from(status == RunStatus::Failed);
    }
    // At the last steps nothing may be left that the victim is needed for.
    assert!(broken > 50, "{victim:?}: {broken} of {steps} runs broke");
}

#[tokio::test(start_paused = true)]
async fn a_killed_run_actor_ends_its_run_once() {
    kill_everywhere(Victim::Run).await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_child_ends_its_run_once() {
    for place in 0..3 {
        kill_everywhere(Victim::Child(place)).await;
    }
}
