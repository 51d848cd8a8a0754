//! The actor that owns the lineages and swaps the snapshot.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::drains::Drains;
use super::message::RegistryMessage;
use super::shared::Shared;
use crate::clock::Clock;
use crate::event::{EventKind, RoutingEvent, RuntimeBus};
use crate::version::{
    AuditLog, Command, Done, Lineages, Refusal, Retention, Turned, Version, VersionError,
};

/// The registry's actor.
pub(crate) struct RegistryActor;

/// What the registry starts with.
pub(crate) struct RegistryArguments {
    pub clock: Arc<dyn Clock>,
    pub bus: Arc<RuntimeBus>,
    pub shared: Arc<Shared>,
    pub retention: Retention,
}

/// The registry's state.
pub(crate) struct RegistryState {
    clock: Arc<dyn Clock>,
    bus: Arc<RuntimeBus>,
    shared: Arc<Shared>,
    lineages: Lineages,
    drains: Drains,
}

impl Actor for RegistryActor {
    type Msg = RegistryMessage;
    type State = RegistryState;
    type Arguments = RegistryArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        RegistryArguments { clock, bus, shared, retention }: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let (lineages, drains) = (Lineages::new(retention), Drains::default());
        Ok(RegistryState { clock, bus, shared, lineages, drains })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let drained = state.drains.drained();
        state.tell_drained(drained);
        match message {
            RegistryMessage::Execute(command, reply) => {
                let answer = state.execute(&command, &myself);
                // A caller that has gone does not undo its command.
                let _ = reply.send(answer);
            }
            RegistryMessage::Refuse(command, refusal, reply) => {
                state.refuse(&command, refusal);
                // As above.
                let _ = reply.send(());
            }
            RegistryMessage::Drained(version) => state.drains.go_on(version, &myself),
        }
        Ok(())
    }
}

impl RegistryState {
    fn execute(
        &mut self,
        command: &Command,
        myself: &ActorRef<RegistryMessage>,
    ) -> Result<Done, VersionError> {
        let mut unrouted = Vec::new();
        let (shared, bus) = (&self.shared, &self.bus);
        let swap = |turned: &Turned<'_>| {
            shared.routing.store(turned.after.clone());
            #[cfg(feature = "metrics")]
            shared.totals.count(turned);
            tell(bus, turned);
            unrouted.extend_from_slice(turned.unrouted);
        };
        let now = self.clock.now();
        let lineages = &mut self.lineages;
        let answer = on_record(shared, bus, |audit| lineages.apply(command, now, audit, swap));
        let drained = self.drains.begin(unrouted, myself);
        self.tell_drained(drained);
        answer
    }

    fn refuse(&self, command: &Command, refusal: Refusal) {
        let now = self.clock.now();
        on_record(&self.shared, &self.bus, |audit| {
            self.lineages.refuse(command, refusal, now, audit);
        });
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

/// Does something with the audit log, and tells its subscribers what was put on record.
fn on_record<T>(shared: &Shared, bus: &RuntimeBus, work: impl FnOnce(&mut AuditLog) -> T) -> T {
    let mut audit = shared.audit.lock();
    let told = audit.last();
    let done = work(&mut audit);
    // A repeat of a command is not put on record again.
    audit.since(told).for_each(|record| bus.tell_record(record));
    done
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
