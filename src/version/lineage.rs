//! Carries out commands one by one: on record first, then visible to starts.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::audit::{AuditLog, AuditRecord, Refusal};
#[cfg(feature = "metrics")]
use super::command::LabelChange;
use super::command::{Change, Command, Done};
use super::decide::decide;
use super::error::{Changed, VersionError};
use super::pin::Version;
use super::retention::Retention;
use super::snapshot::Snapshot;
use super::transition::{Moved, transitions};
use super::turn::{Settled, Turn};
use crate::clock::Timestamp;
#[cfg(feature = "metrics")]
use crate::id::GraphName;

/// How many request ids are remembered; the answer to an older one is given anew.
const REQUESTS: usize = 10_000;

/// The state behind the snapshot: only commands change it.
#[derive(Debug, Default)]
pub(crate) struct Lineages {
    snapshot: Arc<Snapshot>,
    retention: Retention,
    answered: HashMap<Arc<str>, Answered>,
    /// The request ids, oldest first.
    requests: VecDeque<Arc<str>>,
}

/// What a command with a request id was told.
#[derive(Debug)]
struct Answered {
    /// What was asked for.
    asked: String,
    answer: Result<Done, VersionError>,
}

/// An accepted command that changed something, if only secrets, at the moment at which it takes effect.
pub(crate) struct Turned<'a> {
    pub before: &'a Snapshot,
    pub after: &'a Arc<Snapshot>,
    pub record: &'a AuditRecord,
    /// Versions that are not routed to any more: their drains begin when this has been told.
    pub unrouted: &'a [Arc<Version>],
    change: &'a Change,
}

impl Turned<'_> {
    /// What it did, one transition after the other.
    pub(crate) fn transitions(&self) -> Vec<Moved> {
        let changes = self.record.outcome.as_deref().unwrap_or_default();
        transitions(self.before, self.change, changes)
    }

    /// The graph in which something was taken back, and whether a rollout did it.
    #[cfg(feature = "metrics")]
    pub(crate) fn taken_back(&self) -> Option<(&GraphName, bool)> {
        let Change::OnLabel { graph, change, .. } = self.change else { return None };
        match change.moved() {
            LabelChange::Rollback { .. } => Some((graph, false)),
            LabelChange::Revert(_) => Some((graph, true)),
            _ => None,
        }
    }
}

impl Lineages {
    pub(crate) fn new(retention: Retention) -> Self {
        Self { retention, ..Self::default() }
    }

    /// Carries out a command; `swap` makes the new snapshot visible to starts, and tells who watches.
    pub(crate) fn apply(
        &mut self,
        command: &Command,
        now: Timestamp,
        audit: &mut AuditLog,
        swap: impl FnOnce(&Turned<'_>),
    ) -> Result<Done, VersionError> {
        let Some(id) = &command.terms.request_id else {
            return self.carry_out(command, now, audit, swap);
        };
        let asked = command.change.identity();
        match self.answered.get(id) {
            Some(known) if known.asked == asked => {
                return known.answer.clone().map(|done| Done { is_repeat: true, ..done });
            }
            Some(_) => return self.carry_out(command, now, audit, swap),
            None => {}
        }
        let answer = self.carry_out(command, now, audit, swap);
        self.remember(id.clone(), Answered { asked, answer: answer.clone() });
        answer
    }

    /// Puts on record a command that was refused before the routing was asked.
    pub(crate) fn refuse(
        &self,
        command: &Command,
        refusal: Refusal,
        now: Timestamp,
        audit: &mut AuditLog,
    ) {
        let revision = self.snapshot.revision();
        let note = command.terms.note(now);
        audit.append(AuditRecord::of(command, note, Err(refusal), [revision; 2]));
    }

    fn remember(&mut self, id: Arc<str>, answer: Answered) {
        self.answered.insert(id.clone(), answer);
        self.requests.push_back(id);
        if self.requests.len() > REQUESTS
            && let Some(oldest) = self.requests.pop_front()
        {
            self.answered.remove(&oldest);
        }
    }

    fn carry_out(
        &mut self,
        command: &Command,
        now: Timestamp,
        audit: &mut AuditLog,
        swap: impl FnOnce(&Turned<'_>),
    ) -> Result<Done, VersionError> {
        let Command { change, terms } = command;
        let note = terms.note(now);
        let before = self.snapshot.revision();
        let mut turn = Turn::new(&self.snapshot, note.clone(), &self.retention);
        let taken = terms.request_id.as_ref().filter(|id| self.answered.contains_key(*id));
        let decided = match (taken, terms.if_revision.filter(|expected| *expected != before)) {
            (Some(id), _) => Err(VersionError::RequestIdTaken { request_id: id.clone() }),
            (None, Some(expected)) => Err(conflict(expected, before, audit)),
            (None, None) => {
                unchanged(&self.snapshot, command).and_then(|()| decide(&mut turn, change))
            }
        };
        let graphs = change.graphs();
        let settled = decided.map(|done| (done, turn.settle(&graphs)));
        let (outcome, after) = match &settled {
            Ok((_, settled)) => (Ok(settled.changes.clone()), settled.snapshot.revision()),
            Err(error) => (Err(error.clone().into()), before),
        };
        let record = AuditRecord::of(command, note, outcome, [before, after]);
        match settled {
            Ok((done, settled)) => {
                self.settle(settled, change, || audit.append(record), swap);
                Ok(Done { revision: after, ..done })
            }
            Err(error) => {
                audit.append(record);
                Err(error)
            }
        }
    }

    /// The order is what starts rely on: a version that is routed to does not drain, and one that
    /// drains is not routed to.
    fn settle(
        &mut self,
        settled: Settled,
        change: &Change,
        record: impl FnOnce() -> Arc<AuditRecord>,
        swap: impl FnOnce(&Turned<'_>),
    ) {
        let Settled { snapshot, is_changed, routed, unrouted, revoked, .. } = settled;
        routed.iter().for_each(|version| version.gate().cancel_drain());
        let record = record();
        if is_changed {
            let before = std::mem::replace(&mut self.snapshot, Arc::new(snapshot));
            let (after, unrouted) = (&self.snapshot, &unrouted);
            swap(&Turned { before: &before, after, record: &record, unrouted, change });
        }
        unrouted.iter().for_each(|version| version.begin_drain());
        revoked.iter().for_each(|version| version.revoke());
    }
}

/// Whether the label that a command is about leads where whoever gives it believes.
fn unchanged(snapshot: &Snapshot, Command { change, terms }: &Command) -> Result<(), VersionError> {
    let (Change::OnLabel { graph, label, .. }, Some(expected)) = (change, terms.if_standing) else {
        return Ok(());
    };
    if snapshot.standing(graph, label) == expected {
        return Ok(());
    }
    Err(VersionError::LabelChanged { graph: graph.clone(), label: label.clone() })
}

fn conflict(expected: u64, found: u64, audit: &AuditLog) -> VersionError {
    let last = audit.last_change().map(|record| {
        let (command, note) = (record.command.clone(), record.note.clone());
        Box::new(Changed { command, note })
    });
    VersionError::Conflict { expected, found, last }
}
