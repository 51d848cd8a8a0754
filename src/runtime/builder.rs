//! Collects what a runtime is made of.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use super::error::BuildError;
use super::keeper::Keeper;
use super::session::Sessions;
use super::shutdown::Grace;
use super::{Inner, Runtime, Settings};
use crate::clock::{Clock, Rng, SystemClock};
use crate::event::RuntimeBus;
use crate::journal::{Journal, OnSaveFailure};
use crate::node::{Catalog, Handler};
use crate::registry::{Kept, Registry, Rollouts};
use crate::run::{Durability, Places, StateRetention};
use crate::version::Retention;

/// Collects what a runtime is made of; [`build`](Self::build) checks it once.
#[must_use = "a builder does nothing until `build` is called"]
pub struct RuntimeBuilder {
    handlers: Vec<Handler>,
    secrets: BTreeMap<String, String>,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
    journal: Option<Arc<dyn Journal>>,
    on_save_failure: OnSaveFailure,
    settings: Settings,
}

impl Default for RuntimeBuilder {
    fn default() -> Self {
        let lanes = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let settings = Settings {
            lanes,
            max_runs: 100_000,
            keep_ended: 256,
            grace: Duration::from_secs(5),
            retention: StateRetention::Auto,
            versions: Retention::default(),
            durability: Durability::default(),
        };
        Self {
            handlers: Vec::new(),
            secrets: BTreeMap::new(),
            clock: None,
            seed: None,
            journal: None,
            on_save_failure: OnSaveFailure::default(),
            settings,
        }
    }
}

impl RuntimeBuilder {
    /// Registers a handler.
    pub fn handler(mut self, handler: Handler) -> Self {
        self.handlers.push(handler);
        self
    }

    /// Sets a secret; it overrides one of that name in a graph's document.
    pub fn secret(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.secrets.insert(name.into(), value.into());
        self
    }

    /// Takes time from this clock instead of the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Draws run ids, jitter and handlers' random numbers from this seed.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the most lanes a run may have; one per core unless set, at least one.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.settings.lanes = lanes.max(1);
        self
    }

    /// Sets how many runs may be live at once; 100,000 unless set.
    pub const fn max_runs(mut self, runs: usize) -> Self {
        self.settings.max_runs = runs;
        self
    }

    /// Sets how many ended runs stay readable; 256 unless set.
    ///
    /// Ended runs keep 4,000 states together, or those of the latest run. Beyond that the oldest ones
    /// keep their outcome, their counts and the states that failed or were cancelled, which can still be
    /// retried. Their outcomes have 200,000 outputs, failures and skips together; beyond that the oldest
    /// runs are forgotten.
    pub const fn keep_ended(mut self, runs: usize) -> Self {
        self.settings.keep_ended = runs;
        self
    }

    /// Sets how long attempts get to stop after a cancel; 5 seconds unless set.
    pub const fn cancel_grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Sets which state records runs keep.
    pub const fn state_retention(mut self, retention: StateRetention) -> Self {
        self.settings.retention = retention;
        self
    }

    /// Sets which versions a graph keeps without being asked.
    pub fn version_retention(mut self, retention: Retention) -> Self {
        self.settings.versions = retention;
        self
    }

    /// Keeps versions and runs in this journal, and goes on with those that it has.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Sets how much of a run survives the process, unless its start says so itself:
    /// [`EveryState`](Durability::EveryState) unless set. Without a journal nothing does.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// Sets what happens to runs whose records cannot be written; they wait unless set.
    pub const fn on_save_failure(mut self, on_failure: OnSaveFailure) -> Self {
        self.on_save_failure = on_failure;
        self
    }

    /// Makes the runtime; it lives on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If a handler cannot be registered, or what the journal has cannot be read or belongs to another
    /// process. The journal is given back then.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with its timer enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it makes no runtime, and a journal that it has claimed by then stays claimed until the
    /// journal is dropped, too.
    pub async fn build(mut self) -> Result<Runtime, BuildError> {
        let catalog = Catalog::default();
        for handler in std::mem::take(&mut self.handlers) {
            catalog.register(handler)?;
        }
        let clock = self.clock.take().unwrap_or_else(|| Arc::new(SystemClock::new()));
        let Some(journal) = self.journal.take() else {
            return self.build_on(catalog, clock, None).await;
        };
        let keeper = Keeper::claim(journal.clone(), clock.clone(), self.on_save_failure).await?;
        let epoch = keeper.epoch;
        let built = self.build_on(catalog, clock, Some(keeper)).await;
        if built.is_err() {
            // So that it can be built once more; what failed first is what is told.
            let _ = journal.release(epoch).await;
        }
        built
    }

    async fn build_on(
        self,
        catalog: Catalog,
        clock: Arc<dyn Clock>,
        keeper: Option<Keeper>,
    ) -> Result<Runtime, BuildError> {
        let bus = Arc::new(RuntimeBus::default());
        let retention = self.settings.versions.clone();
        let kept = match &keeper {
            None => Kept::default(),
            Some(keeper) => keeper.read_versions(&self.secrets).await?,
        };
        let rollouts = kept.restored.rollouts.clone();
        let registry = Registry::spawn(clock.clone(), bus.clone(), retention, kept).await;
        let registry = registry.map_err(|_| BuildError::Registry)?;
        let seed = self.seed.unwrap_or_else(Rng::random_seed);
        let inner = Arc::new_cyclic(|myself| Inner {
            catalog,
            keeper,
            registry,
            rollouts: Arc::new(Rollouts::new(bus.clone())),
            clock,
            bus,
            chance: Mutex::new(Rng::seeded(seed)),
            secrets: self.secrets,
            places: Places::new(self.settings.max_runs),
            grace: Grace::default(),
            settings: self.settings,
            runs: DashMap::default(),
            by_key: DashMap::new(),
            ended: Mutex::default(),
            sessions: Sessions::default(),
            stranded: Mutex::default(),
            ahead: Mutex::default(),
            taking_up: tokio::sync::RwLock::default(),
            take_ups: TaskTracker::new(),
            #[cfg(feature = "metrics")]
            told: Mutex::default(),
            myself: myself.clone(),
        });
        let runtime = Runtime { inner };
        if let Some(keeper) = &runtime.inner.keeper {
            runtime.bring_versions();
            runtime.inner.recall_successes(keeper).await?;
            runtime.inner.end_rollouts(rollouts).await?;
            runtime.inner.take_up_all(keeper).await?;
        }
        Ok(runtime)
    }
}

impl std::fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeBuilder")
            .field("handlers", &self.handlers)
            .field("seed", &self.seed)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
