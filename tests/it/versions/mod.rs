//! Versions by the commands that publish, route, mark and retire them.

mod audit;
mod canary;
mod commands;
mod compatibility;
mod depending;
mod drains;
mod events;
mod labels;
mod moves;
mod policy;
mod refusals;
mod retention;
mod rollback;
mod stops;
mod storm;

use std::time::Duration;

use hotgraph::{
    Context, Document, GraphBuilder, Handler, NodeSpec, Run, Runtime, RuntimeBuilder, Value,
    VersionError, VersionNumber, VersionStatus, VirtualClock,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

fn builder() -> RuntimeBuilder {
    let pass = |input: Number| async move { Ok(input) };
    let hold = |input: Number, ctx: Context| async move {
        ctx.sleep(Duration::from_secs(1_000_000_000)).await;
        Ok(input)
    };
    Runtime::builder().handler(Handler::one("pass", pass)).handler(Handler::one("hold", hold))
}

async fn runtime() -> Runtime {
    builder().build().await.unwrap()
}

/// A runtime whose clock moves when it is told to.
async fn timed() -> (Runtime, VirtualClock) {
    let clock = VirtualClock::default();
    (builder().clock(clock.clone()).build().await.unwrap(), clock)
}

/// A graph of one node that returns what it is given; each number is another definition.
fn numbered(n: u64) -> Document {
    graph("g", n).build()
}

fn graph(name: &str, n: u64) -> GraphBuilder {
    Document::builder(name).node(NodeSpec::new("pass").input("n", n))
}

/// A graph whose node does not return.
fn holding(n: u64) -> GraphBuilder {
    Document::builder("g").node(NodeSpec::new("hold").input("n", n))
}

/// Publishes so many versions of `g`, and promotes each.
async fn promoted(runtime: &Runtime, versions: u64) {
    for n in 1..=versions {
        let published = runtime.publish_and_promote(numbered(n)).await.unwrap();
        assert_eq!(published.version, VersionNumber(n));
    }
}

/// A run of `g` that does not end by itself, on this version.
async fn held(runtime: &Runtime, version: u64) -> Run {
    let run = runtime.start("g", Value::Null).version(VersionNumber(version)).delay(FOREVER).await;
    run.unwrap()
}

const FOREVER: Duration = Duration::from_secs(1_000_000_000);

fn active(runtime: &Runtime) -> u64 {
    runtime.versions("g").active().unwrap().0
}

fn status(runtime: &Runtime, version: u64) -> VersionStatus {
    runtime.versions("g").get(version).unwrap().status
}

/// What is refused changes nothing but the audit log.
async fn refused(runtime: &Runtime, command: hotgraph::Command) -> VersionError {
    let (before, records) = (runtime.routing(), runtime.audit(&Default::default()).len());
    let error = command.await.unwrap_err();
    assert_eq!(runtime.routing(), before, "{error}");
    let record = runtime.audit(&Default::default()).pop().unwrap();
    assert_eq!(record.seq as usize, records + 1);
    assert_eq!(record.outcome, Err(error.clone().into()));
    assert_eq!(record.revision_before, record.revision_after);
    error
}
