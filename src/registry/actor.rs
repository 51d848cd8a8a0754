//! The actor that owns the lineages and swaps the snapshot.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::message::RegistryMessage;
use crate::clock::Clock;
use crate::version::{Lineages, Snapshot};

/// The registry's actor.
pub(crate) struct RegistryActor;

/// What the registry starts with.
pub(crate) struct RegistryArguments {
    pub clock: Arc<dyn Clock>,
    pub routing: Arc<ArcSwap<Snapshot>>,
}

/// The registry's state.
pub(crate) struct RegistryState {
    clock: Arc<dyn Clock>,
    routing: Arc<ArcSwap<Snapshot>>,
    lineages: Lineages,
}

impl Actor for RegistryActor {
    type Msg = RegistryMessage;
    type State = RegistryState;
    type Arguments = RegistryArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        RegistryArguments { clock, routing }: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(RegistryState { clock, routing, lineages: Lineages::default() })
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
        let answer = state.lineages.apply(command, state.clock.now(), swap);
        // A caller that has gone does not undo its command.
        let _ = reply.send(answer);
        Ok(())
    }
}
