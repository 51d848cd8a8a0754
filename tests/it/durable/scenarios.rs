//! Runs that are cut off at every commit: each is a graph, a start, and what is done meanwhile.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, Handler, NodeError, NodeSpec, RetryPolicy, Run, RunStatus, Runtime,
    RuntimeBuilder, Signal, Start, Value,
};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

/// A run that is cut off at every commit.
pub struct Scenario {
    pub name: &'static str,
    pub graph: Document,
    pub input: u64,
    pub act: Act,
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
    let stream = move |input: Number, ctx: Context| {
        told(&ctx);
        async move {
            let numbers = (0..input.n).map(|n| match n {
                7 => Err(NodeError::permanent("seven")),
                n => Ok(Number { n }),
            });
            Ok(Emit::stream(futures_util::stream::iter(numbers)))
        }
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
        .handler(Handler::many("stream", stream))
        .handler(Handler::one("slow", slow))
        .handler(Handler::one("flaky", flaky))
        .handler(Handler::one("odd_fails", odd_fails))
        .handler(Handler::one("odd_prunes", odd_prunes))
        .handler(Handler::one("twice", twice))
        .handler(Handler::one("gather", gather))
        .handler(sum())
        .handler(Handler::one("seen", |seen: Seen| async move { Ok(seen) }))
}

fn sum() -> Handler {
    let init = || 0_u64;
    let step = |sum: &mut u64, input: Number| {
        *sum += input.n;
        Ok(())
    };
    Handler::fold("sum", init, step, |sum| Ok(Number { n: sum }))
}

impl Scenario {
    pub fn start(&self, runtime: &Runtime) -> Start {
        let name = self.graph.name.clone().unwrap_or_default();
        runtime.start(name, Value::object([("n", self.input)])).idempotency_key("once")
    }

    /// Does what is to be done with the run, and waits for its end.
    pub async fn carry_out(&self, run: Run) -> Arc<hotgraph::Outcome> {
        match self.act {
            Act::Nothing => run.outcome().await,
            Act::CancelAfter(seconds) => {
                let soon = tokio::time::sleep(Duration::from_secs(seconds));
                tokio::select! {
                    biased;
                    outcome = run.outcome() => return outcome,
                    () = soon => run.cancel(),
                }
                run.outcome().await
            }
            Act::RetryFailed => {
                let first = run.outcome().await;
                if first.status != RunStatus::Failed {
                    return first;
                }
                // It may have been accepted before the crash.
                let _ = run.retry_failed("by hand").await;
                run.outcome().await
            }
        }
    }
}

fn node(name: &str) -> NodeSpec {
    NodeSpec::new(name)
}

fn reads(name: &str, from: &str) -> NodeSpec {
    node(name).input("n", format!("${{{{{from}.outputs.n}}}}"))
}

/// `source` fans out to `handler`; `gather` joins its outputs.
fn joined(name: &str, source: &str, handler: &str, merger: fn(NodeSpec) -> NodeSpec) -> Document {
    Document::builder(name)
        .node(node(source).input("n", 5).next("work"))
        .node(reads("work", source).handler(handler).next("gather"))
        .node(merger(reads("gather", "work").unites(source)))
        .retry(quick())
        .build()
}

fn quick() -> RetryPolicy {
    RetryPolicy::fixed(3, Duration::from_secs(2))
}

pub fn all() -> Vec<Scenario> {
    let same: fn(NodeSpec) -> NodeSpec = |merger| merger;
    let tolerant: fn(NodeSpec) -> NodeSpec = |merger| merger.all_done().tolerate();
    let scenario = |name, graph, input| Scenario { name, graph, input, act: Act::Nothing };
    vec![
        scenario("chain", chain(), 1),
        scenario("a fanout without a merger", alone(), 6),
        scenario("a fanout and its merger", joined("joined", "list", "pass", same), 7),
        scenario("an empty fanout", joined("joined", "list", "pass", same), 0),
        scenario("branches that wait", joined("joined", "list", "slow", same), 6),
        scenario("retries", joined("joined", "list", "flaky", same), 4),
        scenario("failures that are tolerated", joined("joined", "list", "odd_fails", tolerant), 5),
        scenario("failures that skip a merger", joined("joined", "list", "odd_fails", same), 5),
        scenario("pruned branches", joined("joined", "list", "odd_prunes", tolerant), 5),
        scenario("requeues", joined("joined", "list", "twice", same), 4),
        scenario("a stream that fails", joined("joined", "stream", "pass", tolerant), 9),
        scenario("a fold", folded(), 6),
        scenario("nested mergers", nested(), 3),
        scenario("conditions", conditions(), 6),
        Scenario {
            act: Act::CancelAfter(3),
            ..scenario("a cancel", joined("joined", "list", "slow", same), 6)
        },
        Scenario {
            act: Act::RetryFailed,
            ..scenario("a manual retry", joined("joined", "list", "odd_fails", same), 4)
        },
        scenario("too many states", limited(), 9),
        scenario("a store that is read", stored(), 4),
    ]
}

fn chain() -> Document {
    Document::builder("chain")
        .node(node("a").handler("pass").input("n", 1).next("b"))
        .node(reads("b", "a").handler("flaky").next("c"))
        .node(reads("c", "b").handler("pass"))
        .retry(quick())
        .build()
}

fn alone() -> Document {
    Document::builder("alone")
        .node(node("list").input("n", 1).next("work"))
        .node(reads("work", "list").handler("pass").next("more"))
        .node(reads("more", "work").handler("pass"))
        .build()
}

fn folded() -> Document {
    Document::builder("folded")
        .node(node("list").input("n", 1).next("work"))
        .node(reads("work", "list").handler("slow").next("sum"))
        .node(reads("sum", "work").unites("list").next("after"))
        .node(reads("after", "sum").handler("pass"))
        .build()
}

fn nested() -> Document {
    Document::builder("nested")
        .node(node("outer").handler("list").input("n", 1).next("inner"))
        .node(reads("inner", "outer").handler("list").next("work"))
        .node(reads("work", "inner").handler("pass").next("join"))
        .node(reads("join", "work").handler("gather").unites("inner").next("all"))
        .node(reads("all", "join").handler("gather").unites("outer"))
        .build()
}

fn conditions() -> Document {
    Document::builder("conditions")
        .node(
            node("list")
                .input("n", 1)
                .next_when("low", "${{list.outputs.n}} < 3")
                .next_when("high", "${{list.outputs.n}} >= 3"),
        )
        .node(reads("low", "list").handler("pass").next("gather"))
        .node(reads("high", "list").handler("slow"))
        .node(reads("gather", "low").unites("list"))
        .build()
}

fn limited() -> Document {
    Document::builder("limited")
        .node(node("list").input("n", 1).next("work"))
        .node(reads("work", "list").handler("pass"))
        .max_states(12)
        .build()
}

fn stored() -> Document {
    Document::builder("stored")
        .node(node("list").input("n", 1).next("twice"))
        .node(reads("twice", "list").next("gather"))
        .node(reads("gather", "twice").unites("list").next("last"))
        .node(node("last").handler("seen").input("seen", "${{store.seen1}}"))
        .store_default("seen1", false)
        .build()
}
