//! What a manual retry does to the groups of a run: pure.
//!
//! What prevented a merger prevents those that wait for it, which need not lie around the state that
//! is retried: its retry is followed from group to group.

use super::barrier::{Barriers, Group};
use crate::graph::{Plan, Strategy};
use crate::id::NodeIndex;
use crate::run::batch::{Cause, RETAKEN};
use crate::run::execution::Execution;
use crate::run::fingerprint::Fingerprint;
use crate::run::take_back::Taken;
use crate::run::tokens::{Token, Tokens};

/// What a manual retry finds of the groups a state was counted in.
#[derive(Debug, Default)]
pub(crate) struct Reopening {
    /// The groups that still count the state.
    pub tokens: Vec<Token>,
    /// The mergers that were skipped and are waited for again.
    pub reopened: Vec<Fingerprint>,
    /// The state's own groups, which its next attempt replaces.
    pub dropped: Vec<Fingerprint>,
    /// What those mergers are counted in that were waited for: they never fire.
    pub given_up: Vec<Tokens>,
}

impl Barriers {
    /// Takes a state that is retried by hand, and those taken back with it, out of what prevents
    /// mergers, and opens the groups again of those that nothing else prevents.
    pub(crate) fn reopen(&mut self, taken: &Taken) -> Reopening {
        let mut found = Reopening::default();
        // Those taken back along may be of another draw of the fanout, which has groups of its own.
        taken.all().for_each(|execution| self.drop_own_groups(execution, &mut found));
        for token in taken.execution.tokens().iter() {
            let group = self.groups.get_mut(&token.group);
            let Some(group) = group.filter(|group| !group.given_up) else { continue };
            group.take_back(&self.plan, token.merger, taken);
            found.tokens.push(*token);
        }
        self.forget_causes(&found.tokens, taken);
        self.open_again(&found.tokens, &mut found.reopened);
        for fingerprint in &found.reopened {
            self.wait_again(*fingerprint);
        }
        found
    }

    /// Gives up the groups that an execution opened: its next attempt opens others.
    fn drop_own_groups(&mut self, execution: &Execution, found: &mut Reopening) {
        for token in execution.tokens().iter().rev() {
            if self.plan.unites(token.merger).node != execution.node {
                continue;
            }
            let group = self.groups.get_mut(&token.group);
            let Some(group) = group.filter(|group| !group.given_up) else { continue };
            found.dropped.push(token.group);
            let group = std::mem::replace(group, Group::mark());
            found.given_up.extend(group.awaited_by());
        }
    }

    /// What is taken back prevents no merger that waited for one it had prevented.
    fn forget_causes(&mut self, of: &[Token], taken: &Taken) {
        let mut changed: Vec<_> = of.iter().map(|token| token.group).collect();
        while let Some(group) = changed.pop() {
            for token in self.groups[&group].around().iter() {
                let around = self.groups.get_mut(&token.group);
                if around.is_some_and(|around| !around.forget(taken).is_empty()) {
                    changed.push(token.group);
                }
            }
        }
    }

    /// Opens skipped groups again that nothing prevents any more, and those that wait for them.
    fn open_again(&mut self, groups: &[Token], reopened: &mut Vec<Fingerprint>) {
        let mut waiting: Vec<_> = groups.iter().rev().copied().collect();
        while let Some(token) = waiting.pop() {
            let Some(group) = self.groups.get_mut(&token.group) else { continue };
            if group.skipped && !is_prevented(&self.plan, token.merger, group) {
                group.skipped = false;
                reopened.push(token.group);
                waiting.extend(group.around().iter());
            }
        }
    }

    /// The item of a merger that is waited for again counts in the groups around it.
    fn wait_again(&mut self, fingerprint: Fingerprint) {
        let around = self.groups[&fingerprint].around();
        let mut left = Vec::new();
        for token in around.iter() {
            if let Some(outer) = self.groups.get_mut(&token.group) {
                outer.tally.items += 1;
                left.push(*token);
            }
        }
        // Groups that fired meanwhile are gone: the merger no longer counts in them.
        if let Some(group) = self.groups.get_mut(&fingerprint) {
            group.waiting.retain(|token| left.contains(token));
            if let Some(opened) = &mut group.opened {
                opened.outer = opened.outer.iter().filter(|t| left.contains(t)).copied().collect();
            }
        }
    }
}

impl Group {
    /// A state of this group is retried by hand.
    fn take_back(&mut self, plan: &Plan, merger: NodeIndex, taken: &Taken) {
        let execution = &taken.execution;
        // Until its next attempt is counted: the group may have settled but for that.
        self.tally.add(RETAKEN);
        let forgotten = self.forget(taken);
        let went_wrong = forgotten.iter().any(|cause| cause.state == execution.state);
        // With an output of a fanout that went wrong those beside it are made anew.
        if !went_wrong || execution.is_output() {
            self.collector.taken_back(plan, merger, execution.node, &execution.path);
        }
        for beside in forgotten.iter().filter(|cause| cause.state != execution.state) {
            self.collector.taken_back(plan, merger, beside.node, &beside.path);
        }
    }

    /// What is taken back prevents nothing any more; says what it had prevented.
    fn forget(&mut self, taken: &Taken) -> Vec<Cause> {
        let causes = taken.all().filter_map(|execution| self.causes.remove(&execution.state));
        let causes: Vec<_> = causes.collect();
        let led = causes.iter().filter(|cause| cause.leads).count();
        self.lost -= i64::try_from(led).unwrap_or(i64::MAX);
        causes
    }

    /// The groups that its merger is counted in, unless it was skipped.
    fn awaited_by(&self) -> Option<Tokens> {
        (self.opened.is_some() && !self.skipped).then(|| self.around())
    }
}

/// Whether something keeps the merger of a skipped group from firing.
fn is_prevented(plan: &Plan, merger: NodeIndex, group: &Group) -> bool {
    match plan.unites(merger).strategy {
        Strategy::AllSuccess => !group.causes.is_empty(),
        Strategy::AllDone => false,
    }
}
