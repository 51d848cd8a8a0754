//! How a lane tells what it did: pure steps go into a batch, batches to the actors.

use std::sync::Arc;

use super::lane::{Lane, Task};
use crate::run::batch::GroupDelta;
use crate::run::message::RunMessage;
use crate::run::unites::UnitesMessage;
use crate::run::walk::Walker;

/// How many things a report may hold before it is sent.
const REPORT_WEIGHT: usize = 256;

impl Lane {
    /// Gives the oldest work away if another lane has none.
    pub(super) async fn share(&mut self) {
        if self.tasks.is_empty() || !self.shared.pool.is_hungry() {
            return;
        }
        let spare = self.tasks.len() > 1 || matches!(self.tasks[0], Task::Fanout(_));
        if !spare {
            return;
        }
        self.report().await;
        match self.tasks.remove(0) {
            Task::Execution(execution) => self.shared.pool.push([execution]),
            Task::Fanout(fanout) => self.shared.pool.share(fanout),
        }
        // A run whose actor is gone has no use for more lanes.
        let _ = self.shared.run.cast(RunMessage::Hungry);
    }

    pub(super) fn list_parked(&mut self) {
        let unlisted = std::mem::take(&mut self.unlisted);
        for state in unlisted {
            if let Some((execution, status)) = self.parked.get(&state) {
                let (execution, status) = (execution.clone(), *status);
                self.step_with(|walker| walker.list(&execution, status));
            }
        }
    }

    /// Takes one pure step into the batch, and announces it.
    pub(super) fn step_with<T>(&mut self, step: impl FnOnce(&mut Walker<'_>) -> T) -> T {
        let watched = self.shared.bus.is_watched();
        let mut walker = Walker::new(&self.shared.ground, &mut self.batch, watched);
        let result = step(&mut walker);
        for event in self.batch.events.drain(..) {
            self.shared.bus.send(event);
        }
        result
    }

    pub(super) async fn report_if_full(&mut self) {
        let groups: usize = self.batch.groups.values().map(GroupDelta::weight).sum();
        if groups + self.batch.run.weight() >= REPORT_WEIGHT {
            self.report().await;
        }
    }

    /// Tells the run's actor, then the unites actor, what has happened since the last report.
    pub(super) async fn report(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let permit = self.shared.reports.clone().acquire_owned().await;
        let permit = Arc::new(permit.expect("the semaphore of reports is never closed"));
        let batch = std::mem::take(&mut self.batch);
        let run = RunMessage::Reported(Box::new(batch.run), Some(permit.clone()));
        // A dead run actor has ended the run already; a dead unites actor is noticed by the run's.
        let _ = self.shared.run.cast(run);
        if let Some(unites) = &self.shared.unites
            && !batch.groups.is_empty()
        {
            let _ = unites.cast(UnitesMessage::Reported(batch.groups, Some(permit)));
        }
    }
}
