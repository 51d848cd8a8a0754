//! How a run is started: resolve and pin a version, check the inputs, hand both to a run.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin as BoxPin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dashmap::mapref::entry::Entry;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Inner, StartError};
use crate::event::{EventKind, RunBus};
use crate::graph::Plan;
use crate::id::{GraphName, NodeIndex, RunId, StateId, VersionNumber};
use crate::node::{Control, Progress, RunFacts, Store};
use crate::run::{
    Ground, Lessor, Live, Machine, Outcome, Run, RunCell, RunSettings, Scope, StateCounter, View,
};
use crate::value::{Fields, Value};
use crate::version::{Pin, Selector};

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
    graph: GraphName,
    inputs: Value,
    version: Selector,
    store: BTreeMap<String, Value>,
    delay: Duration,
    idempotency_key: Option<String>,
    control: Arc<Control>,
}

impl Start {
    pub(super) fn new(inner: Arc<Inner>, graph: GraphName, inputs: Value) -> Self {
        Self {
            inner,
            graph,
            inputs,
            version: Selector::Active,
            store: BTreeMap::new(),
            delay: Duration::ZERO,
            idempotency_key: None,
            control: Arc::default(),
        }
    }

    /// Starts on this version instead of the active one; never falls back to another.
    pub const fn version(mut self, version: VersionNumber) -> Self {
        self.version = Selector::Version(version);
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

    pub(super) fn control(mut self, control: Arc<Control>) -> Self {
        self.control = control;
        self
    }

    /// Starts the run and waits for its end.
    ///
    /// The run is walked on the caller's task as long as nothing in it waits, which takes a tenth of
    /// the time that an actor takes; from then on the run's own actors do the rest.
    ///
    /// # Errors
    ///
    /// If the run is not accepted; see [`StartError`]. How an accepted run ends is in its outcome.
    ///
    /// # Cancel safety
    ///
    /// Dropping it detaches: a run that was accepted goes on.
    pub async fn run(self) -> Result<Arc<Outcome>, StartError> {
        match self.accept()? {
            Accepted::New(run, pin) => Ok(run.walk(pin).await),
            Accepted::Known(run) => Ok(run.outcome().await),
        }
    }

    async fn launch(self) -> Result<Run, StartError> {
        match self.accept()? {
            Accepted::New(run, pin) => {
                run.launch(pin).await;
                Ok(run)
            }
            Accepted::Known(run) => Ok(run),
        }
    }

    fn accept(&self) -> Result<Accepted, StartError> {
        let inner = &self.inner;
        let Some(key) = self.idempotency_key.clone() else {
            let (cell, pin) = self.prepare(None)?;
            let run = Run::of(cell);
            inner.runs.insert(run.id(), run.clone());
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
        inner.runs.insert(run.id(), run.clone());
        entry.insert(run.id());
        Ok(Accepted::New(run, pin))
    }

    /// Everything up to the acceptance of the run; waits for nothing.
    fn prepare(&self, key: Option<(GraphName, String)>) -> Result<(Arc<RunCell>, Pin), StartError> {
        let inner = &self.inner;
        let place = inner.take_place()?;
        let pin = (inner.registry.start(&self.graph, self.version))
            .map_err(|refusal| StartError::of(self.graph.clone(), refusal))?;
        let version = pin.version().clone();
        let plan = version.plan().clone();
        let store = self.fill_store(&plan)?;
        let (input, warnings) = self.root_input(&plan, &store)?;
        let (run, seed) = inner.draw_identity();
        let bus = RunBus::new(
            run,
            self.graph.clone(),
            version.number(),
            inner.clock.clone(),
            inner.bus.clone(),
        );
        let bus = Arc::new(bus);
        let facts = self.facts(&plan, run, version.number(), seed, &store, &bus);
        let machine = Machine::new(plan.clone(), run, version.number(), warnings);
        let ground = Ground {
            plan,
            run,
            version: version.number(),
            store,
            retention: inner.settings.retention,
            states: StateCounter::default(),
        };
        let settings = RunSettings {
            lanes: inner.settings.lanes,
            grace: inner.settings.grace,
            starts_at: (!self.delay.is_zero()).then(|| inner.clock.now().after(self.delay)),
            lease: inner.lease(run, key, place),
        };
        let cell = RunCell {
            ground: Arc::new(ground),
            facts: Arc::new(facts),
            bus,
            version,
            settings,
            input,
            machine: Mutex::new(machine),
            barriers: Mutex::new(None),
            live: Mutex::new(Live { control: self.control.clone(), ..Live::default() }),
            outcome: watch::Sender::new(None),
            opening: tokio::sync::Mutex::new(()),
        };
        let cell = Arc::new(cell);
        cell.announce_pauses();
        Ok((cell, pin))
    }

    fn fill_store(&self, plan: &Plan) -> Result<Store, StartError> {
        let mut data = plan.store_defaults.clone();
        data.extend(self.store.clone());
        let is_set = |key: &&String| data.get(*key).is_some_and(|value| !value.is_null());
        let missing = plan.required_keys.iter().filter(|key| !is_set(key));
        let keys: Vec<_> = missing.cloned().collect();
        if keys.is_empty() {
            return Ok(Store::new(data));
        }
        Err(StartError::MissingStoreKeys { graph: self.graph.clone(), keys })
    }

    /// The root's input: what was given, else what the graph says. Given text is never parsed.
    fn root_input(&self, plan: &Plan, store: &Store) -> Result<(Value, Vec<String>), StartError> {
        let root = plan.node(plan.root);
        let invalid = |reason: String| StartError::InvalidInput {
            graph: self.graph.clone(),
            node: root.identifier.to_string(),
            reason,
        };
        let given = match &self.inputs {
            Value::Null => Fields::default(),
            Value::Object(fields) => fields.clone(),
            other => return Err(invalid(format!("expected an object, found {other}"))),
        };
        let declared = |name: &str| root.inputs.iter().any(|input| input.field.as_str() == name);
        let (known, unknown): (Vec<_>, Vec<_>) =
            given.iter().partition(|(key, _)| declared(key.as_str()));
        for (key, value) in &known {
            let wanted = root.handler.inputs().field(key.as_str());
            if wanted.is_some_and(|wanted| !wanted.accepts(value)) {
                let reason = format!("field `{}` cannot take {value}", key.as_str());
                return Err(invalid(reason));
            }
        }
        let view = View { own: None, scope: &Scope::default(), store };
        let mut fields = Vec::with_capacity(root.inputs.len());
        for input in &root.inputs {
            let given = known.iter().find(|(key, _)| **key == input.field);
            let value = match given {
                Some((_, value)) => Ok((*value).clone()),
                None => input.template.resolve(&view, input.target),
            };
            let value = value.map_err(|error| invalid(error.to_string()))?;
            fields.push((input.field.clone(), value));
        }
        let input = Value::Object(fields.into_iter().collect());
        let warning = |key: &str| format!("input `{key}` is not declared by the root node");
        Ok((input, unknown.iter().map(|(key, _)| warning(key.as_str())).collect()))
    }

    fn facts(
        &self,
        plan: &Arc<Plan>,
        run: RunId,
        version: VersionNumber,
        seed: u64,
        store: &Store,
        bus: &Arc<RunBus>,
    ) -> RunFacts {
        let graph = self.inner.graph_secrets.get(&self.graph).map(|secrets| secrets.clone());
        let mut secrets = graph.unwrap_or_default();
        secrets.extend(self.inner.secrets.clone());
        RunFacts {
            run,
            graph: self.graph.clone(),
            version,
            seed,
            names: plan.names.clone(),
            clock: self.inner.clock.clone(),
            store: store.clone(),
            secrets: Arc::new(secrets),
            control: self.control.clone(),
            progress: Arc::new(Reporter { plan: plan.clone(), bus: bus.clone() }),
        }
    }
}

/// Sends handlers' progress to the run's bus.
struct Reporter {
    plan: Arc<Plan>,
    bus: Arc<RunBus>,
}

impl Progress for Reporter {
    fn report(&self, node: NodeIndex, state: StateId, progress: Value) {
        let node = self.plan.names[node.at()].clone();
        self.bus.send(EventKind::Progress { node, state, progress });
    }
}

impl Inner {
    fn draw_identity(&self) -> (RunId, u64) {
        let mut chance = self.chance.lock();
        let (high, low) = (chance.next_u64(), chance.next_u64());
        (RunId(u128::from(high) << 64 | u128::from(low)), chance.next_u64())
    }

    /// A place among the live runs.
    fn take_place(&self) -> Result<Place, StartError> {
        // Counted before the flag is read: a shutdown that this start does not see waits for it.
        let live = self.tracker.token();
        if self.closing.load(Ordering::SeqCst) {
            return Err(StartError::ShuttingDown);
        }
        let permit = self.permits.clone().try_acquire_owned();
        let limit = self.settings.max_runs;
        let permit = permit.map_err(|_| StartError::Overloaded { limit })?;
        Ok(Place { _permit: Some(permit), _live: live })
    }

    /// What a run takes while an episode is open; the first one has its place already.
    fn lease(&self, run: RunId, key: Option<(GraphName, String)>, first: Place) -> Arc<Lessor> {
        let (inner, first) = (self.myself.clone(), Mutex::new(Some(first)));
        Arc::new(move |cell| {
            let Some(inner) = inner.upgrade() else { return Some(Box::new(())) };
            let first = first.lock().take();
            let place = first.or_else(|| inner.take_place_again(cell))?;
            Some(Box::new(RunLease { _place: place, ended: Some((run, key.clone())), inner }))
        })
    }

    /// A place for the next episode of a run that was accepted before: it needs no permit.
    fn take_place_again(&self, cell: &Arc<RunCell>) -> Option<Place> {
        let live = self.tracker.token();
        if self.closing.load(Ordering::SeqCst) {
            return None;
        }
        let run = Run::of(cell.clone());
        self.ended.lock().take_back(run.id());
        // It may have been forgotten: a shutdown has to find it.
        self.runs.insert(run.id(), run);
        let permit = self.permits.clone().try_acquire_owned().ok();
        Some(Place { _permit: permit, _live: live })
    }
}

/// A place among the live runs; given back by dropping it.
struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    _live: TaskTrackerToken,
}

struct RunLease {
    _place: Place,
    ended: Option<(RunId, Option<(GraphName, String)>)>,
    inner: Arc<Inner>,
}

impl Drop for RunLease {
    fn drop(&mut self) {
        if let Some((run, key)) = self.ended.take() {
            self.inner.keep_ended(run, key);
        }
    }
}

impl IntoFuture for Start {
    type Output = Result<Run, StartError>;
    type IntoFuture = BoxPin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.launch())
    }
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start")
            .field("graph", &self.graph)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
