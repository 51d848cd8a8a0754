//! How a session is read from the journal, and how what changes it is put there.

use std::sync::Arc;

use super::error::SessionError;
use super::turn::Turn;
use crate::journal::{JournalError, Patience, RunRow, Stream, StreamLog};
use crate::run::Run;
use crate::runtime::keeper::Keeper;
use crate::runtime::recovery::{StrandedReason, corrupt};
use crate::session::{Input, SessionEntry, SessionState, Standing};

impl Turn {
    /// Asks the journal for the session, unless that was done.
    pub(super) async fn read(&mut self) -> Result<(), SessionError> {
        if !self.held.is_read {
            let inner = self.inner.clone();
            if let Some(keeper) = &inner.keeper {
                let read = self.read_from(keeper).await;
                read.map_err(|source| self.journal(source))?;
            }
            self.held.is_read = true;
        }
        match (&self.held.state, self.graph()) {
            (Some(state), Some(asked)) if state.graph() != asked => {
                let (graph, asked) = (state.graph().clone(), asked.clone());
                Err(SessionError::OtherGraph { session: self.id(), graph, asked })
            }
            _ => Ok(()),
        }
    }

    async fn read_from(&mut self, keeper: &Keeper) -> Result<(), JournalError> {
        let run = self.cell.stream();
        let (row, records) = loop {
            let Some(row) = keeper.settled_row(run).await? else { return Ok(()) };
            match keeper.read_records(&row).await {
                // It was finished, and is deleted meanwhile.
                Err(JournalError::Corrupt { .. })
                    if keeper.row(run).await?.as_ref() != Some(&row) => {}
                records => break (row, records?),
            }
        };
        let stream = Stream::Run(run);
        let entries = records.iter().map(|record| SessionEntry::decode(&record.body));
        let entries: Result<Vec<_>, _> = entries.collect();
        let entries = entries.map_err(|why| corrupt(stream, None, why))?;
        let state = SessionState::replay(entries);
        self.held.state = state.map_err(|(seq, why)| corrupt(stream, Some(seq), why))?;
        self.cell.await_run(self.held.state.as_ref());
        self.held.log = Some(keeper.session(row));
        if self.held.state.as_ref().is_some_and(SessionState::is_finished) {
            self.cell.bus.close();
            self.inner.sessions.keep_finished(self.id(), self.inner.settings.keep_ended);
        }
        Ok(())
    }

    /// Puts on record what changes the session, and then does it.
    pub(super) async fn write(
        &mut self,
        entries: Vec<SessionEntry>,
        patience: Patience,
    ) -> Result<(), SessionError> {
        if let Some(log) = self.log(&entries) {
            log.append(entries.iter().map(SessionEntry::encode));
            self.change_row(&log, &entries);
            if let Err(source) = log.flush(patience).await {
                log.give_up();
                return Err(self.journal(source));
            }
            self.held.log = Some(log);
        }
        for entry in entries {
            let followed = SessionState::follow(&mut self.held.state, entry);
            followed.expect("what is written was judged before");
        }
        self.cell.await_run(self.held.state.as_ref());
        Ok(())
    }

    /// Where the session is put on record; one that begins has a row from then on.
    fn log(&self, entries: &[SessionEntry]) -> Option<Arc<StreamLog>> {
        let keeper = self.inner.keeper.as_ref()?;
        if let Some(log) = &self.held.log {
            return Some(log.clone());
        }
        let Some(SessionEntry::Began { id, graph, version }) = entries.first() else { return None };
        Some(keeper.session(RunRow {
            run: self.cell.stream(),
            graph: graph.clone(),
            version: *version,
            key: Some(id.clone()),
            status: Standing::Open.as_str().into(),
            started_at: self.inner.clock.now(),
            ended_at: None,
            records: 0,
            check: 0,
        }))
    }

    fn change_row(&self, log: &StreamLog, entries: &[SessionEntry]) {
        let Some(standing) = entries.last().map(SessionEntry::leaves) else { return };
        let ended_at = (standing == Standing::Finished).then(|| self.inner.clock.now());
        log.change_row(|row| {
            row.status = standing.as_str().into();
            row.ended_at = ended_at;
            for entry in entries {
                if let SessionEntry::Moved(version) = entry {
                    row.version = *version;
                }
            }
        });
    }

    /// The run of an input, if its start is on record.
    pub(super) async fn find_run(&self, input: &Input) -> Result<Option<Run>, SessionError> {
        let Some(keeper) = &self.inner.keeper else { return Ok(None) };
        let row = keeper.row(input.run).await.map_err(|source| self.journal(source))?;
        let Some(row) = row else { return Ok(None) };
        let found = self.inner.find(keeper, &row, Arc::default()).await;
        found.map_err(|reason| match reason {
            StrandedReason::Unreadable(source) => self.journal(source),
            reason => {
                let (session, reason) = (self.id(), Box::new(reason));
                SessionError::Stranded { session, step: input.step, reason }
            }
        })
    }

    fn journal(&self, source: JournalError) -> SessionError {
        SessionError::Journal { session: self.id(), source }
    }
}
