//! The actor of one rollout: asks the gates again and again, and carries out what the machine wants.
//!
//! Invariants:
//! 1. It touches the label only while that stands as the rollout left it: the registry looks, in the
//!    turn that would change it.
//! 2. What it wants is done, or refused, before it reads its next message: an abort that comes
//!    meanwhile finds the rollout where that left it, and undoes it.
//! 3. Gates are asked on a task of their own, so that one which hangs holds back no command.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::directory::{Place, Rollouts};
use super::judge::judge;
use super::message::{RolloutMessage, RolloutStatus};
use crate::clock::Clock;
use crate::id::VersionNumber;
use crate::registry::Registry;
use crate::version::{
    Evidence, Holding, Move, RolloutAct, RolloutEnd, RolloutMachine, RolloutPlan, Standing, Terms,
    Verdict, VersionError,
};

/// The actor of a rollout.
pub(super) struct RolloutActor;

/// What a rollout starts with: its first step is done.
pub(super) struct RolloutArguments {
    pub place: Place,
    pub version: VersionNumber,
    pub plan: Arc<RolloutPlan>,
    pub machine: RolloutMachine,
    pub evidence: Arc<Mutex<Evidence>>,
    /// What the label leads to since the last move.
    pub standing: Standing,
    pub registry: Registry,
    pub clock: Arc<dyn Clock>,
    /// Gone when the runtime is: then the rollout ends, too.
    pub directory: Weak<Rollouts>,
    pub tell: watch::Sender<RolloutStatus>,
    /// Who began it: in whose name it moves the label by itself.
    pub by: Option<Arc<str>>,
}

/// The state of a rollout's actor.
pub(super) struct RolloutState {
    pub(super) given: RolloutArguments,
    /// The wait for the next question, or the question itself.
    tasks: JoinSet<()>,
    /// What was refused that the rollout wanted by itself, and the revision of the routing then.
    pub(super) refused: Option<(VersionError, u64)>,
}

impl Actor for RolloutActor {
    type Msg = RolloutMessage;
    type State = RolloutState;
    type Arguments = RolloutArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        given: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(RolloutState { given, tasks: JoinSet::new(), refused: None })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // Tasks that are over only told this actor something.
        while state.tasks.try_join_next().is_some() {}
        match message {
            RolloutMessage::Begun => state.wait(&myself),
            RolloutMessage::Due => state.ask(&myself),
            RolloutMessage::Judged(verdict) => {
                state.judged(verdict).await;
                state.wait(&myself);
            }
            RolloutMessage::Order(order, reply) => {
                let answer = state.order(order.kind, order.terms.clone()).await;
                state.settle(order.terms).await;
                // Whoever gave the order may have gone; it is carried out all the same.
                let _ = reply.send(answer);
            }
            RolloutMessage::LetGo(terms, reply) => {
                let why = "another rollout took its place";
                state.let_go(RolloutEnd::Superseded(why.into()));
                state.settle(terms).await;
                // As above.
                let _ = reply.send(());
            }
        }
        if state.given.machine.is_ended() {
            myself.stop(None);
        }
        Ok(())
    }

    /// A rollout that is stopped from outside ends where it stands.
    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.let_go(RolloutEnd::ShutDown);
        state.settle(state.own(None)).await;
        Ok(())
    }
}

impl RolloutState {
    fn wait(&mut self, myself: &ActorRef<RolloutMessage>) {
        let left = self.given.machine.time_left(self.given.clock.now());
        let interval = self.given.plan.interval();
        // A time that is over by then is not waited past; one that is over already was acted on.
        let time = left.filter(|left| !left.is_zero()).map_or(interval, |left| left.min(interval));
        let (sleep, myself) = (self.given.clock.sleep(time), myself.clone());
        self.tasks.spawn(async move {
            sleep.await;
            // A rollout that has ended has nothing to ask.
            let _ = myself.cast(RolloutMessage::Due);
        });
    }

    fn ask(&mut self, myself: &ActorRef<RolloutMessage>) {
        let evidence = {
            let mut evidence = self.given.evidence.lock();
            evidence.at(self.given.clock.now());
            evidence.clone()
        };
        let (plan, clock) = (self.given.plan.clone(), self.given.clock.clone());
        let myself = myself.clone();
        self.tasks.spawn(async move {
            let verdict = judge(&plan, &evidence, &*clock).await;
            // As above.
            let _ = myself.cast(RolloutMessage::Judged(verdict));
        });
    }

    async fn judged(&mut self, verdict: Verdict) {
        #[cfg(feature = "metrics")]
        if let Some(directory) = self.given.directory.upgrade() {
            directory.verdicts.count(&self.given.place, &verdict);
        }
        if self.given.directory.strong_count() == 0 {
            self.let_go(RolloutEnd::ShutDown);
        } else if let Some(wanted) = self.tick(verdict) {
            self.go_on(wanted).await;
        }
        self.settle(self.own(None)).await;
    }

    /// Does what it wants by itself.
    async fn go_on(&mut self, wanted: Move) {
        if matches!(wanted, Move::RollBack(_)) && self.is_kept() {
            let why = "the version is BREAKING, and the label keeps such versions";
            return self.let_go(RolloutEnd::Stranded(why.into()));
        }
        let reason = match &wanted {
            Move::TakeBack(why) | Move::RollBack(why) => why.clone(),
            Move::Share(..) | Move::Promote => "every gate passes".into(),
        };
        let (next, terms) = (self.given.machine.clone(), self.own(Some(reason)));
        if let Err(refused) = self.carry_out(RolloutAct::Move, next, Some(wanted), terms).await {
            self.hold_back(refused);
        }
    }

    /// The terms of what it does by itself.
    fn own(&self, reason: Option<Arc<str>>) -> Terms {
        let by = self.given.by.clone();
        Terms { by, reason, is_automatic: true, ..Terms::default() }
    }

    /// What the rollout wants now, unless the label is no longer its own.
    fn tick(&mut self, verdict: Verdict) -> Option<Move> {
        if self.holding() == Holding::Lost {
            let why = "the label was changed by somebody else";
            self.let_go(RolloutEnd::Superseded(why.into()));
            return None;
        }
        let snapshot = self.given.registry.snapshot();
        if self.refused.as_ref().is_some_and(|(_, revision)| *revision != snapshot.revision()) {
            self.refused = None;
            self.given.machine.try_again();
        }
        let verdict = match snapshot.is_revoked(&self.given.place.0, self.given.version) {
            true => Verdict::fail("the version is revoked"),
            false => verdict,
        };
        let (now, ended) = (self.given.clock.now(), self.ended());
        self.given.machine.tick(now, verdict, ended)
    }

    /// What it wanted by itself was refused: it is tried again when the routing has changed.
    fn hold_back(&mut self, refused: VersionError) {
        self.refused = Some((refused, self.given.registry.snapshot().revision()));
        self.given.machine.hold_back();
    }
}
