//! One command's work: a draft of the next snapshot, and what it changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::VersionError;
use super::label::LabelRoute;
use super::marks::{Marks, Note};
use super::pin::Version;
use super::retention::Retention;
use super::routing::RoutingChange;
use super::secrets::GraphSecrets;
use super::snapshot::{Entry, Route, Snapshot};
use crate::id::{GraphName, LabelName, VersionNumber};

/// A draft of the next snapshot; dropping it is a refusal, and leaves nothing behind.
pub(super) struct Turn<'a> {
    before: &'a Snapshot,
    draft: Snapshot,
    changes: Vec<RoutingChange>,
    /// Whether starts see another draft, also if no change is on record.
    is_changed: bool,
    pub note: Arc<Note>,
    pub retention: &'a Retention,
}

/// What is to be carried out once the command is on record.
pub(super) struct Settled {
    pub snapshot: Snapshot,
    pub changes: Arc<[RoutingChange]>,
    /// Whether the snapshot is another one: it may be by secrets alone, which no change tells.
    pub is_changed: bool,
    /// Versions that are routed to again: their drains end before the swap.
    pub routed: Vec<Arc<Version>>,
    /// Versions that are not routed to any more: their drains begin after the swap.
    pub unrouted: Vec<Arc<Version>>,
    /// Versions that take no pin after the swap.
    pub revoked: Vec<Arc<Version>>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(before: &'a Snapshot, note: Arc<Note>, retention: &'a Retention) -> Self {
        let (draft, changes) = (before.draft(), Vec::new());
        Self { before, draft, changes, is_changed: false, note, retention }
    }

    pub(super) const fn draft(&self) -> &Snapshot {
        &self.draft
    }

    pub(super) fn route(&self, graph: &GraphName) -> Result<&Route, VersionError> {
        self.draft.route(graph).ok_or_else(|| VersionError::UnknownGraph(graph.clone()))
    }

    /// A version that is not retired.
    pub(super) fn entry(
        &self,
        graph: &GraphName,
        version: VersionNumber,
    ) -> Result<&Entry, VersionError> {
        self.draft.entry(graph, version)
    }

    /// Whether starts can be routed to a version as long as the turn is under way.
    pub(super) fn was_routed(&self, graph: &GraphName, version: VersionNumber) -> bool {
        let route = self.before.route(graph);
        route.is_some_and(|route| route.routed().any(|one| one == version))
    }

    /// Adds a version, which nothing routes to.
    pub(super) fn publish(&mut self, graph: &GraphName, version: Version, marks: Marks) {
        let number = version.number();
        self.change(graph, |route| {
            route.head = number.0;
            let entry = Entry { version: Arc::new(version), marks: Marks::default() };
            route.versions.insert_mut(number, entry);
        });
        self.changes.push(RoutingChange::Published { graph: graph.clone(), version: number });
        self.mark(graph, number, |it| *it = marks);
    }

    /// Lets the runs of a graph that start from now on read these secrets; it is not put on record.
    pub(super) fn set_secrets(&mut self, graph: &GraphName, secrets: &GraphSecrets) {
        if self.draft.route(graph).is_some_and(|route| route.secrets != *secrets) {
            self.change(graph, |route| route.secrets = secrets.clone());
        }
    }

    /// Puts a label in the place of the one of that name; one that leads the same is no change.
    pub(super) fn set_label(
        &mut self,
        graph: &GraphName,
        label: &LabelName,
        route: Option<LabelRoute>,
    ) {
        let view = route.as_ref().map(LabelRoute::view);
        let before = self.draft.route(graph).and_then(|route| route.label(label));
        if before.map(LabelRoute::view) == view {
            return;
        }
        let change = RoutingChange::Label { graph: graph.clone(), label: label.clone(), view };
        self.change(graph, |graph| match route {
            Some(route) if label.is_default() => graph.default = route,
            Some(route) => graph.labels.insert_mut(label.clone(), route),
            None => drop(graph.labels.remove_mut(label)),
        });
        self.changes.push(change);
    }

    /// Changes the marks of a version that is not retired; the same marks are no change.
    pub(super) fn mark(
        &mut self,
        graph: &GraphName,
        version: VersionNumber,
        change: impl FnOnce(&mut Marks),
    ) {
        let entry = self.draft.route(graph).and_then(|route| route.versions.get(&version));
        let Some(mut entry) = entry.cloned() else { return };
        let before = entry.marks.clone();
        change(&mut entry.marks);
        if entry.marks == before {
            return;
        }
        let marks = entry.marks.clone();
        self.change(graph, |route| route.versions.insert_mut(version, entry));
        self.changes.push(RoutingChange::Marks { graph: graph.clone(), version, marks });
    }

    /// Keeps a verdict.
    pub(super) fn judge(
        &mut self,
        graph: &GraphName,
        report: Arc<super::compatibility::CompatibilityReport>,
    ) {
        let (pair, kept) = ((report.from, report.to), report.clone());
        self.change(graph, |route| route.verdicts.insert_mut(pair, kept));
        self.changes.push(RoutingChange::Judged { graph: graph.clone(), report });
    }

    /// Closes a version's gate and drops its plan; says how many pins keep it.
    ///
    /// A gate that is closed stays closed: nothing in the turn may be refused after this.
    pub(super) fn retire(&mut self, graph: &GraphName, version: VersionNumber) -> Result<(), u64> {
        let entry = self.draft.route(graph).and_then(|route| route.versions.get(&version));
        let Some(entry) = entry.cloned() else { return Ok(()) };
        entry.version.gate().try_retire()?;
        self.change(graph, |route| {
            route.versions.remove_mut(&version);
            route.retired.insert_mut(version, (entry.version.manifest().clone(), entry.marks));
        });
        self.changes.push(RoutingChange::Retired { graph: graph.clone(), version });
        Ok(())
    }

    fn change(&mut self, graph: &GraphName, change: impl FnOnce(&mut Route)) {
        self.draft.edit(graph, change);
        self.is_changed = true;
    }

    /// What the turn comes to; the revision grows by one if anything has changed.
    pub(super) fn settle(mut self, graphs: &[GraphName]) -> Settled {
        let (mut routed, mut unrouted, mut revoked) = (Vec::new(), Vec::new(), Vec::new());
        for graph in graphs {
            let targets = |snapshot: &Snapshot| -> BTreeSet<_> {
                snapshot.route(graph).into_iter().flat_map(Route::routed).collect()
            };
            let (before, after) = (targets(self.before), targets(&self.draft));
            let at = self.note.at;
            for version in before.difference(&after) {
                self.mark(graph, *version, |marks| marks.unrouted_at = Some(at));
                unrouted.extend(self.version(graph, *version));
            }
            routed.extend(after.difference(&before).filter_map(|v| self.version(graph, *v)));
        }
        for change in &self.changes {
            if let RoutingChange::Marks { graph, version, marks } = change
                && marks.revoked.is_some()
            {
                revoked.extend(self.version(graph, *version));
            }
        }
        if !self.changes.is_empty() {
            self.draft.revision += 1;
        }
        let (changes, is_changed) = (self.changes.into(), self.is_changed);
        Settled { snapshot: self.draft, changes, is_changed, routed, unrouted, revoked }
    }

    fn version(&self, graph: &GraphName, version: VersionNumber) -> Option<Arc<Version>> {
        let entry = self.draft.route(graph)?.versions.get(&version)?;
        Some(entry.version.clone())
    }
}
