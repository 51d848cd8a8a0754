//! Carries out commands one by one: on record first, then visible to starts.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::audit::{AuditLog, AuditRecord, Refusal};
#[cfg(feature = "metrics")]
use super::command::LabelChange;
use super::command::{Change, Command, Done};
use super::decide::decide;
use super::error::{Changed, VersionError};
use super::label::Promotion;
use super::manifest::Manifest;
use super::pin::Version;
use super::retention::Retention;
use super::routing::RoutingChange;
use super::snapshot::Snapshot;
use super::stored::{Restored, StoredTurn};
use super::transition::{Moved, transitions};
use super::turn::{Settled, Turn};
use crate::clock::Timestamp;
use crate::id::{GraphName, LabelName};

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

/// What a command is told.
pub(crate) type Answer = Result<Done, Refusal>;

/// What a command with a request id was told.
#[derive(Debug)]
struct Answered {
    /// What was asked for.
    asked: String,
    answer: Answer,
}

/// What a command comes to.
pub(crate) enum Decision {
    /// It was given before, and this is what it was told then.
    Repeat(Answer),
    /// It can take effect.
    New(Box<Decided>),
}

/// A command that was decided, and has not taken effect.
pub(crate) struct Decided {
    record: AuditRecord,
    settled: Option<Settled>,
    answer: Answer,
    /// What was asked for under its request id, if the answer is to be remembered.
    asked: Option<(Arc<str>, String)>,
}

impl Decided {
    /// What is put on record of it.
    pub(crate) fn stored(&self, command: &Command) -> StoredTurn {
        let changes = self.settled.as_ref().map(|settled| settled.changes.to_vec());
        let changes = changes.unwrap_or_default();
        let (made, promotions) = self
            .settled
            .as_ref()
            .map_or_else(Default::default, |settled| (settled.made(), settled.promotions()));
        let outcome = self.answer.as_ref().map(|done| (changes, *done));
        StoredTurn {
            note: self.record.note.clone(),
            request: self.asked.clone(),
            graphs: self.record.graphs.clone(),
            command: self.record.command.clone(),
            outcome: outcome.map_err(ToString::to_string),
            revisions: [self.record.revision_before, self.record.revision_after],
            made,
            promotions,
            rollout: command.change.rollout_edge().filter(|_| self.answer.is_ok()),
        }
    }
}

impl Settled {
    /// What the versions are that were made.
    fn made(&self) -> Vec<Arc<Manifest>> {
        let made = self.changes.iter().filter_map(|change| match change {
            RoutingChange::Published { graph, version } => {
                Some(self.snapshot.route(graph)?.manifest(*version)?.clone())
            }
            _ => None,
        });
        made.collect()
    }

    /// The promotions of the labels that were changed.
    fn promotions(&self) -> Vec<(GraphName, LabelName, Vec<Promotion>)> {
        let labels = self.changes.iter().filter_map(|change| match change {
            RoutingChange::Label { graph, label, view: Some(_) } => {
                let route = self.snapshot.route(graph)?.label(label)?;
                Some((graph.clone(), label.clone(), route.promotions.to_vec()))
            }
            _ => None,
        });
        labels.collect()
    }
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
    #[cfg(test)]
    pub(crate) fn new(retention: Retention) -> Self {
        Self { retention, ..Self::default() }
    }

    /// The state behind a snapshot that came from a journal.
    pub(crate) fn restore(restored: &Restored, retention: Retention) -> Self {
        let snapshot = Arc::new(restored.snapshot.clone());
        let mut lineages = Self { snapshot, retention, ..Self::default() };
        for (id, asked, answer) in &restored.answered {
            let answered = Answered { asked: asked.clone(), answer: answer.clone() };
            lineages.remember(id.clone(), answered);
        }
        lineages
    }

    /// What a command was told that was given before under its request id.
    pub(crate) fn recall(&self, command: &Command) -> Option<Answer> {
        let known = self.answered.get(command.terms.request_id.as_ref()?)?;
        let is_same = known.asked == command.change.identity();
        let answer = is_same.then(|| known.answer.clone())?;
        Some(answer.map(|done| Done { is_repeat: true, ..done }))
    }

    /// Decides what a command comes to; nothing has taken effect yet.
    ///
    /// With a refusal it was refused already by what it is about, and is only put on record.
    pub(crate) fn decide(
        &self,
        command: &Command,
        refusal: Option<Refusal>,
        now: Timestamp,
        audit: &AuditLog,
    ) -> Decision {
        if let Some(answer) = self.recall(command) {
            return Decision::Repeat(answer);
        }
        let Command { change, terms } = command;
        let taken = terms.request_id.clone().filter(|id| self.answered.contains_key(id));
        let asked = terms.request_id.clone().filter(|_| taken.is_none());
        let taken = taken.map(|request_id| VersionError::RequestIdTaken { request_id });
        let found = self.snapshot.revision();
        let expected = terms.if_revision.filter(|expected| *expected != found);
        let untimely = taken.or_else(|| Some(conflict(expected?, found, audit)));
        let mut decided = self.judge(command, untimely.map(Refusal::from).or(refusal), now);
        decided.asked = asked.map(|id| (id, change.identity()));
        Decision::New(Box::new(decided))
    }

    /// Lets a command take effect that is on record; `swap` makes the new snapshot visible to starts, and
    /// tells who watches.
    pub(crate) fn take_effect(
        &mut self,
        command: &Command,
        decided: Decided,
        audit: &mut AuditLog,
        swap: impl FnOnce(&Turned<'_>),
    ) -> Answer {
        let Decided { record, settled, answer, asked } = decided;
        match settled {
            Some(settled) => {
                self.settle(settled, &command.change, || audit.append(record), swap);
            }
            None => drop(audit.append(record)),
        }
        if let Some((id, asked)) = asked {
            self.remember(id, Answered { asked, answer: answer.clone() });
        }
        answer
    }

    /// Whether retention would give up a version of a graph for its age.
    pub(crate) fn gives_up(&self, graph: &GraphName, now: Timestamp) -> bool {
        // That there are many is for the next publish to mend.
        let by_age = self.retention.clone().soft_limit(usize::MAX);
        !by_age.gives_up(&self.snapshot, graph, now).is_empty()
    }

    /// How many versions a graph has and should have at most, if it has more.
    pub(crate) fn surplus(&self, graph: &GraphName) -> Option<(usize, usize)> {
        let versions = self.snapshot.route(graph)?.versions.size();
        let soft_limit = self.retention.soft_limit;
        (versions > soft_limit).then_some((versions, soft_limit))
    }

    /// Gives up a command that cannot be put on record: nothing has changed.
    pub(crate) fn give_up(&self, decided: &Decided) {
        let changes = decided.settled.iter().flat_map(|settled| settled.changes.iter());
        for change in changes {
            if let RoutingChange::Retired { graph, version } = change
                && let Some(version) = self.snapshot.version(graph, *version)
            {
                version.gate().reopen();
            }
        }
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

    fn judge(&self, command: &Command, refusal: Option<Refusal>, now: Timestamp) -> Decided {
        let Command { change, terms } = command;
        let note = terms.note(now);
        let before = self.snapshot.revision();
        let mut turn = Turn::new(&self.snapshot, note.clone(), &self.retention);
        let decided = match refusal {
            Some(refusal) => Err(refusal),
            None => unchanged(&self.snapshot, command)
                .and_then(|()| decide(&mut turn, change))
                .map_err(Refusal::from),
        };
        let settled = decided.map(|done| (done, turn.settle(&change.graphs())));
        match settled {
            Ok((done, settled)) => {
                let after = settled.snapshot.revision();
                let outcome = Ok(settled.changes.clone());
                let record = AuditRecord::of(command, note, outcome, [before, after]);
                let record = record.about(done.version);
                let answer = Ok(Done { revision: after, ..done });
                Decided { record, settled: Some(settled), answer, asked: None }
            }
            Err(error) => {
                let outcome = Err(error.clone());
                let record = AuditRecord::of(command, note, outcome, [before, before]);
                Decided { record, settled: None, answer: Err(error), asked: None }
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
        // Let go before the swap: starts write the count of references, too.
        routed.into_iter().for_each(|version| version.gate().cancel_drain());
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
