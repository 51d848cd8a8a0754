//! How runs come back from the journal: read, checked, rebuilt, and gone on with.

use std::sync::Arc;

use super::Inner;
use super::assemble::{CellParts, RunOf};
use super::keeper::Keeper;
use super::storage::RunAt;
use crate::id::{GraphName, RunId, VersionNumber};
use crate::journal::{JournalError, Record, RunQuery, RunRow, Stream};
use crate::node::{Control, Store};
use crate::run::{
    AttemptKey, Barriers, Began, Entry, Ground, HistoryStep, Machine, Misfit, Parent, Place,
    Rebuilt, Rest, Run, replay,
};
use crate::version::Pin;

/// How many records are read at once.
pub(super) const PAGE: usize = 1_000;

/// What is wrong with a stream that has a gap, or ends too soon.
pub(super) const MISSING: &str = "it is missing";

/// Why a run of the journal does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrandedReason {
    /// The process does not have the version that the run is pinned to.
    #[error("the process has no version {version} of graph `{graph}`{}", why(*is_known))]
    NoVersion {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// Whether there is a version of that number, with another definition.
        is_known: bool,
    },
    /// The process lacks a version that a sub-graph node of the run's version runs, or a handler or a
    /// secret of it.
    #[error("the process lacks what version {version} of graph `{graph}` needs, which it runs")]
    NoSubgraph {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
    },
    /// Its records are not as they were written, or the journal has lost them.
    #[error("it is in quarantine")]
    Damaged(#[source] JournalError),
    /// The journal cannot read it at the moment, or is this process's no longer.
    #[error("the journal cannot read it at the moment")]
    Unreadable(#[source] JournalError),
    /// The runtime is shut down.
    #[error("the runtime is shut down")]
    ShuttingDown,
    /// The journal has no run of that id.
    #[error("the journal has no run of that id")]
    UnknownRun,
    /// No stranded run has that id.
    #[error("no stranded run has that id")]
    NotStranded,
}

impl From<JournalError> for StrandedReason {
    fn from(error: JournalError) -> Self {
        match error {
            // Nothing is wrong with the run: this process has the journal no longer.
            JournalError::Owned { .. } | JournalError::Fenced { .. } | JournalError::Closed => {
                Self::Unreadable(error)
            }
            error if error.is_temporary() => Self::Unreadable(error),
            error => Self::Damaged(error),
        }
    }
}

fn why(is_known: bool) -> &'static str {
    if is_known { " with the definition that the run started on" } else { "" }
}

/// What the journal has of one run.
struct Kept {
    began: Began,
    entries: Vec<Entry>,
}

/// A run whose steps were taken again.
struct Replayed {
    began: Began,
    pin: Pin,
    ground: Ground,
    rebuilt: Rebuilt,
}

/// A run that was rebuilt.
pub(super) struct Found {
    pub run: Run,
    pin: Pin,
    barriers: Box<Barriers>,
    rest: Rest,
    /// The attempt that waits for it, if it is that of a sub-graph node.
    pub parent: Option<Parent>,
}

impl Found {
    /// Whether the run may still wait for what that attempt asked for.
    pub(super) fn awaits(&self, of: AttemptKey) -> bool {
        let AttemptKey(execution, attempt) = of;
        let waiting = &self.rest.waiting;
        match waiting.binary_search_by_key(&execution, |(waiting, _)| waiting.id) {
            // There may be no record of the attempts before it.
            Ok(place) => waiting[place].0.attempt <= attempt && self.run.goes_on(),
            Err(_) => self.run.awaits(of),
        }
    }

    /// Goes on with it.
    pub(super) async fn go_on(self) -> Run {
        self.run.go_on(self.pin, self.barriers, self.rest).await;
        self.run
    }
}

impl Inner {
    /// Takes up a run that has not ended, to be gone on with; it has these signals from then on.
    pub(super) async fn take_up(
        &self,
        keeper: &Keeper,
        row: RunRow,
        signals: Arc<Control>,
    ) -> Result<Found, StrandedReason> {
        let place = self.take_place_again(&signals).map_err(|_| StrandedReason::ShuttingDown)?;
        let found = self.rebuild(keeper, row, (signals, Some(place))).await?;
        self.make_known(found.run.clone());
        // Its version may have been revoked when the run was not here to be stopped.
        self.obey(&found.run, found.pin.version());
        self.obey_shutdown(&found.run);
        Ok(found)
    }

    /// Makes a run known that has ended.
    pub(super) async fn rebuild_ended(
        &self,
        keeper: &Keeper,
        row: RunRow,
    ) -> Result<Run, StrandedReason> {
        let Found { run, barriers, .. } = self.rebuild(keeper, row, (Arc::default(), None)).await?;
        // Before it is known: nobody finds a run of which nothing is heard any more.
        run.has_ended(barriers);
        self.make_known(run.clone());
        Ok(run)
    }

    /// Takes the steps of a run again.
    async fn rebuild(
        &self,
        keeper: &Keeper,
        row: RunRow,
        (control, place): (Arc<Control>, Option<Place>),
    ) -> Result<Found, StrandedReason> {
        let Replayed { began, pin, ground, rebuilt } = self.replay(keeper, &row, u64::MAX).await?;
        let Rebuilt { machine, barriers, rest, opened_at, last_state, .. } = rebuilt;
        let version = pin.version().clone();
        let timeout = ground.plan.timeout;
        ground.states.take_up_to(last_state);
        let key = row.key.as_deref().map(Into::into);
        let is_stopped = machine.stop_reason().is_some();
        let journal = keeper.go_on(row, began.level, &ground.store);
        if is_stopped {
            journal.has_stopped();
        }
        let parts = CellParts {
            ground,
            decision: began.decision,
            seed: began.seed,
            input: began.input,
            machine,
            control,
            journal: Some(journal),
            starts_at: began.starts_at,
            ends_at: timeout.map(|timeout| opened_at.after(timeout)),
            began: None,
            place,
            key,
            session: began.session.map(|session| self.session_cell(&session).bus.clone()),
            version,
        };
        let run = Run::of(self.cell(parts));
        Ok(Found { run, pin, barriers, rest, parent: began.parent })
    }

    /// A run as it stood after its first records.
    pub(super) async fn view_at(
        &self,
        keeper: &Keeper,
        row: &RunRow,
        step: u64,
    ) -> Result<RunAt, StrandedReason> {
        let Replayed { rebuilt: Rebuilt { mut machine, at, .. }, .. } =
            self.replay(keeper, row, step).await?;
        Ok(RunAt { at, view: machine.view(), states: machine.states() })
    }

    /// Takes the steps of a run again that its first `count` records tell of; no handler is called.
    async fn replay(
        &self,
        keeper: &Keeper,
        row: &RunRow,
        count: u64,
    ) -> Result<Replayed, StrandedReason> {
        let Kept { began, entries } = keeper.read_run(row).await?;
        let pin = self.pin_again(&began)?;
        let version = pin.version().number();
        let plan = pin.plan_from(began.entry.as_ref());
        let plan = plan.map_err(|why| corrupt(Stream::Run(row.run), Some(1), why.to_string()))?;
        let machine = Machine::new(plan.clone(), row.run, version, began.warnings.clone());
        let store = Store::new(began.store.iter().cloned().collect());
        let ground = self.ground(RunOf { run: row.run, plan, version }, store, true);
        // The first record is the beginning.
        let count = usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
        let rebuilt = replay(&ground, machine, &began, entries.into_iter().take(count).collect());
        let rebuilt = rebuilt.map_err(|misfit| damaged(row, &misfit))?;
        Ok(Replayed { began, pin, ground, rebuilt })
    }

    /// Pins the version that a run started on: that one, and no other.
    fn pin_again(&self, began: &Began) -> Result<Pin, StrandedReason> {
        let (graph, version) = (began.graph.clone(), began.version);
        let found = self.registry.snapshot().version(&graph, version).and_then(Pin::again);
        let is_known = found.is_some();
        let is_same = |pin: &Pin| pin.plan().hash() == began.hash;
        found.filter(is_same).ok_or_else(|| match self.absent_below(&graph, version) {
            Some((graph, version)) if !is_known => StrandedReason::NoSubgraph { graph, version },
            _ => StrandedReason::NoVersion { graph, version, is_known },
        })
    }

    /// A version without its handlers that a sub-graph node of a version runs, however far below.
    fn absent_below(
        &self,
        graph: &GraphName,
        version: VersionNumber,
    ) -> Option<(GraphName, VersionNumber)> {
        let snapshot = self.registry.snapshot();
        let manifest = snapshot.version(graph, version)?.manifest();
        manifest.bindings.iter().find_map(|(child, number)| {
            snapshot.version(child, *number).filter(|child| child.plan().is_none())?;
            self.absent_below(child, *number).or_else(|| Some((child.clone(), *number)))
        })
    }
}

impl Keeper {
    /// The rows of the runs that have not ended.
    pub(super) async fn unfinished(&self) -> Result<Vec<RunRow>, JournalError> {
        self.journal.runs(&RunQuery::default().unfinished()).await
    }

    /// The row of a run.
    pub(super) async fn row(&self, run: RunId) -> Result<Option<RunRow>, JournalError> {
        let query = RunQuery::default().run(run);
        let rows = self.answer(self.journal.runs(&query)).await?;
        Ok(rows.into_iter().next())
    }

    /// What a run did, checked.
    pub(super) async fn read_history(
        &self,
        row: &RunRow,
    ) -> Result<Vec<HistoryStep>, JournalError> {
        let records = self.read_records(row).await?;
        let damaged = |(seq, why)| corrupt(Stream::Run(row.run), Some(seq), why);
        HistoryStep::of(&records).map_err(damaged)
    }

    /// Everything the journal has of a run, checked.
    async fn read_run(&self, row: &RunRow) -> Result<Kept, JournalError> {
        let stream = Stream::Run(row.run);
        let records = self.read_records(row).await?;
        let mut entries = Vec::with_capacity(records.len());
        for record in &records {
            let entry = Entry::decode(&record.body);
            entries.push(entry.map_err(|why| corrupt(stream, Some(record.seq), why))?);
        }
        let mut entries = entries.into_iter();
        match entries.next() {
            Some(Entry::Began(began))
                if began.graph == row.graph && began.version == row.version =>
            {
                Ok(Kept { began: *began, entries: entries.collect() })
            }
            _ => Err(corrupt(stream, Some(1), "it is not the beginning of the run")),
        }
    }

    /// The records of a run, checked: as many as its row says.
    pub(super) async fn read_records(&self, row: &RunRow) -> Result<Vec<Record>, JournalError> {
        let stream = Stream::Run(row.run);
        if !row.is_intact() {
            return Err(corrupt(stream, None, "the row is not as it was written"));
        }
        let mut records: Vec<Record> = Vec::new();
        while (records.len() as u64) < row.records {
            let known = records.len() as u64;
            // What lies beyond is not of this run.
            let left = usize::try_from(row.records - known).unwrap_or(PAGE);
            let page = self.read_page(stream, known, left.min(PAGE)).await?;
            if page.is_empty() {
                return Err(corrupt(stream, Some(known + 1), MISSING));
            }
            records.extend(page);
        }
        Ok(records)
    }

    /// Records of a stream after the one of that number, checked: at most `limit`, none at its end.
    pub(super) async fn read_page(
        &self,
        stream: Stream,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let page = self.answer(self.journal.read(stream, after, limit)).await?;
        for (record, expected) in page.iter().zip(after + 1..) {
            if record.seq != expected {
                return Err(corrupt(stream, Some(expected), MISSING));
            }
            if !record.is_intact(stream) {
                return Err(corrupt(stream, Some(expected), "it is not as it was written"));
            }
        }
        Ok(page)
    }
}

pub(super) fn corrupt(stream: Stream, seq: Option<u64>, why: impl Into<String>) -> JournalError {
    JournalError::Corrupt { stream, seq, why: why.into() }
}

fn damaged(row: &RunRow, Misfit { place, why }: &Misfit) -> StrandedReason {
    // The first record is the beginning.
    let seq = Some(*place as u64 + 2);
    corrupt(Stream::Run(row.run), seq, why.as_str()).into()
}
