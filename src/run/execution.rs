//! One execution of a node: what its attempts share, cheap to clone.

use std::sync::Arc;

use parking_lot::Mutex;

use super::panics::GuardedFold;
use super::path::{Path, Step};
use super::scope::Scope;
use super::tokens::Tokens;
use crate::clock::Timestamp;
use crate::id::{NodeIndex, StateId};
use crate::node::{NodeError, United};
use crate::value::Value;

/// One execution of a node.
///
/// It is kept small: there is one for every state, and most of them are kept until the run has ended.
#[derive(Clone)]
pub(crate) struct Execution {
    /// Identifies the execution inside its run; the same for all its attempts and outputs.
    pub id: u64,
    pub node: NodeIndex,
    pub attempt: u32,
    pub state: StateId,
    pub parent: Option<StateId>,
    pub input: Value,
    /// What it can read, and the groups that it is counted in.
    pub scope: Scope,
    pub path: Path,
    /// Whether a record says that the state is live.
    pub listed: bool,
    /// What few executions have.
    extra: Option<Box<Extra>>,
}

/// What few executions have.
#[derive(Clone, Default)]
struct Extra {
    /// The execution that this one repeats after a manual retry.
    origin: Option<u64>,
    /// When the time of all attempts together is over; set by the first attempt.
    deadline: Option<Timestamp>,
    /// What a merger has beyond its input.
    merge: Option<Arc<Merge>>,
}

/// The box of an execution that has ended: the next one takes it over while it is warm.
///
/// It keeps where the execution was and what it could read. The next branch of the same fanout takes
/// that over too, and counts no references.
#[derive(Debug, Default)]
pub(crate) struct Spare(Option<Box<Execution>>);

/// Executions on their way from one step to the next.
pub(crate) type Executions = Vec<Box<Execution>>;

/// What the execution of a merger carries.
pub(crate) struct Merge {
    pub united: Arc<United>,
    /// Why its input could not be made, if it could not.
    pub unmade: Option<Arc<str>>,
    /// The fold that the execution finishes; taken by its attempt.
    pub fold: Mutex<Option<Folded>>,
}

/// A fold whose elements have all arrived, or why it stopped.
pub(crate) type Folded = Result<GuardedFold, NodeError>;

impl Spare {
    /// Keeps the box of an execution that has ended, with its place and its scope.
    #[inline(always)]
    pub(crate) fn put(&mut self, mut execution: Box<Execution>) {
        execution.input = Value::Null;
        execution.extra = None;
        self.0 = Some(execution);
    }

    /// Drops what is left in the box.
    pub(crate) fn clear(&mut self) {
        if let Some(left) = &mut self.0 {
            left.scope = Scope::NONE;
            left.path = Path::ROOT;
        }
    }

    /// The state of one output of the fanout that `own` is the execution of.
    #[inline]
    pub(crate) fn branch(&mut self, own: &Execution, state: StateId, index: u64) -> Box<Execution> {
        let Some(mut branch) = self.0.take() else { return Box::new(own.branch(state, index)) };
        // Part by part: what is put together elsewhere and copied makes a processor wait for it.
        branch.id = own.id;
        branch.node = own.node;
        branch.attempt = own.attempt;
        branch.state = state;
        branch.parent = own.parent;
        branch.scope.set_to(&own.scope);
        branch.path.set_to(&own.path, Step::Output(index));
        // The fanout itself may have waited, and be on the list since.
        branch.listed = own.listed && index == 0;
        branch.extra.clone_from(&own.extra);
        branch
    }

    /// Puts an execution in the box, or in a new one.
    #[inline]
    pub(crate) fn put_in(&mut self, execution: Execution) -> Box<Execution> {
        match self.0.take() {
            Some(mut spare) => {
                *spare = execution;
                spare
            }
            None => Box::new(execution),
        }
    }

    /// Takes an execution out of its box, and keeps the box.
    #[inline]
    pub(crate) fn take_out(&mut self, mut execution: Box<Execution>) -> Execution {
        let taken = std::mem::replace(&mut *execution, Execution::NONE);
        self.0 = Some(execution);
        taken
    }
}

impl Execution {
    /// What is left in a spare box.
    const NONE: Self = Self {
        id: 0,
        node: NodeIndex(0),
        attempt: 0,
        state: StateId(0),
        parent: None,
        input: Value::Null,
        scope: Scope::NONE,
        path: Path::ROOT,
        listed: false,
        extra: None,
    };

    /// The first attempt of a node.
    #[inline]
    pub(crate) fn first(
        node: NodeIndex,
        state: StateId,
        parent: Option<StateId>,
        input: Value,
        scope: Scope,
        path: Path,
    ) -> Self {
        let id = path.execution(node);
        let (attempt, listed, extra) = (0, false, None);
        Self { id, node, attempt, state, parent, input, scope, path, listed, extra }
    }

    /// The same execution with another state, for its next attempt.
    pub(crate) fn again(&self, state: StateId) -> Self {
        Self { state, attempt: self.attempt + 1, listed: false, ..self.clone() }
    }

    /// The state of one output of a fanout; most need no input any more.
    pub(crate) fn branch(&self, state: StateId, index: u64) -> Self {
        let Self { id, node, attempt, parent, .. } = *self;
        let (input, extra) = (Value::Null, self.extra.clone());
        let (scope, path) = (self.scope.clone(), self.path.then(Step::Output(index)));
        let listed = self.listed && index == 0;
        Self { id, node, attempt, state, parent, input, scope, path, listed, extra }
    }

    /// Makes this the first attempt of the next node, which lies where this execution does and can
    /// read what it could.
    #[inline(always)]
    pub(crate) fn pass_on_to(&mut self, node: NodeIndex, state: StateId, input: Value) {
        self.id = self.path.execution(node);
        self.node = node;
        self.attempt = 0;
        self.parent = Some(self.state);
        self.state = state;
        self.input = input;
        self.listed = false;
        self.extra = None;
    }

    /// The same execution with another state.
    pub(crate) fn beside(&self, state: StateId) -> Self {
        Self { state, ..self.clone() }
    }

    /// The same with an input that others share.
    #[inline]
    pub(crate) fn with_input(self, input: &Value) -> Self {
        Self { input: input.clone(), ..self }
    }

    /// A node that does not run, at the place below this execution where it would have run.
    pub(crate) fn skipped(&self, state: StateId, node: NodeIndex, path: Path) -> Self {
        Self::first(node, state, Some(self.state), Value::Null, self.scope.clone(), path)
    }

    /// A copy whose descendants touch no reference count that another lane touches.
    pub(crate) fn localized(&self) -> Self {
        self.localized_in(self.scope.localized())
    }

    /// The same for the lane that made the execution: what nobody else holds is its own already.
    pub(crate) fn localized_by_maker(&self) -> Self {
        self.localized_in(self.scope.localized_by_maker())
    }

    fn localized_in(&self, scope: Scope) -> Self {
        Self { scope, path: self.path.localized(), ..self.clone() }
    }

    /// Whether it is the first attempt of a node, and has nothing that few executions have.
    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        self.attempt == 0 && self.extra.is_none()
    }

    /// Whether its state is one output of a fanout.
    pub(crate) fn is_output(&self) -> bool {
        self.id != self.path.execution(self.node)
    }

    /// Where it is carried out again after a retry by hand: a fanout, where it was, and not below its
    /// output, so that each output that it has now takes the place of the one it had.
    pub(crate) fn place_of_retry(&self, id: u64) -> Path {
        let below = self.path.then(Step::Retry(id));
        match self.is_output() {
            // The hash tells an output from those beside it that were retried earlier.
            true => self.path.above().then(Step::Retry(below.hash())),
            false => below,
        }
    }

    /// The groups that it is counted in, outermost first.
    #[inline]
    pub(crate) fn tokens(&self) -> &Tokens {
        self.scope.tokens()
    }

    /// Has it counted in these groups and no others.
    pub(crate) fn set_tokens(&mut self, tokens: Tokens) {
        self.scope = std::mem::take(&mut self.scope).with_tokens(tokens);
    }

    /// The execution that this one repeats after a manual retry; itself if it repeats none.
    #[inline]
    pub(crate) fn origin(&self) -> u64 {
        self.extra.as_ref().and_then(|extra| extra.origin).unwrap_or(self.id)
    }

    /// When the time of all attempts together is over, if that is known and limited.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.extra.as_ref().and_then(|extra| extra.deadline)
    }

    pub(crate) fn set_deadline(&mut self, deadline: Option<Timestamp>) {
        if deadline != self.deadline() {
            self.extra.get_or_insert_default().deadline = deadline;
        }
    }

    /// What a merger has beyond its input.
    #[inline]
    pub(crate) fn merge(&self) -> Option<&Merge> {
        self.extra.as_ref().and_then(|extra| extra.merge.as_deref())
    }

    pub(crate) fn set_merge(&mut self, merge: Merge) {
        self.extra.get_or_insert_default().merge = Some(Arc::new(merge));
    }

    /// Makes this the repetition of another execution, with what that one has beyond its input.
    pub(crate) fn repeat(&mut self, other: &Self) {
        let merge = other.extra.as_ref().and_then(|extra| extra.merge.clone());
        self.extra = Some(Box::new(Extra { origin: Some(other.origin()), deadline: None, merge }));
    }
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution")
            .field("node", &self.node)
            .field("state", &self.state)
            .field("attempt", &self.attempt)
            .field("input", &self.input)
            .finish_non_exhaustive()
    }
}
