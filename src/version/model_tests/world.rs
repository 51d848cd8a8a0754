//! What random commands have made: the lineages, what starts see of them, and the runs that go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::invariants::{Beside, Known};
use super::model::Model;
use super::ops::{MOST, Op, change, graph, label};
use super::rollouts::{self, Rollouts};
use crate::clock::Timestamp;
use crate::id::VersionNumber;
use crate::version::*;

/// What the commands have made, and the runs that go on.
pub struct World {
    pub lineages: Lineages,
    pub audit: AuditLog,
    /// What starts see.
    pub seen: Arc<Snapshot>,
    pub runs: Vec<LiveRun>,
    /// What a process would find that opened the journal now.
    pub kept: Restored,
    pub rollouts: Rollouts,
    /// How many commands were accepted that changed the routing.
    pub revision: u64,
    /// The graphs beside that of the model.
    pub beside: Beside,
    /// What the invariants remember of earlier steps.
    pub known: Known,
}

/// A run that goes on, and the version that it was told to have got.
pub struct LiveRun {
    pub pin: Pin,
    pub version: u64,
}

impl World {
    /// A world with the graphs beside that of the model, and no version of that one.
    pub fn new() -> Self {
        let retention = Retention::default().keep_last(usize::MAX).hard_limit(MOST);
        let mut world = Self::with(retention);
        Beside::publish(&mut world);
        world
    }

    pub fn with(retention: Retention) -> Self {
        Self {
            lineages: Lineages::new(retention),
            audit: AuditLog::default(),
            seen: Arc::default(),
            runs: Vec::new(),
            kept: Restored::default(),
            rollouts: Rollouts::default(),
            revision: 0,
            beside: Beside::default(),
            known: Known::default(),
        }
    }

    pub fn execute(&mut self, change: Change, now: u64) -> Result<Done, VersionError> {
        self.execute_under(change, Terms::default(), now)
    }

    pub fn execute_under(
        &mut self,
        change: Change,
        terms: Terms,
        now: u64,
    ) -> Result<Done, VersionError> {
        let command = Command { change, terms };
        let (seen, beside) = (&mut self.seen, &self.beside);
        let swap = |turned: &Turned<'_>| {
            beside.is_whole(turned.after);
            *seen = turned.after.clone();
        };
        let answer = match self.lineages.decide(&command, None, Timestamp(now), &self.audit) {
            Decided::Repeat(answer) => answer,
            Decided::New(decided) => {
                let written = serde_json::to_vec(&decided.stored(&command)).unwrap();
                self.kept.add(serde_json::from_slice(&written).unwrap()).unwrap();
                self.lineages.take_effect(&command, *decided, &mut self.audit, swap)
            }
        };
        answer.map_err(Refusal::into_version_error)
    }

    /// Gives a command to both, without a name and for any revision; says whether it was accepted.
    pub fn give(&mut self, model: &mut Model, op: &Op) -> bool {
        let found = self.execute(change(op), model.now).map_err(|error| name(&error));
        let expected = self.expect(model, op);
        let is_accepted = expected.is_ok();
        assert_eq!(found.map(|done| done.version.map(|version| version.0)), expected, "{op:?}");
        is_accepted
    }

    /// What the model says of a command; it is changed if that is accepted.
    pub fn expect(&mut self, model: &mut Model, op: &Op) -> Result<Option<u64>, String> {
        let mut next = model.clone();
        let version = match *op {
            Op::Rollout(label, v, act) => rollouts::expected(&mut next, label, v, act)?,
            _ => next.apply(op)?,
        };
        next.queue();
        let has_baked = self.rollouts.see(op, &next);
        // A verdict is a change although it may say what was so.
        let is_changed = next != *model || has_baked || matches!(op, Op::Judge(..));
        self.revision += u64::from(is_changed);
        *model = next;
        Ok(version)
    }

    /// A start on the routing as it is; one that never ends is a failure.
    pub fn admit(&self, selector: &Selector) -> Result<(Pin, Decision), ResolveError> {
        self.admit_across(&[], selector)
    }

    /// A start that finds each of these routings once, and then what there is.
    pub fn admit_across(
        &self,
        earlier: &[Arc<Snapshot>],
        selector: &Selector,
    ) -> Result<(Pin, Decision), ResolveError> {
        let loads = std::cell::Cell::new(0);
        let now = || earlier.get(loads.get()).unwrap_or(&self.seen);
        let load = || {
            let found = now();
            loads.set(loads.get() + 1);
            assert!(loads.get() < 100, "I19: a start that never ends: {selector:?}");
            found
        };
        start(load, |revision| now().revision() == revision, &graph(), selector)
    }

    /// Starts a run, and says which version it must be of, as the model has it.
    pub fn start(&mut self, model: &mut Model, l: usize, version: Option<u64>, key: bool) {
        let key = key.then(|| format!("key {}", self.runs.len()).into());
        let selector = match version {
            Some(version) => Selector::Version(VersionNumber(version)),
            None => Selector::Label { label: label(l), key },
        };
        if let Ok((pin, decision)) = self.admit(&selector) {
            let version = decision.version.0;
            let own = model.versions.get_mut(&version).expect("I9: it can be started");
            own.live += 1;
            self.runs.push(LiveRun { pin, version });
        }
    }

    pub fn end(&mut self, model: &mut Model, is_success: bool) {
        if self.runs.is_empty() {
            return;
        }
        let LiveRun { pin, version } = self.runs.remove(0);
        let own = model.versions.get_mut(&version).expect("it is pinned");
        own.live -= 1;
        own.succeeded |= is_success;
        if is_success {
            pin.version().count_success();
        }
    }

    /// The canary of a label as the journal's reader would find it, by its bucket for a key.
    pub fn bucket(&self, l: usize, key: &str) -> Option<u16> {
        let route = self.seen.route(&graph())?.label(&label(l))?;
        Some(route.canary.as_ref()?.bucket(key))
    }
}

/// The name of an error's variant.
pub fn name(error: &VersionError) -> String {
    let text = format!("{error:?}");
    text.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// The selectors of a graph's labels, with keys and without one.
pub fn selectors(l: usize) -> impl Iterator<Item = (Option<&'static str>, Selector)> {
    let keys = [None, Some("key"), Some("another key"), Some("a third one")];
    keys.into_iter().map(move |key| {
        let (label, own) = (label(l), key.map(Into::into));
        (key, Selector::Label { label, key: own })
    })
}

/// The labels that commands are about.
pub const LABELS: std::ops::Range<usize> = 0..2;

/// The label of that name.
pub fn place(name: &crate::id::LabelName) -> usize {
    usize::from(!name.is_default())
}

/// What the invariants are told of a step.
pub struct Taken<'a> {
    pub op: &'a Op,
    /// What starts saw before it.
    pub before: Arc<Snapshot>,
    pub labels_before: BTreeMap<usize, super::model::Label>,
}
