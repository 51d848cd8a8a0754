//! The commands on the versions of one graph and on its labels.

use std::sync::Arc;

use super::Versions;
use crate::graph::Compatibility;
use crate::id::VersionNumber;
use crate::runtime::command::{Accepted, Command, RolledBack};
use crate::version::{
    Change, InFlight, LabelChange, LabelPolicy, Otherwise, RollbackTarget, Terms, VersionChange,
    Weight,
};

/// Commands on the label.
impl Versions {
    /// Makes a version the one that new runs of the label start on; a canary beside it is cleared.
    ///
    /// Refused for a version that is gone, revoked, reverted, rejected or active already, and if the
    /// label's policy stands against it.
    pub fn promote(&self, version: impl Into<VersionNumber>) -> Command {
        self.on_label(LabelChange::Promote(version.into()))
    }

    /// Sends new runs of the label back to an earlier version; runs in flight finish on theirs.
    ///
    /// Versions that an earlier rollback left are passed over. While a canary has a share of the
    /// starts, `LastProven` and `Previous` take back the canary, which counts as reverted; the
    /// active version stays. A canary with a share of none is cleared, as by a promotion.
    pub fn rollback(&self, target: RollbackTarget) -> Command<RolledBack> {
        let in_flight = InFlight::default();
        let change = LabelChange::Rollback { target, otherwise: Otherwise::Refuse, in_flight };
        Command::rolled_back(&self.inner, self.label_change(change))
    }

    /// Gives a version a share of the label's starts, beside the active version.
    ///
    /// A start with a key always gets the same of the two; a key that has the canary keeps it while
    /// its share grows. Of the starts without a key the share goes to the canary, within one. With a
    /// share of none it is reached only by starts that name it.
    pub fn set_canary(&self, version: impl Into<VersionNumber>, weight: Weight) -> Command {
        self.on_label(LabelChange::SetCanary(version.into(), weight))
    }

    /// Ends the label's canary; its runs finish on their version.
    pub fn clear_canary(&self) -> Command {
        self.on_label(LabelChange::ClearCanary)
    }

    /// Sets what the label asks of a version that is promoted or made a canary.
    ///
    /// If it asks for approvals, the versions that need one wait in [`pending`](Self::pending).
    pub fn set_policy(&self, policy: LabelPolicy) -> Command {
        self.on_label(LabelChange::SetPolicy(policy))
    }

    /// Removes the label; the default one stays.
    pub fn remove_label(&self) -> Command {
        self.on_label(LabelChange::Remove)
    }

    fn on_label(&self, change: LabelChange) -> Command {
        Command::accepted(&self.inner, self.label_change(change))
    }

    fn label_change(&self, change: LabelChange) -> Change {
        Change::OnLabel { graph: self.graph.clone(), label: self.label.clone(), change }
    }
}

/// Commands on versions, whatever the label.
impl Versions {
    /// Gives up a version for good: its manifest stays, its handlers are dropped, as soon as no run
    /// of it that has ended can be read any more.
    ///
    /// Refused while a label leads to it, it is held, a run is pinned to it, or a version of another
    /// graph runs it.
    pub fn retire(&self, version: impl Into<VersionNumber>) -> Command {
        self.on_version(version.into(), VersionChange::Retire(Arc::default()))
    }

    /// Stops a version at once: nothing starts on it any more, its runs are cancelled.
    ///
    /// Where it is a canary, it no longer is. Where it is active, starts are refused until another
    /// version is promoted.
    pub fn revoke(&self, version: impl Into<VersionNumber>) -> Command {
        self.on_version(version.into(), VersionChange::Revoke)
    }

    /// Keeps a version from being retired.
    pub fn hold(&self, version: impl Into<VersionNumber>) -> Command {
        self.on_version(version.into(), VersionChange::Hold)
    }

    /// Lets a version be retired that was held.
    pub fn release_hold(&self, version: impl Into<VersionNumber>) -> Command {
        self.on_version(version.into(), VersionChange::ReleaseHold)
    }

    /// Gives a version a tag, such as `stable`.
    pub fn tag(&self, version: impl Into<VersionNumber>, tag: impl Into<Arc<str>>) -> Command {
        self.on_version(version.into(), VersionChange::Tag(tag.into()))
    }

    /// Takes a tag from a version.
    pub fn untag(&self, version: impl Into<VersionNumber>, tag: impl Into<Arc<str>>) -> Command {
        self.on_version(version.into(), VersionChange::Untag(tag.into()))
    }

    /// Approves a version, for every label that asks for it.
    pub fn approve(&self, version: impl Into<VersionNumber>) -> Command {
        self.on_version(version.into(), VersionChange::Approve)
    }

    /// Refuses to approve a version: no label takes it, until it is approved after all.
    pub fn reject(&self, version: impl Into<VersionNumber>) -> Command {
        self.on_version(version.into(), VersionChange::Reject)
    }

    /// Lets a version that was reverted take a route again.
    pub fn clear_reverted(&self, version: impl Into<VersionNumber>) -> Command {
        self.on_version(version.into(), VersionChange::ClearReverted)
    }

    /// Says how far one version can stand in for another, for callers; it stands before what is
    /// derived.
    pub fn judge(
        &self,
        from: impl Into<VersionNumber>,
        to: impl Into<VersionNumber>,
        level: Compatibility,
    ) -> Command {
        let (graph, from, to) = (self.graph.clone(), from.into(), to.into());
        Command::accepted(&self.inner, Change::Judge { graph, from, to, level })
    }

    /// Retires what [`Retention`](crate::version::Retention) gives up; publishing does the same, and
    /// so does the registry when a version has drained.
    pub fn collect(&self) -> Command {
        Command::accepted(&self.inner, Change::Collect { graph: self.graph.clone() })
    }

    /// What happens to the runs of a version whose time to drain is up.
    pub(in crate::runtime) fn drain(
        &self,
        version: VersionNumber,
        then: InFlight,
        terms: Terms,
    ) -> Command {
        self.on_version(version, VersionChange::Drain(then)).under(terms)
    }

    fn on_version(&self, version: VersionNumber, change: VersionChange) -> Command<Accepted> {
        let graph = self.graph.clone();
        Command::accepted(&self.inner, Change::OnVersion { graph, version, change })
    }
}
