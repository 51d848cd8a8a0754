//! Brings versions back to life that came from the journal: their handlers, and their rollouts' ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keeper::Keeper;
use super::recovery::{MISSING, PAGE, corrupt};
use super::{Inner, Runtime};
use crate::graph::Graph;
use crate::id::{GraphName, VersionNumber};
use crate::journal::{JournalError, RunQuery, Stream};
use crate::registry::Kept;
use crate::run::RunStatus;
use crate::version::{
    GraphSecrets, Manifest, Restored, StoredRollout, StoredTurn, Version, VersionError,
};

/// A version of the journal that this process cannot start or go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequiredVersion {
    /// The graph.
    pub graph: GraphName,
    /// The version.
    pub version: VersionNumber,
    /// What the process lacks: a handler, a secret, or the code that the version was published with.
    pub lacks: String,
}

impl Runtime {
    /// The versions of the journal, not retired, that this process lacks a handler or a secret of.
    ///
    /// A binary brings all of them before it takes traffic: starts that are routed to them are
    /// refused until then, and their runs are [`stranded`](Self::stranded).
    #[must_use]
    pub fn required_versions(&self) -> Vec<RequiredVersion> {
        let lacking = self.absent().into_iter().filter_map(|version| {
            let lacks = self.bring(&version).err()?;
            let Manifest { graph, number, .. } = &**version.manifest();
            Some(RequiredVersion { graph: graph.clone(), version: *number, lacks })
        });
        lacking.collect()
    }

    /// Compiles what came from the journal, as far as the process has the handlers.
    pub(super) fn bring_versions(&self) {
        loop {
            let absent = self.absent();
            // What it lacks is told to whoever asks for it.
            let brought = absent.iter().filter(|version| self.bring(version).is_ok()).count();
            // If the clock was set back, a version may have come before one that it runs.
            if brought == 0 || brought == absent.len() {
                return;
            }
        }
    }

    /// The versions without their handlers: those that others run first.
    fn absent(&self) -> Vec<Arc<Version>> {
        let snapshot = self.inner.registry.snapshot();
        let routes = snapshot.graphs().flat_map(|(_, route)| route.versions.values());
        let absent = routes.filter(|entry| entry.version.plan().is_none());
        let mut absent: Vec<_> = absent.map(|entry| entry.version.clone()).collect();
        absent.sort_by_key(|version| version.manifest().created_at);
        absent
    }

    fn bring(&self, version: &Version) -> Result<(), String> {
        let manifest = version.manifest();
        let mut document = manifest.document().clone();
        for (name, value) in &mut document.secrets.0 {
            // No record has its value.
            let own = self.inner.secrets.get(name).ok_or_else(|| format!("secret `{name}`"))?;
            value.clone_from(own);
        }
        let compiled = self.compile(&Graph::from(document), Some(&manifest.bindings));
        let plan = compiled.map_err(|error| error.to_string())?.plan;
        if plan.hash() != manifest.hash {
            return Err(
                "its handlers have other versions or schemas than it was published with".into()
            );
        }
        version.bring(Arc::new(plan));
        Ok(())
    }
}

impl Inner {
    /// A version on which a run ended well before the restart counts as one that did.
    pub(super) async fn recall_successes(&self, keeper: &Keeper) -> Result<(), JournalError> {
        for (graph, route) in self.registry.snapshot().graphs() {
            for (number, entry) in &route.versions {
                let query = RunQuery::default().graph(graph).version(*number);
                let query = query.status(RunStatus::Success.as_str()).limit(1);
                if !keeper.journal.runs(&query).await?.is_empty() {
                    entry.version.count_success();
                }
            }
        }
        Ok(())
    }

    /// A restart ends the rollouts that were under way: what nobody has confirmed is taken back.
    pub(super) async fn end_rollouts(
        &self,
        rollouts: Vec<StoredRollout>,
    ) -> Result<(), VersionError> {
        for rollout in rollouts {
            let back = rollout.take_back(&self.registry.snapshot());
            let refused = match self.registry.execute(back).await {
                // A process must come up all the same.
                Err(refused @ VersionError::NoRollbackTarget { .. }) => refused,
                done => {
                    done?;
                    continue;
                }
            };
            self.registry.execute(rollout.strand(refused.to_string())).await?;
        }
        Ok(())
    }
}

impl Keeper {
    /// Everything the journal has of the versions, checked.
    pub(super) async fn read_versions(
        &self,
        secrets: &BTreeMap<String, String>,
    ) -> Result<Kept, JournalError> {
        let (mut restored, mut last) = (Restored::default(), 0);
        loop {
            let page = self.read_page(Stream::Versions, last, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for record in page {
                last = record.seq;
                let corrupt = |why| corrupt(Stream::Versions, Some(last), why);
                let turn = serde_json::from_slice::<StoredTurn>(&record.body);
                restored.add(turn.map_err(|error| corrupt(error.to_string()))?).map_err(corrupt)?;
            }
        }
        self.check_count(last).await?;
        restored.set_secrets(&GraphSecrets::new(secrets.clone()));
        Ok(Kept { restored, log: Some(self.versions(last)) })
    }

    /// Misses the last records of the versions; a store of before has no count of them.
    async fn check_count(&self, last: u64) -> Result<(), JournalError> {
        let Some(count) = self.read_page(Stream::Count, 0, 1).await?.pop() else { return Ok(()) };
        match count.counted() {
            // A process that does not count may have written more.
            Some(counted) if counted <= last => Ok(()),
            Some(_) => Err(corrupt(Stream::Versions, Some(last + 1), MISSING)),
            None => Err(corrupt(Stream::Count, Some(count.seq), "it is not a number")),
        }
    }
}
