//! Runs that are cut off at every commit: each is a graph, a start, and what is done meanwhile.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hotgraph::{
    Context, CursorError, Document, Emit, Handler, NodeError, RollbackTarget, Run, RunStatus,
    Runtime, RuntimeBuilder, Signal, Start, StateStatus, Value,
};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::graphs;

/// Every call of a handler that ended: its idempotency key and its attempt.
pub type Calls = Arc<Mutex<Vec<(String, u32)>>>;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Numbers {
    n: Vec<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Seen {
    seen: bool,
}

/// What is done with a run while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Nothing,
    /// It is cancelled after so many seconds.
    CancelAfter(u64),
    /// Its failed states are retried by hand when it has ended.
    RetryFailed,
    /// One of them is.
    RetryOne,
    /// Its graph gets another version after so many seconds, which becomes the active one.
    PublishAfter(u64),
    /// The version that it runs on is rolled back after so many seconds.
    RollbackAfter(u64),
}

/// A run that is cut off at every commit.
pub struct Scenario {
    pub name: &'static str,
    pub graph: Document,
    pub input: u64,
    pub act: Act,
    /// How long its first state is held back.
    pub delay: Duration,
    /// Graphs that are published before it.
    pub before: Vec<Document>,
}

/// The handlers of every scenario; each call is remembered when it ends.
pub fn runtime(calls: &Calls) -> RuntimeBuilder {
    let remember = |calls: &Calls| {
        let calls = calls.clone();
        move |ctx: &Context| calls.lock().push((ctx.idempotency_key(), ctx.attempt()))
    };
    let told = remember(calls);
    let pass = move |input: Number, ctx: Context| {
        told(&ctx);
        async move { Ok(input) }
    };
    let told = remember(calls);
    let list = move |input: Number, ctx: Context| {
        told(&ctx);
        async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) }
    };
    let told = remember(calls);
    let numbers = move |input: Number, ctx: Context| {
        told(&ctx);
        async move {
            let numbers = (0..input.n).map(|n| match n {
                7 => Err(NodeError::permanent("seven")),
                n => Ok(Number { n }),
            });
            Ok(Emit::stream(stream::iter(numbers)))
        }
    };
    let told = remember(calls);
    let rows = move |input: Number, ctx: Context| {
        told(&ctx);
        async move { Ok(resumable(input.n, None, &ctx)?) }
    };
    let told = remember(calls);
    let broken_rows = move |input: Number, ctx: Context| {
        told(&ctx);
        async move { Ok(resumable(input.n, Some(7), &ctx)?) }
    };
    let told = remember(calls);
    let late_rows = move |input: Number, ctx: Context| {
        told(&ctx);
        async move { Ok(resumable(input.n, (ctx.attempt() == 0).then_some(0), &ctx)?) }
    };
    let told = remember(calls);
    let slow = move |input: Number, ctx: Context| {
        let told = told.clone();
        async move {
            ctx.sleep(Duration::from_secs(1 + (7 * input.n) % 5)).await;
            told(&ctx);
            Ok(input)
        }
    };
    let told = remember(calls);
    let flaky = move |input: Number, ctx: Context| {
        told(&ctx);
        async move { if ctx.attempt() < 2 { Err(NodeError::new("not yet")) } else { Ok(input) } }
    };
    let told = remember(calls);
    let odd_fails = move |input: Number, ctx: Context| {
        told(&ctx);
        async move { if input.n % 2 == 1 { Err(NodeError::permanent("odd")) } else { Ok(input) } }
    };
    let told = remember(calls);
    let fails_late = move |input: Number, ctx: Context| {
        let told = told.clone();
        async move {
            ctx.sleep(Duration::from_secs(input.n)).await;
            told(&ctx);
            if input.n == 1 { Err(NodeError::permanent("one")) } else { Ok(input) }
        }
    };
    let forever = move |input: Number| async move {
        std::future::pending::<()>().await;
        Ok(input)
    };
    let told = remember(calls);
    let odd_prunes = move |input: Number, ctx: Context| {
        told(&ctx);
        async move {
            if input.n % 2 == 1 { Err(Signal::Prune(Value::from("odd")).into()) } else { Ok(input) }
        }
    };
    let told = remember(calls);
    let twice = move |input: Number, ctx: Context| {
        let told = told.clone();
        async move {
            let key = format!("seen{}", input.n);
            if ctx.store().put(key, true).is_none() {
                return Err(Signal::RequeueAfter(Duration::from_secs(3)).into());
            }
            told(&ctx);
            Ok(input)
        }
    };
    let told = remember(calls);
    let gather = move |all: Numbers, ctx: Context| {
        told(&ctx);
        async move { Ok(Number { n: all.n.iter().sum() }) }
    };
    Runtime::builder()
        .lanes(2)
        .handler(Handler::one("pass", pass))
        .handler(Handler::many("list", list))
        .handler(Handler::many("stream", numbers))
        .handler(Handler::many("rows", rows))
        .handler(Handler::many("broken_rows", broken_rows))
        .handler(Handler::many("late_rows", late_rows))
        .handler(Handler::one("slow", slow))
        .handler(Handler::one("flaky", flaky))
        .handler(Handler::one("odd_fails", odd_fails))
        .handler(Handler::one("odd_prunes", odd_prunes))
        .handler(Handler::one("twice", twice))
        .handler(Handler::one("gather", gather))
        .handler(Handler::one("fails_late", fails_late))
        .handler(Handler::one("forever", forever))
        .handler(sum("sum", 1))
        .handler(sum("ordered_sum", 31).ordered())
        .handler(Handler::one("seen", |seen: Seen| async move { Ok(seen) }))
}

/// A resumable stream of so many numbers, of which one is an error; every third keeps it waiting.
fn resumable(count: u64, broken: Option<u64>, ctx: &Context) -> Result<Emit<Number>, CursorError> {
    let first = ctx.cursor::<u64>()?.map_or(0, |last| last + 1);
    let ctx = ctx.clone();
    let numbers = stream::iter(first..count).then(move |n| {
        let ctx = ctx.clone();
        async move {
            if n % 3 == 1 {
                ctx.sleep(Duration::from_millis(700)).await;
            }
            match broken {
                // It may be there the next time.
                Some(broken) if broken == n => Err(NodeError::new("broken")),
                _ => Ok((Number { n }, n)),
            }
        }
    });
    Ok(Emit::resumable(numbers))
}

/// Its result tells the order of its inputs if `base` is not 1.
fn sum(name: &str, base: u64) -> Handler {
    let init = || 0_u64;
    let step = move |sum: &mut u64, input: Number| {
        *sum = sum.wrapping_mul(base).wrapping_add(input.n);
        Ok(())
    };
    Handler::fold(name, init, step, |sum| Ok(Number { n: sum }))
}

impl Scenario {
    fn name(&self) -> String {
        self.graph.name.clone().unwrap_or_default()
    }

    /// Publishes everything that the run needs.
    pub async fn publish(&self, runtime: &Runtime) {
        for graph in self.before.iter().chain([&self.graph]) {
            let published = runtime.publish_and_promote(graph.clone()).await;
            // What was rolled back before the crash is not promoted again.
            let is_rolled_back = matches!(self.act, Act::RollbackAfter(_));
            assert!(published.is_ok() || is_rolled_back, "{published:?}");
        }
    }

    pub fn start(&self, runtime: &Runtime) -> Start {
        let start = runtime.start(self.name(), Value::object([("n", self.input)]));
        start.delay(self.delay).idempotency_key("once")
    }

    /// Does what is to be done with the run, and waits for its end.
    pub async fn carry_out(&self, run: Run, runtime: &Runtime) -> Arc<hotgraph::Outcome> {
        match self.act {
            Act::Nothing => {}
            Act::CancelAfter(seconds) => {
                if !ends_within(&run, seconds).await {
                    run.cancel();
                }
            }
            Act::RetryFailed | Act::RetryOne => return self.retry(&run).await,
            Act::PublishAfter(seconds) => {
                ends_within(&run, seconds).await;
                runtime.publish_and_promote(graphs::another(&self.name())).await.unwrap();
            }
            Act::RollbackAfter(seconds) => {
                ends_within(&run, seconds).await;
                let target = RollbackTarget::Previous;
                // It was rolled back before the crash, or is now.
                let _ = runtime.versions(self.name()).rollback(target).await;
            }
        }
        run.outcome().await
    }

    async fn retry(&self, run: &Run) -> Arc<hotgraph::Outcome> {
        let first = run.outcome().await;
        if first.status != RunStatus::Failed {
            return first;
        }
        let errored = run.states().into_iter().find(|state| state.status == StateStatus::Errored);
        // It may have been accepted before the crash.
        let _ = match (self.act, errored) {
            (Act::RetryOne, Some(state)) => run.retry(state.id, "by hand").await,
            _ => run.retry_failed("by hand").await.map(drop),
        };
        run.outcome().await
    }
}

/// Waits for a while, and says whether the run has ended by then.
async fn ends_within(run: &Run, seconds: u64) -> bool {
    tokio::time::timeout(Duration::from_secs(seconds), run.outcome()).await.is_ok()
}
