//! A run as a whole: what is counted, what went wrong, when it has ended. Pure.
//!
//! Invariants:
//! 1. A run ends exactly when nothing is counted any more, once per episode.
//! 2. After the end nothing changes but by a manual retry, which opens the next episode.
//! 3. What is retried by hand is no longer a failure.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::batch::{Failure, Record, Results, RunDelta, Skip, Tally};
use super::counts::Counts;
use super::fingerprint::Fingerprint;
use super::outcome::Outcome;
use super::records::Records;
use super::retention::{Keeps, StateRetention};
use super::retry_ids::RetryIds;
use super::status::{RunStatus, StateStatus};
use crate::graph::{OnFailure, Plan};
use crate::id::{NodeIndex, RunId, StateId, VersionNumber};

/// Why a run is stopped before its states have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stop {
    /// Somebody cancelled it.
    Cancelled,
    /// Its time was over.
    TimedOut,
    /// A state failed, and the graph says `fail_fast`.
    FailFast,
    /// An actor of the run died.
    Broken(String),
    /// It leaves the process; its journal has what it takes to go on.
    Parked,
}

/// What the run's actor has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Stop every attempt.
    Stop(Stop),
    /// Nothing is counted any more.
    Settled,
}

/// What follows from one report.
pub(crate) type Effects = SmallVec<[Effect; 1]>;

/// The state of one run.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(super) plan: Arc<Plan>,
    pub(super) run: RunId,
    pub(super) version: VersionNumber,
    pub(super) tally: Tally,
    pub(super) counts: Counts,
    pub(super) records: Records,
    /// As they were reported.
    pub(super) results: SmallVec<[Results; 1]>,
    pub(super) ended: bool,
    /// What few runs have; made when it is first needed.
    extra: Option<Box<Extra>>,
}

/// What few runs have.
#[derive(Debug, Default)]
pub(super) struct Extra {
    pub warnings: Vec<String>,
    pub failures: BTreeMap<StateId, Failure>,
    pub skipped: BTreeMap<StateId, Skip>,
    /// The states of mergers that were skipped, by their groups.
    pub skipped_mergers: BTreeMap<Fingerprint, StateId>,
    pub retry_ids: RetryIds,
    pub stop: Option<Stop>,
}

/// What a run has that has nothing else.
static NOTHING: Extra = Extra {
    warnings: Vec::new(),
    failures: BTreeMap::new(),
    skipped: BTreeMap::new(),
    skipped_mergers: BTreeMap::new(),
    retry_ids: RetryIds::NONE,
    stop: None,
};

impl Machine {
    pub(crate) fn new(
        plan: Arc<Plan>,
        run: RunId,
        version: VersionNumber,
        warnings: Vec<String>,
    ) -> Self {
        let warned = !warnings.is_empty();
        Self {
            extra: warned.then(|| Box::new(Extra { warnings, ..Extra::default() })),
            plan,
            run,
            version,
            tally: Tally::default(),
            counts: Counts::default(),
            records: Records::default(),
            results: SmallVec::new(),
            ended: false,
        }
    }

    /// What few runs have.
    pub(super) fn extra(&self) -> &Extra {
        self.extra.as_deref().unwrap_or(&NOTHING)
    }

    /// The same, to add to it or to take from it.
    pub(super) fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Counts what a lane reports.
    pub(crate) fn apply(&mut self, delta: RunDelta) -> Effects {
        if self.ended {
            return Effects::new();
        }
        self.tally.add(delta.tally);
        self.counts.merge(delta.counts);
        self.records.change(delta.records, delta.trail);
        if !delta.results.is_empty() {
            self.results.push(delta.results);
        }
        let untolerated = delta.failures.iter().any(|failure| !failure.tolerated);
        if !delta.skipped.is_empty() || !delta.failures.is_empty() {
            let extra = self.extra_mut();
            let mergers = delta.skipped.iter().filter_map(|skip| Some((skip.group?, skip.state)));
            extra.skipped_mergers.extend(mergers);
            extra.skipped.extend(delta.skipped.into_iter().map(|skip| (skip.state, skip)));
            extra.failures.extend(delta.failures.into_iter().map(|f| (f.state, f)));
        }
        let mut effects = Effects::new();
        if untolerated && self.plan.on_failure == OnFailure::FailFast {
            effects.extend(self.stop(Stop::FailFast));
        }
        effects.extend(self.settle());
        effects
    }

    pub(super) fn settle(&self) -> Option<Effect> {
        (self.tally.is_settled() && !self.ended).then_some(Effect::Settled)
    }

    /// Something stops the run; the first reason counts.
    pub(crate) fn stop(&mut self, stop: Stop) -> Option<Effect> {
        if self.ended || self.extra().stop.is_some() {
            return None;
        }
        self.extra_mut().stop = Some(stop.clone());
        Some(Effect::Stop(stop))
    }

    /// The run is cancelled, whatever else was to stop it.
    pub(crate) fn give_up(&mut self) {
        self.extra_mut().stop = Some(Stop::Cancelled);
    }

    /// Why the run is being stopped, if it is.
    pub(crate) fn stop_reason(&self) -> Option<Stop> {
        self.extra().stop.clone()
    }

    /// Whether the episode goes on, here or after a restart.
    pub(crate) fn goes_on(&self) -> bool {
        match self.extra().stop {
            None => !self.ended,
            Some(Stop::Parked) => true,
            Some(_) => false,
        }
    }

    /// Whether the records tell that an attempt of an execution is over: it may be one that they do
    /// not know yet.
    pub(crate) fn is_past(&mut self, execution: u64, attempt: u32) -> bool {
        let of_execution = |record: &&Record| record.execution.id == execution;
        let is_past = |record: &Record| match record.execution.attempt.cmp(&attempt) {
            Ordering::Less => false,
            Ordering::Equal => record.status.is_terminal(),
            Ordering::Greater => true,
        };
        self.records.sorted().values().filter(of_execution).any(is_past)
    }

    /// Whether nothing is counted.
    pub(crate) const fn is_idle(&self) -> bool {
        self.tally.is_settled()
    }

    /// Ends the run: nothing changes it any more.
    ///
    /// `is_cancelled` says whether its lanes were told to stop, which they may have done before
    /// anybody could say why.
    pub(crate) fn end(&mut self, is_cancelled: bool) -> Outcome {
        self.ended = true;
        self.close_live_states();
        let is_cut = |status| status == StateStatus::Cancelled;
        if is_cancelled && self.extra().stop.is_none() && self.counts.has(is_cut) {
            self.extra_mut().stop = Some(Stop::Cancelled);
        }
        self.tally = Tally::default();
        self.outcome()
    }

    /// What a run leaves open that is ended by force is cancelled.
    fn close_live_states(&mut self) {
        let is_open = |status: StateStatus| !status.is_terminal();
        if !self.counts.has(is_open) {
            return;
        }
        let open: Vec<_> = self.counts.iter().filter(|(_, status, _)| is_open(*status)).collect();
        for (node, status, count) in open {
            self.counts.add(node, status, -count);
            self.counts.add(node, StateStatus::Cancelled, count);
        }
        for record in self.records.sorted().values_mut().filter(|r| !r.status.is_terminal()) {
            record.status = StateStatus::Cancelled;
        }
    }

    /// Whether the current episode is over.
    pub(crate) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Gives up the records of a run that has ended, but for what went wrong.
    ///
    /// The outcome tells of its outputs; the machine has them for the outcome of a manual retry.
    pub(crate) fn keep_failures(&mut self) -> Records {
        let is_kept = StateRetention::keeps_failure;
        if !self.ended {
            return Records::default();
        }
        if self.counts.has(is_kept) {
            let kept = self.records.sorted().extract_if(.., |_, record| is_kept(record.status));
            let kept = kept.collect();
            let gone = std::mem::take(&mut self.records);
            *self.records.sorted() = kept;
            return gone;
        }
        self.results.clear();
        std::mem::take(&mut self.records)
    }

    /// How much is kept once the run has ended.
    pub(crate) fn keeps(&self) -> Keeps {
        let results: usize = self.results.iter().map(SmallVec::len).sum();
        let reports = results + self.extra().failures.len() + self.extra().skipped.len();
        Keeps { records: self.records.at_most(), reports }
    }

    /// The status: terminal once the run has ended.
    pub(crate) fn status(&self) -> RunStatus {
        match &self.extra().stop {
            _ if !self.ended => RunStatus::Running,
            Some(Stop::Cancelled) => RunStatus::Cancelled,
            Some(Stop::TimedOut) => RunStatus::TimedOut,
            Some(Stop::FailFast | Stop::Broken(_)) => RunStatus::Failed,
            Some(Stop::Parked) => RunStatus::Parked,
            None => {
                let failures = self.extra().failures.values();
                RunStatus::of(failures.map(|f| (f.status, u64::from(!f.tolerated))))
            }
        }
    }

    pub(super) fn name(&self, node: NodeIndex) -> Arc<str> {
        self.plan.node(node).identifier.clone()
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::TimedOut => f.write_str("the run ran out of time"),
            Self::FailFast => f.write_str("a state failed, and the graph fails fast"),
            Self::Broken(what) => f.write_str(what),
            Self::Parked => f.write_str("parked in the journal"),
        }
    }
}
