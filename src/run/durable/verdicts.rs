//! Mergers whose groups have settled, and of which it is not read yet that they fired or were skipped.

use std::collections::{BTreeMap, VecDeque};

use crate::run::fingerprint::Fingerprint;
use crate::run::unites::Verdict;

/// By the merger's execution, oldest first: one that was skipped may fire after a retry by hand.
#[derive(Default)]
pub(super) struct Verdicts(BTreeMap<u64, VecDeque<Pending>>);

struct Pending {
    verdict: Verdict,
    /// Whether its group was opened again, or given up, by a retry since.
    outdated: bool,
}

impl Verdicts {
    pub(super) fn add(&mut self, verdict: Verdict) {
        let of_merger = self.0.entry(verdict.execution()).or_default();
        of_merger.push_back(Pending { verdict, outdated: false });
    }

    /// The oldest one of a merger.
    pub(super) fn take(&mut self, merger: u64) -> Option<Verdict> {
        let of_merger = self.0.get_mut(&merger)?;
        let oldest = of_merger.pop_front();
        if of_merger.is_empty() {
            self.0.remove(&merger);
        }
        oldest.map(|pending| pending.verdict)
    }

    /// A retry opens a group again whose merger was skipped, or gives it up.
    pub(super) fn outdate(&mut self, group: Fingerprint) {
        let all = self.0.values_mut().flatten();
        all.filter(|it| it.skips(group)).for_each(|it| it.outdated = true);
    }

    /// Forgets that the merger of a group was skipped before such a retry; says whether that was
    /// still to be read.
    pub(super) fn forget_outdated(&mut self, group: Fingerprint) -> bool {
        let before = self.len();
        let is_current = |it: &Pending| !(it.outdated && it.skips(group));
        self.0.values_mut().for_each(|of_merger| of_merger.retain(is_current));
        self.0.retain(|_, of_merger| !of_merger.is_empty());
        self.len() < before
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_all(self) -> Vec<Verdict> {
        self.0.into_values().flatten().map(|pending| pending.verdict).collect()
    }

    fn len(&self) -> usize {
        self.0.values().map(VecDeque::len).sum()
    }
}

impl Pending {
    fn skips(&self, group: Fingerprint) -> bool {
        matches!(&self.verdict, Verdict::Skip(skipping) if skipping.group == group)
    }
}
