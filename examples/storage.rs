//! Looks after a journal: runs are listed, found, read step by step and deleted.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Handler, MemoryJournal, NodeError, NodeSpec, RunQuery, Runtime, Storage, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Order {
    items: u64,
}

async fn print(storage: &Storage, what: &str) -> Result<(), Box<dyn std::error::Error>> {
    let size = storage.size().await?;
    println!("{what}: {} runs, {} of them unfinished", size.runs, size.unfinished);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pack = |order: Order| async move { Ok(order) };
    let ship = |order: Order| async move {
        if order.items > 0 { Ok(order) } else { Err(NodeError::permanent("nothing to ship")) }
    };
    let runtime = Runtime::builder()
        .handler(Handler::one("pack", pack))
        .handler(Handler::one("ship", ship))
        .journal(Arc::new(MemoryJournal::new()))
        .build()
        .await?;
    let graph = Document::builder("order")
        .node(NodeSpec::new("pack").input("items", 1).next("ship"))
        .node(NodeSpec::new("ship").input("items", "${{pack.outputs.items}}"));
    runtime.publish_and_promote(graph.build()).await?;
    for items in [3, 0, 5, 1] {
        let start = runtime.start("order", Value::object([("items", items)]));
        start.idempotency_key(format!("order of {items}")).run().await?;
    }

    let storage = runtime.storage().ok_or("it has a journal")?;
    print(&storage, "at first").await?;
    for row in storage.runs(&RunQuery::default().status("FAILED")).await? {
        println!("{}: {} on {}", row.key.as_deref().unwrap_or("-"), row.status, row.version);
        for step in storage.history(row.run).await? {
            let then = storage.load_at(row.run, step.seq).await?;
            println!("  {}: then {} states", step.kind, then.states.len());
        }
        println!("deleted: {}", storage.delete([row.run]).await?);
    }
    println!("deleted but for the latest: {}", storage.keep_latest("order", 1).await?);
    print(&storage, "then").await?;
    println!("deleted by age: {}", storage.delete_older_than(Duration::ZERO).await?);
    storage.vacuum().await?;
    print(&storage, "in the end").await
}
