//! A node that runs another graph: a handler that starts a child run and waits for it.

use std::sync::Arc;

use super::recovery::StrandedReason;
use super::{Inner, Runtime, StartError};
use crate::graph::SubGraphDocument;
use crate::id::{DEFAULT_LABEL, GraphName, LabelName, VersionNumber};
use crate::journal::Pauses;
use crate::node::{Arity, Context, Control, Emit, Handler, NodeError, Schema};
use crate::registry::StartRefusal;
use crate::run::{AttemptKey, Durability, Outcome, Run, RunStatus};
use crate::value::Value;
use crate::version::Selector;

impl Runtime {
    /// The handler of a sub-graph node, and the version it is bound to: the one it was bound to when
    /// its graph was published, the one it names, or that which its label leads to.
    pub(super) fn subgraph(
        &self,
        child: &SubGraphDocument,
        namespace: &str,
        bound: Option<VersionNumber>,
    ) -> Result<(Handler, (GraphName, VersionNumber)), String> {
        let graph = GraphName::new(
            child.namespace.as_deref().unwrap_or(namespace),
            child.name.as_deref().unwrap_or(""),
        );
        let version = self.bound_version(&graph, child, bound)?;
        let inner = self.inner.myself.clone();
        let schemas = (Schema::any(), Schema::any());
        let bound = (graph.clone(), version);
        let run = move |input: Value, ctx: Context| {
            let (inner, (graph, version)) = (inner.upgrade(), bound.clone());
            async move {
                let inner = inner.ok_or_else(|| NodeError::permanent("the runtime is gone"))?;
                let ended = run_child_on_record(&inner, (graph, version), input, &ctx).await;
                if inner.is_cut_off(&ended, &ctx) {
                    // Nothing that the node did wrong: the attempt ends when its run is stopped.
                    std::future::pending::<()>().await;
                }
                output(&*ended?).map(Emit::one)
            }
        };
        // The binding is part of the definition: another version of the child is another graph.
        let handler = Handler::dynamic("subgraph", schemas, Arity::One, run);
        Ok((handler.version(&format!("{graph}@{version}")), (graph, version)))
    }

    fn bound_version(
        &self,
        graph: &GraphName,
        child: &SubGraphDocument,
        bound: Option<VersionNumber>,
    ) -> Result<VersionNumber, String> {
        let snapshot = self.inner.registry.snapshot();
        let number = child.version.as_ref().and_then(Value::as_i64);
        if let Some(version) = bound {
            let found = snapshot.peek(graph, &Selector::Bound(version));
            // A run of the graph around it would fail where it comes to the child.
            let absent = found.err().filter(|error| matches!(error, StartRefusal::Absent(_)));
            return absent.map_or(Ok(version), |error| Err(format!("`{graph}`: {error}")));
        }
        let version = match number.and_then(|number| u64::try_from(number).ok()) {
            Some(number) => VersionNumber(number),
            None => {
                let label = LabelName::from(child.label.as_deref().unwrap_or(DEFAULT_LABEL));
                let route = snapshot.route(graph);
                let route = route.ok_or_else(|| format!("`{graph}` was never published"))?;
                let route = route.label(&label);
                let route = route.ok_or_else(|| format!("`{graph}` has no label `{label}`"))?;
                let active = route.active;
                active.ok_or_else(|| format!("`{graph}:{label}` has no active version"))?
            }
        };
        let found = snapshot.peek(graph, &Selector::Bound(version));
        found.map(|_| version).map_err(|error| format!("`{graph}`: {error}"))
    }
}

impl Inner {
    /// Whether a child was refused that can start, or go on, when the journal works again.
    fn is_held_back(&self, ended: &Result<Arc<Outcome>, StartError>) -> bool {
        let Err(StartError::Journal { source, .. }) = ended else { return false };
        self.keeper.as_ref().is_some_and(|keeper| keeper.on_failure.waits_for(source))
    }

    /// Whether a child was stopped or refused by what stops the run above it as well, or is about to.
    fn is_cut_off(&self, ended: &Result<Arc<Outcome>, StartError>, ctx: &Context) -> bool {
        match ended {
            Ok(outcome) if outcome.is_success() => false,
            _ if ctx.is_cancelled() => true,
            // A shutdown parks runs that came back from the journal in any order.
            Ok(outcome) => outcome.status == RunStatus::Parked && self.places.are_closed(),
            Err(StartError::Stranded { reason, .. }) => **reason == StrandedReason::ShuttingDown,
            Err(_) => false,
        }
    }
}

/// Runs a child; as its parent does, it waits for a journal that does not work at the moment.
async fn run_child_on_record(
    inner: &Arc<Inner>,
    graph: (GraphName, VersionNumber),
    input: Value,
    ctx: &Context,
) -> Result<Arc<Outcome>, StartError> {
    let mut pauses = Pauses::new();
    loop {
        let ended = run_child(inner, graph.clone(), input.clone(), ctx).await;
        if !inner.is_held_back(&ended) {
            return ended;
        }
        ctx.sleep(pauses.next()).await;
    }
}

/// Starts a child run that follows the parent's signals, and waits for it.
async fn run_child(
    inner: &Arc<Inner>,
    (graph, version): (GraphName, VersionNumber),
    input: Value,
    ctx: &Context,
) -> Result<Arc<Outcome>, StartError> {
    let control = Control::below(ctx.control());
    // A timeout or a cancel drops this future: the child must not outlive it.
    let mut orphan = StopOnDrop { parent: ctx.control(), child: Child::Starting(control.clone()) };
    let runtime = Runtime { inner: inner.clone() };
    let (parent, execution, attempt) = ctx.attempt_key();
    // A run that does not survive the process has no use for a child that does.
    let level = runtime.run(parent).map_or(Durability::None, |run| run.durability());
    let mut start = runtime.start(graph, input).bound(version).durability(level).control(control);
    if level != Durability::None {
        start = start.child_of(parent, AttemptKey(execution, attempt));
    }
    let run = start.await?;
    if !run.control().is_below() {
        // It came back from the journal, as the attempt did.
        ctx.control().adopt(&run.control());
    }
    orphan.child = Child::Started(run.clone());
    let outcome = run.outcome().await;
    orphan.child = Child::Ended;
    Ok(outcome)
}

/// Stops a child with the attempt that waits for it, as the signals of its parent say.
struct StopOnDrop<'a> {
    parent: &'a Control,
    child: Child,
}

/// How far a child has come.
enum Child {
    /// It may have been accepted: these are its signals then.
    Starting(Arc<Control>),
    Started(Run),
    Ended,
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        match (&self.child, self.parent.is_parked()) {
            (Child::Starting(signals), true) => signals.park(),
            (Child::Starting(signals), false) => signals.cancel(),
            (Child::Started(run), true) => run.park(),
            (Child::Started(run), false) => run.cancel(),
            (Child::Ended, _) => {}
        }
    }
}

/// The child's only output, or all of them by node.
fn output(outcome: &Outcome) -> Result<Value, NodeError> {
    if outcome.status != RunStatus::Success {
        let why = outcome.failures.iter().find(|failure| !failure.tolerated);
        let why = why.map(|failure| format!(": node `{}`: {}", failure.node, failure.error));
        let (run, why) = (outcome.run, why.unwrap_or_default());
        return Err(NodeError::new(format_args!(
            "child run {run} ended as {}{why}",
            outcome.status
        )));
    }
    let mut outputs = outcome.outputs.iter();
    match (outputs.next(), outputs.next()) {
        (Some((_, only @ Value::Object(_))), None) => Ok(only.clone()),
        _ => Ok(Value::Object(outcome.outputs.clone())),
    }
}
