//! The groups of a run and when their mergers fire: pure, applied to batches in any order.
//!
//! Invariants:
//! 1. A group is judged only when it was opened, holds nothing open and counts no item.
//! 2. A group that fired is forgotten; nothing counts in it again (its merger fires once).
//! 3. A group that was skipped is kept, so that a manual retry can open it again.
//! 4. A group that was given up stays as a mark, so that no group that is opened later waits for it.
//! 5. What prevents the merger of a skipped group prevents those that it is counted in, late or not.
//! 6. The item of a merger passes to its execution when it fires, and ends when it is skipped.

use std::collections::{BTreeMap, HashMap};
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
use crate::run::tokens::{Token, Tokens};

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
    pub lost: i64,
    unmet: i64,
    branches: i64,
    pub causes: BTreeMap<StateId, Cause>,
    pub collector: Collector,
    /// Groups that wait for this one's merger although they lie below it.
    pub waiting: Vec<Token>,
    pub skipped: bool,
    /// Whether an output of its fanout was retried by hand: it is never judged again, and what still
    /// goes on in it is counted for nothing.
    pub given_up: bool,
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
        let (mut touched, mut late) = (Touched::new(), Vec::new());
        for (fingerprint, delta) in deltas {
            touched.push(fingerprint);
            late.extend(self.count(fingerprint, delta));
        }
        // When all is counted: a state is a cause of some of these groups by itself.
        for (fingerprint, causes) in late {
            self.pass_on(fingerprint, &causes, &mut touched);
        }
        let mut verdicts = Verdicts::new();
        // A skipped merger ends an item of the groups around it, which may then be settled too.
        while let Some(fingerprint) = touched.pop() {
            verdicts.extend(self.judge(fingerprint, &mut touched));
        }
        verdicts
    }

    /// Counts the change of one group; gives what went wrong in it after its merger was skipped.
    fn count(
        &mut self,
        fingerprint: Fingerprint,
        delta: GroupDelta,
    ) -> Option<(Fingerprint, Vec<Cause>)> {
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
        group.collector.extend(delta.elements);
        let late = (group.skipped && !delta.causes.is_empty()).then(|| delta.causes.clone());
        group.causes.extend(delta.causes.into_iter().map(|cause| (cause.state, cause)));
        late.map(|causes| (fingerprint, causes))
    }

    /// What went wrong in a group whose merger is skipped prevents those that it is counted in, and in
    /// turn those that they are counted in, if they are skipped, too.
    fn pass_on(&mut self, skipped: Fingerprint, causes: &[Cause], touched: &mut Touched) {
        let mut skipped = vec![skipped];
        while let Some(group) = skipped.pop().and_then(|group| self.groups.get(&group)) {
            let Some(merger) = group.merger() else { continue };
            if self.plan.unites(merger).strategy == Strategy::AllDone {
                continue;
            }
            for token in group.around().iter() {
                let leads = self.plan.unites(token.merger).leads.contains(merger);
                let Some(outer) = self.groups.get_mut(&token.group) else { continue };
                outer.prevent(causes, leads);
                touched.push(token.group);
                if outer.skipped {
                    skipped.push(token.group);
                }
            }
        }
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
                let merger = group.merger().expect("skipped groups are open");
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
        outer.prevent(causes, leads);
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

    fn skip(&mut self, fingerprint: Fingerprint, touched: &mut Touched) -> Verdict {
        let group = self.groups.get_mut(&fingerprint).expect("judged groups exist");
        group.skipped = true;
        let opened = group.opened.as_deref().expect("judged groups are open");
        let (merger, opener) = (opened.merger, opened.execution.clone());
        let around = group.around();
        let causes = preventing(&self.plan, merger, group);
        for token in around.iter() {
            self.release(*token, merger, &causes);
            touched.push(token.group);
            if self.groups[&token.group].skipped {
                self.pass_on(token.group, &causes, touched);
            }
        }
        let reason = reason(&causes);
        Verdict::Skip(Box::new(Skipping { merger, group: fingerprint, opener, reason }))
    }
}

impl Group {
    /// What stays of a group that is given up.
    pub fn mark() -> Self {
        Self { given_up: true, ..Self::default() }
    }

    /// What prevented a merger inside this group prevents this one's.
    pub fn prevent(&mut self, causes: &[Cause], leads: bool) {
        for cause in causes {
            let unknown = || Cause { leads: false, ..cause.clone() };
            let known = self.causes.entry(cause.state).or_insert_with(unknown);
            // The state itself may lie beside the way that the skipped merger was on.
            if leads && !known.leads {
                known.leads = true;
                self.lost += 1;
            }
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

/// What keeps the merger of a skipped group from firing; nothing if conditions skipped every way.
fn preventing(plan: &Plan, merger: NodeIndex, group: &Group) -> Vec<Cause> {
    match plan.unites(merger).strategy {
        Strategy::AllSuccess => group.causes.values().cloned().collect(),
        Strategy::AllDone => Vec::new(),
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
