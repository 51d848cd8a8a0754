//! What a manual retry does to the groups of a run: pure.
//!
//! A merger that is waited for again no longer prevents those that it is counted in, which need not lie
//! around the state that is retried: they are followed from group to group.

use std::collections::BTreeSet;

use super::barrier::{Barriers, Group, Why};
use crate::graph::Plan;
use crate::id::NodeIndex;
use crate::run::batch::RETAKEN;
use crate::run::execution::Execution;
use crate::run::fingerprint::Fingerprint;
use crate::run::take_back::TakenBack;
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
    pub(crate) fn reopen(&mut self, taken: &TakenBack) -> Reopening {
        let mut found = Reopening::default();
        // Those taken back along may be of another draw of the fanout, which has groups of its own.
        taken.all().for_each(|execution| self.drop_own_groups(execution, &mut found));
        for token in taken.execution.tokens().iter() {
            let group = self.groups.get_mut(&token.group);
            let Some(group) = group.filter(|group| !group.given_up) else { continue };
            group.take_back(&self.plan, token.merger, taken);
            found.tokens.push(*token);
        }
        found.reopened = self.open_again(&found.tokens);
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
            if let Some(why) = group.skipped {
                // Nothing would ever take back that it prevents them.
                self.lack_no_more(*token, &group.around(), why);
            }
        }
    }

    /// The merger of the group of `token` no longer counts as skipped in these groups.
    fn lack_no_more(&mut self, token: Token, around: &[Token], why: Why) {
        for outer in around {
            let leads = self.plan.unites(outer.merger).leads.contains(token.merger);
            if let Some(group) = self.groups.get_mut(&outer.group) {
                group.lacks_no_more(token.group, why, leads);
            }
        }
    }

    /// Opens skipped groups again that nothing prevents any more, and those that wait for them.
    fn open_again(&mut self, groups: &[Token]) -> Vec<Fingerprint> {
        let (mut waiting, mut reopened) = (groups.to_vec(), Vec::new());
        while let Some(token) = waiting.pop() {
            let Some(group) = self.groups.get_mut(&token.group) else { continue };
            if group.is_prevented(&self.plan, token.merger) {
                continue;
            }
            let Some(why) = group.skipped.take() else { continue };
            reopened.push(token.group);
            let around = self.wait_again(token.group);
            self.lack_no_more(token, &around, why);
            waiting.extend(around);
        }
        reopened
    }

    /// The item of a merger that is waited for again counts in the groups around it, which it gives.
    ///
    /// Groups that fired meanwhile are gone: the merger no longer counts in them.
    fn wait_again(&mut self, fingerprint: Fingerprint) -> Vec<Token> {
        let around = self.groups[&fingerprint].around();
        let is_left = |token: &Token| self.groups.contains_key(&token.group);
        let left: Vec<_> = around.iter().filter(|token| is_left(token)).copied().collect();
        if left.len() < around.len()
            && let Some(group) = self.groups.get_mut(&fingerprint)
        {
            group.lie_in(&left);
        }
        for token in &left {
            self.groups.entry(token.group).or_default().tally.items += 1;
        }
        left
    }
}

impl Group {
    /// A state of this group is retried by hand.
    fn take_back(&mut self, plan: &Plan, merger: NodeIndex, taken: &TakenBack) {
        let execution = &taken.execution;
        // Until its next attempt is counted: the group may have settled but for that.
        self.tally.add(RETAKEN);
        let forgotten = self.forget(taken);
        let went_wrong = forgotten.iter().any(|cause| cause.state == execution.state);
        // With an output of a fanout that went wrong those beside it are made anew.
        let own = (!went_wrong || execution.is_output()).then_some(&execution.path);
        let beside = forgotten.iter().filter(|cause| cause.state != execution.state);
        let places = own.into_iter().chain(beside.map(|cause| &cause.path));
        // They are all of one fanout, if there are several.
        self.collector.taken_back(plan, merger, execution.node, places);
    }

    /// Its merger is counted in no groups but these.
    fn lie_in(&mut self, left: &[Token]) {
        let left: BTreeSet<_> = left.iter().map(|token| token.group).collect();
        self.waiting.retain(|token| left.contains(&token.group));
        if let Some(opened) = &mut self.opened {
            let outer = opened.outer.iter().filter(|token| left.contains(&token.group));
            opened.outer = outer.copied().collect();
        }
    }

    /// The groups that its merger is counted in, unless it was skipped.
    fn awaited_by(&self) -> Option<Tokens> {
        (self.opened.is_some() && self.skipped.is_none()).then(|| self.around())
    }
}
