//! Values of secrets are not in the journal: a process that comes later brings its own.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Context, Document, Handler, MemoryJournal, NodeSpec, RunId, Runtime, RuntimeBuilder,
    StartError, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Told {
    told: String,
}

/// Waits, and tells the value of a secret then.
fn teller() -> Handler {
    let tell = |(): (), ctx: Context| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(Told { told: ctx.secret("a").unwrap_or_default().to_owned() })
    };
    Handler::one("teller", tell).secrets(["a"])
}

fn process(journal: &Arc<MemoryJournal>) -> RuntimeBuilder {
    Runtime::builder().journal(journal.clone()).handler(teller())
}

/// A journal with a run that waits, of a graph whose document has the secret.
async fn left() -> (Arc<MemoryJournal>, RunId) {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("teller")).secret("a", "one");
    first.publish_and_promote(graph.build()).await.unwrap();
    let run = first.start("g", Value::Null).await.unwrap();
    let report = first.shutdown(Duration::ZERO).await;
    assert_eq!(report.parked, [run.id()]);
    (journal, run.id())
}

#[tokio::test(start_paused = true)]
async fn a_version_comes_back_with_the_secrets_of_the_process() {
    let (journal, run) = left().await;
    let second = process(&journal).secret("a", "two").build().await.unwrap();
    assert_eq!(second.required_versions(), []);
    let new = second.start("g", Value::Null).run().await.unwrap();
    let old = second.run(run).unwrap().await;
    for outcome in [new, old] {
        assert_eq!(outcome.output::<Told>().unwrap().told, "two");
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_secret_the_process_lacks_waits_for_one_that_has_it() {
    let (journal, run) = left().await;
    for (value, wanted) in [(None, "secret `a`"), (Some(" "), "is blank")] {
        let process = match value {
            Some(value) => process(&journal).secret("a", value),
            None => process(&journal),
        };
        let lacking = process.build().await.unwrap();
        let lacks = lacking.required_versions().remove(0).lacks;
        assert!(lacks.contains(wanted), "{lacks}");
        let refused = lacking.start("g", Value::Null).await.unwrap_err();
        assert!(matches!(refused, StartError::VersionAbsent { .. }), "{refused}");
        assert_eq!(lacking.stranded().len(), 1);
        assert!(lacking.shutdown(Duration::ZERO).await.parked.is_empty());
    }
    let last = process(&journal).secret("a", "three").build().await.unwrap();
    assert_eq!(last.run(run).unwrap().await.output::<Told>().unwrap().told, "three");
}
