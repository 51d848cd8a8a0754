//! The handle of the registry: commands by message, starts off the snapshot.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ractor::{Actor, ActorRef, SpawnErr};
use tokio::sync::oneshot;

use super::StartRefusal;
use super::actor::{RegistryActor, RegistryArguments};
use super::message::RegistryMessage;
use crate::clock::Clock;
use crate::graph::Plan;
use crate::id::{GraphName, VersionNumber};
use crate::version::{Change, Command, Done, Pin, Selector, Snapshot, VersionError, VersionInfo};

/// The versions of every graph of a runtime.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    actor: ActorRef<RegistryMessage>,
    routing: Arc<ArcSwap<Snapshot>>,
}

impl Registry {
    pub(crate) async fn spawn(clock: Arc<dyn Clock>) -> Result<Self, SpawnErr> {
        let routing = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let arguments = RegistryArguments { clock, routing: routing.clone() };
        let (actor, _) = Actor::spawn(None, RegistryActor, arguments).await?;
        Ok(Self { actor, routing })
    }

    /// Carries out a command.
    pub(crate) async fn execute(&self, command: Command) -> Result<Done, VersionError> {
        let (reply, answer) = oneshot::channel();
        let message = RegistryMessage::Execute(command, reply);
        self.actor.cast(message).map_err(|_| VersionError::Stopped)?;
        answer.await.map_err(|_| VersionError::Stopped)?
    }

    /// Carries out a change at whatever revision there is.
    pub(crate) async fn change(&self, change: Change) -> Result<Done, VersionError> {
        self.execute(Command { change, request_id: None, if_revision: None }).await
    }

    /// Pins the version a start gets.
    ///
    /// The second load is where the start takes effect: a route that changed in between is looked
    /// up again, so that no start gets the old version once a promotion has returned.
    pub(crate) fn start(&self, graph: &GraphName, selector: Selector) -> Result<Pin, StartRefusal> {
        loop {
            let version = self.routing.load_full().resolve(graph, selector)?;
            let Some(pin) = Pin::of(&version) else {
                // It is being retired: the routing that no longer has it is about to be seen.
                std::hint::spin_loop();
                continue;
            };
            match self.routing.load_full().resolve(graph, selector) {
                Ok(again) if Arc::ptr_eq(&again, &version) => return Ok(pin),
                _ => drop(pin),
            }
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.routing.load_full()
    }

    /// The versions of a graph, oldest first.
    pub(crate) fn versions(&self, graph: &GraphName) -> Vec<VersionInfo> {
        let snapshot = self.snapshot();
        let Some(route) = snapshot.route(graph) else { return Vec::new() };
        route.versions.values().map(|version| VersionInfo::of(version, route)).collect()
    }

    pub(crate) fn plan(&self, graph: &GraphName, version: VersionNumber) -> Option<Arc<Plan>> {
        let version = self.snapshot().resolve(graph, Selector::Version(version)).ok()?;
        Some(version.plan().clone())
    }

    /// Refuses further commands and ends the actor; starts go on off the last snapshot.
    pub(crate) async fn stop(&self) {
        // An actor that has stopped already is what is wanted.
        let _ = self.actor.drain_and_wait(None).await;
    }
}
