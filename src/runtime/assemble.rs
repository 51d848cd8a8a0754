//! Makes the cell of a run, whether it starts or comes back from its journal.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Inner;
use crate::clock::Timestamp;
use crate::event::RunBus;
use crate::id::RunId;
use crate::node::{Control, RunFacts, Store};
use crate::run::{
    Barriers, Ending, Ground, Lessor, Live, Machine, RunCell, RunJournal, RunSettings, StateCounter,
};
use crate::value::Value;
use crate::version::{Decision, Pin, Version};

/// What the cell of a run is made of.
pub(super) struct CellParts {
    pub ground: Ground,
    pub version: Arc<Version>,
    pub decision: Decision,
    pub seed: u64,
    pub input: Value,
    pub machine: Machine,
    pub barriers: Option<Barriers>,
    pub control: Arc<Control>,
    pub journal: Option<Arc<RunJournal>>,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub began: Option<Timestamp>,
    pub lease: Arc<Lessor>,
}

impl Inner {
    /// What the steps of a run read.
    pub(super) fn ground(&self, pin: &Pin, run: RunId, store: Store, is_durable: bool) -> Ground {
        Ground {
            plan: pin.plan().clone(),
            run,
            version: pin.version().number(),
            store,
            retention: self.settings.retention,
            states: StateCounter::default(),
            is_durable,
        }
    }

    pub(super) fn cell(&self, parts: CellParts) -> Arc<RunCell> {
        let CellParts { ground, version, seed, control, .. } = parts;
        let graph = ground.plan.name().clone();
        let (clock, bus) = (self.clock.clone(), self.bus.clone());
        let bus = Arc::new(RunBus::new(ground.run, graph.clone(), version.number(), clock, bus));
        let facts = RunFacts {
            run: ground.run,
            version: version.number(),
            seed,
            names: ground.plan.names.clone(),
            clock: self.clock.clone(),
            store: ground.store.clone(),
            secrets: self.registry.secrets(&graph).values(),
            graph,
            control: control.clone(),
            progress: bus.clone(),
        };
        let settings = RunSettings {
            lanes: self.settings.lanes,
            grace: self.settings.grace,
            starts_at: parts.starts_at,
            ends_at: parts.ends_at,
            lease: parts.lease,
        };
        let cell = Arc::new(RunCell {
            ground: Arc::new(ground),
            facts: Arc::new(facts),
            bus,
            version,
            decision: parts.decision,
            began: parts.began,
            settings,
            journal: parts.journal,
            input: parts.input,
            machine: Mutex::new(parts.machine),
            barriers: Mutex::new(parts.barriers),
            live: Mutex::new(Live { control, ..Live::default() }),
            ending: Ending::default(),
            opening: tokio::sync::Mutex::new(()),
        });
        cell.announce_pauses();
        cell
    }
}
