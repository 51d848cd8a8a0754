//! A handler that fails twice and then succeeds, and one that ends branches nobody needs.

use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, Handler, NodeError, NodeSpec, RetryPolicy, Runtime, Signal,
    StateStatus, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    number: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = |_: ()| async move { Ok(Emit::each((1..=6).map(|number| Number { number }))) };
    let only_even = |input: Number| async move {
        match input.number % 2 {
            0 => Ok(input),
            _ => Err(Signal::Prune(Value::from("odd")).into()),
        }
    };
    let unreliable = |input: Number, ctx: Context| async move {
        match ctx.attempt() {
            0 | 1 => Err(NodeError::new("not yet")),
            _ => Ok(input),
        }
    };
    let runtime = Runtime::builder()
        .handler(Handler::many("count", count))
        .handler(Handler::one("only_even", only_even))
        .handler(Handler::one("unreliable", unreliable))
        .build()
        .await?;
    let graph = Document::builder("numbers")
        .node(NodeSpec::new("count").next("only_even"))
        .node(
            NodeSpec::new("only_even")
                .input("number", "${{count.outputs.number}}")
                .next("unreliable"),
        )
        .node(
            NodeSpec::new("unreliable")
                .input("number", "${{only_even.outputs.number}}")
                .retry(RetryPolicy::fixed(2, Duration::from_millis(10))),
        );
    runtime.publish_and_promote(graph.build()).await?;
    let run = runtime.start("numbers", Value::Null).await?;
    let outcome = run.outcome().await;
    println!("{}: {}", outcome.status, outcome.outputs["unreliable"]);
    let status = run.status();
    print!("pruned {}, ", status.count(StateStatus::Pruned));
    println!("failed attempts {}", status.count(StateStatus::RetryCreated));
    Ok(())
}
