//! A fanout over a list, joined twice: once as an array, once by a fold.

use hotgraph::{Document, Emit, Handler, NodeSpec, Runtime, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Text {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Word {
    word: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Length {
    length: u64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Lengths {
    lengths: Vec<u64>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let split = |input: Text| async move {
        let words: Vec<_> = input.text.split(' ').map(str::to_owned).collect();
        Ok(Emit::each(words.into_iter().map(|word| Word { word })))
    };
    let measure = |input: Word| async move { Ok(Length { length: input.word.len() as u64 }) };
    let add = |sum: &mut u64, one: Length| {
        *sum += one.length;
        Ok(())
    };
    let runtime = Runtime::builder()
        .handler(Handler::many("split", split))
        .handler(Handler::one("measure", measure))
        .handler(Handler::one("list", |all: Lengths| async move { Ok(all) }))
        .handler(Handler::fold("sum", || 0, add, |length| Ok(Length { length })))
        .build()
        .await?;
    let word = "${{split.outputs.word}}";
    let length = "${{measure.outputs.length}}";
    let graph = Document::builder("words")
        .node(NodeSpec::new("split").input("text", "").next("measure"))
        .node(NodeSpec::new("measure").input("word", word).next("list").next("sum"))
        .node(NodeSpec::new("list").unites("split").input("lengths", length))
        .node(NodeSpec::new("sum").unites("split").input("length", length));
    runtime.publish_and_promote(graph.build()).await?;
    let inputs = Value::object([("text", "versions are swapped while runs go on")]);
    let outcome = runtime.start("words", inputs).await?.await;
    println!("each: {}", outcome.outputs["list"]);
    println!("sum:  {}", outcome.outputs["sum"]);
    Ok(())
}
