//! A canary: a version that fails too often gets 10 % of the starts, and is taken back by itself.

use std::time::Duration;

use hotgraph::{
    Document, Handler, NodeError, NodeSpec, RetryPolicy, RolloutPlan, RunGate, Runtime, Step,
    Value, Weight,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const RUNS: u64 = 20_000;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Order {
    number: u64,
    fails_each: u64,
}

fn orders(fails_each: u64) -> Document {
    let node = NodeSpec::new("pay").input("number", 0).input("fails_each", fails_each);
    Document::builder("orders").node(node.retry(RetryPolicy::none())).build()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pay = |order: Order| async move {
        let is_declined = (order.number / 10).is_multiple_of(order.fails_each);
        if is_declined { Err(NodeError::permanent("declined")) } else { Ok(order) }
    };
    let runtime = Runtime::builder().handler(Handler::one("pay", pay)).build().await?;
    runtime.publish_and_promote(orders(100)).await?;
    let bad = runtime.publish(orders(4)).await?.version;

    let step = Step::hold(Weight::percent(10), Duration::from_secs(600));
    let plan = RolloutPlan::steps([step]).gate(RunGate::not_worse(0.01));
    let plan = plan.check_every(Duration::from_millis(1));
    let rollout = runtime.versions("orders").rollout(bad, plan).await?;

    let (mut ended, mut failed) = ([0_u64; 3], [0_u64; 3]);
    for number in 0..RUNS {
        let input = Value::object([("number", number)]);
        let outcome = runtime.start("orders", input).run().await?;
        let version = usize::try_from(outcome.version.0)?;
        ended[version] += 1;
        failed[version] += u64::from(!outcome.is_success());
        tokio::task::yield_now().await;
    }
    println!("{:?}", rollout.ended().await);
    println!("v1: {} of {} runs failed, v2: {} of {}", failed[1], ended[1], failed[2], ended[2]);
    println!("lost: {}, new starts get {}", RUNS - ended[1] - ended[2], {
        runtime.versions("orders").explain(None)?
    });
    Ok(())
}
