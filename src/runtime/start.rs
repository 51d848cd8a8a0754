//! How a run is started: resolve and pin a version, check the inputs, hand both to a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Inner, StartError};
use crate::id::{GraphName, LabelName, RunId, VersionNumber};
use crate::journal::JournalError;
use crate::node::Control;
use crate::run::{AttemptKey, Durability, Outcome, Parent, Run};
use crate::value::Value;
use crate::version::Selector;

mod accept;
mod of_session;
mod starting;
#[cfg(test)]
mod tests;

use accept::Accepted;
pub(super) use of_session::InputOf;
pub use starting::Starting;

/// A run that is about to start; awaiting it starts the run and gives its handle.
///
/// # Errors
///
/// [`StartError`] if the run is not accepted: an unknown graph, no version to start on, inputs that
/// do not fit, missing store keys, too many runs, or a shutdown. Nothing has changed then.
///
/// # Cancel safety
///
/// Dropping the future before it is ready leaves the run started or not; name the start with
/// [`idempotency_key`](Self::idempotency_key) to find out.
#[must_use = "the run starts when this is awaited"]
pub struct Start {
    inner: Arc<Inner>,
    pub(super) graph: GraphName,
    pub(super) inputs: Value,
    selector: Selector,
    pub(super) store: BTreeMap<String, Value>,
    delay: Duration,
    idempotency_key: Option<String>,
    durability: Option<Durability>,
    /// The signals of a sub-graph's run, which follow those of the run above it.
    control: Option<Arc<Control>>,
    /// The attempt of a sub-graph node that waits for the run, if that is on record.
    parent: Option<Parent>,
    /// The input of a session that the run carries out.
    input_of: Option<InputOf>,
}

impl Start {
    pub(super) fn new(inner: Arc<Inner>, graph: GraphName, inputs: Value) -> Self {
        Self {
            inner,
            graph,
            inputs,
            selector: Selector::default(),
            store: BTreeMap::new(),
            delay: Duration::ZERO,
            idempotency_key: None,
            durability: None,
            control: None,
            parent: None,
            input_of: None,
        }
    }

    /// Starts on this version instead of the active one; never falls back to another.
    pub fn version(mut self, version: impl Into<VersionNumber>) -> Self {
        self.selector = Selector::Version(version.into());
        self
    }

    /// Starts on what this label leads to instead of the default one.
    ///
    /// A start that names its version ignores it.
    pub fn label(mut self, label: impl Into<LabelName>) -> Self {
        if let Selector::Label { label: followed, .. } = &mut self.selector {
            *followed = label.into();
        }
        self
    }

    /// Decides between the active version and a canary by this key: the same key gets the same.
    ///
    /// A start that names its version ignores it.
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        if let Selector::Label { key: sticky, .. } = &mut self.selector {
            *sticky = Some(key.into());
        }
        self
    }

    /// Starts on the version that the version of the graph around it is bound to.
    pub(super) fn bound(mut self, version: VersionNumber) -> Self {
        self.selector = Selector::Bound(version);
        self
    }

    /// Sets a key of the run's store.
    pub fn store(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.store.insert(key.into(), value.into());
        self
    }

    /// Holds the first state back.
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Names the start: the same key again gives the run it started, whatever else that start says.
    ///
    /// As long as the run is readable: without a journal until it is forgotten, with one until it is
    /// deleted, or forgotten if nothing of it is on record. A stranded run goes on if it can by now.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Says how much of the run survives the process, instead of what the runtime's builder says.
    ///
    /// Without a journal nothing does.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Starts a run for an attempt of a sub-graph node: once, also if the attempt is begun again.
    pub(super) fn child_of(mut self, run: RunId, attempt: AttemptKey) -> Self {
        let AttemptKey(execution, number) = attempt;
        self.idempotency_key = Some(format!("{run}-{execution:016x}-{number}"));
        self.parent = Some(Parent::new(run, attempt));
        self
    }

    pub(super) fn control(mut self, control: Arc<Control>) -> Self {
        self.control = Some(control);
        self
    }

    /// Starts the run and waits for its end.
    ///
    /// The run is walked on the caller's task as long as nothing in it waits, which saves the way to
    /// another task and back; from then on the run's own actors do the rest.
    ///
    /// # Errors
    ///
    /// If the run is not accepted; see [`StartError`]. How an accepted run ends is in its outcome.
    ///
    /// # Cancel safety
    ///
    /// Dropping it detaches: a run that was accepted goes on.
    pub async fn run(self) -> Result<Arc<Outcome>, StartError> {
        let run = match self.accept().await? {
            Accepted::New(run, pin) if !run.is_durable() => {
                run.walk(pin).await;
                run
            }
            accepted => self.open(accepted).await?,
        };
        Ok(run.outcome().await)
    }

    /// Opens the run of a runtime without a journal: nothing of that waits.
    fn open_now(&self) -> Result<Run, StartError> {
        Ok(match self.accept_now()? {
            Accepted::New(run, pin) => {
                run.spawn(pin);
                run
            }
            Accepted::Known(run) => run,
        })
    }

    /// Opens the run of a runtime with a journal.
    async fn launch(self) -> Result<Run, StartError> {
        let accepted = self.accept().await?;
        self.open(accepted).await
    }

    /// Opens a run; answers when its start is on record, if it is to be.
    async fn open(&self, accepted: Accepted) -> Result<Run, StartError> {
        // Boxed: a start without a journal keeps no room for what waiting for one takes.
        let (run, begun) = match accepted {
            Accepted::New(run, pin) if run.is_durable() => {
                let begun = Box::pin(run.record(pin)).await;
                (run, begun)
            }
            Accepted::New(run, pin) => {
                run.spawn(pin);
                (run, Ok(()))
            }
            Accepted::Known(run) => {
                let begun = Box::pin(run.begun()).await;
                (run, begun)
            }
        };
        match begun {
            Ok(()) => Ok(run),
            Err(error) => Err(Box::pin(self.refused(&run, error)).await),
        }
    }

    /// A run whose start cannot be put on record is forgotten, when it holds nothing any more.
    async fn refused(&self, run: &Run, source: JournalError) -> StartError {
        run.outcome().await;
        let run = run.id();
        self.inner.runs.remove(&run);
        if let Some(key) = &self.idempotency_key {
            let key = (self.graph.clone(), key.clone());
            self.inner.by_key.remove_if(&key, |_, named| *named == run);
        }
        self.journal(source)
    }

    fn journal(&self, source: JournalError) -> StartError {
        StartError::Journal { graph: self.graph.clone(), source }
    }
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start")
            .field("graph", &self.graph)
            .field("selector", &self.selector)
            .finish_non_exhaustive()
    }
}
