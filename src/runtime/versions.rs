//! The versions of one graph: what there is, and how to wait for it.

mod commands;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::drain::Drain;
use super::rollout::BeginRollout;
use super::{Inner, StartError};
use crate::graph::{GraphDiff, Plan};
use crate::id::{GraphName, LabelName, RunId, VersionNumber};
use crate::registry::Rollout;
use crate::run::{Run, RunPhase};
use crate::version::{
    Approval, CompatibilityReport, Decision, LabelView, Manifest, RolloutPlan, Selector, Snapshot,
    VersionError, VersionInfo,
};

/// The versions of one graph, seen from one of its labels.
///
/// It is a handle: each call looks at the routing of that moment, and starts never wait for it.
/// Commands on routes are about its label, which is `default` unless [`label`](Self::label) chose
/// another.
#[derive(Clone)]
pub struct Versions {
    inner: Arc<Inner>,
    graph: GraphName,
    label: LabelName,
}

impl Versions {
    pub(super) fn new(inner: Arc<Inner>, graph: GraphName) -> Self {
        Self { inner, graph, label: LabelName::default() }
    }

    /// The same versions, seen from another label; promoting to one that is not there makes it.
    #[must_use]
    pub fn label(&self, label: impl Into<LabelName>) -> Self {
        Self { label: label.into(), ..self.clone() }
    }

    /// The versions that are not retired, oldest first, with exact counts of live runs.
    #[must_use]
    pub fn list(&self) -> Vec<VersionInfo> {
        let (snapshot, now) = (self.snapshot(), self.inner.clock.now());
        let Some(route) = snapshot.route(&self.graph) else { return Vec::new() };
        route.versions.values().map(|entry| VersionInfo::of(entry, route, now)).collect()
    }

    /// One version, retired or not; `None` if it was never published.
    #[must_use]
    pub fn get(&self, version: impl Into<VersionNumber>) -> Option<VersionInfo> {
        let now = self.inner.clock.now();
        VersionInfo::find(self.snapshot().route(&self.graph)?, version.into(), now)
    }

    /// A page of manifests, latest first: at most `limit`, of versions before `before`.
    ///
    /// It has the retired ones too. The number of the last one on a page is where the next begins.
    #[must_use]
    pub fn history(&self, before: Option<VersionNumber>, limit: usize) -> Vec<Arc<Manifest>> {
        let snapshot = self.snapshot();
        let Some(route) = snapshot.route(&self.graph) else { return Vec::new() };
        let before = before.map_or(route.head, |before| before.0.saturating_sub(1).min(route.head));
        let numbers = (1..=before).rev().take(limit).map(VersionNumber);
        numbers.filter_map(|number| route.manifest(number).cloned()).collect()
    }

    /// The labels, and where each of them leads.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<LabelName, LabelView> {
        let snapshot = self.snapshot();
        let Some(route) = snapshot.route(&self.graph) else { return BTreeMap::new() };
        route.labels().map(|(name, label)| (name, label.view())).collect()
    }

    /// The active version of the label; `None` if it has none, or is not there.
    ///
    /// A start may get the canary instead: [`explain`](Self::explain) says which.
    #[must_use]
    pub fn active(&self) -> Option<VersionNumber> {
        self.snapshot().standing(&self.graph, &self.label).active
    }

    /// The versions that wait for an approval, oldest first.
    ///
    /// A version waits from when a label asks an approval of it, whatever command made it so. One
    /// that the label has led to before waits only if a person [judged](Self::judge) that step: a
    /// promotion of it may ask for an approval all the same.
    #[must_use]
    pub fn pending(&self) -> Vec<VersionInfo> {
        let mut versions = self.list();
        versions.retain(|version| version.marks.approval == Approval::Pending);
        versions
    }

    /// The compiled graph of a version that is not retired, and whose handlers the process has.
    #[must_use]
    pub fn plan(&self, version: impl Into<VersionNumber>) -> Option<Arc<Plan>> {
        let snapshot = self.snapshot();
        let entry = snapshot.route(&self.graph)?.versions.get(&version.into())?;
        entry.version.plan().cloned()
    }

    /// The runs that are pinned to a version and have not ended, in no order.
    ///
    /// A run that is being started or ended at this moment may be missing; the count in
    /// [`VersionInfo::live`] is exact.
    #[must_use]
    pub fn runs(&self, version: impl Into<VersionNumber>) -> Vec<Run> {
        self.inner.live_runs_of(&self.graph, version.into())
    }

    /// What differs between two versions, retired or not.
    ///
    /// # Errors
    ///
    /// If one of them was never published.
    pub fn diff(
        &self,
        from: impl Into<VersionNumber>,
        to: impl Into<VersionNumber>,
    ) -> Result<GraphDiff, VersionError> {
        let (from, to) = (self.manifest(from.into())?, self.manifest(to.into())?);
        Ok(GraphDiff::between(from.outline(), to.outline()))
    }

    /// How far one version can stand in for another, and how many runs are where it cannot.
    ///
    /// What a person judged stands before what is derived.
    ///
    /// # Errors
    ///
    /// If one of them was never published.
    pub fn assess(
        &self,
        from: impl Into<VersionNumber>,
        to: impl Into<VersionNumber>,
    ) -> Result<CompatibilityReport, VersionError> {
        let (from, to) = (from.into(), to.into());
        self.manifest(from)?;
        self.manifest(to)?;
        let snapshot = self.snapshot();
        let report = snapshot.route(&self.graph).and_then(|route| route.report(from, to));
        let mut report = Arc::unwrap_or_clone(report.expect("both versions were published"));
        for run in self.runs(from) {
            let view = run.status();
            let nodes = report.rationale.iter().filter_map(|finding| finding.node.as_deref());
            let nodes: std::collections::BTreeSet<_> = nodes.collect();
            for node in nodes {
                let states = view.nodes.get(node);
                if states.is_some_and(|states| states.keys().any(|status| !status.is_terminal())) {
                    *report.impact.entry(node.to_owned()).or_default() += 1;
                }
            }
        }
        Ok(report)
    }

    /// What a start of this label would get now, and why.
    ///
    /// With a key it is what every start with that key gets as long as the route is the same.
    /// Without one it is what the next start gets that has none.
    ///
    /// # Errors
    ///
    /// What the start would be refused for: an unknown graph or label, no active version, or a
    /// revoked one.
    pub fn explain(&self, key: Option<&str>) -> Result<Decision, StartError> {
        let selector = Selector::Label { label: self.label.clone(), key: key.map(Arc::from) };
        let snapshot = self.snapshot();
        let found = snapshot.peek(&self.graph, &selector);
        let found = found.map_err(|error| StartError::of(self.graph.clone(), error));
        found.map(|(_, decision)| decision)
    }

    /// Waits until no label leads to a version and no run is pinned to it.
    ///
    /// A version that a label leads to is waited for until another one takes its place and its own
    /// runs have ended.
    pub fn drained(&self, version: impl Into<VersionNumber>) -> Drain {
        Drain::new(self.clone(), version.into())
    }

    /// How many live runs of a version are in which phase.
    ///
    /// Each run is asked at another moment; a run that is being started or ended may be missing.
    #[must_use]
    pub fn phases(&self, version: impl Into<VersionNumber>) -> BTreeMap<RunPhase, u64> {
        let mut phases = BTreeMap::new();
        for phase in self.runs(version).iter().filter_map(|run| run.status().phase()) {
            *phases.entry(phase).or_default() += 1;
        }
        phases
    }

    /// A page of the runs that keep a version from being drained, in the order of their ids: at most
    /// `limit`, of those behind `after`.
    ///
    /// A run that is being started or ended at this moment may be missing; the count in
    /// [`VersionInfo::live`] is exact. Stranded runs have no handles:
    /// [`Runtime::stranded`](super::Runtime::stranded) lists them.
    #[must_use]
    pub fn blockers(
        &self,
        version: impl Into<VersionNumber>,
        after: Option<RunId>,
        limit: usize,
    ) -> Vec<Run> {
        self.inner.blockers_of(&self.graph, version.into(), after, limit)
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.registry.snapshot()
    }

    pub(super) fn manifest(&self, version: VersionNumber) -> Result<Arc<Manifest>, VersionError> {
        let (snapshot, graph) = (self.snapshot(), self.graph.clone());
        let Some(route) = snapshot.route(&graph) else {
            return Err(VersionError::UnknownGraph(graph));
        };
        let manifest = route.manifest(version).cloned();
        manifest.ok_or(VersionError::UnknownVersion { graph, version })
    }
}

/// Rollouts of the label.
impl Versions {
    /// Makes a version the active one of the label in steps, as its health allows.
    ///
    /// A label has one rollout at a time. It lets go of the label if somebody else changes it.
    pub fn rollout(&self, version: impl Into<VersionNumber>, plan: RolloutPlan) -> BeginRollout {
        BeginRollout::new(self, version.into(), plan)
    }

    /// The latest rollout of the label, also if it has ended; `None` if there was none.
    ///
    /// Of labels whose rollout has ended the latest 1,000 are remembered, as long as they are there.
    #[must_use]
    pub fn latest_rollout(&self) -> Option<Rollout> {
        self.inner.rollouts.get(&self.place())
    }

    pub(super) const fn graph(&self) -> &GraphName {
        &self.graph
    }

    pub(super) fn place(&self) -> (GraphName, LabelName) {
        (self.graph.clone(), self.label.clone())
    }

    pub(super) const fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl std::fmt::Debug for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Versions")
            .field("graph", &self.graph)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}
