//! How a rollout carries out what it was told or wants: on record first, then on its label, then told.

use super::actor::RolloutState;
use super::directory::status;
use super::message::RolloutStatus;
use crate::graph::Compatibility;
use crate::version::{
    Change, Command, Holding, LabelChange, Move, RolloutAct, RolloutEnd, RolloutError,
    RolloutMachine, RolloutOrder, Standing, Terms, VersionError,
};

impl RolloutState {
    /// Carries out an order, or says why not; either is on record before it is answered.
    pub(super) async fn order(
        &mut self,
        order: RolloutOrder,
        terms: Terms,
    ) -> Result<(), RolloutError> {
        let (mut next, act) = (self.given.machine.clone(), RolloutAct::Order(order));
        let command = Command { change: self.change(act.clone(), None), terms };
        // Given again it does nothing: the rollout may have gone on since.
        if let Some(answer) = self.given.registry.recall(&command).await {
            return Ok(answer.map(drop)?);
        }
        let now = self.given.clock.now();
        match next.order(order, self.holding(), command.terms.reason.clone(), now) {
            Ok(wanted) => Ok(self.carry_out(act, next, wanted, command.terms).await?),
            Err(refusal) => {
                let answer = self.given.registry.refuse(command, refusal.into()).await;
                Ok(answer.map(drop)?)
            }
        }
    }

    /// Moves the label as the machine wants it, if it stands as the last move left it; only then is
    /// `next` how the rollout stands.
    pub(super) async fn carry_out(
        &mut self,
        act: RolloutAct,
        next: RolloutMachine,
        wanted: Option<Move>,
        terms: Terms,
    ) -> Result<(), VersionError> {
        let moves = wanted.as_ref().map(|wanted| self.moves(wanted));
        let terms = Terms { if_standing: Some(self.given.standing), ..terms };
        let command = Command { change: self.change(act, moves), terms };
        if let Err(refused) = self.given.registry.execute(command).await {
            self.stand_down(wanted.as_ref(), &refused);
            return Err(refused);
        }
        self.given.machine = next;
        if let Some(wanted) = wanted {
            self.moved(wanted);
        }
        Ok(())
    }

    fn change(&self, act: RolloutAct, moves: Option<LabelChange>) -> Change {
        Change::rollout(self.given.machine.of(), act, moves)
    }

    fn moves(&self, wanted: &Move) -> LabelChange {
        let version = self.given.version;
        match wanted {
            Move::Share(_, weight) => LabelChange::SetCanary(version, *weight),
            Move::Promote => LabelChange::Promote(version),
            Move::TakeBack(_) | Move::RollBack(_) => LabelChange::Revert(version),
        }
    }

    /// The label was moved.
    fn moved(&mut self, done: Move) {
        let version = self.given.version;
        let standing = match &done {
            Move::Share(_, weight) => {
                Standing { canary: Some((version, *weight)), ..self.given.standing }
            }
            _ => Standing { active: Some(version), canary: None },
        };
        if done == Move::Promote {
            self.given.evidence.lock().promoted();
        }
        let (now, ended) = (self.given.clock.now(), self.ended());
        self.given.machine.done(done, now, ended);
        (self.given.standing, self.refused) = (standing, None);
    }

    /// Lets go of the label if a refusal leaves nothing else to do.
    fn stand_down(&mut self, wanted: Option<&Move>, refused: &VersionError) {
        match (wanted, refused) {
            // The order was not for this moment; nothing stands against the rollout.
            (_, VersionError::Conflict { .. } | VersionError::RequestIdTaken { .. }) => {}
            (_, VersionError::Stopped) => self.let_go(RolloutEnd::ShutDown),
            (_, VersionError::LabelChanged { .. }) => {
                self.let_go(RolloutEnd::Superseded(refused.to_string().into()));
            }
            (Some(Move::TakeBack(_) | Move::RollBack(_)), _) => {
                self.let_go(RolloutEnd::Stranded(refused.to_string().into()));
            }
            (Some(Move::Share(..) | Move::Promote) | None, _) => {}
        }
    }

    pub(super) fn let_go(&mut self, end: RolloutEnd) {
        self.given.machine.let_go(end);
    }

    /// Whether the label stands as the rollout left it.
    pub(super) fn holding(&self) -> Holding {
        let (graph, label) = &self.given.place;
        match self.given.registry.snapshot().standing(graph, label) == self.given.standing {
            true => Holding::Own,
            false => Holding::Lost,
        }
    }

    /// Whether the label leaves it to a person to take the promotion back.
    pub(super) fn is_kept(&self) -> bool {
        let (graph, label) = &self.given.place;
        let before = self.given.evidence.lock().active_version();
        let snapshot = self.given.registry.snapshot();
        let Some(route) = snapshot.route(graph) else { return false };
        let goes_back =
            route.label(label).is_none_or(|label| label.policy.auto_rollback_on_breaking);
        let report = route.report(before, self.given.version).filter(|_| !goes_back);
        report.is_some_and(|report| report.callers == Compatibility::Breaking)
    }

    /// How many runs of the candidate have ended since the rollout began.
    pub(super) fn ended(&self) -> u64 {
        self.given.evidence.lock().candidate().ends().ended
    }

    /// Tells how the rollout stands, and who brought it there: the log first, then the directory, so
    /// that the label is free for the next one when whoever waits for the end hears of it.
    pub(super) async fn settle(&mut self, terms: Terms) {
        let mut status = status(&self.given.machine);
        status.refused = self.refused.as_ref().map(|(refused, _)| refused.clone());
        let place_of = |status: &RolloutStatus| (status.phase.clone(), status.is_paused);
        let has_moved = place_of(&self.given.tell.borrow()) != place_of(&status);
        // Once: when the actor stops later, the label may have another rollout.
        let end = status.end().filter(|_| has_moved);
        if let Some(end) = end {
            self.record(end.clone(), terms.clone()).await;
        }
        if let Some(directory) = self.given.directory.upgrade() {
            let now = self.given.clock.now();
            if let Some(end) = end {
                directory.close(&self.given.place, now, end, &terms);
                directory.sweep(&self.given.registry.snapshot());
            }
            if has_moved {
                directory.tell(now, &status, &terms);
            }
        }
        self.given.tell.send_if_modified(|told| {
            let is_new = *told != status;
            *told = status;
            is_new
        });
    }

    /// Puts its end on record.
    async fn record(&self, end: RolloutEnd, terms: Terms) {
        let reason = end.why().cloned().or(terms.reason);
        // It has no name and asks for no revision: the order that led here has had its answer.
        let Terms { by, is_automatic, .. } = terms;
        let terms = Terms { by, reason, is_automatic, ..Terms::default() };
        let command = Command { change: self.change(RolloutAct::End(end), None), terms };
        // Nothing can be refused of it but by a registry that has stopped, and keeps no record.
        let _ = self.given.registry.execute(command).await;
    }
}
