//! What accepted commands did, one transition after the other: what observers are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::command::{Change, LabelChange};
use super::label::{LabelRoute, LabelView, Weight};
use super::marks::{Approval, Marks};
use super::routing::RoutingChange;
use super::snapshot::Snapshot;
use crate::graph::Compatibility;
use crate::id::{GraphName, LabelName, VersionNumber};

/// One thing that became otherwise with a version or a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Transition {
    /// The version was made.
    Published,
    /// The label leads new runs to the version.
    Promoted {
        /// The version it led to before.
        from: Option<VersionNumber>,
    },
    /// A rollback, or a rollout that took its promotion back, let the label lead to the version.
    RolledBack {
        /// The version that was left.
        from: Option<VersionNumber>,
    },
    /// The version is the label's canary, with this share.
    CanarySet {
        /// The share, in basis points.
        weight: Weight,
    },
    /// The version is no longer the label's canary, and was not promoted.
    CanaryCleared,
    /// The label asks for something else of a version.
    PolicySet,
    /// The label is gone; the version is the one it led to.
    LabelRemoved,
    /// The version waits for an approval.
    ApprovalAsked,
    /// The version was approved.
    Approved,
    /// The version was rejected.
    Rejected,
    /// A rollout of the version completed or was confirmed: it is one to roll back to.
    Proven,
    /// The version was taken back: no label takes it.
    Reverted,
    /// A label may take the version again.
    RevertCleared,
    /// The version must not retire.
    Held,
    /// The version may retire again.
    HoldReleased,
    /// The version has a tag.
    Tagged {
        /// The tag.
        tag: Arc<str>,
    },
    /// The version no longer has a tag.
    Untagged {
        /// The tag.
        tag: Arc<str>,
    },
    /// A person judged how far the version can stand in for another.
    Judged {
        /// The other version.
        from: VersionNumber,
        /// The level, for callers.
        level: Compatibility,
    },
    /// Nothing starts on the version any more.
    Revoked,
    /// The version is gone.
    Retired,
}

/// A transition, and what it was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub graph: GraphName,
    /// `None` if it is about a label that leads nowhere.
    pub version: Option<VersionNumber>,
    pub label: Option<LabelName>,
    pub transition: Transition,
}

/// What the changes of an accepted command were, in their order.
pub(crate) fn transitions(
    before: &Snapshot,
    command: &Change,
    changes: &[RoutingChange],
) -> Vec<Moved> {
    let is_back = match command {
        Change::OnLabel { change, .. } => {
            matches!(change.moved(), LabelChange::Rollback { .. } | LabelChange::Revert(_))
        }
        _ => false,
    };
    let (labels, marks, found) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut walk = Walk { before, is_back, labels, marks, found };
    changes.iter().for_each(|change| walk.see(change));
    walk.found
}

/// Goes through the changes of one command; each is compared with what was so just before it.
struct Walk<'a> {
    before: &'a Snapshot,
    /// Whether a label that leads elsewhere goes back.
    is_back: bool,
    /// Labels and marks that an earlier change of the command touched.
    labels: BTreeMap<(GraphName, LabelName), Option<LabelView>>,
    marks: BTreeMap<(GraphName, VersionNumber), Marks>,
    found: Vec<Moved>,
}

impl Walk<'_> {
    fn see(&mut self, change: &RoutingChange) {
        match change {
            RoutingChange::Published { graph, version } => {
                self.version(graph, *version, Transition::Published);
            }
            RoutingChange::Label { graph, label, view } => self.label(graph, label, view.as_ref()),
            RoutingChange::Marks { graph, version, marks } => self.marks(graph, *version, marks),
            RoutingChange::Retired { graph, version } => {
                self.version(graph, *version, Transition::Retired);
            }
            RoutingChange::Judged { graph, report } => {
                let judged = Transition::Judged { from: report.from, level: report.callers };
                self.version(graph, report.to, judged);
            }
        }
    }

    fn version(&mut self, graph: &GraphName, version: VersionNumber, transition: Transition) {
        let (graph, version) = (graph.clone(), Some(version));
        self.found.push(Moved { graph, version, label: None, transition });
    }

    fn label(&mut self, graph: &GraphName, label: &LabelName, now: Option<&LabelView>) {
        let known = self.labels.insert((graph.clone(), label.clone()), now.cloned());
        let before = known.unwrap_or_else(|| {
            let route = self.before.route(graph).and_then(|route| route.label(label));
            route.map(LabelRoute::view)
        });
        // A label that is made by asking for nothing asks for it.
        let is_made = before.is_none() && now.is_some_and(|view| view.active.is_none());
        let (before, after) = (before.unwrap_or_default(), now.cloned().unwrap_or_default());
        let mut add = |version, transition| {
            let (graph, label) = (graph.clone(), Some(label.clone()));
            self.found.push(Moved { graph, version, label, transition });
        };
        let canary = |view: &LabelView| view.canary.map(|(version, _)| version);
        let is_promoted = after.active.is_some() && after.active == canary(&before);
        if before.canary.is_some() && canary(&before) != canary(&after) && !is_promoted {
            add(canary(&before), Transition::CanaryCleared);
        }
        if let Some((version, weight)) = after.canary.filter(|_| before.canary != after.canary) {
            add(Some(version), Transition::CanarySet { weight });
        }
        if after.active.is_some() && after.active != before.active {
            let from = before.active;
            add(
                after.active,
                match self.is_back {
                    true => Transition::RolledBack { from },
                    false => Transition::Promoted { from },
                },
            );
        }
        match now {
            None => add(before.active, Transition::LabelRemoved),
            Some(_) if is_made || before.policy != after.policy => {
                add(after.active, Transition::PolicySet);
            }
            Some(_) => {}
        }
    }

    fn marks(&mut self, graph: &GraphName, version: VersionNumber, after: &Marks) {
        let known = self.marks.insert((graph.clone(), version), after.clone());
        let before = known.unwrap_or_else(|| {
            let entry = self.before.route(graph).and_then(|route| route.versions.get(&version));
            entry.map(|entry| entry.marks.clone()).unwrap_or_default()
        });
        let mut add = |transition| self.version(graph, version, transition);
        if before.approval != after.approval {
            match after.approval {
                Approval::Unasked => {}
                Approval::Pending => add(Transition::ApprovalAsked),
                Approval::Approved(_) => add(Transition::Approved),
                Approval::Rejected(_) => add(Transition::Rejected),
            }
        }
        let pairs = [
            (&before.reverted, &after.reverted, Transition::Reverted, Transition::RevertCleared),
            (&before.held, &after.held, Transition::Held, Transition::HoldReleased),
        ];
        for (old, new, set, cleared) in pairs {
            match (old, new) {
                (old, new) if old == new => {}
                (_, Some(_)) => add(set),
                (_, None) => add(cleared),
            }
        }
        for tag in after.tags.difference(&before.tags).cloned() {
            add(Transition::Tagged { tag });
        }
        for tag in before.tags.difference(&after.tags).cloned() {
            add(Transition::Untagged { tag });
        }
        if before.proven.is_none() && after.proven.is_some() {
            add(Transition::Proven);
        }
        if before.revoked.is_none() && after.revoked.is_some() {
            add(Transition::Revoked);
        }
    }
}
