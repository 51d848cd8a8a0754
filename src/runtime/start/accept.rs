//! The acceptance of a run: its version, its key, its inputs, its place; or why it is refused.

use std::sync::Arc;
use std::time::Duration;

use dashmap::mapref::entry::Entry;

use super::{Start, StartError};
use crate::clock::Timestamp;
use crate::graph::Plan;
use crate::id::RunId;
use crate::journal::{RunQuery, RunRow};
use crate::run::{Began, Durability, Machine, Run};
use crate::runtime::Inner;
use crate::runtime::assemble::{CellParts, RunOf};
use crate::runtime::keeper::Keeper;
use crate::runtime::recovery::StrandedReason;
use crate::session::Standing;
use crate::version::{Decision, Pin};

/// A run that was accepted.
pub(super) enum Accepted {
    /// It has to be opened, and holds its version until then.
    New(Run, Pin),
    /// An earlier start with the same key opened it.
    Known(Run),
}

impl Start {
    /// Accepts the run, or finds the one that an earlier start with the same key opened.
    pub(super) async fn accept(&self) -> Result<Accepted, StartError> {
        match (&self.inner.keeper, &self.idempotency_key) {
            // Boxed: a start without a key keeps no room for it.
            (Some(keeper), Some(key)) => {
                let accepted = Box::pin(self.accept_once(keeper, key)).await;
                // Whatever the journal said: it may have been closed meanwhile.
                accepted.map_err(|error| self.or_shut_down(error))
            }
            _ => self.accept_now(),
        }
    }

    fn or_shut_down(&self, error: StartError) -> StartError {
        let is_closed = self.inner.places.are_closed_to(self.control.as_deref());
        if is_closed { StartError::ShuttingDown } else { error }
    }

    /// Accepts the run unless memory or the journal has one of the key.
    async fn accept_once(&self, keeper: &Keeper, key: &str) -> Result<Accepted, StartError> {
        let key = (self.graph.clone(), key.to_owned());
        // Until it is accepted, nobody else's run of the key begins; one that did is on record before
        // it is forgotten.
        let _one_at_a_time = keeper.keys.lock(&key).await;
        if let Some(run) = self.inner.named(&key) {
            return Ok(Accepted::Known(run));
        }
        if self.inner.places.are_closed_to(self.control.as_deref()) {
            return Err(StartError::ShuttingDown);
        }
        let query = RunQuery::default().graph(&self.graph).key(&*key.1);
        let rows = keeper.answer(keeper.journal.runs(&query)).await;
        let rows = rows.map_err(|source| self.journal(source))?;
        let is_run = |row: &RunRow| Standing::of(&row.status).is_none();
        let Some(row) = rows.into_iter().rfind(is_run) else { return self.accept_now() };
        // The attempt around a child may have ended before the child goes on.
        let signals = self.control.clone().unwrap_or_default();
        match self.inner.find(keeper, &row, signals).await {
            Ok(Some(run)) => Ok(Accepted::Known(run)),
            Ok(None) => self.accept_now(),
            Err(StrandedReason::Unreadable(source)) => Err(self.journal(source)),
            Err(reason) => {
                let (graph, reason) = (self.graph.clone(), Box::new(reason));
                Err(StartError::Stranded { graph, run: row.run, reason })
            }
        }
    }

    /// Accepts the run unless memory has one of the key; waits for nothing.
    pub(super) fn accept_now(&self) -> Result<Accepted, StartError> {
        let inner = &self.inner;
        let Some(key) = self.idempotency_key.clone() else {
            let (run, pin) = self.prepare_and_admit()?;
            return Ok(Accepted::New(run, pin));
        };
        let key = (self.graph.clone(), key);
        let entry = inner.by_key.entry(key);
        if let Entry::Occupied(known) = &entry
            && let Some(run) = inner.run_of(*known.get())
        {
            return Ok(Accepted::Known(run));
        }
        // The key is new, or the run that it named was forgotten.
        let (run, pin) = self.prepare_and_admit()?;
        // The run is known before the entry is let go: a second start of this key finds it.
        entry.insert(run.id());
        Ok(Accepted::New(run, pin))
    }

    fn prepare_and_admit(&self) -> Result<(Run, Pin), StartError> {
        let (run, pin) = self.prepare()?;
        self.inner.admit(&run, &pin);
        Ok((run, pin))
    }

    /// Everything up to the acceptance of the run, which is not known yet; waits for nothing.
    pub(in crate::runtime) fn prepare(&self) -> Result<(Run, Pin), StartError> {
        let inner = &self.inner;
        let place = inner.take_place(self.control.as_deref())?;
        let (pin, decision, plan) = self.resolve()?;
        let version = pin.version();
        let taken = self.take_inputs(&plan).inspect_err(|refusal| {
            if self.is_of_version(refusal) {
                inner.tell_refusal(&self.graph, &decision);
            }
        });
        let (store, input, warnings) = taken?;
        let (run, seed) = self.identity();
        let (starts_at, ends_at) = self.times(plan.timeout);
        let machine = Machine::new(plan.clone(), run, decision.version, warnings.clone());
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
            key: self.idempotency_key.clone(),
            parent: self.parent,
            entry: self.entry().cloned(),
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
            key: self.idempotency_key.as_deref().map(Into::into),
            session: self.session().map(|session| session.bus.clone()),
        };
        Ok((Run::of(inner.cell(parts)), pin))
    }

    /// The version that the run starts on, why that one, and the plan of what it runs there.
    fn resolve(&self) -> Result<(Pin, Decision, Arc<Plan>), StartError> {
        let (pin, decision) = (self.inner.registry.start(&self.graph, &self.selector))
            .map_err(|refusal| StartError::of(self.graph.clone(), refusal))?;
        let plan = (pin.plan_from(self.entry()))
            .map_err(|source| StartError::Entry { graph: self.graph.clone(), source })?;
        Ok((pin, decision, plan))
    }

    /// When the run starts, if that is later than now, and when its time is over.
    fn times(&self, timeout: Option<Duration>) -> (Option<Timestamp>, Option<Timestamp>) {
        let clock = &self.inner.clock;
        let starts_at = (!self.delay.is_zero()).then(|| clock.now().after(self.delay));
        let ends_at =
            timeout.map(|timeout| starts_at.unwrap_or_else(|| clock.now()).after(timeout));
        (starts_at, ends_at)
    }

    /// How much of the run is put on record.
    fn level(&self) -> Durability {
        self.durability.unwrap_or(self.inner.settings.durability)
    }
}

impl Inner {
    /// Makes a run known; if its version was revoked or left since it was decided, or the runtime
    /// stops its runs, it is stopped.
    pub(super) fn admit(&self, run: &Run, pin: &Pin) {
        self.runs.insert(run.id(), run.clone());
        #[cfg(feature = "metrics")]
        pin.version().tally().started(&run.decision().rule);
        // Whoever revokes or leaves it looks at the runs after saying so: one of the two sees the
        // other.
        self.obey(run, pin.version());
        self.obey_shutdown(run);
    }

    pub(super) fn draw_identity(&self) -> (RunId, u64) {
        let mut chance = self.chance.lock();
        let (high, low) = (chance.next_u64(), chance.next_u64());
        (RunId(u128::from(high) << 64 | u128::from(low)), chance.next_u64())
    }
}
