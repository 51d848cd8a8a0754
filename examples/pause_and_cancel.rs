//! A run that is paused, resumed, and cancelled before it is through.

use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, EventKind, Handler, NodeSpec, Runtime, StateStatus, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Step {
    step: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plan = |_: ()| async move { Ok(Emit::each((0..1_000).map(|step| Step { step }))) };
    let work = |input: Step, ctx: Context| async move {
        ctx.sleep(Duration::from_millis(5)).await;
        ctx.progress(input.step);
        Ok(())
    };
    let runtime = Runtime::builder()
        .handler(Handler::many("plan", plan))
        .handler(Handler::one("work", work))
        .build()
        .await?;
    let graph = Document::builder("long")
        .node(NodeSpec::new("plan").next("work"))
        .node(NodeSpec::new("work").input("step", "${{plan.outputs.step}}").concurrency(4));
    runtime.publish_and_promote(graph.build()).await?;

    let run = runtime.start("long", Value::Null).await?;
    let mut events = run.events();
    let mut reports = 0;
    while reports < 20 {
        if let Some(Ok(event)) = events.next().await
            && matches!(event.kind, EventKind::Progress { .. })
        {
            reports += 1;
        }
    }
    run.pause();
    println!("paused: {}", run.status().status);
    run.resume();
    println!("resumed: {}", run.status().status);
    run.cancel();
    let outcome = run.outcome().await;
    println!("ended: {}", outcome.status);
    println!("cancelled states: {}", run.status().count(StateStatus::Cancelled) > 0);
    Ok(())
}
