//! What a lane reports: the completions since its last report, counted as one unit.
//!
//! A batch is additive: applying batches in any order that keeps each lane's own order gives the
//! same state. The rules that make it so:
//! 1. What ends and what it leads to are in one batch, so nothing looks finished in between.
//! 2. A lane reports before it shares work, so that a share is counted before its end can be.
//! 3. A fanout holds its groups open until it is drawn to the end, and only then says how many
//!    branches it had.

use std::sync::Arc;

use smallvec::SmallVec;

use super::counts::Counts;
use super::durable::Entry;
use super::execution::{Execution, Spare};
use super::fingerprint::Fingerprint;
use super::groups::Groups;
use super::path::Path;
use super::state_ids::StateIds;
use super::status::StateStatus;
use super::tokens::{Token, Tokens};
use super::trail::Trail;
use crate::event::EventKind;
use crate::id::{NodeIndex, StateId};
use crate::value::Value;

/// Lists with fewer elements say little about how long the next one will be.
const FEW: usize = 16;

/// How many moves of states a batch may hold before it is reported.
const MANY_MOVES: usize = 512;

/// Completions of one lane.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// For the run.
    pub run: RunDelta,
    /// For the unites actor, which the run's actor tells, by group.
    pub groups: Groups,
    /// For whoever watches; empty if nobody does.
    pub events: Vec<EventKind>,
    /// For the run's journal; empty if it has none.
    pub entries: Vec<Entry>,
    /// The numbers of states that the step under way took, if it is written down.
    pub numbers: Vec<u64>,
    /// The fanout that was drawn from last, and the place of the entry that says so.
    pub drawn: Option<(u64, usize)>,
    /// Numbers for the states that come next; they stay with the lane.
    pub ids: StateIds,
    /// The box for the execution that comes next; it stays, too.
    pub spare: Spare,
}

/// What a batch changes in the run.
#[derive(Debug, Default)]
pub(crate) struct RunDelta {
    pub tally: Tally,
    /// How many times a state was moved; says that there is something to report.
    pub moves: usize,
    pub counts: Counts,
    /// Of states that ended otherwise than by an output; applied before the trail.
    pub records: Vec<Record>,
    /// States that succeeded, that wait, and that are forgotten.
    pub trail: Trail,
    pub failures: Vec<Failure>,
    pub results: Results,
    pub skipped: Vec<Skip>,
}

/// Outputs that the outcome tells of: most runs have one.
pub(crate) type Results = SmallVec<[(NodeIndex, Path, Value); 1]>;

/// What is not finished yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Executions, drawn branches, and groups whose merger has neither fired nor been skipped.
    pub items: i64,
    /// Fanouts that are not drawn to the end.
    pub holds: i64,
}

/// A state that is retried by hand holds its groups open until its next attempt is counted.
pub(crate) const RETAKEN: Tally = Tally { items: 0, holds: 1 };

impl Tally {
    pub(crate) const fn add(&mut self, other: Self) {
        self.items += other.items;
        self.holds += other.holds;
    }

    pub(crate) const fn is_settled(self) -> bool {
        self.items == 0 && self.holds == 0
    }
}

/// What a batch changes in one group.
#[derive(Debug, Default)]
pub(crate) struct GroupDelta {
    pub opened: Option<Box<Opened>>,
    pub tally: Tally,
    /// Branches that reached the merger.
    pub arrived: i64,
    /// Branches to the merger that went wrong.
    pub lost: i64,
    /// Branches to the merger that a condition skipped.
    pub unmet: i64,
    /// Outputs of the united node.
    pub branches: i64,
    pub causes: Vec<Cause>,
    pub elements: Vec<Element>,
}

/// A group of sibling states begins: an execution of a united node.
#[derive(Debug)]
pub(crate) struct Opened {
    pub merger: NodeIndex,
    /// The execution of the united node.
    pub execution: Execution,
    /// The groups that the merger itself is counted in.
    pub outer: Tokens,
    /// Groups whose mergers lead to this one, which it waits for.
    pub after: Vec<Fingerprint>,
}

/// A state that went wrong inside a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub state: StateId,
    pub node: NodeIndex,
    pub status: StateStatus,
    pub error: Arc<str>,
    pub path: Path,
    /// Whether the state was on a way to the merger.
    pub leads: bool,
}

/// What a successful state gives to a group that reads its node.
#[derive(Debug)]
pub(crate) struct Element {
    pub node: NodeIndex,
    pub path: Path,
    pub value: ElementValue,
}

#[derive(Debug)]
pub(crate) enum ElementValue {
    /// The outputs of a node that the merger reads.
    Output(Value),
    /// The input of one step of a fold, or why it could not be made.
    Step(Result<Value, Arc<str>>),
}

/// What is known of one state.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub execution: Execution,
    pub status: StateStatus,
    pub end: StateEnd,
}

/// What a state ended with.
#[derive(Clone, Debug, Default)]
pub(crate) enum StateEnd {
    /// Nothing, or it has not ended.
    #[default]
    Nothing,
    Output(Value),
    Error(Arc<str>),
}

/// A state that ended as a failure.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub state: StateId,
    pub node: NodeIndex,
    pub status: StateStatus,
    pub error: Arc<str>,
    pub attempts: u32,
    pub tolerated: bool,
    pub path: Path,
}

/// Something that can no longer run.
#[derive(Clone, Debug)]
pub(crate) struct Skip {
    pub node: NodeIndex,
    pub state: StateId,
    /// The group, if it is a merger.
    pub group: Option<Fingerprint>,
    pub reason: SkipCause,
    pub path: Path,
}

/// Why something was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SkipCause {
    /// The condition on the edge from this node did not hold.
    Condition(NodeIndex),
    /// Conditions skipped every way to the merger.
    NoWay,
    /// States of the group that went wrong, in fanout order.
    Prevented(Vec<(NodeIndex, StateId, StateStatus)>),
}

impl Batch {
    /// The first batch of a lane, with room for so many nodes and records.
    ///
    /// A small run keeps what it reports as it is, and has no room to spare then.
    #[inline]
    pub(crate) fn first(rows: usize, records: usize) -> Self {
        // Part by part: what is put together elsewhere is copied, and a batch is large.
        let mut batch = Self::default();
        batch.run.counts = Counts::of(rows);
        batch.run.trail.reserve(records);
        batch
    }

    /// What there is to report; the next batch begins.
    pub(crate) fn take(&mut self) -> Self {
        let spare = std::mem::take(&mut self.spare);
        let run = self.run.alike();
        std::mem::replace(self, Self { run, ids: self.ids, spare, ..Self::default() })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.run.is_empty() && self.entries.is_empty()
    }

    /// Whether there is so much to report that it should not wait for more.
    pub(crate) const fn is_full(&self) -> bool {
        self.run.moves >= MANY_MOVES
    }

    /// Whether a state went wrong, which may stop the run.
    pub(crate) const fn has_failure(&self) -> bool {
        !self.run.failures.is_empty()
    }

    /// The change of one group.
    #[inline]
    pub(crate) fn group(&mut self, group: Fingerprint) -> &mut GroupDelta {
        self.groups.entry(group)
    }

    /// Counts something in the run and in every group of `tokens`.
    #[inline]
    pub(crate) fn count(&mut self, tokens: &[Token], tally: Tally) {
        self.run.tally.add(tally);
        for token in tokens {
            self.group(token.group).tally.add(tally);
        }
    }

    /// Moves a state from one status to another.
    #[inline]
    pub(crate) fn moved(&mut self, node: NodeIndex, from: Option<StateStatus>, to: StateStatus) {
        self.run.counts.shift(node, from, to);
        self.run.moves += 1;
    }
}

impl RunDelta {
    /// An empty one with room for as much: the next batch is likely to be like this one, unless it
    /// was all that a small run has.
    fn alike(&self) -> Self {
        let room = |len: usize| if len < FEW { 0 } else { len };
        Self {
            counts: Counts::of(self.counts.rows().min(room(self.moves))),
            records: Vec::with_capacity(room(self.records.len())),
            trail: self.trail.alike(room),
            results: Results::with_capacity(room(self.results.len())),
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.moves == 0
            && self.tally == Tally::default()
            && self.records.is_empty()
            && self.trail.is_empty()
            && self.failures.is_empty()
            && self.results.is_empty()
            && self.skipped.is_empty()
    }
}
