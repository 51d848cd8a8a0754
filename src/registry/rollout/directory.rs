//! The rollouts under way, one a label, and the ends of runs that they judge by.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use super::handle::Rollout;
use super::message::RolloutStatus;
use super::past::Past;
use crate::clock::Timestamp;
use crate::event::{EventKind, RolloutEvent, RuntimeBus};
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::{
    Evidence, RolloutEnd, RolloutMachine, RolloutOf, RolloutPhase, RunEnd, Terms,
};

/// How long a label is left alone after it went back by itself.
const COOL_DOWN: Duration = Duration::from_secs(60);

/// A label of a graph.
pub(crate) type Place = (GraphName, LabelName);

/// The rollouts of a runtime.
pub(crate) struct Rollouts {
    bus: Arc<RuntimeBus>,
    pub(super) places: DashMap<Place, Known>,
    /// Those of them whose latest rollout has ended.
    pub(super) past: Mutex<Past>,
    /// How many are under way: read by every run that ends.
    pub(super) live: AtomicUsize,
    #[cfg(feature = "metrics")]
    pub(super) verdicts: super::reading::VerdictCounts,
    /// Whether the runtime is shut down.
    pub(super) closed: AtomicBool,
    /// Those that were begun under a request id, oldest first.
    pub(super) begun: Mutex<VecDeque<(Arc<str>, Rollout)>>,
    /// The tasks that begin one.
    pub(super) begins: TaskTracker,
    /// Held while one begins, so that a label has one.
    pub(super) beginning: tokio::sync::Mutex<()>,
}

/// What is known of a label's latest rollout.
pub(super) struct Known {
    pub rollout: Rollout,
    pub watched: Option<Watched>,
    /// When the label may be rolled out again, if it went back by itself.
    pub cool_at: Option<Timestamp>,
}

/// The runs that a rollout judges by: those whose version was decided since it began.
#[derive(Clone)]
pub(super) struct Watched {
    pub since: u64,
    pub evidence: Arc<Mutex<Evidence>>,
}

impl Rollouts {
    pub(crate) fn new(bus: Arc<RuntimeBus>) -> Self {
        let (places, past, live, begun, begins, beginning, closed) = Default::default();
        #[cfg(feature = "metrics")]
        let verdicts = Default::default();
        Self {
            bus,
            places,
            past,
            live,
            #[cfg(feature = "metrics")]
            verdicts,
            begun,
            begins,
            beginning,
            closed,
        }
    }

    /// Whether no rollout is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.live.load(Ordering::Relaxed) == 0
    }

    /// The latest rollout of a label.
    pub(crate) fn get(&self, place: &Place) -> Option<Rollout> {
        self.places.get(place).map(|known| known.rollout.clone())
    }

    /// How the latest rollout of each label stands.
    #[cfg(feature = "metrics")]
    pub(super) fn statuses(&self) -> Vec<RolloutStatus> {
        self.places.iter().map(|known| known.rollout.status()).collect()
    }

    /// A run that started at a revision of the routing has ended.
    pub(crate) fn ended(
        &self,
        graph: &GraphName,
        version: VersionNumber,
        revision: u64,
        end: RunEnd,
    ) {
        for known in self.places.iter().filter(|known| known.key().0 == *graph) {
            let watched = known.watched.as_ref().filter(|watched| revision >= watched.since);
            if let Some(watched) = watched {
                watched.evidence.lock().ended(version, end);
            }
        }
    }

    /// Tells who watches how a rollout stands since now.
    pub(super) fn tell(&self, now: Timestamp, status: &RolloutStatus, terms: &Terms) {
        if self.bus.is_watched() {
            let RolloutStatus { graph, label, version, phase, is_paused, .. } = status.clone();
            let Terms { by, reason, is_automatic, .. } = terms.clone();
            let event = RolloutEvent { label, phase, is_paused, by, is_automatic, reason };
            self.bus.send(now, graph, Some(version), EventKind::Rollout(Box::new(event)));
        }
    }

    /// Ends every rollout where it stands: the runtime shuts down.
    pub(crate) async fn stop(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // One that begins meanwhile stops itself, and is waited for.
        self.begins.close();
        self.begins.wait().await;
        let all: Vec<_> = self.places.iter().map(|known| known.rollout.clone()).collect();
        for rollout in all {
            rollout.stop().await;
        }
    }

    /// A rollout has ended; its label cools down if it went back by itself.
    pub(super) fn close(&self, place: &Place, now: Timestamp, end: &RolloutEnd, terms: &Terms) {
        let Some(mut known) = self.places.get_mut(place) else { return };
        if known.watched.take().is_some() {
            self.live.fetch_sub(1, Ordering::Relaxed);
            let is_back = terms.is_automatic && matches!(end, RolloutEnd::RolledBack(_));
            known.cool_at = is_back.then(|| now.after(COOL_DOWN));
            // Forgetting another label may need the same shard of the map.
            drop(known);
            self.remember(place.clone());
        }
    }
}

/// How a rollout stands.
pub(super) fn status(machine: &RolloutMachine) -> RolloutStatus {
    let RolloutOf { graph, label, version } = machine.of().clone();
    RolloutStatus {
        graph,
        label,
        version,
        phase: machine.phase().clone(),
        is_paused: machine.is_paused(),
        verdict: machine.verdict().clone(),
        refused: None,
    }
}

impl RolloutStatus {
    /// How it ended, if it has.
    #[must_use]
    pub const fn end(&self) -> Option<&RolloutEnd> {
        match &self.phase {
            RolloutPhase::Ended(end) => Some(end),
            _ => None,
        }
    }
}
