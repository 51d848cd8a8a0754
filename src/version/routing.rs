//! The routing as plain data: what accepted commands changed, and what they add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::compatibility::CompatibilityReport;
use super::label::LabelView;
use super::marks::Marks;
use super::snapshot::Snapshot;
use crate::id::{GraphName, LabelName, VersionNumber};

/// One thing that an accepted command changed: how it is since then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RoutingChange {
    /// A version was made.
    Published {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
    },
    /// A label leads elsewhere, or asks for something else.
    Label {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
        /// How it is now; `None` if it was removed.
        view: Option<LabelView>,
    },
    /// Something was said about a version.
    Marks {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// What is said now.
        marks: Marks,
    },
    /// A version is gone.
    Retired {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
    },
    /// A person judged how far one version can stand in for another.
    Judged {
        /// The graph.
        graph: GraphName,
        /// The verdict.
        report: Arc<CompatibilityReport>,
    },
}

/// The routing of every graph at one revision, as plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Routing {
    /// How many commands have changed it.
    pub revision: u64,
    /// The graphs.
    pub graphs: BTreeMap<GraphName, GraphRouting>,
}

/// The routing of one graph, as plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphRouting {
    /// Its labels; one that leads nowhere and asks for nothing is left out.
    pub labels: BTreeMap<LabelName, LabelView>,
    /// What is said about each version that is not retired.
    pub versions: BTreeMap<VersionNumber, Marks>,
    /// The versions that are gone.
    pub retired: BTreeSet<VersionNumber>,
    /// What people judged, by the two versions.
    pub verdicts: BTreeMap<(VersionNumber, VersionNumber), Arc<CompatibilityReport>>,
}

impl Routing {
    /// What a snapshot says.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let graphs = snapshot.graphs().map(|(name, route)| {
            let labels = route.labels().map(|(name, label)| (name, label.view()));
            let versions = route.versions.iter().map(|(v, entry)| (*v, entry.marks.clone()));
            let verdicts = route.verdicts.iter().map(|(pair, report)| (*pair, report.clone()));
            let graph = GraphRouting {
                labels: labels.filter(|(_, view)| *view != LabelView::default()).collect(),
                versions: versions.collect(),
                retired: route.retired.keys().copied().collect(),
                verdicts: verdicts.collect(),
            };
            (name.clone(), graph)
        });
        Self { revision: snapshot.revision(), graphs: graphs.collect() }
    }

    /// Carries out a change.
    pub(crate) fn apply(&mut self, change: &RoutingChange) {
        match change.clone() {
            RoutingChange::Published { graph, version } => {
                self.graph(graph).versions.insert(version, Marks::default());
            }
            RoutingChange::Label { graph, label, view } => {
                let labels = &mut self.graph(graph).labels;
                match view.filter(|view| *view != LabelView::default()) {
                    Some(view) => drop(labels.insert(label, view)),
                    None => drop(labels.remove(&label)),
                }
            }
            RoutingChange::Marks { graph, version, marks } => {
                self.graph(graph).versions.insert(version, marks);
            }
            RoutingChange::Retired { graph, version } => {
                let graph = self.graph(graph);
                graph.versions.remove(&version);
                graph.retired.insert(version);
            }
            RoutingChange::Judged { graph, report } => {
                self.graph(graph).verdicts.insert((report.from, report.to), report);
            }
        }
    }

    fn graph(&mut self, graph: GraphName) -> &mut GraphRouting {
        self.graphs.entry(graph).or_default()
    }
}
