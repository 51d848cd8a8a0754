//! The actor that owns the lineages and swaps the snapshot.

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::message::RegistryMessage;
use crate::clock::Clock;
use crate::version::{AuditLog, Lineages, Retention, Snapshot};

/// The registry's actor.
pub(crate) struct RegistryActor;

/// What the registry starts with.
pub(crate) struct RegistryArguments {
    pub clock: Arc<dyn Clock>,
    pub routing: Arc<ArcSwap<Snapshot>>,
    pub audit: Arc<Mutex<AuditLog>>,
    pub retention: Retention,
}

/// The registry's state.
pub(crate) struct RegistryState {
    clock: Arc<dyn Clock>,
    routing: Arc<ArcSwap<Snapshot>>,
    audit: Arc<Mutex<AuditLog>>,
    lineages: Lineages,
}

impl Actor for RegistryActor {
    type Msg = RegistryMessage;
    type State = RegistryState;
    type Arguments = RegistryArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        RegistryArguments { clock, routing, audit, retention }: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(RegistryState { clock, routing, audit, lineages: Lineages::new(retention) })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let RegistryMessage::Execute(command, reply) = message;
        let routing = &state.routing;
        let swap = |snapshot| routing.store(snapshot);
        let now = state.clock.now();
        let answer = state.lineages.apply(&command, now, &mut state.audit.lock(), swap);
        // A caller that has gone does not undo its command.
        let _ = reply.send(answer);
        Ok(())
    }
}
