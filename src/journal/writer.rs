//! Group commit: what several runs append while a commit is under way becomes the next one.
//!
//! Invariants:
//! 1. One commit is under way at a time, so a later record of a stream is never durable before an
//!    earlier one. Only at the end of a shutdown is one given up that has no answer; the store may
//!    carry it out still, before those that are given to it later.
//! 2. Whoever is told of a failure has nothing on record: if the store may have taken it all the
//!    same, the next commit begins by taking it back. After a shutdown there may be none: what was
//!    told to have failed then may be there in the next process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::contract::{Epoch, Journal, Write};
use super::error::JournalError;
use super::log::{Position, StreamLog, count};
use super::record::Stream;
use crate::clock::Clock;

/// How many flushes may wait: more of them wait in their callers.
const WAITING: usize = 1_024;

/// The most flushes that share a commit; bounds the size of a transaction.
const SHARED: usize = 256;

/// How long to wait before a journal is asked again that failed, at first and at most.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What happens to runs whose records cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnSaveFailure {
    /// They wait until the journal takes records again.
    #[default]
    Park,
    /// They end as `FAILED`.
    Fail,
}

impl OnSaveFailure {
    /// Whether runs wait for a journal that failed so to recover.
    pub(crate) fn waits_for(self, error: &JournalError) -> bool {
        error.is_temporary() && self == Self::Park
    }
}

/// How long whoever waits for a journal to recover waits before each time that it asks again.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(crate) const fn new() -> Self {
        Self { next: PAUSE }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let longer = (self.next * 2).min(LONGEST_PAUSE);
        std::mem::replace(&mut self.next, longer)
    }
}

/// Whether whoever appends waits for a journal that takes nothing at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as it takes, unless runs are to fail.
    Patient,
    /// A failure is told at once.
    Impatient,
}

/// Writes what is appended to streams.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    flushes: mpsc::Sender<Flush>,
}

#[derive(Debug)]
struct Flush {
    log: Arc<StreamLog>,
    patience: Patience,
    done: oneshot::Sender<Result<(), JournalError>>,
}

impl Writer {
    /// A writer, and its work: to be polled by whoever owns it, until every writer is dropped.
    ///
    /// Once `hurry` says so nobody waits for the journal to recover, and a commit takes that long at
    /// most.
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        epoch: Epoch,
        clock: Arc<dyn Clock>,
        on_failure: OnSaveFailure,
        hurry: watch::Receiver<Option<Duration>>,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (flushes, receiver) = mpsc::channel(WAITING);
        let work = Work {
            journal,
            epoch,
            clock,
            on_failure,
            hurry,
            is_silent: false,
            receiver,
            doubtful: Vec::new(),
        };
        (Self { flushes }, work.run())
    }

    /// Waits until everything that was appended to a stream is durable.
    pub(super) async fn flush(
        &self,
        log: Arc<StreamLog>,
        patience: Patience,
    ) -> Result<(), JournalError> {
        let (done, answer) = oneshot::channel();
        let flush = Flush { log, patience, done };
        self.flushes.send(flush).await.map_err(|_| JournalError::Closed)?;
        answer.await.unwrap_or(Err(JournalError::Closed))
    }
}

struct Work {
    journal: Arc<dyn Journal>,
    epoch: Epoch,
    clock: Arc<dyn Clock>,
    on_failure: OnSaveFailure,
    /// How long a commit may take, once nobody waits for the journal to recover.
    hurry: watch::Receiver<Option<Duration>>,
    /// Whether the last commit took longer: the next ones are given no time.
    is_silent: bool,
    receiver: mpsc::Receiver<Flush>,
    /// Streams that may have more records than they ought to, and where they end.
    doubtful: Vec<(Stream, Position)>,
}

/// A flush with how much there was to write for it.
struct Taken {
    flush: Flush,
    /// How many of the batch's writes are its own.
    count: usize,
    /// Where its stream was before.
    before: Position,
}

/// Flushes that share a commit, and what is written for them, in the same order.
#[derive(Default)]
struct Batch {
    taken: Vec<Taken>,
    writes: Vec<Write>,
}

impl Batch {
    fn take(&mut self, flush: Flush) {
        let known = self.writes.len();
        let before = flush.log.take(&mut self.writes);
        let count = self.writes.len() - known;
        self.taken.push(Taken { flush, count, before });
    }
}

impl Work {
    async fn run(mut self) {
        let mut flushes = Vec::new();
        while self.receiver.recv_many(&mut flushes, SHARED).await > 0 {
            let mut batch = Batch::default();
            flushes.drain(..).for_each(|flush| batch.take(flush));
            self.write(batch).await;
        }
    }

    /// Writes what was taken, or tells why not; what waits for a journal to recover is tried again.
    async fn write(&mut self, mut batch: Batch) {
        let mut pauses = Pauses::new();
        loop {
            let Batch { taken, writes } = batch;
            // Whole, without a copy: it is the same if it is given again.
            let back = self.take_back();
            let taken_back = back.len();
            let writes: Arc<[Write]> = back.into_iter().chain(writes).collect();
            let Err(error) = self.commit(&writes).await else {
                self.doubtful.clear();
                return taken.into_iter().for_each(|taken| answer(taken.flush, Ok(())));
            };
            batch = self.refuse(taken, &writes[taken_back..], &error);
            if batch.taken.is_empty() {
                return;
            }
            // Others are not held up by one that will never be written.
            if error.is_temporary() {
                self.wait(pauses.next(), &mut batch, &error).await;
            }
        }
    }

    /// What a commit begins with, so that nothing stays that was refused.
    fn take_back(&self) -> Vec<Write> {
        let back = self.doubtful.iter();
        let back = back.flat_map(|(stream, Position { last, row })| {
            // Without its records a run has no row.
            let row = row.clone().filter(|_| *last > 0).map(Write::Row);
            let back = std::iter::once(Write::Truncate(*stream, *last)).chain(row);
            back.chain(count(*stream, *last))
        });
        back.collect()
    }

    async fn commit(&mut self, writes: &Arc<[Write]>) -> Result<(), JournalError> {
        if writes.is_empty() {
            return Ok(());
        }
        let out_of_time = async {
            let most = told_to_hurry(self.hurry.clone()).await;
            if !self.is_silent {
                self.clock.sleep(most).await;
            }
        };
        let answer = tokio::select! {
            biased;
            answer = self.journal.commit(self.epoch, writes.clone()) => Some(answer),
            () = out_of_time => None,
        };
        self.is_silent = answer.is_none();
        answer.unwrap_or_else(|| Err(no_answer()))
    }

    /// Tells those that do not wait, or those alone that the failure is about; gives back the others,
    /// with what is written for them.
    fn refuse(&mut self, taken: Vec<Taken>, writes: &[Write], error: &JournalError) -> Batch {
        let waits = self.on_failure.waits_for(error) && self.hurry.borrow().is_none();
        let blamed = blamed(&taken, error);
        let (mut kept, mut refused, mut rest) = (Batch::default(), Vec::new(), writes);
        for taken in taken {
            let (own, others) = rest.split_at(taken.count);
            rest = others;
            let stays = match blamed {
                Some(stream) => taken.flush.log.stream() != stream,
                None => waits && taken.flush.patience == Patience::Patient,
            };
            match stays {
                true => {
                    kept.writes.extend_from_slice(own);
                    kept.taken.push(taken);
                }
                false => refused.push((taken, own.to_vec())),
            }
        }
        // The last one first: each stream ends up where it was before its first one.
        refused.into_iter().rev().for_each(|(taken, own)| self.give_back(taken, own, error));
        kept
    }

    fn give_back(&mut self, taken: Taken, writes: Vec<Write>, error: &JournalError) {
        let Taken { flush, before, .. } = taken;
        if error.is_temporary() && !writes.is_empty() {
            self.doubtful.retain(|(stream, _)| *stream != flush.log.stream());
            self.doubtful.push((flush.log.stream(), before.clone()));
        }
        flush.log.put_back(before, writes);
        answer(flush, Err(error.clone()));
    }

    /// Waits for the journal to recover; meanwhile others may come to wait, and some are refused.
    async fn wait(&mut self, pause: Duration, batch: &mut Batch, error: &JournalError) {
        let mut pause = self.clock.sleep(pause);
        let mut hurried = std::pin::pin!(told_to_hurry(self.hurry.clone()));
        loop {
            let flush = tokio::select! {
                biased;
                () = &mut pause => return,
                _ = &mut hurried => return,
                flush = self.receiver.recv() => flush,
            };
            let Some(flush) = flush else { return pause.await };
            let mut one = Batch::default();
            one.take(flush);
            let Batch { taken, writes } = self.refuse(one.taken, &one.writes, error);
            batch.taken.extend(taken);
            batch.writes.extend(writes);
        }
    }
}

/// Waits until nobody waits any longer for the journal to recover; says how long a commit may take then.
pub(crate) async fn told_to_hurry(mut hurry: watch::Receiver<Option<Duration>>) -> Duration {
    match hurry.wait_for(Option::is_some).await.map(|most| *most) {
        Ok(Some(most)) => most,
        // Whoever could say so has gone.
        _ => std::future::pending().await,
    }
}

/// What is told of a journal that was given no more time.
pub(crate) fn no_answer() -> JournalError {
    JournalError::Unavailable("no answer by the end of the shutdown".to_owned())
}

/// The stream of a commit that a failure is about, and no other.
fn blamed(taken: &[Taken], error: &JournalError) -> Option<Stream> {
    let JournalError::Conflict { stream, .. } = error else { return None };
    taken.iter().any(|taken| taken.flush.log.stream() == *stream).then_some(*stream)
}

fn answer(flush: Flush, answer: Result<(), JournalError>) {
    // Whoever has gone does not undo what was written.
    let _ = flush.done.send(answer);
}
