//! The groups of a run and when their mergers fire: pure, applied to batches in any order.
//!
//! Invariants:
//! 1. A group is judged only when it was opened, holds nothing open and counts no item.
//! 2. A group that fired is forgotten; nothing counts in it again (its merger fires once).
//! 3. A group that was skipped is kept, so that a manual retry can open it again.
//! 4. A group that was given up stays as a mark, so that no group that is opened later waits for it.
//! 5. The item of a merger passes to its execution when it fires, and ends when it is skipped.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use smallvec::SmallVec;

use super::collector::Collector;
use crate::graph::{Plan, Strategy};
use crate::id::{IdHasher, NodeIndex, StateId};
use crate::node::{BranchOutcome, United};
use crate::run::batch::{Cause, GroupDelta, Opened, RETAKEN, SkipCause, Tally};
use crate::run::execution::Execution;
use crate::run::fingerprint::Fingerprint;
use crate::run::path::Step;
use crate::run::status::StateStatus;
use crate::run::take_back::Taken;
use crate::run::tokens::{Token, Tokens};

/// The groups whose mergers have not fired.
#[derive(Debug)]
pub(crate) struct Barriers {
    plan: Arc<Plan>,
    groups: HashMap<Fingerprint, Group, BuildHasherDefault<IdHasher>>,
}

#[derive(Debug, Default)]
struct Group {
    opened: Option<Box<Opened>>,
    tally: Tally,
    arrived: i64,
    lost: i64,
    unmet: i64,
    branches: i64,
    causes: BTreeMap<StateId, Cause>,
    collector: Collector,
    /// Groups that wait for this one's merger although they lie below it.
    waiting: Vec<Token>,
    skipped: bool,
    /// Whether an output of its fanout was retried by hand: it is never judged again, and what still
    /// goes on in it is counted for nothing.
    given_up: bool,
}

/// What has to be done with a merger.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It fires.
    Fire(Box<Firing>),
    /// It can no longer fire.
    Skip(Box<Skipping>),
}

/// What follows from a report: most settle one group at most.
pub(crate) type Verdicts = SmallVec<[Verdict; 1]>;

/// Groups that may have settled.
type Touched = SmallVec<[Fingerprint; 1]>;

/// A merger that fires.
#[derive(Debug)]
pub(crate) struct Firing {
    pub merger: NodeIndex,
    /// The execution of the united node whose group it joins.
    pub opener: Execution,
    /// The groups that the merger is counted in.
    pub tokens: Tokens,
    pub united: Arc<United>,
    pub collector: Collector,
}

/// A merger that cannot fire.
#[derive(Debug)]
pub(crate) struct Skipping {
    pub merger: NodeIndex,
    pub group: Fingerprint,
    pub opener: Execution,
    pub reason: SkipCause,
}

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

impl Verdict {
    /// The identity of the merger's execution, or of the one that there would have been.
    pub(crate) fn execution(&self) -> u64 {
        match self {
            Self::Fire(firing) => firing.execution(),
            Self::Skip(skipping) => skipping.execution(),
        }
    }
}

impl Firing {
    /// The identity of the merger's execution.
    pub(crate) fn execution(&self) -> u64 {
        self.opener.path.then(Step::Merger(self.merger)).execution(self.merger)
    }
}

impl Skipping {
    /// The identity of the execution that there would have been.
    pub(crate) fn execution(&self) -> u64 {
        self.opener.path.then(Step::Merger(self.merger)).execution(self.merger)
    }
}

impl Barriers {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        Self { plan, groups: HashMap::default() }
    }

    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.plan.clone()
    }

    /// Lets go of room for groups that are forgotten.
    pub(crate) fn shrink(&mut self) {
        self.groups.shrink_to_fit();
    }

    /// Counts what a lane reports, and says which mergers fire or are skipped.
    pub(crate) fn apply(
        &mut self,
        deltas: impl IntoIterator<Item = (Fingerprint, GroupDelta)>,
    ) -> Verdicts {
        let mut touched = Touched::new();
        for (fingerprint, delta) in deltas {
            self.count(fingerprint, delta);
            touched.push(fingerprint);
        }
        let mut verdicts = Verdicts::new();
        // A skipped merger ends an item of the groups around it, which may then be settled too.
        while let Some(fingerprint) = touched.pop() {
            verdicts.extend(self.judge(fingerprint, &mut touched));
        }
        verdicts
    }

    fn count(&mut self, fingerprint: Fingerprint, delta: GroupDelta) {
        if let Some(opened) = &delta.opened {
            self.wait_for_earlier(fingerprint, opened);
        }
        let group = self.groups.entry(fingerprint).or_default();
        if let Some(opened) = delta.opened {
            group.collector.start(&self.plan, opened.merger);
            group.opened = Some(opened);
        }
        group.tally.add(delta.tally);
        group.arrived += delta.arrived;
        group.lost += delta.lost;
        group.unmet += delta.unmet;
        group.branches += delta.branches;
        group.causes.extend(delta.causes.into_iter().map(|cause| (cause.state, cause)));
        group.collector.extend(delta.elements);
    }

    /// Registers a group with those whose mergers it waits for; some may be skipped already.
    fn wait_for_earlier(&mut self, fingerprint: Fingerprint, opened: &Opened) {
        let token = Token { group: fingerprint, merger: opened.merger };
        for earlier in &opened.after {
            let group = self.groups.entry(*earlier).or_default();
            if group.given_up {
                self.groups.entry(fingerprint).or_default().tally.items -= 1;
                continue;
            }
            group.waiting.push(token);
            if group.skipped {
                let merger = group.opened.as_deref().map(|opened| opened.merger);
                let merger = merger.expect("skipped groups are open");
                let causes = preventing(&self.plan, merger, group);
                self.release(token, merger, &causes);
            }
        }
    }

    /// A merger inside the group of `token` was skipped.
    fn release(&mut self, token: Token, merger: NodeIndex, causes: &[Cause]) {
        let leads = self.plan.unites(token.merger).leads.contains(merger);
        let outer = self.groups.entry(token.group).or_default();
        outer.tally.items -= 1;
        if causes.is_empty() {
            outer.unmet += i64::from(leads);
        }
        for cause in causes {
            let unknown = || Cause { leads: false, ..cause.clone() };
            let known = outer.causes.entry(cause.state).or_insert_with(unknown);
            // The state itself may lie beside the way that the skipped merger was on.
            if leads && !known.leads {
                known.leads = true;
                outer.lost += 1;
            }
        }
    }

    fn judge(&mut self, fingerprint: Fingerprint, touched: &mut Touched) -> Option<Verdict> {
        let group = self.groups.get(&fingerprint)?;
        let opened = group.opened.as_deref()?;
        if group.skipped {
            return None;
        }
        let unites = self.plan.unites(opened.merger);
        let settled = group.tally.is_settled();
        if unites.strategy == Strategy::AllSuccess && !group.causes.is_empty() {
            return Some(self.skip(fingerprint, touched));
        }
        if !settled {
            return None;
        }
        if group.unmet > 0 && group.arrived == 0 && group.lost == 0 {
            return Some(self.skip(fingerprint, touched));
        }
        Some(self.fire(fingerprint))
    }

    fn fire(&mut self, fingerprint: Fingerprint) -> Verdict {
        let group = self.groups.remove(&fingerprint).expect("judged groups exist");
        let opened = group.opened.expect("judged groups are open");
        let tokens = tokens_of(&opened.outer, &group.waiting);
        let united = united(&self.plan, &opened.execution, group.branches, &group.causes);
        Verdict::Fire(Box::new(Firing {
            merger: opened.merger,
            opener: opened.execution,
            tokens,
            united: Arc::new(united),
            collector: group.collector,
        }))
    }

    fn skip(&mut self, fingerprint: Fingerprint, touched: &mut Touched) -> Verdict {
        let group = self.groups.get_mut(&fingerprint).expect("judged groups exist");
        group.skipped = true;
        let opened = group.opened.as_deref().expect("judged groups are open");
        let (merger, opener) = (opened.merger, opened.execution.clone());
        let around = tokens_of(&opened.outer, &group.waiting);
        let causes = preventing(&self.plan, merger, group);
        for token in around.iter() {
            self.release(*token, merger, &causes);
            touched.push(token.group);
        }
        let reason = reason(&causes);
        Verdict::Skip(Box::new(Skipping { merger, group: fingerprint, opener, reason }))
    }

    /// Takes a state that is retried by hand, and those taken back with it, out of their groups' causes,
    /// and opens those again that they alone had prevented.
    pub(crate) fn reopen(&mut self, taken: &Taken) -> Reopening {
        let mut found = Reopening::default();
        // Those taken back along may be of another draw of the fanout, which has groups of its own.
        taken.all().for_each(|execution| self.drop_own_groups(execution, &mut found));
        for token in taken.execution.tokens().iter().rev() {
            let group = self.groups.get_mut(&token.group);
            let Some(group) = group.filter(|group| !group.given_up) else { continue };
            found.tokens.push(*token);
            group.take_back(&self.plan, token.merger, taken);
            if group.skipped && !is_prevented(&self.plan, token.merger, group) {
                group.skipped = false;
                found.reopened.push(token.group);
            }
        }
        found.tokens.reverse();
        for fingerprint in found.reopened.clone() {
            self.wait_again(fingerprint);
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
            let mark = Group { given_up: true, ..Group::default() };
            found.given_up.extend(given_up(std::mem::replace(group, mark)));
        }
    }

    /// The item of a merger that is waited for again counts in the groups around it.
    fn wait_again(&mut self, fingerprint: Fingerprint) {
        let Some(group) = self.groups.get(&fingerprint) else { return };
        let outer = group.opened.as_deref().map(|opened| opened.outer.clone());
        let around = tokens_of(&outer.unwrap_or_default(), &group.waiting);
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
    /// A state that is retried by hand prevents nothing any more, nor do those taken back with it.
    fn take_back(&mut self, plan: &Plan, merger: NodeIndex, taken: &Taken) {
        let Taken { execution, along } = taken;
        // Until its next attempt is counted: the group may have settled but for that.
        self.tally.add(RETAKEN);
        let cause = self.causes.remove(&execution.state);
        // With an output of a fanout that went wrong those beside it are made anew.
        if cause.is_none() || execution.is_output() {
            self.collector.taken_back(plan, merger, execution.node, &execution.path);
        }
        let beside: Vec<_> =
            along.iter().filter_map(|other| self.causes.remove(&other.state)).collect();
        for cause in &beside {
            self.collector.taken_back(plan, merger, cause.node, &cause.path);
        }
        let led = cause.iter().chain(&beside).filter(|cause| cause.leads).count();
        self.lost -= i64::try_from(led).unwrap_or(i64::MAX);
    }
}

/// Whether something keeps the merger of a skipped group from firing.
fn is_prevented(plan: &Plan, merger: NodeIndex, group: &Group) -> bool {
    match plan.unites(merger).strategy {
        Strategy::AllSuccess => !group.causes.is_empty(),
        Strategy::AllDone => false,
    }
}

/// What keeps the merger of a skipped group from firing; nothing if conditions skipped every way.
fn preventing(plan: &Plan, merger: NodeIndex, group: &Group) -> Vec<Cause> {
    match plan.unites(merger).strategy {
        Strategy::AllSuccess => group.causes.values().cloned().collect(),
        Strategy::AllDone => Vec::new(),
    }
}

/// What the merger of a group is counted in that is given up before it has fired or was skipped.
fn given_up(group: Group) -> Option<Tokens> {
    let opened = group.opened.filter(|_| !group.skipped)?;
    Some(tokens_of(&opened.outer, &group.waiting))
}

fn tokens_of(outer: &Tokens, waiting: &[Token]) -> Tokens {
    match waiting.is_empty() {
        true => outer.clone(),
        false => outer.iter().chain(waiting).copied().collect(),
    }
}

fn reason(causes: &[Cause]) -> SkipCause {
    if causes.is_empty() {
        return SkipCause::NoWay;
    }
    let mut causes: Vec<_> = causes.iter().collect();
    causes.sort_by(|a, b| a.path.fanout_order(&b.path));
    let named = causes.iter().map(|cause| (cause.node, cause.state, cause.status));
    SkipCause::Prevented(named.collect())
}

/// The branches of a group, with what went wrong in them.
fn united(
    plan: &Plan,
    opener: &Execution,
    branches: i64,
    causes: &BTreeMap<StateId, Cause>,
) -> United {
    let depth = opener.path.depth();
    let mut failed = BTreeMap::<u64, Vec<(String, String)>>::new();
    let mut sorted: Vec<_> = causes.values().filter(|c| c.status != StateStatus::Success).collect();
    sorted.sort_by(|a, b| a.path.fanout_order(&b.path));
    for cause in sorted {
        let at = cause.path.branch(depth);
        let node = plan.node(cause.node).identifier.to_string();
        failed.entry(at).or_default().push((node, cause.error.to_string()));
    }
    let failed = failed.into_iter().map(|(branch, failures)| BranchOutcome { branch, failures });
    United { branches: u64::try_from(branches).unwrap_or(0), failed: failed.collect() }
}
