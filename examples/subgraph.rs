//! A node that runs another graph, bound to the version that was active at publish.

use hotgraph::{Document, GraphBuilder, Handler, NodeSpec, Runtime, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Price {
    cents: u64,
}

fn tax(handler: &str) -> GraphBuilder {
    Document::builder("tax").node(NodeSpec::new("tax").handler(handler).input("cents", 0))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let at = |percent: u64| {
        move |price: Price| async move { Ok(Price { cents: price.cents * (100 + percent) / 100 }) }
    };
    let runtime = Runtime::builder()
        .handler(Handler::one("tax_at_7", at(7)))
        .handler(Handler::one("tax_at_19", at(19)))
        .handler(Handler::one("total", |price: Price| async move { Ok(price) }))
        .build()
        .await?;
    let order = || {
        Document::builder("order")
            .node(NodeSpec::new("taxed").subgraph("tax").input("cents", 0).next("total"))
            .node(NodeSpec::new("total").input("cents", "${{taxed.outputs.cents}}"))
            .build()
    };
    let inputs = Value::object([("cents", 1000)]);

    runtime.publish_and_promote(tax("tax_at_7").build()).await?;
    runtime.publish_and_promote(order()).await?;
    runtime.publish_and_promote(tax("tax_at_19").build()).await?;
    let outcome = runtime.start("order", inputs.clone()).await?.await;
    println!("bound at publish: {}", outcome.output::<Price>()?.cents);

    runtime.publish_and_promote(order()).await?;
    let outcome = runtime.start("order", inputs).await?.await;
    println!("published again:  {}", outcome.output::<Price>()?.cents);
    Ok(())
}
