//! Retries by hand, as a journal tells of them: accepted, and later counted.
//!
//! The groups of a state hear of its retry when that is accepted, and the run when its next attempt is
//! counted. What groups decided before that, and the run carried out in between, is on record in
//! between.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::replay::Replay;
use crate::id::StateId;
use crate::run::fingerprint::Fingerprint;
use crate::run::take_back::RetryWhat;
use crate::run::tokens::Tokens;
use crate::run::walk::Retaken;

/// States that are retried and have no next attempt yet.
pub(super) type Retries = BTreeMap<StateId, Retry>;

/// A state that is retried, and what its groups said to that.
pub(super) struct Retry {
    retaken: Retaken,
    /// The groups whose mergers were skipped and are waited for again.
    reopened: Vec<Fingerprint>,
    /// The state's own groups.
    dropped: Vec<Fingerprint>,
}

impl Replay<'_> {
    pub(super) fn retried(&mut self, what: RetryWhat, id: &str) -> Result<(), String> {
        let hash = xxh3_64(id.as_bytes());
        if self.machine.is_ended() {
            self.opened_at = self.at;
        }
        let taken = self.machine.retry(what, id).map_err(|error| error.to_string())?;
        for taken in taken {
            let found = self.barriers.reopen(&taken);
            let mut execution = taken.execution;
            execution.set_tokens(found.tokens.into_iter().collect());
            let retaken = Retaken { execution, id: hash, given_up: found.given_up };
            let (reopened, dropped) = (found.reopened, found.dropped);
            reopened.iter().chain(&dropped).for_each(|group| self.verdicts.outdate(*group));
            let state = retaken.execution.state;
            self.retries.insert(state, Retry { retaken, reopened, dropped });
        }
        self.late.due().into_iter().for_each(|batch| self.apply(batch));
        Ok(())
    }

    pub(super) fn reopened(&mut self, state: StateId, ids: &[u64]) -> Result<(), String> {
        let retry = self.retries.remove(&state);
        let retry = retry.ok_or_else(|| format!("{state} is not retried"))?;
        let retaken = self.open_again(retry);
        let next = self.step(ids, |walker| walker.retried(&retaken));
        self.made(next.into_iter().collect());
        // Whether the run has ended is asked when it goes on.
        let _ = self.machine.release_hold();
        Ok(())
    }

    /// The states whose next attempts are to be counted when the run goes on.
    pub(super) fn take_open_retries(&mut self) -> Vec<Retaken> {
        let open = std::mem::take(&mut self.retries).into_values();
        open.map(|retry| self.open_again(retry)).collect()
    }

    /// The run hears what the groups said to a retry.
    ///
    /// What they had wanted skipped before, and was not by now, never is: the process that would have
    /// done it is gone.
    fn open_again(&mut self, retry: Retry) -> Retaken {
        let Retry { mut retaken, mut reopened, dropped } = retry;
        // Its item never ended, and is not to begin again.
        reopened.retain(|group| !self.verdicts.forget_outdated(*group));
        for group in &dropped {
            if self.verdicts.forget_outdated(*group) {
                // The groups around it know already: its item ends in the run alone.
                retaken.given_up.push(Tokens::default());
            }
        }
        self.machine.reopened(&reopened, &dropped);
        retaken
    }
}
