//! Whether a rollout of a label may begin.

use super::error::{RolloutError, RolloutOf};
use super::plan::RolloutPlan;
use crate::clock::Timestamp;
use crate::id::VersionNumber;
use crate::version::snapshot::Snapshot;

/// A rollout that is asked for, and how its label stands.
#[derive(Debug)]
pub(crate) struct Admission<'a> {
    pub of: &'a RolloutOf,
    pub plan: &'a RolloutPlan,
    pub snapshot: &'a Snapshot,
    /// The version of the label's rollout under way.
    pub under_way: Option<VersionNumber>,
    /// When the label may be rolled out again, if it went back by itself.
    pub cool_at: Option<Timestamp>,
    /// Whether it takes the place of what is under way.
    pub supersede: bool,
}

impl Admission<'_> {
    /// Refuses for what no waiting mends first.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), RolloutError> {
        let RolloutOf { graph, label, version } = self.of;
        let of = || self.of.clone();
        if let Some(reason) = self.plan.problem() {
            return Err(RolloutError::InvalidPlan { of: of(), reason });
        }
        self.snapshot.entry(graph, *version)?;
        if let Some(until) = self.cool_at.filter(|until| now < *until) {
            let left = until.since(now);
            return Err(RolloutError::CoolingDown { of: of(), until, left });
        }
        let by_hand = self.snapshot.standing(graph, label).canary.map(|(canary, _)| canary);
        let by_hand = by_hand.filter(|canary| canary != version);
        match self.under_way.or(by_hand).filter(|_| !self.supersede) {
            Some(tried) => Err(RolloutError::RolloutInProgress { of: of(), tried }),
            None => Ok(()),
        }
    }
}
