//! What publishing knows of handlers: their types, their secrets, their names.

use hotgraph::{
    CatalogError, Document, Emit, FieldType, Graph, Handler, NodeSpec, ProblemKind, PublishError,
    Runtime,
};
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

#[tokio::test]
async fn a_handler_without_fields_is_refused() {
    let input = || Handler::one("takes", |n: u64| async move { Ok(Number { n }) });
    let output = || Handler::many("gives", |_: ()| async { Ok(Emit::one(vec![1])) });
    let runtime = runtime([]).await;
    let refused = runtime.register(input()).unwrap_err();
    let (handler, found) = ("default/takes".to_owned(), FieldType::Integer);
    assert_eq!(refused, CatalogError::InputWithoutFields { handler, found });
    let refused = runtime.register(output()).unwrap_err();
    let (handler, found) = ("default/gives".to_owned(), FieldType::array(FieldType::Integer));
    assert_eq!(refused, CatalogError::OutputWithoutFields { handler, found });
    for handler in [input(), output()] {
        let graph = Graph::from(Document::builder("g").node(NodeSpec::new("a")).build());
        let error = runtime.publish(graph.bind("a", handler)).await.unwrap_err();
        let PublishError::Invalid { problems, .. } = error else { panic!("{error}") };
        assert!(problems.has(ProblemKind::HandlerWithoutFields), "{problems}");
    }
}
