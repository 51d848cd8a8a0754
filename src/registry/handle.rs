//! The handle of the registry: commands by message, starts off the snapshot.

use std::sync::Arc;

use ractor::{Actor, ActorRef, SpawnErr};
use tokio::sync::oneshot;

use super::StartRefusal;
use super::actor::{RegistryActor, RegistryArguments};
use super::message::RegistryMessage;
use super::shared::Shared;
use crate::clock::Clock;
use crate::event::RuntimeBus;
use crate::id::GraphName;
use crate::journal::StreamLog;
use crate::version::{
    Answer, AuditQuery, AuditRecord, Command, Decision, Done, GraphSecrets, Pin, Refusal, Restored,
    Retention, Routing, Selector, Snapshot, VersionError, start,
};

/// The versions of every graph of a runtime.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    actor: ActorRef<RegistryMessage>,
    shared: Arc<Shared>,
}

/// What a journal has of the versions, and where what follows is put on record.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub restored: Restored,
    pub log: Option<Arc<StreamLog>>,
}

impl Registry {
    pub(crate) async fn spawn(
        clock: Arc<dyn Clock>,
        bus: Arc<RuntimeBus>,
        retention: Retention,
        kept: Kept,
    ) -> Result<Self, SpawnErr> {
        let Kept { restored, log } = kept;
        restored.settle();
        let shared = Arc::new(Shared::of(&restored));
        let arguments =
            RegistryArguments { clock, bus, shared: shared.clone(), restored, log, retention };
        let (actor, _) = Actor::spawn(None, RegistryActor, arguments).await?;
        Ok(Self { actor, shared })
    }

    /// Carries out a command that is about no rollout.
    pub(crate) async fn execute(&self, command: Command) -> Result<Done, VersionError> {
        self.answer(command, None).await.map_err(Refusal::into_version_error)
    }

    /// Carries out a command.
    pub(crate) async fn carry_out(&self, command: Command) -> Answer {
        self.answer(command, None).await
    }

    /// Puts on record that a command was refused; the answer is another one if it was given before,
    /// or at another revision than it was meant for.
    pub(crate) async fn refuse(&self, command: Command, refusal: Refusal) -> Answer {
        match self.answer(command, Some(refusal.clone())).await {
            // A registry that has stopped keeps no record of anything.
            Err(Refusal::Version(VersionError::Stopped)) => Err(refusal),
            answer => answer,
        }
    }

    /// What a command was told that was given before under its request id.
    pub(crate) async fn recall(&self, command: &Command) -> Option<Answer> {
        command.terms.request_id.as_ref()?;
        let (reply, answer) = oneshot::channel();
        // A registry that has stopped remembers nothing: what follows is refused for that.
        self.actor.cast(RegistryMessage::Recall(Box::new(command.clone()), reply)).ok()?;
        answer.await.ok()?
    }

    async fn answer(&self, command: Command, refusal: Option<Refusal>) -> Answer {
        let (reply, answer) = oneshot::channel();
        let message = RegistryMessage::Execute(Box::new(command), refusal, reply);
        self.actor.cast(message).map_err(|_| VersionError::Stopped)?;
        answer.await.map_err(|_| VersionError::Stopped)?
    }

    /// Pins the version a start gets, and says why it is that one.
    pub(crate) fn start(
        &self,
        graph: &GraphName,
        selector: &Selector,
    ) -> Result<(Pin, Decision), StartRefusal> {
        let routing = &self.shared.routing;
        start(|| routing.load(), |revision| routing.is_at(revision), graph, selector)
    }

    /// What the runs of a graph can read: at least as new as the version that a start got before.
    pub(crate) fn secrets(&self, graph: &GraphName) -> GraphSecrets {
        self.shared.routing.load().secrets(graph)
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.routing.load_full()
    }

    /// The commands that were given, as a query wants them.
    pub(crate) fn audit(&self, query: &AuditQuery) -> Vec<Arc<AuditRecord>> {
        self.shared.audit.lock().query(query)
    }

    /// What all accepted commands add up to.
    pub(crate) fn fold(&self) -> Routing {
        self.shared.audit.lock().fold()
    }

    /// What accepted commands add up to that the snapshot does not say.
    #[cfg(feature = "metrics")]
    pub(crate) fn totals(&self) -> &super::Totals {
        &self.shared.totals
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(&self) {
        // Without a limit of time it always ends well.
        let _ = self.actor.wait(None).await;
    }

    /// Refuses further commands and ends the actor; starts go on off the last snapshot.
    pub(crate) async fn stop(&self) {
        // An actor that has stopped already is what is wanted.
        let _ = self.actor.drain_and_wait(None).await;
    }

    /// The same without waiting: nobody is left who could.
    pub(crate) fn leave(&self) {
        // As above.
        let _ = self.actor.drain();
    }
}
