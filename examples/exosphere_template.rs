//! Loads an Exosphere graph template as it is, and runs it.

use hotgraph::{Document, Emit, Handler, Runtime, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const TEMPLATE: &str = r#"{
  "secrets": {},
  "nodes": [
    { "node_name": "DataSplitterNode", "namespace": "shop", "identifier": "data_splitter",
      "inputs": { "source": "${{ store.source }}" }, "next_nodes": ["processor"] },
    { "node_name": "DataProcessorNode", "namespace": "shop", "identifier": "processor",
      "inputs": { "chunk": "${{ data_splitter.outputs.chunk }}" }, "next_nodes": ["merger"] },
    { "node_name": "ResultMergerNode", "namespace": "shop", "identifier": "merger",
      "inputs": { "processed": "${{ processor.outputs.result }}" }, "next_nodes": [],
      "unites": { "identifier": "data_splitter", "strategy": "ALL_SUCCESS" } }
  ],
  "retry_policy": { "max_retries": 3, "strategy": "EXPONENTIAL", "backoff_factor": 2000 },
  "store_config": { "required_keys": ["source"], "default_values": { "source": "a,b,c" } }
}"#;

#[derive(Deserialize, JsonSchema)]
struct Source {
    source: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Chunk {
    chunk: String,
}

#[derive(Serialize, JsonSchema)]
struct Processed {
    result: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct All {
    processed: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let split = |input: Source| async move {
        let chunks: Vec<_> = input.source.split(',').map(str::to_owned).collect();
        Ok(Emit::each(chunks.into_iter().map(|chunk| Chunk { chunk })))
    };
    let process = |data: Chunk| async move { Ok(Processed { result: data.chunk.to_uppercase() }) };
    let merge = |all: All| async move { Ok(all) };
    let runtime = Runtime::builder()
        .handler(Handler::many("DataSplitterNode", split).namespace("shop"))
        .handler(Handler::one("DataProcessorNode", process).namespace("shop"))
        .handler(Handler::one("ResultMergerNode", merge).namespace("shop"))
        .build()
        .await?;
    runtime.publish_and_promote(Document::from_json(TEMPLATE)?.named("shop/letters")).await?;
    let outcome = runtime.start("shop/letters", Value::Null).await?.await;
    println!("{}: {:?}", outcome.status, outcome.output::<All>()?.processed);
    Ok(())
}
