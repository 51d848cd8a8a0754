//! A command as the journal has it, and the routing that such commands add up to.
//!
//! An accepted command is kept as what it changed: folding the changes in their order gives the
//! routing, whatever the code that decided them would decide today.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::audit::{AuditLog, AuditRecord, Refusal};
use super::command::Done;
use super::error::VersionError;
use super::label::{Canary, LabelRoute, LabelView, Promotion};
use super::lineage::Answer;
use super::manifest::Manifest;
use super::marks::{Marks, Note};
use super::pin::Version;
use super::routing::RoutingChange;
use super::secrets::GraphSecrets;
use super::snapshot::{Entry, Route, Snapshot};
use crate::id::{GraphName, LabelName, VersionNumber};

/// A command as the journal has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredTurn {
    pub note: Arc<Note>,
    /// The name under which it can be repeated, and what was asked for under it.
    pub request: Option<(Arc<str>, String)>,
    pub graphs: Vec<GraphName>,
    pub command: String,
    /// What it changed and what it was told, or why it was refused.
    pub outcome: Result<(Vec<RoutingChange>, Done), String>,
    pub revisions: [u64; 2],
    /// What the versions are that it made.
    pub made: Vec<Arc<Manifest>>,
    /// The promotions of the labels that it changed.
    pub promotions: Vec<(GraphName, LabelName, Vec<Promotion>)>,
    /// The rollout that it began, confirmed or ended.
    pub rollout: Option<StoredRollout>,
}

/// A rollout that began, was confirmed or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredRollout {
    pub graph: GraphName,
    pub label: LabelName,
    pub version: VersionNumber,
    /// Whether it is under way since then.
    pub is_begun: bool,
    /// Whether its promotion was confirmed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_confirmed: bool,
}

/// What the commands of a journal add up to.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    pub snapshot: Snapshot,
    pub audit: AuditLog,
    /// What commands with a request id were told, oldest first.
    pub answered: Vec<(Arc<str>, String, Answer)>,
    /// The rollouts that had begun and not ended.
    pub rollouts: Vec<StoredRollout>,
}

impl StoredRollout {
    fn is_of(&self, other: &Self) -> bool {
        let place = |one: &Self| (one.graph.clone(), one.label.clone(), one.version);
        place(self) == place(other)
    }
}

impl Restored {
    /// Adds a command to those before it.
    ///
    /// # Errors
    ///
    /// What does not follow from them.
    pub(crate) fn add(&mut self, turn: StoredTurn) -> Result<(), String> {
        let StoredTurn { note, request, graphs, command, outcome, revisions, .. } = turn;
        let [revision_before, revision_after] = revisions;
        let request_id = request.as_ref().map(|(id, _)| id.clone());
        let version = outcome.as_ref().ok().and_then(|(_, done)| done.version);
        let (outcome, answer) = match outcome {
            Ok((changes, done)) => {
                let mut made = turn.made;
                for change in &changes {
                    self.snapshot.fold(change, &mut made)?;
                }
                for (graph, label, promotions) in turn.promotions {
                    self.snapshot.set_promotions(&graph, &label, promotions.into());
                }
                self.snapshot.revision = revision_after;
                (Ok(changes.into()), Ok(done))
            }
            Err(why) => {
                let refusal = Refusal::from(VersionError::Recorded(why));
                (Err(refusal.clone()), Err(refusal))
            }
        };
        self.see_rollout(turn.rollout);
        self.answered.extend(request.map(|(id, asked)| (id, asked, answer)));
        let record = AuditRecord {
            seq: 0,
            note,
            request_id,
            graphs,
            command,
            version: None,
            outcome,
            revision_before,
            revision_after,
        };
        self.audit.append(record.about(version));
        Ok(())
    }

    fn see_rollout(&mut self, rollout: Option<StoredRollout>) {
        let Some(rollout) = rollout else { return };
        if rollout.is_confirmed {
            let known = self.rollouts.iter_mut().find(|one| one.is_of(&rollout));
            return known.into_iter().for_each(|one| one.is_confirmed = true);
        }
        self.rollouts.retain(|one| (&one.graph, &one.label) != (&rollout.graph, &rollout.label));
        if rollout.is_begun {
            self.rollouts.push(rollout);
        }
    }

    /// Gives the runs of every graph these secrets to read: none of them is in the journal.
    pub(crate) fn set_secrets(&mut self, secrets: &GraphSecrets) {
        let graphs: Vec<_> = self.snapshot.graphs().map(|(graph, _)| graph.clone()).collect();
        for graph in graphs {
            self.snapshot.edit(&graph, |route| route.secrets = secrets.clone());
        }
    }

    /// Opens the gates of the versions that labels lead to, and closes those of revoked ones.
    pub(crate) fn settle(&self) {
        for (_, route) in self.snapshot.graphs() {
            for entry in route.versions.values() {
                if route.routed().any(|version| version == entry.version.number()) {
                    entry.version.gate().cancel_drain();
                }
                if entry.marks.revoked.is_some() {
                    entry.version.revoke();
                }
            }
        }
    }
}

impl Snapshot {
    /// Carries out what an accepted command changed; `made` has the versions that it made.
    fn fold(
        &mut self,
        change: &RoutingChange,
        made: &mut Vec<Arc<Manifest>>,
    ) -> Result<(), String> {
        match change {
            RoutingChange::Published { graph, version } => {
                let place = made.iter().position(|made| made.number == *version);
                let made = place.map(|place| made.swap_remove(place));
                let made = made.ok_or_else(|| format!("{graph} {version} has no definition"))?;
                let version = Arc::new(Version::absent(made));
                self.edit(graph, |route| route.add(version));
            }
            RoutingChange::Label { graph, label, view } => {
                self.edit(graph, |route| route.set_view(graph, label, view.as_ref()));
            }
            RoutingChange::Marks { graph, version, marks } => {
                self.edit(graph, |route| route.set_marks(*version, marks));
            }
            RoutingChange::Retired { graph, version } => {
                self.edit(graph, |route| route.take_out(*version));
            }
            RoutingChange::Judged { graph, report } => {
                let pair = (report.from, report.to);
                self.edit(graph, |route| route.verdicts.insert_mut(pair, report.clone()));
            }
        }
        Ok(())
    }

    fn set_promotions(&mut self, graph: &GraphName, label: &LabelName, all: Arc<[Promotion]>) {
        self.edit(graph, |route| {
            if let Some(mut found) = route.label(label).cloned() {
                found.promotions = all;
                route.put(label, Some(found));
            }
        });
    }
}

impl Route {
    fn add(&mut self, version: Arc<Version>) {
        let number = version.number();
        self.head = self.head.max(number.0);
        self.versions.insert_mut(number, Entry { version, marks: Marks::default() });
    }

    fn set_view(&mut self, graph: &GraphName, label: &LabelName, view: Option<&LabelView>) {
        let known = self.label(label).cloned().unwrap_or_default();
        let route = view.map(|view| LabelRoute {
            active: view.active,
            since: view.since,
            canary: view.canary.map(|(version, weight)| Canary::new(graph, label, version, weight)),
            baking: view.baking,
            policy: view.policy,
            promotions: known.promotions,
        });
        self.put(label, route);
    }

    fn put(&mut self, label: &LabelName, route: Option<LabelRoute>) {
        match route {
            Some(route) if label.is_default() => self.default = route,
            Some(route) => self.labels.insert_mut(label.clone(), route),
            None => drop(self.labels.remove_mut(label)),
        }
    }

    fn set_marks(&mut self, version: VersionNumber, marks: &Marks) {
        if let Some(entry) = self.versions.get(&version) {
            let entry = Entry { version: entry.version.clone(), marks: marks.clone() };
            self.versions.insert_mut(version, entry);
        }
    }

    fn take_out(&mut self, version: VersionNumber) {
        if let Some(Entry { version: gone, marks }) = self.versions.get(&version).cloned() {
            self.versions.remove_mut(&version);
            self.retired.insert_mut(version, (gone.manifest().clone(), marks));
        }
    }
}
