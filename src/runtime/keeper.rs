//! What a runtime holds of its journal: the epoch, the writer, and its end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::key_locks::KeyLocks;
use crate::clock::Clock;
use crate::id::RunId;
use crate::journal::{
    Epoch, Journal, JournalError, OnSaveFailure, Patience, RunRow, Stream, StreamLog, Writer,
    no_answer, told_to_hurry,
};
use crate::node::Store;
use crate::run::{Began, Durability, Entry, RunJournal, RunStatus};

/// A journal that was claimed.
pub(super) struct Keeper {
    pub journal: Arc<dyn Journal>,
    pub epoch: Epoch,
    clock: Arc<dyn Clock>,
    /// What runs do while the journal fails.
    pub on_failure: OnSaveFailure,
    /// Held while a start asks the journal for its key.
    pub keys: KeyLocks,
    /// Held, after that of its key, while what memory has of a run is compared with the journal.
    pub runs: KeyLocks,
    writer: Writer,
    /// How long a commit may take, once nobody waits for the journal to recover.
    hurry: watch::Sender<Option<Duration>>,
    /// Ended with the runtime.
    work: JoinHandle<()>,
}

impl Keeper {
    /// Claims a journal, and begins to write to it.
    pub(super) async fn claim(
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        on_failure: OnSaveFailure,
    ) -> Result<Self, JournalError> {
        let owner = format!("process {}", std::process::id());
        let epoch = journal.claim(&owner).await?;
        let (hurry, told) = watch::channel(None);
        let (writer, work) = Writer::new(journal.clone(), epoch, clock.clone(), on_failure, told);
        let (keys, runs, work) = (KeyLocks::default(), KeyLocks::default(), tokio::spawn(work));
        Ok(Self { journal, epoch, clock, on_failure, keys, runs, writer, hurry, work })
    }

    /// The journal of a run that starts; its beginning is written with the first flush.
    pub(super) fn begin(&self, run: RunId, began: &Began, store: &Store) -> Arc<RunJournal> {
        let row = RunRow {
            run,
            graph: began.graph.clone(),
            version: began.version,
            key: began.key.as_deref().map(Into::into),
            status: RunStatus::Running.as_str().into(),
            started_at: began.at,
            ended_at: None,
            records: 0,
            check: 0,
        };
        let log = self.log(row, store);
        log.append([Entry::Began(Box::new(began.clone())).encode()]);
        Arc::new(RunJournal::new(began.level, log, self.clock.clone()))
    }

    /// The journal of a run that comes back; what is appended follows what its row says is there.
    pub(super) fn go_on(&self, row: RunRow, level: Durability, store: &Store) -> Arc<RunJournal> {
        let journal = RunJournal::new(level, self.log(row, store), self.clock.clone());
        journal.has_begun();
        Arc::new(journal)
    }

    /// Ends a run that does not go on here.
    pub(super) async fn give_up(&self, row: RunRow) -> Result<(), JournalError> {
        // How much of it is on record matters to a run that goes on.
        self.go_on(row, Durability::default(), &Store::default()).give_up().await
    }

    /// The log of a session; what is appended follows what its row says is there.
    pub(super) fn session(&self, row: RunRow) -> Arc<StreamLog> {
        let (stream, last) = (Stream::Run(row.run), row.records);
        StreamLog::new(stream, self.writer.clone(), last, Some(row), None)
    }

    fn log(&self, row: RunRow, store: &Store) -> Arc<StreamLog> {
        store.watch();
        let (stream, last) = (Stream::Run(row.run), row.records);
        let side = Arc::new(store.clone());
        StreamLog::new(stream, self.writer.clone(), last, Some(row), Some(side))
    }

    /// The log of the versions, whose last record has that number.
    pub(super) fn versions(&self, last: u64) -> Arc<StreamLog> {
        StreamLog::new(Stream::Versions, self.writer.clone(), last, None, None)
    }

    /// The row of a run that nothing is written of at the moment: what was refused of it, and the store
    /// may have taken all the same, is taken back before.
    pub(super) async fn settled_row(&self, run: RunId) -> Result<Option<RunRow>, JournalError> {
        let nothing = StreamLog::new(Stream::Run(run), self.writer.clone(), 0, None, None);
        nothing.flush(Patience::Impatient).await?;
        self.row(run).await
    }

    /// What the journal answers; once nobody waits for it, it is given no more time than for a commit.
    pub(super) async fn answer<T>(
        &self,
        asked: impl Future<Output = Result<T, JournalError>>,
    ) -> Result<T, JournalError> {
        let out_of_time = async {
            let most = told_to_hurry(self.hurry.subscribe()).await;
            self.clock.sleep(most).await;
        };
        tokio::select! {
            biased;
            answer = asked => answer,
            () = out_of_time => Err(no_answer()),
        }
    }

    /// From now on nobody waits for a journal that takes nothing, and a commit takes that long at most.
    pub(super) fn hurry(&self, most: Duration) {
        self.hurry.send_replace(Some(most));
    }

    /// Gives the journal back.
    pub(super) async fn release(&self) {
        self.work.abort();
        // Whoever claims it next takes it all the same.
        let _ = self.answer(self.journal.release(self.epoch)).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.work.abort();
    }
}
