//! The actor that owns the groups of one run; it decides nothing that [`Barriers`] did not.

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::barrier::{Barriers, Verdict};
use super::message::UnitesMessage;
use crate::run::message::RunMessage;

/// The unites actor: stateless code, its state is [`UnitesArguments`].
pub(crate) struct UnitesActor;

/// What a unites actor starts with.
pub(crate) struct UnitesArguments {
    pub barriers: Box<Barriers>,
    pub run: ActorRef<RunMessage>,
}

impl Actor for UnitesActor {
    type Msg = UnitesMessage;
    type State = UnitesArguments;
    type Arguments = UnitesArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(arguments)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            UnitesMessage::Reported(deltas, permit) => {
                for verdict in state.barriers.apply(deltas) {
                    state.run.cast(announce(verdict))?;
                }
                drop(permit);
            }
            UnitesMessage::Reopen(taken, id) => {
                let found = Box::new(state.barriers.reopen(&taken));
                state.run.cast(RunMessage::Reopened(taken.execution, id, found))?;
            }
            UnitesMessage::Close => {
                let empty = Box::new(Barriers::new(state.barriers.plan()));
                let barriers = std::mem::replace(&mut state.barriers, empty);
                state.run.cast(RunMessage::Closed(barriers))?;
                myself.stop(None);
            }
        }
        Ok(())
    }
}

fn announce(verdict: Verdict) -> RunMessage {
    match verdict {
        Verdict::Fire(firing) => RunMessage::Fired(firing),
        Verdict::Skip(skipping) => RunMessage::MergerSkipped(skipping),
    }
}
