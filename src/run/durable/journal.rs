//! The end of a run's journal: where lanes and the run's actor write what they did.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::entry::Entry;
use super::level::Durability;
use crate::clock::Clock;
use crate::journal::{JournalError, Patience, Side, StreamLog};
use crate::node::Store;
use crate::run::machine::Stop;
use crate::run::status::RunStatus;
use crate::run::take_back::RetryWhat;

/// How many entries may wait for a flush: what a run that is not flushed at every state keeps in memory.
const MOST_PENDING: usize = 4_096;

/// The end of a run's journal.
pub(crate) struct RunJournal {
    pub level: Durability,
    log: Arc<StreamLog>,
    clock: Arc<dyn Clock>,
    /// Whether the start is on record; `None` until that is known.
    begun: watch::Sender<Option<Result<(), JournalError>>>,
    /// Whether it is on record that the run is being stopped.
    is_stopped: AtomicBool,
    written: Mutex<Written>,
}

/// What this process has written.
#[derive(Default)]
struct Written {
    /// Whether the episode has ended: what a lane does that has not heard of it is not written.
    is_over: bool,
    /// How many units.
    units: u64,
    /// Those of lanes that the run's actor has not counted.
    untold: BTreeSet<u64>,
    /// Of the states that the stop of the run made.
    made_by_stop: Vec<Entry>,
}

impl RunJournal {
    pub(crate) fn new(level: Durability, log: Arc<StreamLog>, clock: Arc<dyn Clock>) -> Self {
        let begun = watch::Sender::new(None);
        let (is_stopped, written) = (AtomicBool::new(false), Mutex::default());
        Self { level, log, clock, begun, is_stopped, written }
    }

    /// Whether what follows a state waits until the state is on record.
    pub(crate) fn is_every_state(&self) -> bool {
        self.level == Durability::EveryState
    }

    /// Puts the start on record, and tells those who wait for that.
    pub(crate) async fn begin(&self) -> Result<(), JournalError> {
        let begun = self.log.flush(Patience::Impatient).await;
        if begun.is_err() {
            // The run is refused, and nothing of it is written later.
            self.log.close();
        }
        self.begun.send_replace(Some(begun.clone()));
        begun
    }

    /// The start is on record already.
    pub(crate) fn has_begun(&self) {
        self.begun.send_replace(Some(Ok(())));
    }

    /// Whether the start is on record.
    pub(crate) fn is_begun(&self) -> bool {
        matches!(*self.begun.borrow(), Some(Ok(())))
    }

    /// The episode has ended: if nobody knows yet whether the start is on record, nobody will.
    pub(crate) fn has_ended(&self) {
        self.begun.send_if_modified(|begun| {
            let is_unknown = begun.is_none();
            if is_unknown {
                self.log.close();
                *begun = Some(Err(JournalError::Closed));
            }
            is_unknown
        });
    }

    /// Waits until it is known whether the start is on record.
    pub(crate) async fn begun(&self) -> Result<(), JournalError> {
        let mut begun = self.begun.subscribe();
        let begun = begun.wait_for(Option::is_some).await;
        begun.map_or(Err(JournalError::Closed), |begun| begun.clone().unwrap_or(Ok(())))
    }

    /// Appends what was done, to be written with the next flush; nothing once the run has ended.
    ///
    /// What follows from a stop alone is not for the journal: it follows from it again.
    pub(crate) fn append(&self, entries: &[Entry]) {
        let mut written = self.written.lock();
        if !written.is_over {
            self.write(&mut written, entries);
        }
    }

    /// Keeps the numbers of the states that a stop made, for when the end of the run goes on record.
    pub(crate) fn made_by_stop(&self, entries: Vec<Entry>) {
        let made = entries.into_iter().filter_map(|entry| match entry {
            Entry::Fired { merger: of, ids } | Entry::Skipped { merger: of, ids } => {
                Some(Entry::MadeByStop { of, ids })
            }
            Entry::MadeByStop { ref ids, .. } => (!ids.is_empty()).then_some(entry),
            // Accepted before the stop.
            Entry::Reopened { .. } => Some(entry),
            _ => None,
        });
        self.written.lock().made_by_stop.extend(made);
    }

    /// Appends what the run's actor counts later; it says [then](Self::told) which unit it was.
    pub(crate) fn append_untold(&self, entries: &[Entry]) -> Option<u64> {
        let mut written = self.written.lock();
        if written.is_over || entries.is_empty() {
            return None;
        }
        self.write(&mut written, entries);
        let unit = written.units;
        written.untold.insert(unit);
        Some(unit)
    }

    /// The run's actor has counted a unit.
    pub(crate) fn told(&self, unit: u64) {
        self.written.lock().untold.remove(&unit);
    }

    /// Writes down that states are retried by hand, and what is counted only after that.
    pub(crate) fn retry(&self, what: RetryWhat, id: &str) {
        let mut written = self.written.lock();
        let next = written.units + 1;
        let untold = written.untold.iter().map(|unit| next - unit).collect();
        self.write(&mut written, &[Entry::Retried { what, id: id.to_owned(), untold }]);
    }

    /// Writes down that the run is being stopped.
    pub(crate) fn stop(&self, stop: Stop) {
        self.write(&mut self.written.lock(), &[Entry::Stopped(stop)]);
        self.has_stopped();
    }

    /// That the run is being stopped is on record already.
    pub(crate) fn has_stopped(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    fn write(&self, written: &mut Written, entries: &[Entry]) {
        if !entries.is_empty() {
            written.units += 1;
            let at = Entry::At(self.clock.now()).encode();
            self.log.append(std::iter::once(at).chain(entries.iter().map(Entry::encode)));
        }
    }

    /// Whether so much waits to be written that whoever appends more has to wait, too.
    pub(crate) fn is_full(&self) -> bool {
        self.log.pending() >= MOST_PENDING
    }

    /// How many records are there.
    pub(crate) fn written(&self) -> u64 {
        self.log.written()
    }

    /// Waits until everything that was appended is on record.
    pub(crate) async fn flush(&self) -> Result<(), JournalError> {
        self.log.flush(Patience::Patient).await
    }

    /// The same, but for a journal that takes nothing at the moment.
    pub(crate) async fn flush_now(&self) -> Result<(), JournalError> {
        self.log.flush(Patience::Impatient).await
    }

    /// Puts the end of an episode on record, and what stopped it if nobody did so yet.
    pub(crate) async fn end(
        &self,
        status: RunStatus,
        stop: Option<Stop>,
    ) -> Result<(), JournalError> {
        if let Some(stop) = stop.filter(|_| !self.is_stopped.load(Ordering::Relaxed)) {
            self.stop(stop);
        }
        self.append_end(Entry::Ended(status), status);
        self.flush().await
    }

    /// Puts on record that the run, which does not go on here, is given up; tells at once if that
    /// cannot be.
    pub(crate) async fn give_up(&self) -> Result<(), JournalError> {
        self.append_end(Entry::GivenUp, RunStatus::Cancelled);
        self.flush_now().await
    }

    fn append_end(&self, entry: Entry, status: RunStatus) {
        {
            let mut written = self.written.lock();
            let mut end = std::mem::take(&mut written.made_by_stop);
            end.push(entry);
            self.write(&mut written, &end);
            *written = Written { is_over: true, units: written.units, ..Written::default() };
        }
        let at = self.clock.now();
        self.log.change_row(|row| {
            row.status = status.as_str().into();
            row.ended_at = Some(at);
        });
    }

    /// The run goes on: its row says so from the next flush on.
    pub(crate) fn reopen(&self) {
        let mut written = self.written.lock();
        // What its lanes still had when it was ended by force is no part of the next episode.
        (written.is_over, written.made_by_stop) = (false, Vec::new());
        drop(written);
        self.is_stopped.store(false, Ordering::Relaxed);
        self.log.change_row(|row| {
            row.status = RunStatus::Running.as_str().into();
            row.ended_at = None;
        });
    }
}

impl std::fmt::Debug for RunJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunJournal").field("level", &self.level).finish_non_exhaustive()
    }
}

/// Writes to the store go on record before what is appended after them.
impl Side for Store {
    fn drain(&self, into: &mut Vec<Vec<u8>>) {
        let changes = self.take_changes().into_iter();
        into.extend(changes.map(|(key, value)| {
            let entry = match value {
                Some(value) => Entry::Put { key, value },
                None => Entry::Removed { key },
            };
            entry.encode()
        }));
    }
}
