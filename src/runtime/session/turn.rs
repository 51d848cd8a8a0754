//! One thing that is done with a session, from its beginning to its end, whoever still waits for it.
//!
//! Invariants:
//! 1. A turn holds the session: turns follow each other.
//! 2. Everything is checked before anything is written, and written before it counts.
//! 3. An input that was accepted is carried out by the run that was chosen then, and by no other.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::cell::{Held, SessionCell};
use super::error::SessionError;
use crate::event::EventKind;
use crate::id::{GraphName, RunId, VersionNumber};
use crate::journal::Patience;
use crate::node::{session_place, session_slot};
use crate::run::{Durability, Outcome, Run, RunStatus};
use crate::runtime::start::InputOf;
use crate::runtime::{Inner, Start, StartError};
use crate::session::{
    Given, Input, Judged, Misjudged, SessionEntry, SessionState, SlotChange, StepOutcome, changes,
};
use crate::value::Value;
use crate::version::{Pin, Selector};

/// One thing that is done with a session.
pub(in crate::runtime) struct Turn {
    pub(super) inner: Arc<Inner>,
    pub(super) cell: Arc<SessionCell>,
    pub(super) held: OwnedMutexGuard<Held>,
    /// The graph of a session that may have to begin.
    graph: Option<GraphName>,
}

/// The version of a session, and what is to be written if it begins only now.
pub(super) struct Ground {
    pub graph: GraphName,
    pub version: VersionNumber,
    pub entries: Vec<SessionEntry>,
    /// Keeps the version until the beginning is written.
    pub pin: Option<Pin>,
}

impl Turn {
    pub(super) const fn new(
        inner: Arc<Inner>,
        cell: Arc<SessionCell>,
        held: OwnedMutexGuard<Held>,
    ) -> Self {
        Self { inner, cell, held, graph: None }
    }

    /// The same turn, of a session of that graph.
    pub(super) fn on(self, graph: Option<GraphName>) -> Self {
        Self { graph, ..self }
    }

    pub(super) const fn graph(&self) -> Option<&GraphName> {
        self.graph.as_ref()
    }

    pub(super) fn id(&self) -> Arc<str> {
        self.cell.id.clone()
    }

    /// Goes on with an input that had not ended when the process did.
    pub(super) async fn go_on(mut self) -> Result<(), SessionError> {
        self.read().await?;
        self.settle().await
    }

    /// Takes an input, and carries it out.
    pub(super) async fn next(mut self, given: Given) -> Result<Arc<StepOutcome>, SessionError> {
        self.read().await?;
        let step = match self.judge(&given).await? {
            Judged::Known(outcome) => return Ok(outcome),
            Judged::New(step) => step,
        };
        let Ground { graph, version, mut entries, .. } = self.ground()?;
        let start = self.start((graph, version), &given, None);
        let refused = |error| SessionError::of_start(&self.cell.id, error);
        let (run, pin) = start.prepare().map_err(refused)?;
        let input = Input { step, given, version, run: run.id() };
        entries.push(SessionEntry::Accepted(input));
        self.write(entries, Patience::Impatient).await?;
        self.keep(&pin);
        let opened = start.open_input(run, pin).await;
        let run = opened.map_err(|error| SessionError::of_start(&self.cell.id, error))?;
        self.carry_out(run).await
    }

    /// Judges an input; one that is under way is waited for.
    async fn judge(&mut self, given: &Given) -> Result<Judged, SessionError> {
        loop {
            let Some(state) = &self.held.state else { return Ok(Judged::New(1)) };
            let misjudged = match state.judge(given) {
                Ok(judged) => return Ok(judged),
                Err(misjudged) => misjudged,
            };
            let session = self.id();
            match (misjudged, &given.id) {
                (Misjudged::Busy(_), _) => self.settle().await?,
                (Misjudged::Conflict(step), Some(input_id)) => {
                    let input_id = input_id.clone();
                    return Err(SessionError::Conflict { session, input_id, step });
                }
                _ => return Err(SessionError::Finished { session }),
            }
        }
    }

    /// The graph and version of the session, which may have to begin.
    pub(super) fn ground(&self) -> Result<Ground, SessionError> {
        if let Some(state) = &self.held.state {
            let (graph, version) = (state.graph().clone(), state.version());
            return Ok(Ground { graph, version, entries: Vec::new(), pin: None });
        }
        let graph = self.graph.clone();
        let graph = graph.ok_or_else(|| SessionError::Unknown { session: self.id() })?;
        let pin = self.newest(&graph)?;
        let version = pin.version().number();
        let began = SessionEntry::Began { id: self.id(), graph: graph.clone(), version };
        Ok(Ground { graph, version, entries: vec![began], pin: Some(pin) })
    }

    /// The version that a start gets now: the same share of a canary's sessions gets the canary.
    pub(super) fn newest(&self, graph: &GraphName) -> Result<Pin, SessionError> {
        let key = Some(self.id());
        let selector = match Selector::default() {
            Selector::Label { label, .. } => Selector::Label { label, key },
            other => other,
        };
        let found = self.inner.registry.start(graph, &selector);
        let found = found.map_err(|refusal| {
            SessionError::of_start(&self.cell.id, StartError::of(graph.clone(), refusal))
        });
        found.map(|(pin, _)| pin)
    }

    /// The run of an input: with the slots of the session, on record if anything is.
    fn start(
        &self,
        (graph, version): (GraphName, VersionNumber),
        given: &Given,
        run: Option<RunId>,
    ) -> Start {
        let start = Start::new(self.inner.clone(), graph, given.value.clone()).version(version);
        let level = match self.inner.settings.durability {
            Durability::None => Durability::OnFanoutAndUnites,
            level => level,
        };
        let slots = self.held.state.iter().flat_map(SessionState::slots);
        let slots = slots.map(|(slot, value)| (session_place(slot), value));
        let keys = given.store.iter().map(|(key, value)| (key.clone(), value));
        let with_key =
            |start: Start, (key, value): (String, &Value)| start.store(key, value.clone());
        let start = keys.chain(slots).fold(start.durability(level), with_key);
        let (session, entry) = (self.cell.clone(), given.entry.clone());
        start.of_input(InputOf { session, entry, run })
    }

    /// Keeps a version for the session, whose being on it is on record: nothing else gives the pin back.
    pub(super) fn keep(&self, pin: &Pin) {
        let mut kept = self.cell.pin.lock();
        if !kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept.version(), pin.version())) {
            *kept = Pin::of(pin.version());
        }
    }

    /// Carries out an input that was accepted and has not ended, if there is one.
    pub(super) async fn settle(&mut self) -> Result<(), SessionError> {
        let pending = self.held.state.as_ref().and_then(SessionState::pending).cloned();
        let Some(input) = pending else { return Ok(()) };
        match self.resume(&input).await {
            Ok(run) => self.carry_out(run).await.map(drop),
            Err(SessionError::Start { source, .. }) if is_final(&source) => {
                self.give_up(&input, source.to_string()).await
            }
            Err(error) => Err(error),
        }
    }

    /// The run of an input that was accepted before.
    async fn resume(&mut self, input: &Input) -> Result<Run, SessionError> {
        if let Some(run) = self.inner.run_of(input.run) {
            return Ok(run);
        }
        if let Some(run) = self.find_run(input).await? {
            return Ok(run);
        }
        // Its start is not on record: nothing of it was done.
        let graph = self.ground()?.graph;
        let start = self.start((graph, input.version), &input.given, Some(input.run));
        let refused = |error| SessionError::of_start(&self.cell.id, error);
        let (run, pin) = start.prepare().map_err(refused)?;
        start.open_input(run, pin).await.map_err(refused)
    }

    /// Does the end of a run, or its being cut off for good, to the session.
    async fn carry_out(&mut self, run: Run) -> Result<Arc<StepOutcome>, SessionError> {
        let outcome = run.outcome().await;
        let state = self.held.state.as_ref();
        let pending = state.and_then(SessionState::pending).cloned();
        let (Some(state), Some(input)) = (state, pending) else {
            return Err(SessionError::CutOff { session: self.id() });
        };
        if !outcome.status.is_terminal() {
            return Err(SessionError::Parked { session: self.id(), step: input.step });
        }
        let left = match outcome.is_success() {
            true => changes(state.slots(), &slots_of(&run)),
            false => Vec::new(),
        };
        let ended = self.end(&input, (*outcome).clone(), left).await?;
        let (session, status) = (self.id(), outcome.status.as_str());
        let (step, input_id) = (input.step, input.given.id);
        run.announce(EventKind::InputEnded { session, step, input_id, status });
        Ok(ended)
    }

    async fn end(
        &mut self,
        input: &Input,
        outcome: Outcome,
        left: Vec<SlotChange>,
    ) -> Result<Arc<StepOutcome>, SessionError> {
        let ended = StepOutcome::new(input.step, input.given.id.clone(), outcome);
        let entry = SessionEntry::Ended(Box::new(ended), left);
        self.write(vec![entry], Patience::Patient).await?;
        let last = self.held.state.as_ref().and_then(|state| state.last().cloned());
        last.ok_or_else(|| SessionError::CutOff { session: self.id() })
    }

    /// Ends an input that no process can begin any more, such as one of a version that was revoked.
    async fn give_up(&mut self, input: &Input, why: String) -> Result<(), SessionError> {
        let Ground { graph, version, .. } = self.ground()?;
        let outcome = Outcome::not_begun(input.run, (graph.clone(), input.version), why);
        self.end(input, outcome, Vec::new()).await?;
        let (step, input_id) = (input.step, input.given.id.clone());
        let status = RunStatus::Cancelled.as_str();
        self.tell(
            (graph, version),
            EventKind::InputEnded { session: self.id(), step, input_id, status },
        );
        Ok(())
    }

    /// Tells those who watch the session of something that no run tells.
    pub(super) fn tell(&self, of: (GraphName, VersionNumber), kind: EventKind) {
        self.inner.bus.send_of_session(self.inner.clock.now(), of, kind, &self.cell.bus);
    }
}

/// Whether an input that was refused so will never be carried out.
const fn is_final(refusal: &StartError) -> bool {
    matches!(
        refusal,
        StartError::VersionRevoked { .. }
            | StartError::VersionGone { .. }
            | StartError::UnknownVersion { .. }
    )
}

/// What a run left in the slots of its session.
fn slots_of(run: &Run) -> BTreeMap<String, Value> {
    let stored = run.stored().into_iter();
    stored.filter_map(|(place, value)| Some((session_slot(&place)?.to_owned(), value))).collect()
}
