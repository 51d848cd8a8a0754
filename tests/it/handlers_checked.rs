//! What publishing knows of handlers: their types, their secrets, their names.

use hotgraph::{Document, Handler, NodeSpec, ProblemKind, PublishError, Runtime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

async fn runtime(handlers: impl IntoIterator<Item = Handler>) -> Runtime {
    let builder = handlers.into_iter().fold(Runtime::builder(), |all, one| all.handler(one));
    builder.build().await.unwrap()
}

fn pass() -> Handler {
    Handler::one("pass", |input: Number| async move { Ok(input) })
}

#[tokio::test(start_paused = true)]
async fn an_output_has_the_fields_that_are_written() {
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Renamed {
        #[serde(rename(serialize = "out", deserialize = "in"))]
        field: u64,
    }
    let rename = |input: Renamed| async move { Ok(input) };
    let runtime = runtime([Handler::one("rename", rename), pass()]).await;
    let graph = |read: &str| {
        Document::builder("g")
            .node(NodeSpec::new("rename").input("in", 3).next("pass"))
            .node(NodeSpec::new("pass").input("n", format!("${{{{rename.outputs.{read}}}}}")))
    };
    runtime.publish_and_promote(graph("out").build()).await.unwrap();
    let outcome = runtime.start("g", hotgraph::Value::Null).await.unwrap().await;
    assert_eq!(outcome.output::<Number>().unwrap().n, 3);
    let error = runtime.publish(graph("in").build()).await.unwrap_err();
    let PublishError::Invalid { problems, .. } = error else { panic!("{error}") };
    assert!(problems.has(ProblemKind::OutputFieldUnknown), "{problems}");
}
