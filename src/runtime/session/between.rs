//! What is done with a session between inputs: it moves, ends, or is looked at.

use super::error::SessionError;
use super::handle::SessionView;
use super::turn::{Ground, Turn};
use crate::event::EventKind;
use crate::id::VersionNumber;
use crate::journal::Patience;
use crate::runtime::StartError;
use crate::session::{SessionEntry, SessionState};

impl Turn {
    pub(super) async fn move_to_newest(mut self) -> Result<VersionNumber, SessionError> {
        self.read().await?;
        self.settle().await?;
        self.refuse_finished()?;
        let Ground { graph, version, mut entries, .. } = self.ground()?;
        let pin = self.newest(&graph)?;
        let newest = pin.version().number();
        if newest != version {
            entries.push(SessionEntry::Moved(newest));
        }
        if !entries.is_empty() {
            self.write(entries, Patience::Impatient).await?;
        }
        self.keep(&pin);
        Ok(newest)
    }

    pub(super) async fn finish(mut self) -> Result<(), SessionError> {
        self.read().await?;
        match self.settle().await {
            Err(error) if !is_stranded(&error) => return Err(error),
            _ => {}
        }
        let Some(state) = &self.held.state else {
            return Err(SessionError::Unknown { session: self.id() });
        };
        if state.is_finished() {
            return Ok(());
        }
        let (of, steps) = ((state.graph().clone(), state.version()), state.steps());
        self.write(vec![SessionEntry::Finished], Patience::Impatient).await?;
        self.tell(of, EventKind::SessionFinished { session: self.id(), steps });
        self.cell.bus.close();
        drop(self.cell.pin.lock().take());
        self.inner.sessions.keep_finished(self.id(), self.inner.settings.keep_ended);
        Ok(())
    }

    pub(super) async fn view(mut self) -> Result<SessionView, SessionError> {
        self.read().await?;
        let unknown = || SessionError::Unknown { session: self.id() };
        let state = self.held.state.as_ref().ok_or_else(unknown)?;
        Ok(SessionView {
            graph: state.graph().clone(),
            version: state.version(),
            steps: state.steps(),
            stranded: state.pending().map(|input| input.step),
            last: state.last().cloned(),
            slots: state.slots().clone(),
            is_finished: state.is_finished(),
        })
    }

    /// Refuses a session that is finished.
    pub(super) fn refuse_finished(&self) -> Result<(), SessionError> {
        let is_finished = self.held.state.as_ref().is_some_and(SessionState::is_finished);
        match is_finished {
            true => Err(SessionError::Finished { session: self.id() }),
            false => Ok(()),
        }
    }
}

/// Whether an input that was accepted lacks something in this process, begun or not.
fn is_stranded(error: &SessionError) -> bool {
    match error {
        SessionError::Stranded { .. } => true,
        SessionError::Start { source, .. } => matches!(**source, StartError::VersionAbsent { .. }),
        _ => false,
    }
}
