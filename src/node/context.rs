//! What a handler can see and use while it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::control::Control;
use super::cursor::CursorError;
use super::slot::Slot;
use super::state_key::StateKey;
use super::store::Store;
use super::united::United;
use crate::clock::{Clock, Rng, Timestamp};
use crate::id::{GraphName, NodeIndex, RunId, StateId, VersionNumber};
use crate::value::{Value, from_value};

/// Tells the random numbers of a handler from the jitter of its retries, which is drawn from the
/// same seed, execution and attempt.
const HANDLER_SALT: u128 = 1 << 64;

/// Where a handler's progress goes.
pub(crate) trait Progress: Send + Sync {
    fn report(&self, node: &Arc<str>, state: StateId, progress: Value);
}

/// What is the same for every attempt of a run.
#[derive(Clone)]
pub(crate) struct RunFacts {
    pub run: RunId,
    pub graph: GraphName,
    pub version: VersionNumber,
    pub seed: u64,
    pub names: Arc<[Arc<str>]>,
    pub clock: Arc<dyn Clock>,
    pub store: Store,
    pub secrets: Arc<BTreeMap<String, String>>,
    pub control: Arc<Control>,
    /// The run, which has these.
    pub progress: Weak<dyn Progress>,
    /// Where a resumable stream stood: a call that goes on behind it has facts of its own.
    pub cursor: Option<Value>,
}

/// What belongs to one attempt.
#[derive(Clone)]
pub(crate) struct AttemptFacts {
    pub node: NodeIndex,
    pub state: StateId,
    pub attempt: u32,
    /// Identifies the execution inside its run; the same for all its attempts.
    pub execution: u64,
    /// The same, but another one for each retry by hand.
    pub repeat: u64,
    pub united: Option<Arc<United>>,
}

/// The run, state and attempt that a handler works for, and the runtime's clock and chance.
#[derive(Clone)]
pub struct Context {
    run: Arc<RunFacts>,
    attempt: AttemptFacts,
    /// The names of the secrets that the handler declared; `None` if it declared none.
    declared: Option<Arc<[String]>>,
}

impl AttemptFacts {
    /// Before the first attempt.
    pub(crate) const NONE: Self = {
        let (node, state) = (NodeIndex(0), StateId(0));
        Self { node, state, attempt: 0, execution: 0, repeat: 0, united: None }
    };
}

impl Context {
    pub(crate) const fn new(run: Arc<RunFacts>, attempt: AttemptFacts) -> Self {
        Self { run, attempt, declared: None }
    }

    /// The context of another attempt of the same run.
    #[inline]
    pub(crate) fn turn_to(&mut self, attempt: AttemptFacts) {
        self.attempt = attempt;
    }

    /// The same context of a handler that declared these secrets.
    pub(super) fn declaring(&self, names: &Arc<[String]>) -> Self {
        // What a handler declares last is seen first, and counts.
        let declared = self.declared.as_ref().unwrap_or(names);
        Self { declared: Some(declared.clone()), ..self.clone() }
    }

    /// The run.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.run.run
    }

    /// The graph the run executes.
    #[must_use]
    pub fn graph(&self) -> &GraphName {
        &self.run.graph
    }

    /// The version the run is pinned to.
    #[must_use]
    pub fn version(&self) -> VersionNumber {
        self.run.version
    }

    /// The identifier of the node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.run.names[self.attempt.node.at()]
    }

    /// The state this attempt belongs to.
    #[must_use]
    pub const fn state_id(&self) -> StateId {
        self.attempt.state
    }

    /// How many attempts failed before this one: 0 for the first.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt.attempt
    }

    /// A key for side effects that is the same for every attempt of this state.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}-{:016x}", self.run.run, self.attempt.execution)
    }

    /// Names this attempt in the journal of its run.
    pub(crate) fn attempt_key(&self) -> (RunId, u64, u32) {
        (self.run.run, self.attempt.repeat, self.attempt.attempt)
    }

    /// Whether the run was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.run.control.is_cancelled()
    }

    /// Ends when the run is cancelled.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is lost if it is dropped.
    pub async fn cancelled(&self) {
        self.run.control.cancelled().await;
    }

    /// The run's key-value data.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.run.store
    }

    /// A typed slot: of the session, in the run of a session's input, or of the run alone.
    #[must_use]
    pub fn slot<T: Serialize + DeserializeOwned>(&self, key: &StateKey<T>) -> Slot<'_, T> {
        Slot::new(&self.run.store, *key)
    }

    /// The value of a secret that the handler declared with
    /// [`Handler::secrets`](super::Handler::secrets); `None` for any other.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.declared.as_ref()?.iter().find(|declared| *declared == name)?;
        self.run.secrets.get(name).map(String::as_str)
    }

    /// The current time of the runtime's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.run.clock.now()
    }

    /// Waits on the runtime's clock.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait.
    pub async fn sleep(&self, delay: Duration) {
        self.run.clock.sleep(delay).await;
    }

    /// Random numbers of this attempt: the same for the same seed of the run.
    ///
    /// The delay before a retry is drawn from other numbers.
    #[must_use]
    pub fn rng(&self) -> Rng {
        let attempt = (u128::from(self.attempt.attempt) | HANDLER_SALT).to_le_bytes();
        Rng::seeded(xxh3_64_with_seed(&attempt, self.run.seed ^ self.attempt.execution))
    }

    /// Tells whoever watches the run how far this state is.
    ///
    /// Nobody hears of a run that has ended.
    pub fn progress(&self, progress: impl Into<Value>) {
        let node = &self.run.names[self.attempt.node.at()];
        if let Some(run) = self.run.progress.upgrade() {
            let progress = progress.into();
            self.run.control.tell(|| run.report(node, self.attempt.state, progress));
        }
    }

    /// Where the [resumable stream](super::Emit::resumable) of this attempt stood when its run was
    /// interrupted: the cursor of the last output that is on record.
    ///
    /// `None` on any other call: there is nothing to go on behind.
    ///
    /// # Errors
    ///
    /// [`CursorError`] if the cursor is no `C`.
    pub fn cursor<C: DeserializeOwned>(&self) -> Result<Option<C>, CursorError> {
        let Some(cursor) = &self.run.cursor else { return Ok(None) };
        let misfit = |source| CursorError::misfit::<C>(self.node(), source);
        from_value(cursor).map(Some).map_err(misfit)
    }

    /// The outcomes of the branches a merger joins; `None` in any other node.
    #[must_use]
    pub fn united(&self) -> Option<&United> {
        self.attempt.united.as_deref()
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.run.control
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("run", &self.run_id())
            .field("graph", self.graph())
            .field("version", &self.version())
            .field("node", &self.node())
            .field("state", &self.state_id())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
