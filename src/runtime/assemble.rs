//! Makes the cell of a run, whether it starts or comes back from its journal.

use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::Inner;
use crate::clock::Timestamp;
use crate::event::{RunBus, SessionBus};
use crate::graph::Plan;
use crate::id::{RunId, VersionNumber};
use crate::node::{Control, RunFacts, Store};
use crate::run::{
    Ending, Ground, Live, Machine, Place, RunCell, RunJournal, RunSettings, StateCounter,
};
use crate::value::Value;
use crate::version::{Decision, Version};

/// What the cell of a run is made of.
pub(super) struct CellParts {
    pub ground: Ground,
    pub version: Arc<Version>,
    pub decision: Decision,
    pub seed: u64,
    pub input: Value,
    pub machine: Machine,
    pub control: Arc<Control>,
    pub journal: Option<Arc<RunJournal>>,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub began: Option<Timestamp>,
    pub place: Option<Place>,
    /// The name that it can be started by again.
    pub key: Option<Box<str>>,
    /// Where the session hears of it whose input it carries out.
    pub session: Option<Arc<SessionBus>>,
}

/// A run, what it walks, and the version that this is of.
pub(super) struct RunOf {
    pub run: RunId,
    pub plan: Arc<Plan>,
    pub version: VersionNumber,
}

impl Inner {
    /// What the steps of a run read.
    pub(super) fn ground(&self, run: RunOf, store: Store, is_durable: bool) -> Ground {
        let RunOf { run, plan, version } = run;
        Ground {
            plan,
            run,
            version,
            store,
            retention: self.settings.retention,
            states: StateCounter::default(),
            is_durable,
        }
    }

    pub(super) fn cell(&self, parts: CellParts) -> Arc<RunCell> {
        let cell = Arc::new_cyclic(|me| self.cell_at(me, parts));
        if cell.facts.control.is_below() || cell.journal.is_some() {
            // It is paused with the run above it, or may come to be.
            cell.announce_pauses(&cell.facts.control);
        }
        cell
    }

    fn cell_at(&self, me: &Weak<RunCell>, parts: CellParts) -> RunCell {
        let CellParts { ground, seed, control, .. } = parts;
        let graph = ground.plan.name().clone();
        let facts = RunFacts {
            run: ground.run,
            version: ground.version,
            seed,
            names: ground.plan.names.clone(),
            clock: self.clock.clone(),
            store: ground.store.clone(),
            secrets: self.registry.secrets(&graph).values(),
            graph,
            control: control.clone(),
            progress: me.clone(),
            cursor: None,
        };
        let settings = RunSettings {
            lanes: self.settings.lanes,
            grace: self.settings.grace,
            starts_at: parts.starts_at,
        };
        RunCell {
            ground,
            facts: Arc::new(facts),
            bus: RunBus::new(self.bus.clone(), parts.session),
            version: parts.version,
            decision: parts.decision,
            began: parts.began,
            settings,
            host: self.myself.clone(),
            key: parts.key,
            journal: parts.journal,
            input: parts.input,
            machine: Mutex::new(parts.machine),
            barriers: Mutex::new(None),
            live: Mutex::new(Live::new(control, parts.place, parts.ends_at)),
            ending: Ending::default(),
            opening: OnceLock::new(),
        }
    }
}
