//! Blue and green: a version is staged, probed and promoted by hand; the old one drains to zero.

use std::time::Duration;

use hotgraph::{
    Context, Document, Handler, NodeSpec, RolloutPhase, RolloutPlan, Runtime, Value, Verdict,
    VersionNumber,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Page {
    color: String,
}

fn page(color: &str) -> Document {
    Document::builder("page").node(NodeSpec::new("render").input("color", color)).build()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let render = |page: Page, ctx: Context| async move {
        ctx.sleep(Duration::from_millis(if page.color == "blue" { 500 } else { 10 })).await;
        Ok(page)
    };
    let runtime = Runtime::builder().handler(Handler::one("render", render)).build().await?;
    runtime.publish_and_promote(page("blue")).await?;
    let running = runtime.start("page", Value::Null).await?;

    let green = runtime.publish(page("green")).await?.version;
    let probed = runtime.clone();
    let plan = RolloutPlan::blue_green()
        .check_every(Duration::from_millis(10))
        .probe("renders", move || probe(probed.clone(), green));
    let versions = runtime.versions("page");
    let rollout = versions.rollout(green, plan).by("ann").await?;
    println!("staged:   {}", versions.explain(None)?);
    rollout.until(|status| status.phase == RolloutPhase::AwaitingPromotion).await;

    rollout.promote().by("ann").reason("the probe passes").await?;
    println!("promoted: {}", versions.explain(None)?);
    println!("draining: {} live on v1", versions.get(1).map_or(0, |blue| blue.live));
    versions.drained(1).await?;
    println!("drained:  {:?}", running.await.outputs);
    Ok(())
}

/// Runs the staged version once; nobody else gets it yet.
async fn probe(runtime: Runtime, version: VersionNumber) -> Verdict {
    match runtime.start("page", Value::Null).version(version).run().await {
        Ok(outcome) if outcome.is_success() => Verdict::Pass,
        Ok(outcome) => Verdict::fail(format!("it ended as {}", outcome.status)),
        Err(error) => Verdict::error(error.to_string()),
    }
}
