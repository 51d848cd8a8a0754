//! Two graphs that go together are swapped together: no start sees one without the other.

use hotgraph::{Document, GraphBuilder, Handler, NodeSpec, Runtime, Value, VersionNumber};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Text {
    text: String,
}

/// What one graph seals the other one opens, if both are of the same age.
fn graph(name: &str, node: &str, key: &str) -> GraphBuilder {
    let node = NodeSpec::new(node).input("text", "");
    Document::builder(name).node(node).store_default("key", key)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seal = |plain: Text, ctx: hotgraph::Context| async move {
        let key = ctx.store().get("key").unwrap_or_default();
        Ok(Text { text: format!("{}:{}", key.as_str().unwrap_or_default(), plain.text) })
    };
    let open = |sealed: Text, ctx: hotgraph::Context| async move {
        let key = ctx.store().get("key").unwrap_or_default();
        let text = sealed.text.strip_prefix(key.as_str().unwrap_or_default());
        let text = text.and_then(|text| text.strip_prefix(':')).unwrap_or("(cannot open it)");
        Ok(Text { text: text.to_owned() })
    };
    let runtime = Runtime::builder()
        .handler(Handler::one("seal", seal))
        .handler(Handler::one("open", open))
        .build()
        .await?;
    for key in ["old", "new"] {
        runtime.publish(graph("sealing", "seal", key).build()).await?;
        runtime.publish(graph("opening", "open", key).build()).await?;
    }
    for version in [1, 2].map(VersionNumber) {
        let both = [("sealing", "default", version), ("opening", "default", version)];
        let revision = runtime.release(both).by("ann").await?.revision;
        let letter = Value::object([("text", "hello")]);
        let sealed = runtime.start("sealing", letter).run().await?.output::<Text>()?.text;
        let letter = Value::object([("text", sealed.as_str())]);
        let opened = runtime.start("opening", letter).run().await?.output::<Text>()?.text;
        println!("revision {revision}: {sealed} -> {opened}");
    }
    Ok(())
}
