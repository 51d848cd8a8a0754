//! How a run is started: resolve and pin a version, check the inputs, hand both to a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dashmap::mapref::entry::Entry;

use super::assemble::{CellParts, RunOf};
use super::keeper::Keeper;
use super::recovery::StrandedReason;
use super::{Inner, StartError};
use crate::id::{GraphName, LabelName, RunId, VersionNumber};
use crate::journal::{JournalError, RunQuery, RunRow};
use crate::node::Control;
use crate::run::{AttemptKey, Began, Durability, Machine, Outcome, Parent, Run, RunCell};
use crate::session::Standing;
use crate::value::Value;
use crate::version::{Pin, Selector};

mod of_session;
mod starting;
#[cfg(test)]
mod tests;

pub(super) use of_session::InputOf;
pub use starting::Starting;

/// A run that was accepted.
enum Accepted {
    /// It has to be opened, and holds its version until then.
    New(Run, Pin),
    /// An earlier start with the same key opened it.
    Known(Run),
}

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

    /// Names the start: the same key again gives the run it started, as long as it is readable.
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

    /// Accepts the run, or finds the one that an earlier start with the same key opened.
    async fn accept(&self) -> Result<Accepted, StartError> {
        if let (Some(keeper), Some(key)) = (&self.inner.keeper, &self.idempotency_key) {
            // Boxed: a start without a key keeps no room for it.
            Box::pin(self.look_up(keeper, key)).await?;
        }
        self.accept_now()
    }

    /// A run of this key that is in the journal and not in memory is made known.
    async fn look_up(&self, keeper: &Keeper, key: &str) -> Result<(), StartError> {
        let named = (self.graph.clone(), key.to_owned());
        let known = self.inner.by_key.get(&named).map(|run| *run);
        if known.is_some_and(|run| self.inner.runs.contains_key(&run)) {
            return Ok(());
        }
        let query = RunQuery::default().graph(&self.graph).key(key);
        let refused = |source| StartError::Journal { graph: named.0.clone(), source };
        let rows = keeper.journal.runs(&query).await.map_err(refused)?;
        let is_run = |row: &RunRow| Standing::of(&row.status).is_none();
        let Some(row) = rows.into_iter().rfind(is_run) else { return Ok(()) };
        let run = row.run;
        let stranded = |reason| {
            let (graph, reason) = (named.0.clone(), Box::new(reason));
            StartError::Stranded { graph, run, reason }
        };
        let missing = match row.ended_at {
            Some(_) => self.inner.read_ended(keeper, row).await.err(),
            // What the attempt around it lacked is there again; so it may be for this one.
            None if self.parent.is_some() => {
                let signals = self.control.clone().unwrap_or_default();
                self.inner.take_up_child(run, signals).await.err()
            }
            // Another start of this key was quicker.
            None if self.inner.runs.contains_key(&run) => None,
            None => Some(self.inner.why_stranded(run)),
        };
        match missing {
            None => Ok(()),
            Some(StrandedReason::NotStranded)
                if keeper.was_refused(run).await.map_err(refused)? =>
            {
                Ok(())
            }
            Some(reason) => Err(stranded(reason)),
        }
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
        StartError::Journal { graph: self.graph.clone(), source }
    }

    fn accept_now(&self) -> Result<Accepted, StartError> {
        let inner = &self.inner;
        let Some(key) = self.idempotency_key.clone() else {
            let (cell, pin) = self.prepare(None)?;
            let run = Run::of(cell);
            inner.admit(&run, &pin);
            return Ok(Accepted::New(run, pin));
        };
        let key = (self.graph.clone(), key);
        let entry = inner.by_key.entry(key.clone());
        if let Entry::Occupied(known) = &entry
            && let Some(run) = inner.runs.get(known.get())
        {
            return Ok(Accepted::Known(run.clone()));
        }
        // The key is new, or the run that it named was forgotten.
        let (cell, pin) = self.prepare(Some(key))?;
        let run = Run::of(cell);
        // Known before the entry is let go: a second start of this key finds the run.
        inner.admit(&run, &pin);
        entry.insert(run.id());
        Ok(Accepted::New(run, pin))
    }

    /// Everything up to the acceptance of the run; waits for nothing.
    fn prepare(&self, key: Option<(GraphName, String)>) -> Result<(Arc<RunCell>, Pin), StartError> {
        let inner = &self.inner;
        let place = inner.take_place(self.control.as_deref())?;
        let (pin, decision) = (inner.registry.start(&self.graph, &self.selector))
            .map_err(|refusal| StartError::of(self.graph.clone(), refusal))?;
        let version = pin.version();
        let entry = self.entry().cloned();
        let plan = pin.plan_from(entry.as_ref());
        let plan =
            plan.map_err(|source| StartError::Entry { graph: self.graph.clone(), source })?;
        let taken = self.take_inputs(&plan).inspect_err(|refusal| {
            if self.is_of_version(refusal) {
                inner.tell_refusal(&self.graph, &decision);
            }
        });
        let (store, input, warnings) = taken?;
        let (run, seed) = self.identity();
        let starts_at = (!self.delay.is_zero()).then(|| inner.clock.now().after(self.delay));
        let ends_at = (plan.timeout)
            .map(|timeout| starts_at.unwrap_or_else(|| inner.clock.now()).after(timeout));
        let machine = Machine::new(plan.clone(), run, decision.version, warnings.clone());
        let key_name = key.as_ref().map(|(_, key)| key.clone());
        let began = || Began {
            graph: self.graph.clone(),
            version: decision.version,
            hash: plan.hash(),
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            level: self.level(),
            seed,
            input: input.clone(),
            store: store.snapshot().into_iter().collect(),
            warnings,
            at: inner.clock.now(),
            starts_at,
            decision: decision.clone(),
            key: key_name,
            parent: self.parent,
            entry,
            session: self.session().map(|session| session.id.clone()),
        };
        let keeper = inner.keeper.as_ref().filter(|_| self.level() != Durability::None);
        let journal = keeper.map(|keeper| keeper.begin(run, &began(), &store));
        let of = RunOf { run, plan, version: decision.version };
        let ground = inner.ground(of, store, journal.is_some());
        let parts = CellParts {
            ground,
            version: version.clone(),
            decision,
            seed,
            input,
            machine,
            control: self.control.clone().unwrap_or_default(),
            journal,
            starts_at,
            ends_at,
            began: (!inner.rollouts.is_idle()).then(|| inner.clock.now().after(self.delay)),
            place: Some(place),
            key: key.map(|(_, key)| key.into()),
            session: self.session().map(|session| session.bus.clone()),
        };
        Ok((inner.cell(parts), pin))
    }

    /// How much of the run is put on record.
    fn level(&self) -> Durability {
        self.durability.unwrap_or(self.inner.settings.durability)
    }
}

impl Inner {
    /// Makes a run known; if its version was revoked or left since it was decided, or the runtime
    /// stops its runs, it is stopped.
    fn admit(&self, run: &Run, pin: &Pin) {
        self.runs.insert(run.id(), run.clone());
        #[cfg(feature = "metrics")]
        pin.version().tally().started(&run.decision().rule);
        // Whoever revokes or leaves it looks at the runs after saying so: one of the two sees the
        // other.
        self.obey(run, pin.version());
        self.obey_shutdown(run);
    }

    fn draw_identity(&self) -> (RunId, u64) {
        let mut chance = self.chance.lock();
        let (high, low) = (chance.next_u64(), chance.next_u64());
        (RunId(u128::from(high) << 64 | u128::from(low)), chance.next_u64())
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
