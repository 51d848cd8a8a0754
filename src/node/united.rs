//! What a merger sees of the branches it joins.

/// How one branch ended: an output of the united node and everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchOutcome {
    /// The branch's place in the fanout, from 0.
    pub branch: u64,
    /// What went wrong in it, by node identifier and error text; empty if nothing did.
    pub failures: Vec<(String, String)>,
}

impl BranchOutcome {
    /// Whether every state of the branch succeeded or was skipped by a condition.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.failures.is_empty()
    }
}

/// The branches a merger joins, in fanout order.
#[derive(Clone, Debug, Default)]
pub struct United {
    pub(crate) branches: u64,
    pub(crate) failed: Vec<BranchOutcome>,
}

impl United {
    /// How many branches the group had.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.branches
    }

    /// Whether the group was empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.branches == 0
    }

    /// The branches that had a failed, pruned or timed-out state.
    #[must_use]
    pub fn failed(&self) -> &[BranchOutcome] {
        &self.failed
    }

    /// Every branch's outcome, in fanout order.
    pub fn iter(&self) -> impl Iterator<Item = BranchOutcome> + '_ {
        let mut failed = self.failed.iter().peekable();
        (0..self.branches).map(move |branch| match failed.next_if(|next| next.branch == branch) {
            Some(outcome) => outcome.clone(),
            None => BranchOutcome { branch, failures: Vec::new() },
        })
    }
}
