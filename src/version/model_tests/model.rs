//! What the versions of one graph should be, kept the plain way.

use super::ops::{Expects::Hash, Expects::Head, MOST, Op, PROOF, Target};
use std::collections::{BTreeMap, BTreeSet};

const ASKED: [&str; 3] = ["pending", "approved", "rejected"]; // one at a time
type Answer = Result<Option<u64>, &'static str>;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// The contents of all versions, gone ones included; 0 is opaque.
    pub contents: BTreeMap<u64, u8>,
    pub versions: BTreeMap<u64, Version>,
    pub labels: BTreeMap<usize, Label>,
    verdicts: BTreeMap<(u64, u64), usize>,
    pub now: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Version {
    pub marks: BTreeSet<&'static str>,
    pub active_for: u64,
    pub succeeded: bool,
    pub live: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    pub active: Option<u64>,
    pub canary: Option<(u64, u16)>,
    pub since: u64,
    policy: (bool, Option<usize>), // whether it rejects BREAKING, from where on it asks
    promotions: Vec<(u64, bool)>,  // by the latest one, and whether a rollback left it
}

impl Model {
    pub fn tick(&mut self, time: u64) {
        self.now += time;
        for Label { active, since, .. } in self.labels.values() {
            let own = active.and_then(|v| self.versions.get_mut(&v));
            own.into_iter().for_each(|it| it.active_for = it.active_for.max(self.now - since));
        }
    }

    pub fn routed(&self) -> BTreeSet<u64> {
        self.labels.values().flat_map(|l| [l.active, l.canary.map(|c| c.0)]).flatten().collect()
    }

    /// The version a command is about, or the name of the error: then it is to change nothing.
    pub fn apply(&mut self, op: &Op) -> Answer {
        let head = self.contents.len() as u64;
        must(matches!(op, Op::Publish { .. }) || head > 0, "UnknownGraph")?;
        match *op {
            Op::Publish { expects: Head(it), .. } if it != head => Err("HeadMoved"),
            Op::Publish { expects: Hash(it), content, .. } if it != content => Err("HashDiffers"),
            Op::Publish { content, promote, .. } => self.publish(content, promote),
            Op::Route(label, v, weight) => self.route(label, v, weight),
            Op::Rollback(label, target, force) => self.rollback(label, target, force),
            Op::Release(a, b) => match [self.route(0, a, None), self.route(1, b, None)] {
                [Err(why), _] | [_, Err(why)] if why != "AlreadyActive" => Err(why),
                [one, other] => one.or(other).map(|_| None),
            },
            Op::ClearCanary(label) => {
                let own = self.labels.get_mut(&label).ok_or("UnknownLabel")?;
                own.canary.take().map(|_| own.active).ok_or("NoCanary")
            }
            Op::Policy(label, policy) => {
                self.labels.entry(label).or_default().policy = policy;
                Ok(self.labels[&label].active)
            }
            Op::Remove(0) => Err("DefaultLabel"),
            Op::Remove(label) => self.labels.remove(&label).map(|_| None).ok_or("UnknownLabel"),
            Op::Judge(from, v, level) => {
                must([from, v].iter().all(|v| self.contents.contains_key(v)), "UnknownVersion")?;
                self.verdicts.insert((from, v), level);
                Ok(Some(v))
            }
            Op::Mark(v, mark, set) => {
                let marks = &mut self.version(v)?.marks;
                must(
                    if set { marks.insert(mark) } else { marks.remove(mark) },
                    "IllegalTransition",
                )?;
                marks.retain(|it| *it == mark || !ASKED.contains(&mark) || !ASKED.contains(it));
                let labels = self.labels.values_mut().filter(|_| mark == "revoked");
                labels.for_each(|own| own.canary = own.canary.filter(|canary| canary.0 != v));
                Ok(Some(v))
            }
            Op::Retire(v) | Op::Drain(v) => match self.version(v)?.clone() {
                _ if self.routed().contains(&v) => Err("StillRouted"),
                _ if matches!(op, Op::Drain(_)) => Ok(Some(v)),
                own if own.marks.contains("held") => Err("Held"),
                own if own.live > 0 => Err("InUse"),
                _ => Ok(self.versions.remove(&v).map(|_| v)),
            },
            _ => Ok(None),
        }
    }

    fn version(&mut self, v: u64) -> Result<&mut Version, &'static str> {
        let is_gone = self.contents.contains_key(&v);
        self.versions.get_mut(&v).ok_or(if is_gone { "VersionGone" } else { "UnknownVersion" })
    }

    /// 0 is COMPATIBLE, 1 `MINOR_CHANGE`, 2 UNKNOWN, 3 BREAKING.
    fn level(&self, from: u64, to: u64) -> usize {
        let is_opaque = self.contents[&from] == 0 || self.contents[&to] == 0;
        self.verdicts.get(&(from, to)).copied().unwrap_or(if is_opaque { 2 } else { 0 })
    }

    /// What a label asks an approval of waits for it: what it never led to, or a person judged.
    pub fn queue(&mut self) {
        let known = self.clone();
        for (v, own) in &mut self.versions {
            let is_asked = |label: &Label, old: u64| {
                let was_active = label.promotions.iter().any(|one| one.0 == *v);
                let is_new = !was_active || known.verdicts.contains_key(&(old, *v));
                is_new && old != *v && label.policy.1.is_some_and(|it| known.level(old, *v) >= it)
            };
            let is_open = !ASKED.iter().chain(&["revoked"]).any(|mark| own.marks.contains(mark));
            let asks = |it: &Label| it.active.is_some_and(|old| is_asked(it, old));
            own.marks.extend((is_open && known.labels.values().any(asks)).then_some("pending"));
        }
    }

    fn publish(&mut self, content: u8, promote: bool) -> Answer {
        let same = |v: &u64| content > 0 && self.contents[v] == content;
        let v = self.versions.keys().copied().find(same).unwrap_or(self.contents.len() as u64 + 1);
        must(self.versions.contains_key(&v) || self.versions.len() < MOST, "TooManyVersions")?;
        self.contents.insert(v, content);
        let is_revoked = self.versions.entry(v).or_default().marks.contains("revoked");
        let is_active = self.labels.entry(0).or_default().active == Some(v) && !is_revoked;
        if promote && !is_active { self.route(0, v, None) } else { Ok(Some(v)) }
    }

    /// A label, if that version may become its active one or its canary, but for its policy.
    fn routable(&mut self, label: usize, v: u64) -> Result<Label, &'static str> {
        let marks = &self.version(v)?.marks;
        must(!marks.contains("revoked"), "Revoked")?;
        must(!marks.contains("reverted"), "Reverted")?;
        let own = self.labels.get(&label).cloned().unwrap_or_default();
        must(own.active != Some(v), "AlreadyActive").map(|()| own)
    }

    /// A version becomes the canary of a label, if a weight is given, else the active one.
    fn route(&mut self, label: usize, v: u64, weight: Option<u16>) -> Answer {
        let own = self.routable(label, v)?;
        must(weight.is_none() || own.active.is_some(), "NoActiveVersion")?;
        let ((rejects, asks), marks) = (own.policy, &self.versions[&v].marks);
        let level = own.active.map(|old| self.level(old, v));
        must(!marks.contains("rejected"), "Rejected")?;
        must(!rejects || level < Some(3), "BreakingRejected")?;
        must(asks.is_none() || level < asks || marks.contains("approved"), "ApprovalRequired")?;
        let Some(weight) = weight else { return self.activate(label, own, v) };
        self.labels.insert(label, Label { canary: Some((v, weight)), ..own });
        Ok(Some(v))
    }

    fn activate(&mut self, label: usize, mut own: Label, v: u64) -> Answer {
        own.promotions.retain(|(other, _)| *other != v);
        own.promotions.push((v, false));
        self.labels.insert(label, Label { active: Some(v), canary: None, since: self.now, ..own });
        Ok(Some(v))
    }

    fn rollback(&mut self, label: usize, target: Target, force: bool) -> Answer {
        let mut own = self.labels.get(&label).cloned().ok_or("UnknownLabel")?;
        if let (Some((v, 1..)), Target::LastProven | Target::Previous) = (own.canary, target) {
            self.labels.insert(label, Label { canary: None, ..own });
            self.version(v)?.marks.insert("reverted");
            return Ok(own.active);
        }
        let (mut worst, mut known) = (0, Vec::new());
        for step in own.promotions.windows(2).rev() {
            let (v, is_left) = step[0];
            worst = worst.max(self.level(v, step[1].0));
            let Ok(_) = self.routable(label, v) else { continue };
            let own = &self.versions[&v];
            let is_proven =
                own.marks.contains("proven") || own.succeeded && own.active_for >= PROOF;
            let fits = match target {
                Target::LastProven => is_proven && worst < 3,
                Target::Tagged => own.marks.contains("stable"),
                Target::Previous | Target::Exact(_) => true,
            };
            known.push((v, fits && !is_left));
        }
        let found = known.iter().find(|one| one.1).or(known.last().filter(|_| force));
        let v = match target {
            Target::Exact(v) => self.routable(label, v).map(|_| v)?,
            _ => found.ok_or("NoRollbackTarget")?.0,
        };
        own.promotions.last_mut().into_iter().for_each(|active| active.1 = true);
        self.activate(label, own, v)
    }
}

fn must(holds: bool, error: &'static str) -> Result<(), &'static str> {
    holds.then_some(()).ok_or(error)
}
