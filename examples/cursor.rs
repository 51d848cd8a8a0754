//! Goes on in the middle of a stream after a restart: the journal has a cursor for each output.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use hotgraph::{Context, Document, Emit, Handler, MemoryJournal, NodeSpec, Runtime, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Row {
    id: u64,
}

/// A process that finds so many rows, and waits for more of them until there are ten.
async fn process(
    journal: &Arc<MemoryJournal>,
    found: u64,
    written: mpsc::UnboundedSender<u64>,
) -> Result<Runtime, Box<dyn std::error::Error>> {
    let rows = move |_: (), ctx: Context| async move {
        let after = ctx.cursor::<u64>()?;
        println!("{found} rows, drawn after {after:?}");
        let ids = after.map_or(0, |id| id + 1)..found;
        let there = stream::iter(ids.map(|id| Ok((Row { id }, id))));
        Ok(Emit::resumable(match found {
            10 => there.boxed(),
            _ => there.chain(stream::pending()).boxed(),
        }))
    };
    let write = move |row: Row| {
        let written = written.clone();
        async move { Ok(written.send(row.id)?) }
    };
    let runtime = Runtime::builder()
        .handler(Handler::many("rows", rows))
        .handler(Handler::one("write", write))
        .journal(journal.clone());
    Ok(runtime.build().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let journal = Arc::new(MemoryJournal::new());
    let (written, mut told) = mpsc::unbounded_channel();
    let first = process(&journal, 4, written.clone()).await?;
    let graph = Document::builder("copy")
        .node(NodeSpec::new("rows").next("write"))
        .node(NodeSpec::new("write").input("id", "${{rows.outputs.id}}"));
    first.publish_and_promote(graph.build()).await?;
    drop(first.start("copy", Value::Null).idempotency_key("night").await?);
    // A row is written when it is on record with those before it.
    while told.recv().await != Some(3) {}
    drop(first); // or a crash
    let second = process(&journal, 10, written).await?;
    let run = second.start("copy", Value::Null).idempotency_key("night").await?;
    println!("{}", run.await.status);
    Ok(())
}
