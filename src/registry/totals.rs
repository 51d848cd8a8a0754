//! What accepted commands add up to that the routing does not remember, for metrics.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::graph::Compatibility;
use crate::id::GraphName;
use crate::version::{RoutingChange, Snapshot, Turned};

/// The totals of every graph.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    graphs: Mutex<BTreeMap<GraphName, GraphTotals>>,
}

/// The totals of one graph.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GraphTotals {
    /// Versions that broke callers of their parents.
    pub breaking: u64,
    /// Rollbacks by command.
    pub rollbacks: u64,
    /// Versions that rollouts took back.
    pub taken_back: u64,
}

impl Totals {
    /// Counts what an accepted command did.
    pub(super) fn count(&self, turned: &Turned<'_>) {
        let mut graphs = self.graphs.lock();
        if let Some((graph, is_rollout)) = turned.taken_back() {
            let totals = graphs.entry(graph.clone()).or_default();
            match is_rollout {
                true => totals.taken_back += 1,
                false => totals.rollbacks += 1,
            }
        }
        for change in turned.record.outcome.as_deref().unwrap_or_default() {
            if let RoutingChange::Published { graph, .. } = change
                && is_breaking(turned.after, change)
            {
                graphs.entry(graph.clone()).or_default().breaking += 1;
            }
        }
    }

    /// The totals of a graph.
    pub(crate) fn of(&self, graph: &GraphName) -> GraphTotals {
        self.graphs.lock().get(graph).copied().unwrap_or_default()
    }
}

/// Whether a version that was made breaks callers of its parent.
fn is_breaking(snapshot: &Snapshot, published: &RoutingChange) -> bool {
    let RoutingChange::Published { graph, version } = published else { return false };
    let manifest = snapshot.route(graph).and_then(|route| route.manifest(*version));
    let report = manifest.and_then(|manifest| manifest.compatibility.as_ref());
    report.is_some_and(|report| report.callers == Compatibility::Breaking)
}
