//! Group commit: what several runs append while a commit is under way becomes the next one.
//!
//! Invariants:
//! 1. One commit is under way at a time, so a later record of a stream is never durable before an
//!    earlier one.
//! 2. Whoever is told of a failure has nothing on record: if the store may have taken it all the
//!    same, the next commit begins by taking it back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::contract::{Epoch, Journal, Write};
use super::error::JournalError;
use super::log::{Position, StreamLog};
use super::record::Stream;
use crate::clock::Clock;

/// How many flushes may wait: more of them wait in their callers.
const WAITING: usize = 1_024;

/// The most flushes that share a commit; bounds the size of a transaction.
const SHARED: usize = 256;

/// How long the writer waits before it tries a write again that failed, at first and at most.
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

/// Whether whoever appends waits for a journal that takes nothing at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as it takes, unless runs are to fail.
    Patient,
    /// A failure is told at once, and what was appended is given up.
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
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        epoch: Epoch,
        clock: Arc<dyn Clock>,
        on_failure: OnSaveFailure,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (flushes, receiver) = mpsc::channel(WAITING);
        let work = Work { journal, epoch, clock, on_failure, receiver, doubtful: Vec::new() };
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
    receiver: mpsc::Receiver<Flush>,
    /// Streams that may have more records than they ought to, and where they end.
    doubtful: Vec<(Stream, u64)>,
}

/// A flush with what there was to write for it.
struct Taken {
    flush: Flush,
    writes: Vec<Write>,
    /// Where its stream was before.
    before: Position,
}

impl Work {
    async fn run(mut self) {
        let mut flushes = Vec::new();
        while self.receiver.recv_many(&mut flushes, SHARED).await > 0 {
            let taken = flushes.drain(..).map(take).collect();
            self.write(taken).await;
        }
    }

    /// Writes what was taken, or tells why not; what waits for a journal to recover is tried again.
    async fn write(&mut self, mut taken: Vec<Taken>) {
        let mut pause = PAUSE;
        loop {
            let Err(error) = self.commit(&taken).await else {
                self.doubtful.clear();
                return taken.into_iter().for_each(|taken| answer(taken.flush, Ok(())));
            };
            taken = self.refuse(taken, &error);
            if taken.is_empty() {
                return;
            }
            taken.extend(self.wait(pause, &error).await);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn commit(&self, taken: &[Taken]) -> Result<(), JournalError> {
        let back = self.doubtful.iter().map(|(stream, last)| Write::Truncate(*stream, *last));
        let writes = taken.iter().flat_map(|taken| taken.writes.iter().cloned());
        let writes: Arc<[Write]> = back.chain(writes).collect();
        match writes.is_empty() {
            true => Ok(()),
            false => self.journal.commit(self.epoch, writes).await,
        }
    }

    /// Tells those that do not wait; gives back those that do.
    fn refuse(&mut self, taken: Vec<Taken>, error: &JournalError) -> Vec<Taken> {
        let waits = error.is_temporary() && self.on_failure == OnSaveFailure::Park;
        let is_patient = |taken: &Taken| waits && taken.flush.patience == Patience::Patient;
        let (patient, refused): (Vec<_>, Vec<_>) = taken.into_iter().partition(is_patient);
        // The last one first: each stream ends up where it was before its first one.
        for Taken { flush, before, writes } in refused.into_iter().rev() {
            if error.is_temporary() && !writes.is_empty() {
                self.doubtful.retain(|(stream, _)| *stream != flush.log.stream());
                self.doubtful.push((flush.log.stream(), before.last));
            }
            flush.log.move_back(before);
            answer(flush, Err(error.clone()));
        }
        patient
    }

    /// Waits for the journal to recover; meanwhile others may come to wait, and some are refused.
    async fn wait(&mut self, pause: Duration, error: &JournalError) -> Vec<Taken> {
        let (mut pause, mut waiting) = (self.clock.sleep(pause), Vec::new());
        loop {
            let flush = tokio::select! {
                biased;
                () = &mut pause => return waiting,
                flush = self.receiver.recv() => flush,
            };
            match flush {
                Some(flush) => waiting.extend(self.refuse(vec![take(flush)], error)),
                None => {
                    pause.await;
                    return waiting;
                }
            }
        }
    }
}

fn take(flush: Flush) -> Taken {
    let mut writes = Vec::new();
    let before = flush.log.take(&mut writes);
    Taken { flush, writes, before }
}

fn answer(flush: Flush, answer: Result<(), JournalError>) {
    // Whoever has gone does not undo what was written.
    let _ = flush.done.send(answer);
}
