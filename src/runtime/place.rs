//! What a run takes of the runtime while an episode of it is open: a place among the live runs.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Inner, StartError};
use crate::node::Control;
use crate::run::{Host, Keeps, MayOpen, NoPlace, Place, RetryError, Run, RunCell};

impl Inner {
    /// A place for a run that starts, with these signals if it is that of a sub-graph node.
    pub(super) fn take_place(&self, signals: Option<&Control>) -> Result<Place, StartError> {
        let place = match signals {
            Some(signals) => self.places.take_below(signals),
            None => self.places.take(),
        };
        place.map_err(|no_place| match no_place {
            NoPlace::Closed => StartError::ShuttingDown,
            NoPlace::Full => StartError::Overloaded { limit: self.settings.max_runs },
        })
    }

    /// A place for a run with these signals that is taken up: they follow those of the run that asks
    /// for it, if one does.
    pub(super) fn take_place_again(&self, signals: &Control) -> Result<Place, NoPlace> {
        match signals.is_below() {
            true => self.places.take_again_below(signals),
            false => self.places.take_again(),
        }
    }

    /// Refuses a retry by hand once the runtime is being shut down.
    fn takes_retries(&self) -> Result<(), RetryError> {
        if self.places.are_closed() { Err(RetryError::ShuttingDown) } else { Ok(()) }
    }

    /// Waits until every run has ended, and nobody is about to take up a stranded one.
    pub(super) async fn settled(&self) {
        self.take_ups.wait().await;
        self.places.emptied().await;
    }
}

impl Host for Inner {
    fn place_again<'a>(
        &'a self,
        cell: &'a Arc<RunCell>,
        may_open: &'a MayOpen<'_>,
    ) -> BoxFuture<'a, Result<Place, RetryError>> {
        Box::pin(async move {
            // What memory knows needs no journal.
            may_open()?;
            self.takes_retries()?;
            let run = Run::of(cell.clone());
            // Until it has its place nobody deletes it, or goes on with another one of it.
            let as_left = self.stays_as_left(&run).await;
            // Whatever the journal said: it may have been closed meanwhile.
            self.takes_retries()?;
            let _as_left = as_left?;
            // Locked until it is among the live runs again: it gives up what it keeps before, or not.
            let mut ended = self.ended.lock();
            may_open()?;
            let place = self.places.take_again().map_err(|_| RetryError::ShuttingDown)?;
            ended.take_back(run.id());
            self.make_known(run);
            Ok(place)
        })
    }

    fn reopened(&self, cell: &Arc<RunCell>) {
        self.obey_shutdown(&Run::of(cell.clone()));
    }

    fn ended(&self, cell: &Arc<RunCell>, keeps: Keeps) {
        if !self.rollouts.is_idle() {
            self.tell_rollouts(&Run::of(cell.clone()));
        }
        self.keep_ended(cell.ground.run, keeps);
    }
}
