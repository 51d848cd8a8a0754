//! How a rollout begins: its label is asked for, the first share is given, an actor watches from then on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use ractor::Actor;
use tokio::sync::watch;

use super::actor::{RolloutActor, RolloutArguments};
use super::directory::{Known, Place, Rollouts, Watched, status};
use super::handle::Rollout;
use crate::clock::{Clock, Timestamp};
use crate::id::VersionNumber;
use crate::registry::Registry;
use crate::version::{
    Admission, Answer, Change, Command, Evidence, LabelChange, Move, RolloutAct, RolloutError,
    RolloutMachine, RolloutOf, RolloutPlan, Snapshot, Standing, Terms, VersionError, Weight,
};

/// How many rollouts that were begun under a request id can be given again.
///
/// Each is a handle: some hundred bytes.
const BEGUN: usize = 1_000;

/// What a rollout is asked for with.
pub(crate) struct RolloutRequest {
    pub place: Place,
    pub version: VersionNumber,
    pub plan: RolloutPlan,
    /// Who asks for it, and why.
    pub terms: Terms,
    /// Whether it takes the place of a rollout under way, or of a canary that was set by hand.
    pub supersede: bool,
}

impl RolloutRequest {
    /// What tells it from other requests for the same version and label.
    fn words(&self) -> Arc<str> {
        let superseding = if self.supersede { ", superseding" } else { "" };
        format!("{:?}{superseding}", self.plan).into()
    }
}

/// A rollout whose version has its first share.
struct Begun {
    place: Place,
    plan: Arc<RolloutPlan>,
    machine: RolloutMachine,
    weight: Weight,
    /// The version that was active before.
    active: VersionNumber,
    /// The revision of the routing since which it has the share.
    since: u64,
    terms: Terms,
}

impl Rollouts {
    /// Begins a rollout: its first step is done when this returns.
    ///
    /// On a task of its own, which a shutdown waits for: a canary must not be left behind that nobody
    /// watches, because whoever began the rollout has gone.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        registry: Registry,
        clock: Arc<dyn Clock>,
        request: RolloutRequest,
    ) -> Result<Rollout, RolloutError> {
        let rollouts = self.clone();
        let begin = async move { rollouts.begin_one(&registry, &clock, request).await };
        let begun = self.begins.spawn(begin).await;
        begun.unwrap_or_else(|_| Err(VersionError::Stopped.into()))
    }

    async fn begin_one(
        self: &Arc<Self>,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
        request: RolloutRequest,
    ) -> Result<Rollout, RolloutError> {
        let _one_at_a_time = self.beginning.lock().await;
        let (graph, label) = request.place.clone();
        let of = RolloutOf { graph, label, version: request.version };
        let snapshot = registry.snapshot();
        let before = snapshot.standing(&of.graph, &of.label);
        let room = self.make_room(clock.now(), &snapshot, &of, &request);
        let words = request.words();
        let RolloutRequest { place, version, plan, terms, .. } = request;
        let command = |moves| {
            let terms = Terms { if_standing: Some(before), ..terms.clone() };
            Command { change: Change::rollout(&of, RolloutAct::Begin(words.clone()), moves), terms }
        };
        if let Some(answer) = registry.recall(&command(None)).await {
            return self.begun_before(answer, &of, &terms);
        }
        let replaced = match room {
            Ok(replaced) => replaced,
            Err(refusal) => {
                let answer = registry.refuse(command(None), refusal.into()).await;
                return self.begun_before(answer, &of, &terms);
            }
        };
        let plan = Arc::new(plan);
        let (machine, weight) = RolloutMachine::begin(of.clone(), plan.clone(), clock.now());
        let canary = LabelChange::SetCanary(version, weight);
        let since = registry.carry_out(command(Some(canary))).await?.revision;
        // The label is taken: what had it before touches it no more.
        if let Some(replaced) = replaced {
            replaced.let_go(terms.clone()).await;
        }
        let RolloutOf { graph, label, .. } = of;
        let active = before.active.ok_or(VersionError::NoActiveVersion { graph, label })?;
        let begun = Begun { place, plan, machine, weight, active, since, terms };
        self.watch(registry, clock, begun).await
    }

    /// The rollout that was begun before under the same request id, or why it was not.
    fn begun_before(
        &self,
        answer: Answer,
        of: &RolloutOf,
        terms: &Terms,
    ) -> Result<Rollout, RolloutError> {
        answer?;
        let begun = self.begun.lock();
        let mut begun = begun.iter().rev().filter(|(id, _)| Some(id) == terms.request_id.as_ref());
        let rollout = begun.next().map(|(_, rollout)| rollout.clone());
        rollout.ok_or_else(|| RolloutError::Forgotten { of: of.clone() })
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

    /// Gives a rollout its actor, and makes it known.
    async fn watch(
        self: &Arc<Self>,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
        begun: Begun,
    ) -> Result<Rollout, RolloutError> {
        let Begun { place, plan, mut machine, weight, active, since, terms } = begun;
        let (now, version) = (clock.now(), machine.of().version);
        machine.done(Move::Share(0, weight), now, 0);
        let evidence = Arc::new(Mutex::new(Evidence::of(version, active, now)));
        let watched = Watched { since, evidence: evidence.clone() };
        let status = status(&machine);
        self.tell(now, &status, &terms);
        let (tell, told) = watch::channel(status);
        let arguments = RolloutArguments {
            place: place.clone(),
            version,
            plan,
            machine,
            evidence,
            standing: Standing { active: Some(active), canary: Some((version, weight)) },
            registry: registry.clone(),
            clock: clock.clone(),
            directory: Arc::downgrade(self),
            tell,
            by: terms.by,
        };
        let spawned = Actor::spawn(None, RolloutActor, arguments).await;
        let (actor, _) = spawned.map_err(|_| VersionError::Stopped)?;
        let rollout = Rollout::new(actor, registry.clone(), told);
        let known = Known { rollout: rollout.clone(), watched: Some(watched), cool_at: None };
        self.live.fetch_add(1, Ordering::Relaxed);
        self.places.insert(place.clone(), known);
        if let Some(id) = terms.request_id {
            let mut begun = self.begun.lock();
            begun.push_back((id, rollout.clone()));
            let surplus = begun.len().saturating_sub(BEGUN);
            begun.drain(..surplus);
        }
        self.past.lock().remove(&place);
        // A shutdown that does not find it in the directory is seen here.
        match self.closed.load(Ordering::SeqCst) {
            true => rollout.stop().await,
            false => rollout.begun(),
        }
        Ok(rollout)
    }
}
