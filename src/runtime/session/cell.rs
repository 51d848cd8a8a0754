//! The sessions that a runtime knows: what their handles share.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use super::error::SessionError;
use super::turn::Turn;
use crate::clock::Sleep;
use crate::event::SessionBus;
use crate::id::{GraphName, RunId, VersionNumber};
use crate::journal::{JournalError, RunRow, StreamLog};
use crate::runtime::Inner;
use crate::session::{SessionState, Standing};
use crate::version::Pin;

/// The sessions that a runtime knows, and what is done with them.
#[derive(Default)]
pub(in crate::runtime) struct Sessions {
    cells: DashMap<Arc<str>, Arc<SessionCell>>,
    /// Turns end by themselves: with the run that they wait for.
    pub(super) turns: TaskTracker,
    /// Those that are finished and still known, oldest first.
    finished: Mutex<VecDeque<Arc<str>>>,
}

/// What the handles of one session share.
pub(in crate::runtime) struct SessionCell {
    pub id: Arc<str>,
    pub bus: Arc<SessionBus>,
    /// Held for a turn: who asks first has it first.
    pub(super) held: Arc<tokio::sync::Mutex<Held>>,
    /// Keeps the session's version between inputs.
    pub(super) pin: Mutex<Option<Pin>>,
    /// The run of an input whose end the session has not on record; also known while a turn is under way.
    awaited: Mutex<Option<RunId>>,
}

/// How a session stands, and where what changes it is put on record.
#[derive(Default)]
pub(super) struct Held {
    /// Whether the journal was asked for it.
    pub is_read: bool,
    /// `None` if it has not begun.
    pub state: Option<SessionState>,
    pub log: Option<Arc<StreamLog>>,
}

impl SessionCell {
    fn new(id: Arc<str>) -> Self {
        let (bus, held) = (Arc::default(), Arc::default());
        Self { id, bus, held, pin: Mutex::default(), awaited: Mutex::default() }
    }

    /// Sees to it that the run of an input stays until the session, which stands so, has its end.
    pub(super) fn await_run(&self, state: Option<&SessionState>) {
        let pending = state.and_then(SessionState::pending);
        *self.awaited.lock() = pending.map(|input| input.run);
    }

    /// Whether the session has begun, as far as is known; it may have if something is done with it.
    fn has_begun(&self) -> bool {
        self.held.try_lock().map_or(true, |held| held.state.is_some())
    }

    /// Whether the session has not begun, as far as is known, and nobody waits for events of it.
    fn is_unused(&self) -> bool {
        !self.has_begun()
            && self.pin.lock().is_none()
            && Arc::strong_count(&self.bus) == 1
            && !self.bus.is_watched()
    }

    /// The stream of the session in a journal: the same in every process.
    pub(super) fn stream(&self) -> RunId {
        let hash = blake3::hash(format!("session {}", self.id).as_bytes());
        let half = |place: usize| hash.as_bytes()[place];
        RunId(u128::from_le_bytes(std::array::from_fn(half)))
    }
}

impl Sessions {
    /// How many are known.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.cells.len()
    }

    /// One more is finished, and so many stay known.
    pub(super) fn keep_finished(&self, id: Arc<str>, keep: usize) {
        let mut finished = self.finished.lock();
        finished.push_back(id);
        while finished.len() > keep
            && let Some(oldest) = finished.pop_front()
        {
            self.cells.remove(&oldest);
        }
    }

    /// Whether a session goes on, as far as is known.
    pub(in crate::runtime) fn is_open(&self, id: &str) -> bool {
        self.cells.get(id).is_some_and(|cell| !cell.bus.is_closed() && cell.has_begun())
    }

    /// The runs of inputs whose ends their sessions have not on record: if they were gone, they would
    /// be carried out again.
    pub(in crate::runtime) fn awaited(&self) -> BTreeSet<RunId> {
        self.cells.iter().filter_map(|cell| *cell.awaited.lock()).collect()
    }

    /// A finished session is gone from the journal.
    ///
    /// One of the same id may have begun since: what its handles share stays one.
    pub(in crate::runtime) fn forget(&self, id: &str) {
        self.cells.remove_if(id, |_, cell| cell.bus.is_closed());
        self.finished.lock().retain(|finished| &**finished != id);
    }

    /// A handle is about to go: if it is the last one, and nothing came of it, so does what it shares.
    ///
    /// Under the lock of the cells, by which every further handle would come to it.
    pub(super) fn drop_unused(&self, cell: &Arc<SessionCell>) {
        self.cells.remove_if(&cell.id, |_, known| {
            // Those two: the one that is known, and the handle.
            Arc::ptr_eq(known, cell) && Arc::strong_count(known) == 2 && known.is_unused()
        });
    }

    /// Sessions between two inputs no longer keep a version: their next input may be refused.
    pub(in crate::runtime) fn let_go(&self, graph: &GraphName, version: VersionNumber) {
        for cell in &self.cells {
            let mut pin = cell.pin.lock();
            let is_of = |pin: &mut Pin| {
                pin.version().number() == version && pin.version().manifest().graph == *graph
            };
            drop(pin.take_if(is_of));
        }
    }

    /// Waits until nothing is done with any session, at most for a while.
    pub(in crate::runtime) async fn settled(&self, patience: Sleep) {
        self.turns.close();
        tokio::select! {
            biased;
            () = self.turns.wait() => {}
            () = patience => {}
        }
    }
}

impl Inner {
    /// What the handles of a session share.
    pub(in crate::runtime) fn session_cell(&self, id: &Arc<str>) -> Arc<SessionCell> {
        let cell = self.sessions.cells.entry(id.clone());
        cell.or_insert_with(|| Arc::new(SessionCell::new(id.clone()))).clone()
    }

    /// Keeps the version of a session of the journal; gives what goes on with an input that had not
    /// ended, when every session is read: until then nobody knows what may be deleted.
    pub(in crate::runtime) async fn take_up_session(
        &self,
        row: &RunRow,
    ) -> Result<Option<Turn>, JournalError> {
        let (Some(id), Some(inner)) = (&row.key, self.myself.upgrade()) else { return Ok(None) };
        let cell = self.session_cell(id);
        // Without its version its next input is refused, and says why.
        *cell.pin.lock() = self.hold(&row.graph, row.version);
        let held = cell.held.clone().try_lock_owned();
        let Some(held) = held.ok().filter(|_| Standing::of(&row.status) == Some(Standing::Busy))
        else {
            return Ok(None);
        };
        let mut turn = Turn::new(inner, cell, held);
        match turn.read().await {
            // Nobody would know which run it waits for, and that could be deleted.
            Err(SessionError::Journal { source, .. }) if source.is_temporary() => Err(source),
            // Who asks for a session that cannot be read is told why.
            _ => Ok(Some(turn)),
        }
    }

    /// Goes on with the inputs of sessions that were taken up.
    pub(in crate::runtime) fn go_on_with_inputs(&self, turns: Vec<Turn>) {
        for turn in turns {
            // Whoever gives the input again is told how it ended, or why it does not go on.
            self.sessions.turns.spawn(async { drop(turn.go_on().await) });
        }
    }
}
