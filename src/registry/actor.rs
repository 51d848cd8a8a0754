//! The actor that owns the lineages and swaps the snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::drains::Drains;
use super::message::RegistryMessage;
use super::shared::Shared;
use crate::clock::Clock;
use crate::event::{EventKind, RoutingEvent, RuntimeBus};
use crate::id::GraphName;
use crate::journal::{Patience, StreamLog};
use crate::version::{
    Answer, Change, Command, Decided, Lineages, Refusal, Restored, Retention, StoredTurn, Terms,
    Turned, Version, VersionError,
};

/// The registry's actor.
pub(crate) struct RegistryActor;

/// What the registry starts with.
pub(crate) struct RegistryArguments {
    pub clock: Arc<dyn Clock>,
    pub bus: Arc<RuntimeBus>,
    pub shared: Arc<Shared>,
    /// What the journal had, if there is one.
    pub restored: Restored,
    pub log: Option<Arc<StreamLog>>,
    pub retention: Retention,
}

/// The registry's state.
pub(crate) struct RegistryState {
    clock: Arc<dyn Clock>,
    bus: Arc<RuntimeBus>,
    shared: Arc<Shared>,
    lineages: Lineages,
    drains: Drains,
    /// Graphs of which a version has drained: retention has not looked at them since.
    drained: BTreeSet<GraphName>,
    /// Where commands are put on record before they take effect, if they are.
    log: Option<Arc<StreamLog>>,
}

impl Actor for RegistryActor {
    type Msg = RegistryMessage;
    type State = RegistryState;
    type Arguments = RegistryArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        RegistryArguments { clock, bus, shared, restored, log, retention }: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let lineages = Lineages::restore(&restored, retention);
        let (drains, drained) = Default::default();
        Ok(RegistryState { clock, bus, shared, lineages, drains, drained, log })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let drained = state.drains.drained();
        state.collect_after(&drained, &[]);
        state.tell_drained(drained);
        match message {
            RegistryMessage::Execute(command, refusal, reply) => {
                let answer = state.execute(&command, refusal, &myself).await;
                // A caller that has gone does not undo its command.
                let _ = reply.send(answer);
            }
            RegistryMessage::Recall(command, reply) => {
                // As above.
                let _ = reply.send(state.lineages.recall(&command));
            }
            RegistryMessage::Drained(version) => state.drains.go_on(version, &myself),
        }
        // After the answer: whoever gave a command does not wait for this.
        while let Some(graph) = state.drained.pop_first() {
            state.collect(graph, &myself).await;
        }
        Ok(())
    }
}

impl RegistryState {
    async fn execute(
        &mut self,
        command: &Command,
        refusal: Option<Refusal>,
        myself: &ActorRef<RegistryMessage>,
    ) -> Answer {
        let now = self.clock.now();
        let decided = self.lineages.decide(command, refusal, now, &self.shared.audit.lock());
        let decided = match decided {
            Decided::Repeat(answer) => return answer,
            Decided::New(decided) => decided,
        };
        if let Some(log) = &self.log {
            log.append([encode(&decided.stored(command))]);
            if let Err(error) = log.flush(Patience::Impatient).await {
                log.give_up();
                self.lineages.give_up(&decided);
                return Err(VersionError::NotSaved(error.to_string()).into());
            }
        }
        let mut unrouted = Vec::new();
        let (shared, bus) = (&self.shared, &self.bus);
        let swap = |turned: &Turned<'_>| {
            shared.routing.store(turned.after.clone());
            #[cfg(feature = "metrics")]
            shared.totals.count(turned);
            tell(bus, turned);
            unrouted.extend_from_slice(turned.unrouted);
        };
        let mut audit = shared.audit.lock();
        let told = audit.last();
        let answer = self.lineages.take_effect(command, *decided, &mut audit, swap);
        audit.since(told).for_each(|record| bus.tell_record(record));
        drop(audit);
        if answer.as_ref().is_ok_and(|done| done.created) {
            command.change.graphs().into_iter().for_each(|graph| self.warn(graph));
        }
        let drained = self.drains.begin(unrouted.clone(), myself);
        self.collect_after(&drained, &unrouted);
        self.tell_drained(drained);
        answer
    }

    /// Retires what retention gives up since a version has drained; it is a command like others, on
    /// record if it does anything.
    async fn collect(&mut self, graph: GraphName, myself: &ActorRef<RegistryMessage>) {
        if self.lineages.gives_up(&graph, self.clock.now()) {
            let (by, reason) = (Some("retention".into()), Some("a version has drained".into()));
            let terms = Terms { by, reason, ..Terms::default() };
            let collect = Command { change: Change::Collect { graph }, terms };
            // What cannot be put on record is given up another time.
            let _ = self.execute(&collect, None, myself).await;
        }
    }

    /// Tells who watches that a graph has more versions than it should have.
    fn warn(&self, graph: GraphName) {
        let Some((versions, soft_limit)) = self.lineages.surplus(&graph) else { return };
        if self.bus.is_watched() {
            let warning = EventKind::ManyVersions { versions, soft_limit };
            self.bus.send(self.clock.now(), graph, None, warning);
        }
    }

    /// Lets retention look at the graphs of versions whose last run has ended. One that a command has
    /// just left without any run is no reason: it may be gone back to at once.
    fn collect_after(&mut self, drained: &[Arc<Version>], just_left: &[Arc<Version>]) {
        let is_left =
            |version: &Arc<Version>| just_left.iter().any(|one| Arc::ptr_eq(one, version));
        let drained = drained.iter().filter(|version| !is_left(version));
        self.drained.extend(drained.map(|version| version.manifest().graph.clone()));
    }

    fn tell_drained(&self, versions: Vec<Arc<Version>>) {
        if self.bus.is_watched() {
            for version in versions {
                let (graph, number) = (version.manifest().graph.clone(), version.number());
                self.bus.send(self.clock.now(), graph, Some(number), EventKind::Drained);
            }
        }
    }
}

/// What is written of a command.
fn encode(turn: &StoredTurn) -> Vec<u8> {
    serde_json::to_vec(turn).expect("commands have string keys and finite numbers")
}

/// One event for each thing that an accepted command did.
fn tell(bus: &RuntimeBus, turned: &Turned<'_>) {
    if !bus.is_watched() {
        return;
    }
    let (note, revision) = (&turned.record.note, turned.record.revision_after);
    for moved in turned.transitions() {
        let routing = RoutingEvent {
            change: moved.transition,
            label: moved.label,
            by: note.by.clone(),
            is_automatic: note.is_automatic,
            reason: note.reason.clone(),
            revision,
        };
        bus.send(note.at, moved.graph, moved.version, EventKind::Routing(Box::new(routing)));
    }
}
