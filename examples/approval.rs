//! A label that takes a breaking change only when it is approved, with the diff to approve.

use hotgraph::{
    Compatibility, Document, GraphBuilder, Handler, LabelPolicy, NodeSpec, Runtime, VersionError,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Price {
    cents: u64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Amount {
    euros: f64,
}

fn order(handler: &str) -> GraphBuilder {
    Document::builder("order").node(NodeSpec::new("total").handler(handler).input("cents", 0))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cents = |price: Price| async move { Ok(price) };
    let euros = |price: Price| async move { Ok(Amount { euros: price.cents as f64 / 100.0 }) };
    let runtime = Runtime::builder()
        .handler(Handler::one("cents", cents))
        .handler(Handler::one("euros", euros))
        .build()
        .await?;
    let versions = runtime.versions("order");
    runtime.publish_and_promote(order("cents").build()).await?;
    let policy = LabelPolicy::default().require_approval(Compatibility::Breaking);
    versions.set_policy(policy).by("ann").await?;

    let v2 = runtime.publish(order("euros").build()).by("bob").note("in euros").await?.version;
    match versions.promote(v2).by("bob").await {
        Err(VersionError::ApprovalRequired { report, .. }) => println!("{report}"),
        other => return Err(format!("{v2} was not to be promoted yet: {other:?}").into()),
    }
    let active = versions.active().ok_or("no version is active")?;
    for waiting in versions.pending() {
        let changed = versions.diff(active, waiting.number)?;
        println!("{} waits:\n{changed}", waiting.number);
        versions.approve(waiting.number).by("ann").reason("all callers were told").await?;
    }
    versions.promote(v2).by("bob").await?;
    println!("{}", versions.explain(None)?);
    Ok(())
}
