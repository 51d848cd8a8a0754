//! Whether a cron expression is taken. When it fires is not judged: nothing is started by it.

use hotgraph::{
    Arity, Context, Document, Emit, Handler, NodeSpec, ProblemKind, PublishError, Runtime, Schema,
    Value,
};

use super::{Verdict, differs};
use crate::fixtures::text;

pub fn check(case: &Value) -> Verdict {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let published = tokio.block_on(publish(text(case, "expression")));
    match (case.at("expect.next_utc"), published) {
        (Some(_), Ok(_)) => Ok(()),
        (None, Err(PublishError::Invalid { problems, .. }))
            if problems.iter().all(|problem| problem.kind == ProblemKind::CronInvalid) =>
        {
            Ok(())
        }
        (_, got) => Err(differs(case.get("expect"), got)),
    }
}

/// Publishes a graph with a trigger of that expression.
async fn publish(expression: &str) -> Result<hotgraph::Published, PublishError> {
    let nothing = |_: Value, _: Context| async { Ok(Emit::nothing()) };
    let open = (Schema::any(), Schema::any());
    let handler = Handler::dynamic("h", open, Arity::One, nothing);
    let runtime = Runtime::builder().handler(handler).build().await.unwrap();
    let graph = Document::builder("triggered").node(NodeSpec::new("h")).cron(expression);
    runtime.publish(graph.build()).await
}
