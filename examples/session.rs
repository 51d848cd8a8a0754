//! One logical run that takes many inputs, each of them once, also over a restart.

use std::sync::Arc;

use hotgraph::{
    BuildError, Context, Document, Handler, MemoryJournal, NodeSpec, Runtime, StateKey, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the session keeps from one input to the next.
const SUM: StateKey<i64> = StateKey::new("account", "sum", 1);

#[derive(Serialize, Deserialize, JsonSchema)]
struct Amount {
    amount: i64,
}

/// A process; the next one finds what this one left in the journal.
async fn process(journal: &Arc<MemoryJournal>) -> Result<Runtime, BuildError> {
    let book = |input: Amount, ctx: Context| async move {
        let sum = ctx.slot(&SUM).get()?.unwrap_or(0) + input.amount;
        ctx.slot(&SUM).put(&sum)?;
        Ok(Amount { amount: sum })
    };
    Runtime::builder().handler(Handler::one("book", book)).journal(journal.clone()).build().await
}

fn amount(amount: i64) -> Value {
    Value::object([("amount", amount)])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let journal = Arc::new(MemoryJournal::new());

    let runtime = process(&journal).await?;
    let graph = Document::builder("account").node(NodeSpec::new("book").input("amount", 0));
    runtime.publish_and_promote(graph.build()).await?;
    let session = runtime.session("ada").graph("account");
    for (id, given) in [("mon", 10), ("tue", 5), ("tue", 5)] {
        let ended = session.next(amount(given)).input_id(id).await?;
        println!("{id}: step {}, sum {}", ended.step, ended.output::<Amount>()?.amount);
    }

    println!("another process");
    let runtime = process(&journal).await?;
    let session = runtime.session("ada");
    for (id, given) in [("tue", 5), ("wed", -3)] {
        let ended = session.next(amount(given)).input_id(id).await?;
        println!("{id}: step {}, sum {}", ended.step, ended.output::<Amount>()?.amount);
    }
    session.finish().await?;
    if let Err(refused) = session.next(amount(1)).await {
        println!("after the end: {refused}");
    }
    Ok(())
}
