//! The start of a run that carries out an input of a session.

use std::sync::Arc;

use super::{Accepted, Start, StartError};
use crate::id::RunId;
use crate::run::Run;
use crate::runtime::session::SessionCell;
use crate::version::Pin;

/// The input of a session that a run carries out.
pub(in crate::runtime) struct InputOf {
    pub session: Arc<SessionCell>,
    /// The node that it begins at, if that is not the root.
    pub entry: Option<Arc<str>>,
    /// The run that was chosen for it before a crash.
    pub run: Option<RunId>,
}

impl Start {
    /// Carries out an input of a session.
    pub(in crate::runtime) fn of_input(mut self, input: InputOf) -> Self {
        self.input_of = Some(input);
        self
    }

    /// The node that the run begins at, if that is not the root.
    pub(super) fn entry(&self) -> Option<&Arc<str>> {
        self.input_of.as_ref()?.entry.as_ref()
    }

    /// Makes a run known that was prepared, and opens it.
    pub(in crate::runtime) async fn open_input(
        &self,
        run: Run,
        pin: Pin,
    ) -> Result<Run, StartError> {
        self.inner.admit(&run, &pin);
        self.open(Accepted::New(run, pin)).await
    }

    /// The session whose input the run carries out.
    pub(super) fn session(&self) -> Option<&SessionCell> {
        self.input_of.as_ref().map(|input| &*input.session)
    }

    /// The identity of the run, which may have been chosen before, and its seed.
    pub(super) fn identity(&self) -> (RunId, u64) {
        let (drawn, seed) = self.inner.draw_identity();
        let chosen = self.input_of.as_ref().and_then(|input| input.run);
        (chosen.unwrap_or(drawn), seed)
    }
}
