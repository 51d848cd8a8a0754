//! The groups of a run and when their mergers fire: pure, applied to batches in any order.
//!
//! Invariants:
//! 1. A group is judged only when it was opened, holds nothing open and counts no item.
//! 2. A group that fired is forgotten; nothing counts in it again (its merger fires once).
//! 3. A group that was skipped is kept, so that a manual retry can open it again.
//! 4. A group that was given up stays as a mark, so that no group that is opened later waits for it.
//! 5. A merger that something prevents prevents those that it is counted in, until it is waited for
//!    again: they know which one it is, and not what prevents it.
//! 6. The item of a merger passes to its execution when it fires, and ends when it is skipped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use smallvec::SmallVec;

use super::collector::Collector;
use crate::graph::{Plan, Strategy};
use crate::id::{IdHasher, NodeIndex, StateId};
use crate::node::{BranchOutcome, United};
use crate::run::batch::{Cause, GroupDelta, Opened, SkipCause, Tally};
use crate::run::execution::Execution;
use crate::run::fingerprint::Fingerprint;
use crate::run::path::Step;
use crate::run::status::StateStatus;
use crate::run::take_back::TakenBack;
use crate::run::tokens::{Token, Tokens};

/// How many states a skipped merger names that prevented one which it is counted with.
const NAMED_OF_OTHERS: usize = 16;

/// The groups whose mergers have not fired.
#[derive(Debug)]
pub(crate) struct Barriers {
    pub(super) plan: Arc<Plan>,
    pub(super) groups: HashMap<Fingerprint, Group, BuildHasherDefault<IdHasher>>,
}

/// A group whose merger has not fired.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub opened: Option<Box<Opened>>,
    pub tally: Tally,
    arrived: i64,
    lost: i64,
    unmet: i64,
    branches: i64,
    /// What went wrong in it.
    causes: BTreeMap<StateId, Cause>,
    /// Those of the mergers counted in it that something prevents, by their groups.
    prevented: BTreeSet<Fingerprint>,
    pub collector: Collector,
    /// Groups that wait for this one's merger although they lie below it.
    pub waiting: Vec<Token>,
    /// Why its merger was skipped, if it was.
    pub skipped: Option<Why>,
    /// Whether an output of its fanout was retried by hand: it is never judged again, and what still
    /// goes on in it is counted for nothing.
    pub given_up: bool,
}

/// Why a merger was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Something in its group went wrong.
    Prevented,
    /// Conditions skipped every way to it.
    NoWay,
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
            if let Some(why) = group.skipped {
                let merger = group.merger().expect("skipped groups are open");
                self.release(token, (*earlier, merger), why);
            }
        }
    }

    /// A merger that is counted in the group of `token` was skipped.
    fn release(&mut self, token: Token, (skipped, merger): (Fingerprint, NodeIndex), why: Why) {
        let leads = self.plan.unites(token.merger).leads.contains(merger);
        let outer = self.groups.entry(token.group).or_default();
        outer.tally.items -= 1;
        outer.lack(skipped, why, leads);
    }

    fn judge(&mut self, fingerprint: Fingerprint, touched: &mut Touched) -> Option<Verdict> {
        let group = self.groups.get(&fingerprint)?;
        let opened = group.opened.as_deref()?;
        if group.skipped.is_some() {
            return None;
        }
        if group.is_prevented(&self.plan, opened.merger) {
            return Some(self.skip(fingerprint, Why::Prevented, touched));
        }
        if !group.tally.is_settled() {
            return None;
        }
        if group.unmet > 0 && group.arrived == 0 && group.lost == 0 {
            return Some(self.skip(fingerprint, Why::NoWay, touched));
        }
        Some(self.fire(fingerprint))
    }

    fn fire(&mut self, fingerprint: Fingerprint) -> Verdict {
        let group = self.groups.remove(&fingerprint).expect("judged groups exist");
        let tokens = group.around();
        let opened = group.opened.expect("judged groups are open");
        let united = united(&self.plan, &opened.execution, group.branches, &group.causes);
        Verdict::Fire(Box::new(Firing {
            merger: opened.merger,
            opener: opened.execution,
            tokens,
            united: Arc::new(united),
            collector: group.collector,
        }))
    }

    fn skip(&mut self, fingerprint: Fingerprint, why: Why, touched: &mut Touched) -> Verdict {
        let group = self.groups.get_mut(&fingerprint).expect("judged groups exist");
        group.skipped = Some(why);
        let opened = group.opened.as_deref().expect("judged groups are open");
        let (merger, opener) = (opened.merger, opened.execution.clone());
        for token in group.around().iter() {
            self.release(*token, (fingerprint, merger), why);
            touched.push(token.group);
        }
        let reason = match why {
            Why::Prevented => SkipCause::Prevented(self.named(fingerprint)),
            Why::NoWay => SkipCause::NoWay,
        };
        Verdict::Skip(Box::new(Skipping { merger, group: fingerprint, opener, reason }))
    }

    /// The states that prevent the merger of a group: its own or, if it has none, some of those that
    /// prevent a merger which is counted in it.
    fn named(&self, fingerprint: Fingerprint) -> Vec<(NodeIndex, StateId, StateStatus)> {
        let (mut group, mut most) = (&self.groups[&fingerprint], usize::MAX);
        while group.causes.is_empty()
            && let Some(other) = group.prevented.first().and_then(|other| self.groups.get(other))
        {
            (group, most) = (other, NAMED_OF_OTHERS);
        }
        let mut causes: Vec<_> = group.causes.values().take(most).collect();
        causes.sort_by(|a, b| a.path.fanout_order(&b.path));
        causes.iter().map(|cause| (cause.node, cause.state, cause.status)).collect()
    }
}

impl Group {
    /// What stays of a group that is given up.
    pub fn mark() -> Self {
        Self { given_up: true, ..Self::default() }
    }

    /// A merger that is counted in this group, that of the group `other`, was skipped.
    fn lack(&mut self, other: Fingerprint, why: Why, leads: bool) {
        match why {
            Why::Prevented => {
                let is_new = self.prevented.insert(other);
                self.lost += i64::from(is_new && leads);
            }
            Why::NoWay => self.unmet += i64::from(leads),
        }
    }

    /// It no longer counts as skipped.
    pub fn lacks_no_more(&mut self, other: Fingerprint, why: Why, leads: bool) {
        match why {
            Why::Prevented => {
                let was_known = self.prevented.remove(&other);
                self.lost -= i64::from(was_known && leads);
            }
            Why::NoWay => self.unmet -= i64::from(leads),
        }
    }

    /// What is taken back prevents nothing any more; says what it had prevented.
    pub fn forget(&mut self, taken: &TakenBack) -> Vec<Cause> {
        let causes = taken.all().filter_map(|execution| self.causes.remove(&execution.state));
        let causes: Vec<_> = causes.collect();
        let led = causes.iter().filter(|cause| cause.leads).count();
        self.lost -= i64::try_from(led).unwrap_or(i64::MAX);
        causes
    }

    /// Whether something keeps its merger from firing.
    pub fn is_prevented(&self, plan: &Plan, merger: NodeIndex) -> bool {
        match plan.unites(merger).strategy {
            Strategy::AllSuccess => !self.causes.is_empty() || !self.prevented.is_empty(),
            Strategy::AllDone => false,
        }
    }

    fn merger(&self) -> Option<NodeIndex> {
        self.opened.as_deref().map(|opened| opened.merger)
    }

    /// The groups that its merger is counted in.
    pub fn around(&self) -> Tokens {
        let outer = self.opened.as_deref().map(|opened| opened.outer.clone());
        let outer = outer.unwrap_or_default();
        if self.waiting.is_empty() {
            return outer;
        }
        outer.iter().chain(&self.waiting).copied().collect()
    }
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
