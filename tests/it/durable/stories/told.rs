//! What is seen in a story, and the handlers that see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{Context, Document, Handler, NodeError, NodeSpec, RetryPolicy, RunId};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Keyed {
    key: String,
}

/// What was seen in a story.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What handlers carry out, by run: the key, and how many.
    pub executing: BTreeMap<RunId, (String, usize)>,
    pub deleted: BTreeSet<RunId>,
    /// The runs that starts with a key gave.
    pub named: BTreeMap<(String, String), BTreeSet<RunId>>,
    /// Runs that somebody wanted to retry.
    pub retried: BTreeSet<RunId>,
    pub ended: BTreeMap<RunId, String>,
    pub calls: BTreeMap<String, usize>,
}

/// Somebody carries out a run as long as this is there.
struct Executing(Arc<Mutex<Told>>, RunId);

impl Executing {
    fn new(told: &Arc<Mutex<Told>>, run: RunId, key: &str) -> Self {
        let mut seen = told.lock();
        let others = seen.executing.iter().find(|(other, (of, _))| **other != run && of == key);
        if !key.is_empty() {
            assert!(others.is_none(), "{key}: {run} beside {others:?}");
        }
        assert!(!seen.deleted.contains(&run), "{run} goes on, and is deleted");
        seen.executing.entry(run).or_insert((key.to_owned(), 0)).1 += 1;
        Self(told.clone(), run)
    }
}

impl Drop for Executing {
    fn drop(&mut self) {
        let mut seen = self.0.lock();
        let count = seen.executing.get_mut(&self.1).map(|(_, count)| {
            *count -= 1;
            *count
        });
        if count == Some(0) {
            seen.executing.remove(&self.1);
        }
    }
}

pub(super) fn work(told: &Arc<Mutex<Told>>) -> Handler {
    let told = told.clone();
    Handler::one("work", move |input: Keyed, ctx: Context| {
        let told = told.clone();
        async move {
            let graph = ctx.graph().to_string();
            // Children have the key of their parents.
            let key = if input.key.is_empty() { String::new() } else { graph + &input.key };
            let _executing = Executing::new(&told, ctx.run_id(), &key);
            let mut rng = ctx.rng();
            ctx.sleep(Duration::from_millis(rng.up_to(3_000))).await;
            match rng.up_to(3) {
                0 => Err(NodeError::permanent("no")),
                _ => Ok(input),
            }
        }
    })
}

pub(super) fn rest(told: &Arc<Mutex<Told>>) -> Handler {
    let told = told.clone();
    Handler::one("rest", move |input: Keyed, ctx: Context| {
        let told = told.clone();
        async move {
            let _executing = Executing::new(&told, ctx.run_id(), "");
            ctx.sleep(Duration::from_millis(ctx.rng().up_to(1_000))).await;
            Ok(input)
        }
    })
}

pub(super) fn graphs() -> Vec<Document> {
    let sub = NodeSpec::new("sub").subgraph("child").next("rest");
    let around = Document::builder("around")
        .retry(RetryPolicy::fixed(1, Duration::from_millis(100)))
        .node(sub)
        .node(after("sub"))
        .build();
    vec![graph("g", 0), graph("child", 0), around, graph("chat", 0)]
}

/// Graphs of one name differ by that number.
pub(super) fn graph(name: &str, number: u64) -> Document {
    Document::builder(name)
        .retry(RetryPolicy::fixed(0, Duration::from_millis(number + 1)))
        .node(NodeSpec::new("work").input("key", "").next("rest"))
        .node(after("work"))
        .build()
}

fn after(of: &str) -> NodeSpec {
    NodeSpec::new("rest").input("key", format!("${{{{{of}.outputs.key}}}}"))
}
