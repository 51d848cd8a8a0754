//! Sessions: one logical run that takes many inputs.

mod cancel;
mod crash_points;
mod entries;
mod events;
mod inputs;
mod lifetimes;
mod refusals;
mod restarts;
mod shut_down_anywhere;
mod slots;
mod tasks;
mod unread;
mod versions;

use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, Handler, Lifetime, NodeError, NodeSpec, RetryPolicy, Runtime,
    RuntimeBuilder, StateKey, StepOutcome, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::durable::scenarios::Calls;

const TOTAL: StateKey<u64> = StateKey::new("sums", "total", 1);
const DRAFT: StateKey<u64> = StateKey::new("sums", "draft", 1).lifetime(Lifetime::Invocation);

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Numbers {
    n: Vec<u64>,
}

/// A handler that adds to the total, and fails on 13 after it did.
fn add(calls: &Calls) -> Handler {
    let calls = calls.clone();
    Handler::one("add", move |input: Number, ctx: Context| {
        let calls = calls.clone();
        async move {
            ctx.sleep(Duration::from_millis(10)).await;
            calls.lock().push((ctx.idempotency_key(), ctx.attempt()));
            let total = ctx.slot(&TOTAL).get()?.unwrap_or(0) + input.n;
            ctx.slot(&TOTAL).put(&total)?;
            if input.n == 13 {
                return Err(NodeError::permanent("13"));
            }
            Ok(Number { n: total })
        }
    })
}

fn builder(calls: &Calls) -> RuntimeBuilder {
    let told = calls.clone();
    let twice = move |input: Number, ctx: Context| {
        told.lock().push((ctx.idempotency_key(), ctx.attempt()));
        async move { Ok(Number { n: 2 * input.n }) }
    };
    let told = calls.clone();
    let list = move |input: Number, ctx: Context| {
        told.lock().push((ctx.idempotency_key(), ctx.attempt()));
        async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) }
    };
    let gather = |all: Numbers| async move { Ok(Number { n: all.n.iter().sum() }) };
    let slow = |input: Number, ctx: Context| async move {
        ctx.sleep(Duration::from_secs(input.n)).await;
        Ok(input)
    };
    // Says what an input finds of the draft, and leaves its own.
    let draft = |input: Number, ctx: Context| async move {
        let found = ctx.slot(&DRAFT).get()?;
        ctx.slot(&DRAFT).put(&input.n)?;
        if input.n == 13 {
            return Err(NodeError::permanent("13"));
        }
        Ok(Number { n: found.unwrap_or(0) })
    };
    Runtime::builder()
        .handler(add(calls))
        .handler(Handler::one("twice", twice))
        .handler(Handler::many("list", list))
        .handler(Handler::one("gather", gather))
        .handler(Handler::one("slow", slow))
        .handler(Handler::one("draft", draft))
}

/// `add`, and `twice` of the total.
fn sums() -> Document {
    let twice = NodeSpec::new("twice").input("n", "${{add.outputs.n}}");
    Document::builder("sums")
        .node(NodeSpec::new("add").input("n", 1).next("twice"))
        .node(twice)
        .retry(RetryPolicy::fixed(0, Duration::from_secs(1)))
        .build()
}

/// One node with a handler of that name.
fn single(handler: &str) -> Document {
    let node = NodeSpec::new(handler).input("n", 0);
    Document::builder(handler)
        .node(node)
        .retry(RetryPolicy::fixed(0, Duration::from_secs(1)))
        .build()
}

/// A runtime without a journal that has every graph of these tests.
async fn runtime() -> Runtime {
    let runtime = builder(&Calls::default()).build().await.unwrap();
    for graph in [sums(), single("slow"), single("draft"), single("list")] {
        runtime.publish_and_promote(graph).await.unwrap();
    }
    runtime
}

fn n(n: u64) -> Value {
    Value::object([("n", n)])
}

fn number(outcome: &StepOutcome) -> u64 {
    outcome.output::<Number>().unwrap().n
}
