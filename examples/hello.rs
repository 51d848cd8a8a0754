//! The smallest service: one handler, one graph, one run, and a second version.

use hotgraph::{Document, GraphBuilder, Handler, NodeSpec, Runtime, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Person {
    name: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Greeting {
    text: String,
}

fn graph(text: &str) -> GraphBuilder {
    Document::builder("hello")
        .node(NodeSpec::new("greet").input("name", "nobody").next("frame"))
        .node(NodeSpec::new("frame").input("text", text))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::builder()
        .handler(Handler::one("greet", |person: Person| async move {
            Ok(Greeting { text: format!("hello, {}", person.name) })
        }))
        .handler(Handler::one("frame", |greeting: Greeting| async move { Ok(greeting) }))
        .build()
        .await?;

    let published = runtime.publish_and_promote(graph("${{greet.outputs.text}}").build()).await?;
    let inputs = Value::object([("name", "Ada")]);
    let outcome = runtime.start("hello", inputs.clone()).await?.await;
    println!("{}: {}", published.version, outcome.output::<Greeting>()?.text);

    let published =
        runtime.publish_and_promote(graph("** ${{greet.outputs.text}} **").build()).await?;
    let outcome = runtime.start("hello", inputs).await?.await;
    println!("{}: {}", published.version, outcome.output::<Greeting>()?.text);
    Ok(())
}
