//! The versions that drain, until the last run of each has ended.
//!
//! Invariants:
//! 1. A version that loses its last route is told of once as drained, however that comes about,
//!    unless it has a route again before.
//! 2. It is told of before any command that finds it drained is carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use ractor::ActorRef;
use tokio::task::JoinSet;

use super::message::RegistryMessage;
use crate::id::{GraphName, VersionNumber};
use crate::version::Version;

/// The versions that drain.
#[derive(Default)]
pub(super) struct Drains {
    waiting: BTreeMap<(GraphName, VersionNumber), Arc<Version>>,
    /// One wait for each of them; it ends by telling the registry's actor.
    waits: JoinSet<()>,
}

impl Drains {
    /// Versions have lost their last route, and drain from now on; those without a run have drained.
    #[must_use = "what has drained is told of once"]
    pub(super) fn begin(
        &mut self,
        versions: Vec<Arc<Version>>,
        registry: &ActorRef<RegistryMessage>,
    ) -> Vec<Arc<Version>> {
        let mut new = Vec::new();
        for version in versions {
            // A version that was routed to for a while may still have its wait.
            if self.waiting.insert(place(&version), version.clone()).is_none() {
                new.push(version);
            }
        }
        let drained = self.drained();
        for version in new {
            self.wait(version, registry);
        }
        drained
    }

    /// Versions that have drained since the last time.
    #[must_use = "what has drained is told of once"]
    pub(super) fn drained(&mut self) -> Vec<Arc<Version>> {
        // Waits that are over only told the actor something.
        while self.waits.try_join_next().is_some() {}
        let drained = self.waiting.extract_if(.., |_, version| is_drained(version));
        drained.map(|(_, version)| version).collect()
    }

    /// A wait is over; runs that began since keep the version draining.
    pub(super) fn go_on(&mut self, version: Arc<Version>, registry: &ActorRef<RegistryMessage>) {
        if !version.view().draining {
            self.waiting.remove(&place(&version));
        }
        self.wait(version, registry);
    }

    fn wait(&mut self, version: Arc<Version>, registry: &ActorRef<RegistryMessage>) {
        if self.waiting.contains_key(&place(&version)) {
            let registry = registry.clone();
            self.waits.spawn(async move {
                version.drained().await;
                // A registry that has stopped tells nobody anything.
                let _ = registry.cast(RegistryMessage::Drained(version));
            });
        }
    }
}

fn place(version: &Version) -> (GraphName, VersionNumber) {
    (version.manifest().graph.clone(), version.number())
}

fn is_drained(version: &Version) -> bool {
    let view = version.view();
    view.draining && view.live == 0
}
