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

use super::directory::{Place, Rollouts, status};
use super::judge::judge;
use super::message::{Order, OrderKind, RolloutMessage, RolloutStatus};
use crate::clock::Clock;
use crate::graph::Compatibility;
use crate::id::VersionNumber;
use crate::registry::Registry;
use crate::version::{
    Change, Command, Evidence, LabelChange, Move, RolloutEnd, RolloutError, RolloutMachine,
    RolloutPlan, Standing, Terms, Verdict, VersionError,
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

/// What made a rollout do what it did.
enum By {
    /// Time and its gates.
    Itself,
    /// An order: by whom, and why.
    Order(Option<Arc<str>>, Option<Arc<str>>),
}

/// The state of a rollout's actor.
pub(super) struct RolloutState {
    given: RolloutArguments,
    /// The wait for the next question, or the question itself.
    tasks: JoinSet<()>,
    /// What was refused that the rollout wanted by itself, and the revision of the routing then.
    refused: Option<(VersionError, u64)>,
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
                let (by, reason) = (order.by.clone(), order.reason.clone());
                let answer = state.order(order).await;
                state.settle(By::Order(by, reason));
                // Whoever gave the order may have gone; it is carried out all the same.
                let _ = reply.send(answer);
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
        state.settle(By::Order(None, None));
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
            if matches!(wanted, Move::RollBack(_)) && self.is_kept() {
                let why = "the version is BREAKING, and the label keeps such versions";
                self.let_go(RolloutEnd::Stranded(why.into()));
                return self.settle(By::Itself);
            }
            let reason = match &wanted {
                Move::TakeBack(why) | Move::RollBack(why) => why.clone(),
                Move::Share(..) | Move::Promote => "every gate passes".into(),
            };
            let terms =
                Terms { by: self.given.by.clone(), reason: Some(reason), ..Terms::default() };
            if let Err(refused) = self.carry_out(wanted, terms).await {
                self.hold_back(refused);
            }
        }
        self.settle(By::Itself);
    }

    /// What the rollout wants now, unless the label is no longer its own.
    fn tick(&mut self, verdict: Verdict) -> Option<Move> {
        if !self.is_own() {
            let why = "the label was changed by somebody else";
            self.let_go(RolloutEnd::Superseded(why.into()));
            return None;
        }
        let snapshot = self.given.registry.snapshot();
        if self.refused.as_ref().is_some_and(|(_, revision)| *revision != snapshot.revision()) {
            self.refused = None;
            self.given.machine.hold_back(false);
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
        self.given.machine.hold_back(true);
    }

    async fn order(&mut self, order: Order) -> Result<(), RolloutError> {
        let now = self.given.clock.now();
        let Order { kind, by, reason } = order;
        let machine = &mut self.given.machine;
        let wanted = match kind {
            OrderKind::Pause => return machine.pause(now),
            OrderKind::Resume => return machine.resume(now),
            OrderKind::Confirm => return machine.confirm(now),
            OrderKind::LetGo => {
                machine.let_go(RolloutEnd::Superseded("another rollout took its place".into()));
                return Ok(());
            }
            OrderKind::Skip => machine.skip(now)?,
            OrderKind::Abort => {
                Some(machine.abort(reason.clone().unwrap_or_else(|| "it was aborted".into()))?)
            }
            OrderKind::Promote => {
                let has_candidate = self.is_own();
                Some(self.given.machine.promote(has_candidate)?)
            }
        };
        let terms = Terms { by, reason, ..Terms::default() };
        match wanted {
            Some(wanted) => Ok(self.carry_out(wanted, terms).await?),
            None => Ok(()),
        }
    }

    /// Moves the label as the machine wants it, if it stands as the last move left it.
    async fn carry_out(&mut self, wanted: Move, terms: Terms) -> Result<(), VersionError> {
        let (graph, label) = self.given.place.clone();
        let version = self.given.version;
        let change = match &wanted {
            Move::Share(_, weight) => LabelChange::SetCanary(version, *weight),
            Move::Promote => LabelChange::Promote(version),
            Move::TakeBack(_) | Move::RollBack(_) => LabelChange::Revert(version),
        };
        let standing = match &wanted {
            Move::Share(_, weight) => {
                Standing { canary: Some((version, *weight)), ..self.given.standing }
            }
            _ => Standing { active: Some(version), canary: None },
        };
        let terms = Terms { if_standing: Some(self.given.standing), ..terms };
        let change = Change::OnLabel { graph, label, change };
        let refused = match self.given.registry.execute(Command { change, terms }).await {
            Ok(_) => {
                let (now, ended) = (self.given.clock.now(), self.ended());
                if wanted == Move::Promote {
                    self.given.evidence.lock().promoted();
                }
                self.given.machine.done(wanted, now, ended);
                (self.given.standing, self.refused) = (standing, None);
                return Ok(());
            }
            Err(refused) => refused,
        };
        match (&wanted, &refused) {
            (_, VersionError::Stopped) => self.let_go(RolloutEnd::ShutDown),
            (_, VersionError::LabelChanged { .. }) => {
                self.let_go(RolloutEnd::Superseded(refused.to_string().into()));
            }
            (Move::TakeBack(_) | Move::RollBack(_), _) => {
                self.let_go(RolloutEnd::Stranded(refused.to_string().into()));
            }
            (Move::Share(..) | Move::Promote, _) => {}
        }
        Err(refused)
    }

    fn let_go(&mut self, end: RolloutEnd) {
        self.given.machine.let_go(end);
    }

    /// Whether the label stands as the rollout left it.
    fn is_own(&self) -> bool {
        let (graph, label) = &self.given.place;
        self.given.registry.snapshot().standing(graph, label) == self.given.standing
    }

    /// Whether the label leaves it to a person to take the promotion back.
    fn is_kept(&self) -> bool {
        let (graph, label) = &self.given.place;
        let before = self.given.evidence.lock().active_version();
        let snapshot = self.given.registry.snapshot();
        let Some(route) = snapshot.route(graph) else { return false };
        let keeps = route.label(label).is_some_and(|label| label.policy.keep_breaking);
        let report = route.report(before, self.given.version).filter(|_| keeps);
        report.is_some_and(|report| report.callers == Compatibility::Breaking)
    }

    /// How many runs of the candidate have ended since the rollout began.
    fn ended(&self) -> u64 {
        self.given.evidence.lock().candidate().ends().ended
    }

    /// Tells how the rollout stands; the directory first, so that the label is free for the next.
    fn settle(&mut self, by: By) {
        let mut status = status(&self.given.machine);
        status.refused = self.refused.as_ref().map(|(refused, _)| refused.clone());
        let place_of = |status: &RolloutStatus| (status.phase.clone(), status.is_paused);
        let has_moved = place_of(&self.given.tell.borrow()) != place_of(&status);
        if let Some(directory) = self.given.directory.upgrade() {
            let now = self.given.clock.now();
            if let Some(end) = status.end() {
                directory.close(&self.given.place, now, end, matches!(by, By::Itself));
            }
            if has_moved {
                let (by, reason) = match by {
                    By::Itself => (self.given.by.clone(), None),
                    By::Order(by, reason) => (by, reason),
                };
                directory.tell(now, &status, by, reason);
            }
        }
        self.given.tell.send_if_modified(|told| {
            let is_new = *told != status;
            *told = status;
            is_new
        });
    }
}
