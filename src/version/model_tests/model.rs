//! What the versions of one graph should be, kept the plain way.

use std::collections::{BTreeMap, BTreeSet};

use super::{Op, Target};

/// The most versions that the graph may have.
pub const MOST: usize = 6;
const PROOF: u64 = 60_000_000;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub head: u64,
    pub versions: BTreeMap<u64, Version>,
    pub retired: BTreeSet<u64>,
    pub labels: BTreeMap<usize, Label>,
    pub verdicts: BTreeMap<(u64, u64), usize>,
    /// The contents of versions, gone ones included; 0 is opaque.
    contents: BTreeMap<u64, u8>,
    judged: u64,
    pub now: u64,
    pub revision: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Version {
    pub reverted: bool,
    pub held: bool,
    pub revoked: bool,
    /// `Some(true)` is approved, `Some(false)` rejected.
    pub approved: Option<bool>,
    pub pending: bool,
    pub tagged: bool,
    pub active_for: u64,
    pub succeeded: bool,
    pub live: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    pub active: Option<u64>,
    pub canary: Option<(u64, u16)>,
    pub since: u64,
    pub rejects: bool,
    pub asks: Option<usize>,
    /// Versions by their latest promotion, and whether a rollback left them.
    promotions: Vec<(u64, bool)>,
}

type Answer = Result<Option<u64>, &'static str>;

impl Model {
    /// The version a command is about, or the name of the error; a refusal changes nothing.
    pub fn apply(&mut self, op: &Op) -> Answer {
        let mut next = self.clone();
        let answer = next.act(op)?;
        next.revision += u64::from(next != *self);
        *self = next;
        Ok(answer)
    }

    pub fn routed(&self) -> BTreeSet<u64> {
        let targets = |label: &Label| [label.active, label.canary.map(|canary| canary.0)];
        self.labels.values().flat_map(targets).flatten().collect()
    }

    pub fn proven(&self, version: u64) -> bool {
        let own = &self.versions[&version];
        let labels = self.labels.values().filter(|label| label.active == Some(version));
        let current = labels.map(|label| self.now - label.since).max().unwrap_or(0);
        own.succeeded && own.active_for.max(current) >= PROOF
    }

    fn act(&mut self, op: &Op) -> Answer {
        if self.head == 0 && !matches!(op, Op::Publish { .. } | Op::Release(..)) {
            return Err("UnknownGraph");
        }
        match *op {
            Op::Publish { content, promote } => self.publish(content, promote),
            Op::Promote(label, v) => self.promote(label, v),
            Op::Release(a, b) => {
                self.promote(0, a)?;
                self.promote(1, b).map(|_| None)
            }
            Op::Rollback(label, target, force) => self.rollback(label, target, force),
            Op::Canary(label, v, weight) => {
                let own = self.routable(label, v)?;
                match own.active {
                    None => return Err("NoActiveVersion"),
                    Some(active) if active == v => return Err("AlreadyActive"),
                    Some(_) => self.policy(&own, v)?,
                }
                self.labels.insert(label, Label { canary: Some((v, weight)), ..own });
                Ok(Some(v))
            }
            Op::ClearCanary(label) => {
                let own = self.labels.get_mut(&label).ok_or("UnknownLabel")?;
                own.canary.take().ok_or("NoCanary")?;
                Ok(own.active)
            }
            Op::Policy(label, rejects, asks) => {
                let own = self.labels.entry(label).or_default();
                (own.rejects, own.asks) = (rejects, asks);
                Ok(own.active)
            }
            Op::Remove(label) if !self.labels.contains_key(&label) => Err("UnknownLabel"),
            Op::Remove(0) => Err("DefaultLabel"),
            Op::Remove(label) => {
                self.leave(label);
                self.labels.remove(&label);
                Ok(None)
            }
            Op::Judge(from, to, level) => {
                let known = |v: &u64| (1..=self.head).contains(v);
                [from, to].iter().all(known).then_some(()).ok_or("UnknownVersion")?;
                self.verdicts.insert((from, to), level);
                self.judged += 1;
                Ok(Some(to))
            }
            Op::Mark(v, mark, set) => self.mark(v, mark, set).map(|()| Some(v)),
            Op::Retire(v) => {
                let (routed, own) = (self.routed(), self.version(v)?);
                match (routed.contains(&v), own.held, own.live) {
                    (true, ..) => return Err("StillRouted"),
                    (_, true, _) => return Err("Held"),
                    (.., 1..) => return Err("InUse"),
                    _ => {}
                }
                self.versions.remove(&v);
                self.retired.insert(v);
                Ok(Some(v))
            }
            Op::Start { .. } | Op::End(_) | Op::Tick(_) => unreachable!("these are no commands"),
        }
    }

    fn version(&mut self, v: u64) -> Result<&mut Version, &'static str> {
        let is_gone = self.retired.contains(&v);
        self.versions.get_mut(&v).ok_or(if is_gone { "VersionGone" } else { "UnknownVersion" })
    }

    fn routable(&mut self, label: usize, v: u64) -> Result<Label, &'static str> {
        match self.version(v)? {
            Version { revoked: true, .. } => Err("Revoked"),
            Version { reverted: true, .. } => Err("Reverted"),
            _ => Ok(self.labels.get(&label).cloned().unwrap_or_default()),
        }
    }

    /// 0 is COMPATIBLE, 1 `MINOR_CHANGE`, 2 UNKNOWN, 3 BREAKING.
    fn level(&self, from: u64, to: u64) -> usize {
        let is_opaque = [from, to].iter().any(|v| self.contents[v] == 0);
        self.verdicts.get(&(from, to)).copied().unwrap_or(if is_opaque { 2 } else { 0 })
    }

    fn policy(&self, label: &Label, v: u64) -> Result<(), &'static str> {
        let approved = self.versions[&v].approved;
        let level = label.active.map(|active| self.level(active, v));
        match (approved, level) {
            (Some(false), _) => Err("Rejected"),
            (_, Some(3)) if label.rejects => Err("BreakingRejected"),
            (None, Some(level)) if label.asks.is_some_and(|asks| level >= asks) => {
                Err("ApprovalRequired")
            }
            _ => Ok(()),
        }
    }

    fn publish(&mut self, content: u8, promote: bool) -> Answer {
        let same = |v: &&u64| content > 0 && self.contents[*v] == content;
        let known = self.versions.keys().find(same).copied();
        if known.is_none() && self.versions.len() >= MOST {
            return Err("TooManyVersions");
        }
        let v = known.unwrap_or(self.head + 1);
        if known.is_none() {
            self.head = v;
            self.labels.entry(0).or_default();
            self.contents.insert(v, content);
            let asks = |label: &Label| Some(self.level(label.active?, v) >= label.asks?);
            let pending = self.labels.values().any(|label| asks(label) == Some(true));
            self.versions.insert(v, Version { pending, ..Version::default() });
        }
        match promote && self.labels[&0].active != Some(v) {
            true => self.promote(0, v),
            false => Ok(Some(v)),
        }
    }

    fn promote(&mut self, label: usize, v: u64) -> Answer {
        if self.head == 0 {
            return Err("UnknownGraph");
        }
        let own = self.routable(label, v)?;
        if own.active == Some(v) {
            return Err("AlreadyActive");
        }
        self.policy(&own, v)?;
        self.activate(label, v);
        Ok(Some(v))
    }

    fn leave(&mut self, label: usize) {
        if let Some(Label { active: Some(left), since, .. }) = self.labels.get(&label) {
            let own = self.versions.get_mut(left).expect("active versions do not retire");
            own.active_for = own.active_for.max(self.now - since);
        }
    }

    fn activate(&mut self, label: usize, v: u64) {
        self.leave(label);
        let own = self.labels.entry(label).or_default();
        (own.active, own.canary, own.since) = (Some(v), None, self.now);
        own.promotions.retain(|(other, _)| *other != v);
        own.promotions.push((v, false));
    }

    fn rollback(&mut self, label: usize, target: Target, force: bool) -> Answer {
        let own = self.labels.get(&label).ok_or("UnknownLabel")?.clone();
        if let (Some((canary, _)), false) =
            (own.canary, matches!(target, Target::Exact(_) | Target::Tagged))
        {
            self.version(canary)?.reverted = true;
            self.labels.insert(label, Label { canary: None, ..own.clone() });
            return Ok(own.active);
        }
        if let Target::Exact(v) = target
            && self.routable(label, v)?.active == Some(v)
        {
            return Err("AlreadyActive");
        }
        let before: Vec<_> =
            own.promotions.iter().filter(|(v, _)| Some(*v) != own.active).copied().collect();
        let startable = |v: &u64| self.versions.get(v).is_some_and(|v| !v.reverted && !v.revoked);
        let breaks = |from: usize| {
            let path = before[from..].iter().map(|(v, _)| *v).chain(own.active).collect::<Vec<_>>();
            path.windows(2).any(|step| self.level(step[0], step[1]) == 3)
        };
        let fits = |place: &usize| {
            let (v, left) = before[*place];
            let is_fit = |v: u64| match target {
                Target::LastProven => self.proven(v) && !breaks(*place),
                Target::Tagged => self.versions[&v].tagged,
                _ => true,
            };
            !left && startable(&v) && is_fit(v)
        };
        let found = (0..before.len()).rev().find(fits).map(|place| before[place].0);
        let oldest = || before.iter().map(|(v, _)| *v).find(|v| force && startable(v));
        let v = match target {
            Target::Exact(v) => v,
            _ => found.or_else(oldest).ok_or("NoRollbackTarget")?,
        };
        let own = self.labels.get_mut(&label).expect("it was found");
        own.promotions.iter_mut().for_each(|p| p.1 |= Some(p.0) == own.active);
        self.activate(label, v);
        Ok(Some(v))
    }

    fn mark(&mut self, v: u64, mark: u8, set: bool) -> Result<(), &'static str> {
        let own = self.version(v)?;
        let change = |flag: &mut bool| match std::mem::replace(flag, set) == set {
            true => Err("IllegalTransition"),
            false => Ok(()),
        };
        match mark {
            0 => change(&mut own.held)?,
            1 => change(&mut own.tagged)?,
            2 if own.approved == Some(set) => return Err("IllegalTransition"),
            2 => (own.approved, own.pending) = (Some(set), false),
            3 if !own.reverted => return Err("IllegalTransition"),
            3 => own.reverted = false,
            _ if own.revoked => return Err("IllegalTransition"),
            _ => {
                own.revoked = true;
                let canaries = self.labels.values_mut().map(|label| &mut label.canary);
                canaries.for_each(|canary| *canary = canary.filter(|canary| canary.0 != v));
            }
        }
        Ok(())
    }
}
