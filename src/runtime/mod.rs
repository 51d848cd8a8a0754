//! The front door: wires the catalog, the registry, runs and events together.
//!
//! Graphs and starts come in; versions and runs go out. A start looks up a version, pins it and hands
//! it to a run; the registry and runs do not know each other.

mod assemble;
mod bring;
mod builder;
mod command;
mod drain;
mod ended;
mod error;
mod families;
mod input;
mod keeper;
mod key_locks;
mod known;
#[cfg(feature = "metrics")]
mod measure;
mod place;
mod publish;
mod recovery;
mod rollout;
mod session;
mod shutdown;
mod start;
mod storage;
mod stranded;
mod subgraph;
mod versions;

pub use bring::RequiredVersion;
pub use builder::RuntimeBuilder;
pub use command::{Accepted, Command, RolledBack};
pub use drain::Drain;
pub use error::{BuildError, PublishError, StartError};
pub use publish::{Publish, Published};
pub use recovery::StrandedReason;
pub use rollout::BeginRollout;
pub use session::{Next, Session, SessionError, SessionSlot, SessionView};
pub use shutdown::ShutdownReport;
pub use start::{Start, Starting};
pub use storage::{RunAt, Storage};
pub use stranded::StrandedRun;
pub use versions::Versions;

use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use ended::EndedRuns;
use keeper::Keeper;
use session::Sessions;
use shutdown::Grace;
use stranded::Stranded;

use crate::clock::{Clock, Rng};
use crate::event::{EventStream, RuntimeBus};
use crate::id::{GraphName, IdHasher, LabelName, RunId, VersionNumber};
use crate::node::{Catalog, CatalogError, Handler};
use crate::registry::{Registry, Rollouts};
use crate::run::{Durability, Parent, Places, Run, StateRetention};
use crate::value::Value;
use crate::version::{AuditQuery, AuditRecord, Change, Retention, Routing};

/// An in-process runtime for workflow graphs. Cloning it gives another handle to the same one.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

/// What every handle of a runtime shares.
///
/// It shares no cache line with the count of its handles: starts would wait for those who count.
#[repr(align(128))]
struct Inner {
    catalog: Catalog,
    keeper: Option<Keeper>,
    registry: Registry,
    rollouts: Arc<Rollouts>,
    clock: Arc<dyn Clock>,
    bus: Arc<RuntimeBus>,
    chance: Mutex<Rng>,
    /// Those of the builder, which override what graphs bring.
    secrets: BTreeMap<String, String>,
    settings: Settings,
    runs: DashMap<RunId, Run, BuildHasherDefault<IdHasher>>,
    by_key: DashMap<(GraphName, String), RunId>,
    ended: Mutex<EndedRuns>,
    sessions: Sessions,
    stranded: Mutex<BTreeMap<RunId, Stranded>>,
    /// Runs that go on while the run that waits for them is stranded.
    ahead: Mutex<Vec<(RunId, Parent)>>,
    /// Written while runs of the journal are taken up, given up or deleted, and read, with a lock of the
    /// run, while one is read back or opened again: there is one of it here.
    taking_up: tokio::sync::RwLock<()>,
    /// The tasks that do so.
    take_ups: TaskTracker,
    places: Arc<Places>,
    grace: Grace,
    #[cfg(feature = "metrics")]
    told: Mutex<measure::Told>,
    myself: Weak<Inner>,
}

impl Drop for Inner {
    /// A runtime that nobody has any more leaves no actor behind, also if it was not shut down.
    fn drop(&mut self) {
        self.registry.leave();
    }
}

/// What the builder decides.
#[derive(Clone, Debug)]
struct Settings {
    lanes: usize,
    max_runs: usize,
    keep_ended: usize,
    grace: Duration,
    retention: StateRetention,
    versions: Retention,
    durability: Durability,
}

impl Runtime {
    /// Builds a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// Registers a handler for graphs that are published from now on.
    ///
    /// It replaces a handler of the same name that has another fingerprint: declare another
    /// [`version`](Handler::version) when the code changes. Published versions keep the handler they
    /// were compiled with.
    ///
    /// # Errors
    ///
    /// If its name is blank, or taken by a handler with the same fingerprint.
    pub fn register(&self, handler: Handler) -> Result<(), CatalogError> {
        self.inner.catalog.register(handler)?;
        if self.inner.keeper.is_some() {
            self.bring_versions();
        }
        Ok(())
    }

    /// Starts a run of a graph's active version.
    ///
    /// `inputs` override the inputs that the root node declares. The run starts when the returned
    /// [`Start`] is awaited.
    pub fn start(&self, graph: impl Into<GraphName>, inputs: impl Into<Value>) -> Start {
        Start::new(self.inner.clone(), graph.into(), inputs.into())
    }

    /// The run with that id, if it is live or still readable.
    #[must_use]
    pub fn run(&self, id: RunId) -> Option<Run> {
        self.inner.run_of(id)
    }

    /// The session with that id: one logical run that takes many inputs, one after another.
    ///
    /// One that is new needs a [`graph`](Session::graph), and begins with its first input.
    pub fn session(&self, id: impl Into<Arc<str>>) -> Session {
        Session::new(self.inner.clone(), id.into())
    }

    /// How many runs have not ended.
    #[must_use]
    pub fn live_runs(&self) -> usize {
        self.inner.places.taken()
    }

    /// Events of every run, and those that [`version_events`](Self::version_events) gives.
    ///
    /// From now on; those of versions and rollouts have no run.
    pub fn events(&self) -> EventStream {
        self.inner.bus.subscribe()
    }

    /// Events of the versions of every graph and of rollouts alone, from now on.
    ///
    /// There is one for each thing that an accepted command changed, for the end of each drain, and
    /// for each phase of a rollout. However many runs there are, they take no place from these, and
    /// cost no more because somebody watches.
    pub fn version_events(&self) -> EventStream {
        self.inner.bus.subscribe_to_versions()
    }

    /// The versions of a graph: what there is, and commands on them.
    #[must_use]
    pub fn versions(&self, graph: impl Into<GraphName>) -> Versions {
        Versions::new(self.inner.clone(), graph.into())
    }

    /// Promotes versions of several graphs and labels at once: no start sees some without the others.
    ///
    /// Each one is a graph, a label and the version that it is to lead to. If one is refused, none is
    /// promoted. A version that is active on its label already stays so; if all are, or a label is
    /// named twice, the release is refused.
    pub fn release<G, L, V>(&self, promotions: impl IntoIterator<Item = (G, L, V)>) -> Command
    where
        G: Into<GraphName>,
        L: Into<LabelName>,
        V: Into<VersionNumber>,
    {
        let promotions = promotions.into_iter();
        let promotions = promotions.map(|(graph, label, v)| (graph.into(), label.into(), v.into()));
        Command::accepted(&self.inner, Change::Release(promotions.collect()))
    }

    /// The routing of every graph, as plain data.
    #[must_use]
    pub fn routing(&self) -> Routing {
        Routing::of(&self.inner.registry.snapshot())
    }

    /// The commands on versions that were given, accepted and refused, oldest first.
    ///
    /// The latest 10,000 are kept. A query can ask for a page of them, from either end.
    #[must_use]
    pub fn audit(&self, query: &AuditQuery) -> Vec<Arc<AuditRecord>> {
        self.inner.registry.audit(query)
    }

    /// Every command on versions from now on, accepted or refused, in the order of their numbers.
    ///
    /// It is told of when it has taken effect. Whoever asks for the [`audit`](Self::audit) once more after
    /// subscribing, and passes over the numbers that it has, misses none.
    pub fn audit_events(&self) -> EventStream<AuditRecord> {
        self.inner.bus.subscribe_to_audit()
    }

    /// What all accepted commands add up to: the [`routing`](Self::routing), if nothing is lost.
    #[must_use]
    pub fn fold_audit(&self) -> Routing {
        self.inner.registry.fold()
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("live_runs", &self.live_runs())
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
