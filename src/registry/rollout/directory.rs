//! The rollouts under way, one a label, and the ends of runs that they judge by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use parking_lot::Mutex;
use ractor::Actor;
use tokio::sync::watch;

use super::actor::{RolloutActor, RolloutArguments};
use super::handle::Rollout;
use super::message::RolloutStatus;
use crate::clock::{Clock, Timestamp};
use crate::event::{EventKind, RolloutEvent, RuntimeBus};
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::registry::Registry;
use crate::version::{
    Admission, Change, Command, Evidence, LabelChange, Move, RolloutEnd, RolloutError,
    RolloutMachine, RolloutOf, RolloutPhase, RolloutPlan, RunEnd, Snapshot, Standing, Terms,
    VersionError,
};

/// How long a label is left alone after it went back by itself.
const COOL_DOWN: Duration = Duration::from_secs(60);

/// A label of a graph.
pub(crate) type Place = (GraphName, LabelName);

/// What a rollout is asked for with.
pub(crate) struct RolloutRequest {
    pub place: Place,
    pub version: VersionNumber,
    pub plan: RolloutPlan,
    pub by: Option<Arc<str>>,
    pub reason: Option<Arc<str>>,
    /// Whether it takes the place of a rollout under way, or of a canary that was set by hand.
    pub supersede: bool,
}

/// The rollouts of a runtime.
pub(crate) struct Rollouts {
    bus: Arc<RuntimeBus>,
    places: DashMap<Place, Known>,
    /// How many are under way: read by every run that ends.
    live: AtomicUsize,
    #[cfg(feature = "metrics")]
    pub(super) verdicts: super::reading::VerdictCounts,
    /// Whether the runtime is shut down.
    closed: AtomicBool,
    /// Held while one begins, so that a label has one.
    beginning: tokio::sync::Mutex<()>,
}

/// What is known of a label's latest rollout.
struct Known {
    rollout: Rollout,
    watched: Option<Watched>,
    /// When the label may be rolled out again, if it went back by itself.
    cool_at: Option<Timestamp>,
}

/// The runs that a rollout judges by: those whose version was decided since it began.
#[derive(Clone)]
struct Watched {
    since: u64,
    evidence: Arc<Mutex<Evidence>>,
}

impl Rollouts {
    pub(crate) fn new(bus: Arc<RuntimeBus>) -> Self {
        let (places, live, beginning, closed) = Default::default();
        #[cfg(feature = "metrics")]
        let verdicts = Default::default();
        Self {
            bus,
            places,
            live,
            #[cfg(feature = "metrics")]
            verdicts,
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

    /// Begins a rollout: its first step is done when this returns.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
        request: RolloutRequest,
    ) -> Result<Rollout, RolloutError> {
        let _one_at_a_time = self.beginning.lock().await;
        let (graph, label) = request.place.clone();
        let of = RolloutOf { graph: graph.clone(), label: label.clone(), version: request.version };
        let snapshot = registry.snapshot();
        let before = snapshot.standing(&graph, &label);
        let replaced = self.make_room(clock.now(), &snapshot, &of, &request)?;
        let RolloutRequest { place, version, plan, by, reason, .. } = request;
        let plan = Arc::new(plan);
        let (mut machine, weight) = RolloutMachine::begin(of, plan.clone(), clock.now());
        let terms = Terms { by: by.clone(), reason: reason.clone(), ..Terms::default() };
        let terms = Terms { if_standing: Some(before), ..terms };
        let change = LabelChange::SetCanary(version, weight);
        let change = Change::OnLabel { graph: graph.clone(), label: label.clone(), change };
        let done = registry.execute(Command { change, terms }).await?;
        // The label is taken: what had it before touches it no more.
        if let Some(replaced) = replaced {
            replaced.let_go().await;
        }
        let now = clock.now();
        machine.done(Move::Share(0, weight), now, 0);
        let active = before.active.ok_or(VersionError::NoActiveVersion { graph, label })?;
        let evidence = Arc::new(Mutex::new(Evidence::of(version, active, now)));
        let watched = Watched { since: done.revision, evidence: evidence.clone() };
        let status = status(&machine);
        self.tell(now, &status, by.clone(), reason);
        let (tell, told) = watch::channel(status);
        let arguments = RolloutArguments {
            place: place.clone(),
            version,
            plan,
            machine,
            evidence,
            standing: Standing { canary: Some((version, weight)), ..before },
            registry: registry.clone(),
            clock: clock.clone(),
            directory: Arc::downgrade(self),
            tell,
            by,
        };
        let spawned = Actor::spawn(None, RolloutActor, arguments).await;
        let (actor, _) = spawned.map_err(|_| VersionError::Stopped)?;
        let rollout = Rollout::new(actor, told);
        let known = Known { rollout: rollout.clone(), watched: Some(watched), cool_at: None };
        self.live.fetch_add(1, Ordering::Relaxed);
        self.places.insert(place, known);
        // A shutdown that does not find it in the directory is seen here.
        match self.closed.load(Ordering::SeqCst) {
            true => rollout.stop(),
            false => rollout.begun(),
        }
        Ok(rollout)
    }

    /// Makes sure that the label may be rolled out: the rollout that is to be replaced, if there is
    /// one.
    fn make_room(
        &self,
        now: Timestamp,
        snapshot: &Snapshot,
        of: &RolloutOf,
        request: &RolloutRequest,
    ) -> Result<Option<Rollout>, RolloutError> {
        let known = self.places.get(&request.place);
        let cool_at = known.as_ref().and_then(|known| known.cool_at);
        let live = known.filter(|known| known.watched.is_some());
        let live = live.map(|known| known.rollout.clone());
        let under_way = live.as_ref().map(|live| live.status().version);
        let (plan, supersede) = (&request.plan, request.supersede);
        Admission { of, plan, snapshot, under_way, cool_at, supersede }.check(now)?;
        Ok(live)
    }

    /// Tells who watches how a rollout stands since now.
    pub(super) fn tell(
        &self,
        now: Timestamp,
        status: &RolloutStatus,
        by: Option<Arc<str>>,
        reason: Option<Arc<str>>,
    ) {
        if self.bus.is_watched() {
            let RolloutStatus { graph, label, version, phase, is_paused, .. } = status.clone();
            let event = RolloutEvent { label, phase, is_paused, by, reason };
            self.bus.send(now, graph, Some(version), EventKind::Rollout(Box::new(event)));
        }
    }

    /// Ends every rollout where it stands: the runtime shuts down.
    pub(crate) fn stop(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.places.iter().for_each(|known| known.rollout.stop());
    }

    /// A rollout has ended; its label cools down if it went back by itself.
    pub(super) fn close(&self, place: &Place, now: Timestamp, end: &RolloutEnd, by_itself: bool) {
        if let Entry::Occupied(mut known) = self.places.entry(place.clone()) {
            let known = known.get_mut();
            if known.watched.take().is_some() {
                self.live.fetch_sub(1, Ordering::Relaxed);
                let is_back = by_itself && matches!(end, RolloutEnd::RolledBack(_));
                known.cool_at = is_back.then(|| now.after(COOL_DOWN));
            }
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
