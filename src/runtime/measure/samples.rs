//! Every metric, and what it is at one moment.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::id::GraphName;
use crate::registry::{RolloutReading, Totals};
use crate::run::{Run, RunPhase};
use crate::runtime::Inner;
use crate::version::{Approval, RolloutPhase, Snapshot};

/// Whether a metric only grows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// A metric: its name, and what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

const VERSIONS: Metric = gauge("graph_versions_total", "Versions that are not retired");
const ACTIVE: Metric = gauge("graph_version_active", "1 if a label leads new runs to the version");
const RUNS: Metric = counter("runs_by_version", "Runs that were accepted");
const CHECKPOINTS: Metric = counter("version_checkpoints_total", "Versions that were made");
const ROLLBACKS: Metric =
    counter("version_rollbacks_total", "Rollbacks, by command or by a rollout");
const BREAKING: Metric =
    counter("version_breaking_changes_total", "Versions that break callers of their parents");
const PENDING: Metric = gauge("version_pending_approvals", "Versions that wait for an approval");
const DEPTH: Metric = gauge("version_lineage_depth", "Versions that the latest one descends from");
const LIVE: Metric = gauge("version_live_runs", "Runs that have not ended");
const PHASES: Metric = gauge("version_runs_by_phase", "Runs that have not ended, by what they do");
const STARTS: Metric = counter("version_starts_total", "Runs that were accepted, by rule");
const OUTCOMES: Metric = counter("version_outcomes_total", "Runs that have ended, by status");
const DRAIN_AGE: Metric = gauge(
    "version_drain_age_seconds",
    "Time since the version lost its last route, while runs last",
);
const REVISION: Metric = gauge("version_routing_revision", "Commands that changed the routing");
const STEP: Metric =
    gauge("version_rollout_step", "The step of the rollout, from 1; 0 if it is at none");
const PHASE: Metric = gauge("version_rollout_phase", "1 for the phase of the rollout");
const VERDICTS: Metric = counter("version_rollout_verdicts_total", "Verdicts on the rollout");

/// Every metric there is.
pub(super) const METRICS: [Metric; 17] = [
    VERSIONS,
    ACTIVE,
    RUNS,
    CHECKPOINTS,
    ROLLBACKS,
    BREAKING,
    PENDING,
    DEPTH,
    LIVE,
    PHASES,
    STARTS,
    OUTCOMES,
    DRAIN_AGE,
    REVISION,
    STEP,
    PHASE,
    VERDICTS,
];

/// A metric with the values of its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub name: &'static str,
    pub labels: Vec<(&'static str, String)>,
}

/// What a series is at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub series: Series,
    pub number: Number,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Counter(u64),
    Gauge(f64),
}

/// Everything that is known now.
pub(super) fn samples(inner: &Inner) -> Vec<Sample> {
    let (snapshot, now) = (inner.registry.snapshot(), inner.clock.now());
    let mut found = Samples::default();
    found.add(REVISION, &[], snapshot.revision());
    found.graphs(&snapshot, inner.registry.totals());
    found.versions(&snapshot, now);
    let live = inner.runs.iter().filter(|run| !run.is_ended());
    // Out of the map before they are asked: that takes a lock of each.
    found.phases(live.map(|run| run.clone()).collect());
    found.rollouts(&snapshot, inner.rollouts.readings());
    found.0
}

#[derive(Default)]
struct Samples(Vec<Sample>);

type Labels<'a> = &'a [(&'static str, &'a str)];

impl Samples {
    fn add(&mut self, metric: Metric, labels: Labels<'_>, number: u64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let number = match metric.kind {
            Kind::Counter => Number::Counter(number),
            #[expect(clippy::cast_precision_loss, reason = "2^53 is more than there will be")]
            Kind::Gauge => Number::Gauge(number as f64),
        };
        self.0.push(Sample { series: Series { name: metric.name, labels }, number });
    }

    fn graphs(&mut self, snapshot: &Snapshot, totals: &Totals) {
        for (graph, route) in snapshot.graphs() {
            let labels = of(graph);
            let entries = || route.versions.values();
            let pending =
                entries().filter(|entry| entry.marks.approval == Approval::Pending).count();
            let depth = entries().next_back().map_or(0, |entry| entry.version.manifest().depth);
            let totals = totals.of(graph);
            self.add(VERSIONS, &labels, route.versions.size() as u64);
            self.add(CHECKPOINTS, &labels, route.head);
            self.add(BREAKING, &labels, totals.breaking);
            self.add(PENDING, &labels, pending as u64);
            self.add(DEPTH, &labels, depth);
            for (reason, count) in [("command", totals.rollbacks), ("rollout", totals.taken_back)] {
                self.add(ROLLBACKS, &[labels[0], labels[1], ("reason", reason)], count);
            }
        }
    }

    /// Versions that were never used have no series of their own.
    fn versions(&mut self, snapshot: &Snapshot, now: Timestamp) {
        for (graph, route) in snapshot.graphs() {
            let active: Vec<_> = route.labels().filter_map(|(_, label)| label.active).collect();
            let routed: Vec<_> = route.routed().collect();
            for (number, entry) in &route.versions {
                let (starts, ends) = (entry.version.tally().starts(), entry.version.tally().ends());
                let started = starts.iter().map(|(_, count)| count).sum();
                let is_routed = routed.contains(number);
                if !is_routed && entry.marks.unrouted_at.is_none() && started == 0 {
                    continue;
                }
                let text = number.0.to_string();
                let [namespace, name] = of(graph);
                let labels = [namespace, name, ("version", text.as_str())];
                let live = entry.version.view().live;
                self.add(ACTIVE, &labels, u64::from(active.contains(number)));
                self.add(LIVE, &labels, live);
                self.add(RUNS, &labels, started);
                self.counted(STARTS, &labels, "rule", &starts);
                self.counted(OUTCOMES, &labels, "status", &ends);
                let since = entry.marks.unrouted_at.filter(|_| !is_routed && live > 0);
                if let Some(since) = since {
                    self.add(DRAIN_AGE, &labels, now.since(since).as_secs());
                }
            }
        }
    }

    fn phases(&mut self, runs: Vec<Run>) {
        let mut counts = BTreeMap::<_, u64>::new();
        for run in runs {
            if let Some(phase) = run.status().phase() {
                let phase = match phase {
                    RunPhase::Queued => "QUEUED",
                    RunPhase::Running => "RUNNING",
                    RunPhase::Waiting => "WAITING",
                    RunPhase::Sleeping => "SLEEPING",
                };
                *counts.entry((run.graph().clone(), run.version(), phase)).or_default() += 1;
            }
        }
        for ((graph, version, phase), count) in counts {
            let (version, [namespace, name]) = (version.0.to_string(), of(&graph));
            let labels = [namespace, name, ("version", version.as_str()), ("phase", phase)];
            self.add(PHASES, &labels, count);
        }
    }

    /// Counts by one more label; those that are zero are left out.
    fn counted(
        &mut self,
        metric: Metric,
        labels: &[(&'static str, &str); 3],
        by: &'static str,
        counts: &[(&'static str, u64)],
    ) {
        for (value, count) in counts.iter().filter(|(_, count)| *count > 0) {
            self.add(metric, &[labels[0], labels[1], labels[2], (by, value)], *count);
        }
    }

    /// The rollouts of labels that are still there.
    fn rollouts(&mut self, snapshot: &Snapshot, readings: Vec<RolloutReading>) {
        for RolloutReading { place: (graph, label), phase, verdicts } in readings {
            if snapshot.route(&graph).and_then(|route| route.label(&label)).is_none() {
                continue;
            }
            let [namespace, name] = of(&graph);
            let labels = [namespace, name, ("label", label.as_str())];
            let (step, current) = match phase {
                RolloutPhase::Step(step) => (step as u64 + 1, "step"),
                RolloutPhase::AwaitingPromotion => (0, "awaiting_promotion"),
                RolloutPhase::Baking => (0, "baking"),
                RolloutPhase::Ended(_) => (0, "ended"),
            };
            self.add(STEP, &labels, step);
            for phase in ["step", "awaiting_promotion", "baking"] {
                let labels = [labels[0], labels[1], labels[2], ("phase", phase)];
                self.add(PHASE, &labels, u64::from(phase == current));
            }
            self.counted(VERDICTS, &labels, "verdict", &verdicts);
        }
    }
}

/// The labels of a graph.
fn of(graph: &GraphName) -> [(&'static str, &str); 2] {
    [("namespace", graph.namespace()), ("graph_name", graph.name())]
}
