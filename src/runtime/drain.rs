//! Waiting until a version is drained, and what happens to the runs in the way when time is up.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::versions::Versions;
use crate::id::VersionNumber;
use crate::version::{InFlight, Terms, Version, VersionError, term_setters};

/// How often runs are cancelled that started on a version whose time was up.
const AGAIN: Duration = Duration::from_secs(1);

/// A wait for a version to drain; awaiting it ends when no label leads to it and no run is pinned
/// to it.
///
/// # Errors
///
/// If the graph or the version is unknown or gone; [`Stopped`](VersionError::Stopped) if the runtime
/// is shut down while a label leads to the version. With a deadline:
/// [`StillRouted`](VersionError::StillRouted) if a label leads to the version when time is up, and
/// [`InUse`](VersionError::InUse) if its runs are not to be cancelled then.
///
/// # Cancel safety
///
/// Cancel safe: dropping it forgets the wait, and what was to happen when time is up.
#[must_use = "nothing is waited for until this is awaited"]
pub struct Drain {
    versions: Versions,
    version: VersionNumber,
    deadline: Option<(Duration, InFlight)>,
    /// Of the order that is given when time is up.
    terms: Terms,
}

impl Drain {
    pub(super) fn new(versions: Versions, version: VersionNumber) -> Self {
        Self { versions, version, deadline: None, terms: Terms::default() }
    }

    /// Waits no longer than this, and says what happens then to the runs in the way.
    ///
    /// That is a command, which is given when time is up and refused if a label leads to the version
    /// then. With [`InFlight::Cancel`] the wait goes on until they have ended. With the others it ends in
    /// an error that says how many there are. Nothing happens to runs of a version that a label leads
    /// to.
    pub const fn within(mut self, time: Duration, then: InFlight) -> Self {
        self.deadline = Some((time, then));
        self
    }

    term_setters! {
        terms;
        /// Says who gives the command when time is up.
        by,
        /// Names the command that is given when time is up: the same one of that name again is not put on
        /// record again, and is obeyed by the runs that are in the way then.
        request_id,
        /// Gives the command only if the routing is at this revision when time is up.
        if_revision,
    }

    async fn wait(self) -> Result<(), VersionError> {
        let inner = self.versions.inner().clone();
        tokio::select! {
            biased;
            ended = self.drain() => ended,
            // Nothing changes any more where a label leads.
            () = inner.registry.stopped() => Err(VersionError::Stopped),
        }
    }

    async fn drain(self) -> Result<(), VersionError> {
        let found = self.find()?;
        let Some((time, then)) = self.deadline else {
            found.drained().await;
            return Ok(());
        };
        tokio::select! {
            biased;
            () = found.drained() => return Ok(()),
            () = self.versions.inner().clock.sleep(time) => {}
        }
        let (graph, version) = (self.versions.graph().clone(), self.version);
        let order = self.versions.drain(version, then, self.terms.clone()).await;
        match order {
            // Its last run has ended meanwhile, and somebody was quick.
            Err(VersionError::VersionGone { .. }) => return Ok(()),
            order => drop(order?),
        }
        if then == InFlight::Cancel {
            return self.cancel_until_drained(&found).await;
        }
        match found.view().live {
            0 => Ok(()),
            live => {
                let blockers = self.versions.inner().first_blockers(&graph, version);
                let referenced_by = Vec::new();
                Err(VersionError::InUse { graph, version, live, blockers, referenced_by })
            }
        }
    }

    /// Cancels runs until none is left.
    async fn cancel_until_drained(&self, found: &Version) -> Result<(), VersionError> {
        let (graph, version) = (self.versions.graph().clone(), self.version);
        loop {
            // Others may start on it meanwhile, or it may be promoted: look again.
            tokio::select! {
                biased;
                () = found.drained() => return Ok(()),
                () = self.versions.inner().clock.sleep(AGAIN) => {}
            }
            let snapshot = self.versions.snapshot();
            let route = snapshot.route(&graph);
            let labels = route.map(|route| route.leading_to(version)).unwrap_or_default();
            if !labels.is_empty() {
                return Err(VersionError::StillRouted { graph, version, labels });
            }
            self.versions.inner().stop_runs(&graph, version, InFlight::Cancel);
        }
    }

    fn find(&self) -> Result<Arc<Version>, VersionError> {
        let (snapshot, graph) = (self.versions.snapshot(), self.versions.graph().clone());
        let route = snapshot.route(&graph);
        let route = route.ok_or_else(|| VersionError::UnknownGraph(graph.clone()))?;
        match route.versions.get(&self.version) {
            Some(entry) => Ok(entry.version.clone()),
            None => {
                self.versions.manifest(self.version)?;
                Err(VersionError::VersionGone { graph, version: self.version })
            }
        }
    }
}

impl IntoFuture for Drain {
    type Output = Result<(), VersionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}

impl std::fmt::Debug for Drain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drain")
            .field("version", &self.version)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
