//! Takes the steps of a run again from its journal: pure, and without calling a handler.
//!
//! Invariants:
//! 1. Every step is taken by the walker, machine and barriers that took it first, as it was written,
//!    and counted as it was told; only what a step cannot derive comes from its entry.
//! 2. An entry that does not follow from those before it is a [`Misfit`]; nothing is guessed.
//! 3. A fold's steps are user code, and run again.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::entry::{AttemptKey, Began, Entry};
use super::late::Late;
use super::open_fan::OpenFan;
use super::open_resumable::OpenResumable;
use super::retries::Retries;
use super::verdicts::Verdicts;
use crate::clock::{Rng, Timestamp};
use crate::run::batch::Batch;
use crate::run::execution::{Execution, Executions};
use crate::run::machine::Machine;
use crate::run::status::{RunStatus, StateStatus};
use crate::run::unites::{Barriers, Verdict};
use crate::run::walk::{Fault, Ground, Retaken, Walker};
use crate::value::Value;

/// An entry that does not follow from those before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Which one it is, from 0.
    pub place: usize,
    pub why: String,
}

/// A run as its journal leaves it.
pub(crate) struct Rebuilt {
    pub machine: Machine,
    pub barriers: Box<Barriers>,
    pub rest: Rest,
    /// When the latest episode was opened.
    pub opened_at: Timestamp,
    /// When the last entry was written.
    pub at: Timestamp,
    /// The highest number of a state.
    pub last_state: u64,
}

/// What a run had left to do.
pub(crate) struct Rest {
    /// Executions that have not ended, by their identity, and until when they wait.
    pub waiting: Vec<(Box<Execution>, Option<Timestamp>)>,
    pub fans: Vec<OpenFan>,
    pub resumables: Vec<OpenResumable>,
    /// Mergers whose groups have settled.
    pub verdicts: Vec<Verdict>,
    pub retaken: Vec<Retaken>,
}

pub(super) struct Replay<'a> {
    pub(super) ground: &'a Ground,
    pub(super) machine: Machine,
    pub(super) barriers: Box<Barriers>,
    /// What was written together with the latest entry.
    pub(super) batch: Batch,
    pub(super) waiting: BTreeMap<u64, (Box<Execution>, Option<Timestamp>)>,
    kept: HashMap<AttemptKey, Vec<Value>>,
    pub(super) fans: BTreeMap<u64, OpenFan>,
    pub(super) resumables: BTreeMap<u64, OpenResumable>,
    /// Those that the latest unit opened.
    pub(super) opened: Vec<u64>,
    pub(super) verdicts: Verdicts,
    pub(super) retries: Retries,
    pub(super) late: Late,
    pub(super) opened_at: Timestamp,
    pub(super) at: Timestamp,
    pub(super) last_state: u64,
    /// By execution, the numbers of the states that the stop of the run made.
    pub(super) made_by_stop: HashMap<u64, Vec<u64>>,
}

/// Rebuilds a run from what followed its beginning.
pub(crate) fn replay(
    ground: &Ground,
    machine: Machine,
    began: &Began,
    entries: Vec<Entry>,
) -> Result<Rebuilt, Misfit> {
    let mut replay = Replay {
        ground,
        machine,
        barriers: Box::new(Barriers::new(ground.plan.clone())),
        batch: Batch::default(),
        waiting: BTreeMap::new(),
        kept: HashMap::new(),
        fans: BTreeMap::new(),
        resumables: BTreeMap::new(),
        opened: Vec::new(),
        verdicts: Verdicts::default(),
        retries: Retries::default(),
        late: Late::of(&entries),
        opened_at: began.starts_at.unwrap_or(began.at),
        at: began.at,
        last_state: 0,
        made_by_stop: HashMap::new(),
    };
    replay.begin(began);
    for (place, entry) in entries.into_iter().enumerate() {
        replay.take(entry).map_err(|why| Misfit { place, why })?;
    }
    Ok(replay.finish())
}

impl Replay<'_> {
    fn begin(&mut self, began: &Began) {
        // The root takes the first number there is.
        if let Some(root) = self.step(&[0], |walker| walker.begin(began.input.clone())) {
            self.waiting.insert(root.id, (root, began.starts_at));
        }
    }

    fn take(&mut self, entry: Entry) -> Result<(), String> {
        match entry {
            Entry::Began(_) => return Err("the run begins twice".to_owned()),
            Entry::At(at) => {
                self.opened_have_outputs()?;
                self.count();
                self.late.next();
                self.at = at;
            }
            Entry::Put { key, value } => drop(self.ground.store.put(key, value)),
            Entry::Removed { key } => drop(self.ground.store.remove(&key)),
            Entry::Returned { of, output, ids } => self.returned(of, output, &ids)?,
            Entry::Kept { of, from, outputs } => self.keep(of, from, outputs)?,
            Entry::FannedOut { of, kept, fault } => self.fanned_out(of, kept, fault)?,
            Entry::Drawn { of, outputs } => self.drawn(of, &outputs)?,
            Entry::FannedOutResumable { of } => self.fanned_out_resumable(of)?,
            Entry::DrawnWithCursors { of, outputs } => self.drawn_with_cursors(of, outputs)?,
            Entry::Exhausted { of, drawn, fault, ids } => {
                self.exhausted(of, drawn, fault.as_ref(), &ids)?;
            }
            Entry::Exceeded { of, index, outputs, ids } => {
                self.exceeded(of, index, outputs, &ids)?;
            }
            Entry::Faulted { of, fault, delay, deadline, ids } => {
                let mut execution = self.queued(of)?;
                execution.set_deadline(deadline);
                // The delay was drawn when the attempt failed.
                let mut rng = Rng::seeded(0);
                let next = self.step(&ids, |walker| walker.faulted(execution, &fault, &mut rng));
                if let Some((next, _)) = next {
                    self.wait(next, delay);
                }
            }
            Entry::Pruned { of, data } => {
                let execution = self.queued(of)?;
                self.step(&[], |walker| walker.pruned(execution, data));
            }
            Entry::Requeued { of, delay, deadline } => {
                let mut execution = self.queued(of)?;
                execution.set_deadline(deadline);
                let later = Duration::from_micros(delay);
                self.step(&[], |walker| walker.requeued(&execution, later));
                self.wait(execution, delay);
            }
            Entry::Expired { of, was_queued } => self.expired(of, was_queued)?,
            Entry::Fired { merger, ids } => self.fired(merger, &ids)?,
            Entry::Skipped { merger, ids } => self.skipped(merger, &ids)?,
            Entry::Stopped(stop) => {
                // The first reason counts, and the effect is for an actor to carry out.
                let _ = self.machine.stop(stop);
            }
            Entry::MadeByStop { of, ids } => drop(self.made_by_stop.insert(of, ids)),
            Entry::Retried { what, id, .. } => self.retried(what, &id)?,
            Entry::Reopened { state, ids } => self.reopened(state, &ids)?,
            Entry::Ended(status) => self.ended(status)?,
            Entry::GivenUp => self.given_up()?,
        }
        Ok(())
    }

    /// Takes a step with the numbers it took.
    pub(super) fn step<T>(&mut self, ids: &[u64], step: impl FnOnce(&mut Walker<'_>) -> T) -> T {
        let last = ids.iter().copied().filter(|id| *id != u64::MAX).max();
        self.last_state = self.last_state.max(last.unwrap_or(0));
        step(&mut Walker::again(self.ground, &mut self.batch, ids))
    }

    /// Counts what was written together as the one unit that it was.
    pub(super) fn count(&mut self) {
        let batch = self.batch.take();
        if let Some(batch) = self.late.now(batch) {
            self.apply(batch);
        }
    }

    pub(super) fn apply(&mut self, batch: Batch) {
        // What has to be done about it is done when the run goes on.
        let _ = self.machine.apply(batch.run);
        for verdict in self.barriers.apply(batch.groups) {
            self.verdicts.add(verdict);
        }
    }

    /// An execution whose attempt was handed to a lane.
    pub(super) fn queued(&mut self, of: AttemptKey) -> Result<Box<Execution>, String> {
        let execution = self.attempt(of)?;
        self.step(&[], |walker| walker.queued(&execution));
        Ok(execution)
    }

    fn attempt(&mut self, AttemptKey(id, attempt): AttemptKey) -> Result<Box<Execution>, String> {
        match self.waiting.remove(&id) {
            Some((execution, _)) if execution.attempt == attempt => Ok(execution),
            _ => Err(format!("nothing waits for attempt {attempt} of {id:016x}")),
        }
    }

    fn wait(&mut self, execution: Box<Execution>, delay: u64) {
        let due = self.at.after(Duration::from_micros(delay));
        self.waiting.insert(execution.id, (execution, Some(due)));
    }

    pub(super) fn made(&mut self, made: Executions) {
        self.waiting.extend(made.into_iter().map(|execution| (execution.id, (execution, None))));
    }

    fn returned(&mut self, of: AttemptKey, output: Value, ids: &[u64]) -> Result<(), String> {
        let execution = self.queued(of)?;
        let mut made = Vec::new();
        self.step(ids, |walker| {
            walker.returned((execution, StateStatus::Queued), output, &mut made)
        });
        self.made(made);
        Ok(())
    }

    fn keep(&mut self, of: AttemptKey, from: u64, outputs: Vec<Value>) -> Result<(), String> {
        let kept = self.kept.entry(of).or_default();
        if from == 0 {
            // Kept once more: the first time was cut off.
            kept.clear();
        }
        if kept.len() as u64 != from {
            return Err(format!("outputs from {from} on follow {} of them", kept.len()));
        }
        kept.extend(outputs);
        Ok(())
    }

    fn fanned_out(
        &mut self,
        of: AttemptKey,
        count: u64,
        fault: Option<Fault>,
    ) -> Result<(), String> {
        let outputs = self.kept.remove(&of).unwrap_or_default();
        if outputs.len() as u64 != count {
            return Err(format!("{count} outputs fanned out, and {} were kept", outputs.len()));
        }
        let execution = self.queued(of)?;
        self.step(&[], |walker| walker.fanned_out(&execution, count, None));
        let (id, own, drawn) = (execution.id, *execution, vec![false; outputs.len()]);
        let (outputs, closed_at, exceeded) = (outputs.into(), None, false);
        self.fans.insert(id, OpenFan { own, outputs, fault, drawn, closed_at, exceeded });
        Ok(())
    }

    fn drawn(&mut self, of: u64, outputs: &[(u64, Vec<u64>)]) -> Result<(), String> {
        let mut open = self.fans.remove(&of).ok_or_else(|| unknown("fanout", of))?;
        for (index, ids) in outputs {
            let output = open.mark(*index)?;
            let mut made = Vec::new();
            let branched =
                self.step(ids, |walker| walker.drawn(&open.own, *index, output, &mut made));
            if !branched.add_to(&mut made) {
                return Err(format!("output {index} has no state"));
            }
            self.made(made);
        }
        self.fans.insert(of, open);
        Ok(())
    }

    fn exhausted(
        &mut self,
        of: u64,
        drawn: u64,
        fault: Option<&Fault>,
        ids: &[u64],
    ) -> Result<(), String> {
        if self.resumable_exhausted(of, drawn, fault, ids)? {
            return Ok(());
        }
        let fan = self.fans.get_mut(&of).ok_or_else(|| unknown("fanout", of))?;
        let (end, kept) = (usize::try_from(drawn).unwrap_or(usize::MAX), fan.outputs.len());
        if end > kept {
            return Err(format!("the fanout ends after {drawn} outputs, and {kept} were kept"));
        }
        fan.closed_at = Some(end);
        let own = fan.own.clone();
        self.step(ids, |walker| walker.exhausted(&own, drawn, fault));
        Ok(())
    }

    fn exceeded(&mut self, of: u64, index: u64, outputs: u64, ids: &[u64]) -> Result<(), String> {
        if self.resumable_exceeded(of, index, outputs, ids)? {
            return Ok(());
        }
        let mut open = self.fans.remove(&of).ok_or_else(|| unknown("fanout", of))?;
        for index in index..index.saturating_add(outputs) {
            open.mark(index)?;
        }
        let forfeited = usize::try_from(outputs).unwrap_or(usize::MAX);
        // One state says it of the whole fanout: only the first step took a number.
        open.exceeded = true;
        self.step(ids, |walker| match ids.is_empty() {
            true => walker.exceeded_too(&open.own, index, forfeited),
            false => walker.exceeded(&open.own, index, forfeited),
        });
        self.fans.insert(of, open);
        Ok(())
    }

    fn expired(&mut self, of: AttemptKey, was_queued: bool) -> Result<(), String> {
        let (execution, was) = match was_queued {
            true => (self.queued(of)?, StateStatus::Queued),
            false => (self.attempt(of)?, StateStatus::Created),
        };
        self.step(&[], |walker| walker.expired(execution, was));
        Ok(())
    }

    fn fired(&mut self, merger: u64, ids: &[u64]) -> Result<(), String> {
        let Some(Verdict::Fire(firing)) = self.verdicts.take(merger) else {
            return Err(unknown("merger", merger));
        };
        let execution = self.step(ids, |walker| walker.merged(*firing));
        self.made(execution.into_iter().collect());
        Ok(())
    }

    fn skipped(&mut self, merger: u64, ids: &[u64]) -> Result<(), String> {
        let Some(Verdict::Skip(skipping)) = self.verdicts.take(merger) else {
            return Err(unknown("merger", merger));
        };
        self.step(ids, |walker| walker.merger_skipped(*skipping));
        Ok(())
    }

    fn given_up(&mut self) -> Result<(), String> {
        self.machine.give_up();
        self.ended(RunStatus::Cancelled)
    }

    fn ended(&mut self, status: RunStatus) -> Result<(), String> {
        let is_cancelled = self.machine.stop_reason().is_some();
        self.count();
        drop(self.take_open_retries());
        if is_cancelled {
            self.abandon();
        }
        // The outcome is made again for whoever asks.
        let found = self.machine.end(is_cancelled).status;
        let is_over = self.waiting.is_empty() && self.verdicts.is_empty();
        if !is_over {
            return Err("the run ended before its states had".to_owned());
        }
        match found == status {
            true => Ok(()),
            false => Err(format!("the run ended as {status}, and its states say {found}")),
        }
    }

    fn finish(mut self) -> Rebuilt {
        self.count();
        let retaken = self.take_open_retries();
        let rest = Rest {
            waiting: self.waiting.into_values().collect(),
            fans: self.fans.into_values().filter(OpenFan::is_open).collect(),
            resumables: self.resumables.into_values().collect(),
            verdicts: self.verdicts.into_all(),
            retaken,
        };
        let Self { machine, barriers, opened_at, at, last_state, .. } = self;
        Rebuilt { machine, barriers, rest, opened_at, at, last_state }
    }
}

pub(super) fn unknown(what: &str, id: u64) -> String {
    format!("no {what} {id:016x} is open")
}
