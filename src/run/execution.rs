//! One execution of a node: what its attempts share, cheap to clone.

use std::ops::Deref;
use std::sync::Arc;

use parking_lot::Mutex;

use super::fingerprint::Fingerprint;
use super::path::Path;
use super::scope::Scope;
use crate::clock::Timestamp;
use crate::id::{NodeIndex, StateId};
use crate::node::{FoldState, NodeError, United};
use crate::value::Value;

/// A group that an execution is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub group: Fingerprint,
    pub merger: NodeIndex,
}

/// The groups that an execution is counted in, outermost first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens(Option<Arc<[Token]>>);

impl Tokens {
    /// The same groups behind a count of their own.
    fn localized(&self) -> Self {
        self.iter().copied().collect()
    }
}

impl Deref for Tokens {
    type Target = [Token];

    fn deref(&self) -> &[Token] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl FromIterator<Token> for Tokens {
    fn from_iter<I: IntoIterator<Item = Token>>(tokens: I) -> Self {
        tokens.into_iter().collect::<Vec<_>>().into()
    }
}

impl From<Vec<Token>> for Tokens {
    fn from(tokens: Vec<Token>) -> Self {
        Self((!tokens.is_empty()).then(|| tokens.into()))
    }
}

/// One execution of a node.
#[derive(Clone)]
pub(crate) struct Execution {
    /// Identifies the execution inside its run; the same for all its attempts and outputs.
    pub id: u64,
    /// The execution that this one repeats after a manual retry; itself if it repeats none.
    pub origin: u64,
    pub node: NodeIndex,
    pub state: StateId,
    pub parent: Option<StateId>,
    pub attempt: u32,
    pub input: Value,
    pub scope: Scope,
    pub path: Path,
    pub tokens: Tokens,
    /// When the time of all attempts together is over; set by the first attempt.
    pub deadline: Option<Timestamp>,
    /// What a merger has beyond its input.
    pub merge: Option<Arc<Merge>>,
    /// Whether a record says that the state is live.
    pub listed: bool,
}

/// Executions on their way from one step to the next.
pub(crate) type Executions = Vec<Box<Execution>>;

/// What the execution of a merger carries.
pub(crate) struct Merge {
    pub united: Arc<United>,
    /// The fold that the execution finishes; taken by its attempt.
    pub fold: Mutex<Option<Folded>>,
}

/// A fold whose elements have all arrived, or why it stopped.
pub(crate) type Folded = Result<Box<dyn FoldState>, NodeError>;

impl Execution {
    /// The same execution with another state, for its next attempt.
    pub(crate) fn again(&self, state: StateId) -> Self {
        Self { state, attempt: self.attempt + 1, listed: false, ..self.clone() }
    }

    /// A node that does not run, at the place below this execution where it would have run.
    pub(crate) fn skipped(&self, state: StateId, node: NodeIndex, path: Path) -> Self {
        let id = path.execution(node);
        Self {
            id,
            origin: id,
            node,
            state,
            parent: Some(self.state),
            attempt: 0,
            input: Value::Null,
            scope: self.scope.clone(),
            path,
            tokens: self.tokens.clone(),
            deadline: None,
            merge: None,
            listed: false,
        }
    }

    /// A copy whose descendants touch no reference count that another lane touches.
    pub(crate) fn localized(&self) -> Self {
        Self {
            scope: self.scope.localized(),
            path: self.path.localized(),
            tokens: self.tokens.localized(),
            ..self.clone()
        }
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
