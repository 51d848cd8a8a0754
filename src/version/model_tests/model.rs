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
    pub labels: BTreeMap<usize, Label>,
    pub verdicts: BTreeMap<(u64, u64), usize>,
    /// The contents of all versions, gone ones included; 0 is opaque.
    contents: BTreeMap<u64, u8>,
    judged: u64,
    pub now: u64,
    pub revision: u64,
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
    rejects: bool,
    asks: Option<usize>,
    /// Versions by their latest promotion, and whether a rollback left them.
    promotions: Vec<(u64, bool)>,
}

type Answer = Result<Option<u64>, &'static str>;

impl Model {
    /// The version a command is about, or the name of the error; a refusal changes nothing.
    pub fn apply(&mut self, op: &Op) -> Answer {
        let mut next = self.clone();
        let answer = next.act(op)?;
        next.queue();
        next.revision += u64::from(next != *self);
        *self = next;
        Ok(answer)
    }

    pub fn routed(&self) -> BTreeSet<u64> {
        let labels = self.labels.values();
        labels.flat_map(|label| [label.active, label.canary.map(|c| c.0)]).flatten().collect()
    }

    pub fn is_proven(&self, v: u64) -> bool {
        let labels = self.labels.values().filter(|label| label.active == Some(v));
        let longest = labels.map(|label| self.now - label.since).max().unwrap_or(0);
        self.versions[&v].succeeded && self.versions[&v].active_for.max(longest) >= PROOF
    }

    fn act(&mut self, op: &Op) -> Answer {
        if self.head == 0 && !matches!(op, Op::Publish { .. }) {
            return Err("UnknownGraph");
        }
        match *op {
            Op::Publish { content, promote } => return self.publish(content, promote),
            Op::Promote(label, v) => return self.promote(label, v),
            Op::Release(a, b) => return self.release([(0, a), (1, b)]),
            Op::Rollback(label, target, force) => return self.rollback(label, target, force),
            Op::Mark(v, mark, set) => return self.mark(v, mark, set),
            Op::Canary(label, v, weight) => {
                let own = self.routable(label, v)?;
                own.active.ok_or("NoActiveVersion")?;
                self.policy(&own, v)?;
                self.labels.insert(label, Label { canary: Some((v, weight)), ..own });
                return Ok(Some(v));
            }
            Op::ClearCanary(label) => {
                let own = self.labels.get_mut(&label).ok_or("UnknownLabel")?;
                return own.canary.take().map(|_| own.active).ok_or("NoCanary");
            }
            Op::Policy(label, rejects, asks) => {
                let own = self.labels.entry(label).or_default();
                (own.rejects, own.asks) = (rejects, asks);
                return Ok(own.active);
            }
            Op::Remove(label) if !self.labels.contains_key(&label) => return Err("UnknownLabel"),
            Op::Remove(0) => return Err("DefaultLabel"),
            Op::Remove(label) => {
                self.leave(label);
                self.labels.remove(&label);
            }
            Op::Judge(from, to, level) => {
                let is_known = [from, to].iter().all(|v| (1..=self.head).contains(v));
                is_known.then_some(()).ok_or("UnknownVersion")?;
                self.verdicts.insert((from, to), level);
                self.judged += 1;
                return Ok(Some(to));
            }
            Op::Retire(v) => {
                let own = self.version(v)?.clone();
                match (self.routed().contains(&v), own.marks.contains("held"), own.live) {
                    (true, ..) => return Err("StillRouted"),
                    (_, true, _) => return Err("Held"),
                    (.., 1..) => return Err("InUse"),
                    _ => self.versions.remove(&v),
                };
                return Ok(Some(v));
            }
            Op::Start { .. } | Op::End(_) | Op::Tick(_) => unreachable!("these are no commands"),
        }
        Ok(None)
    }

    fn version(&mut self, v: u64) -> Result<&mut Version, &'static str> {
        let is_gone = (1..=self.head).contains(&v);
        self.versions.get_mut(&v).ok_or(if is_gone { "VersionGone" } else { "UnknownVersion" })
    }

    /// A label, if that version may become its active one or its canary.
    fn routable(&mut self, label: usize, v: u64) -> Result<Label, &'static str> {
        let marks = self.version(v)?.marks.clone();
        let own = self.labels.get(&label).cloned().unwrap_or_default();
        match own.active == Some(v) {
            _ if marks.contains("revoked") => Err("Revoked"),
            _ if marks.contains("reverted") => Err("Reverted"),
            true => Err("AlreadyActive"),
            false => Ok(own),
        }
    }

    /// 0 is COMPATIBLE, 1 `MINOR_CHANGE`, 2 UNKNOWN, 3 BREAKING.
    fn level(&self, from: u64, to: u64) -> usize {
        let is_opaque = self.contents[&from] == 0 || self.contents[&to] == 0;
        self.verdicts.get(&(from, to)).copied().unwrap_or(if is_opaque { 2 } else { 0 })
    }

    fn policy(&self, label: &Label, v: u64) -> Result<(), &'static str> {
        let (marks, level) = (&self.versions[&v].marks, label.active.map(|old| self.level(old, v)));
        match level {
            _ if marks.contains("rejected") => Err("Rejected"),
            Some(3) if label.rejects => Err("BreakingRejected"),
            Some(level) if label.asks <= Some(level) && label.asks.is_some() => {
                marks.contains("approved").then_some(()).ok_or("ApprovalRequired")
            }
            _ => Ok(()),
        }
    }

    /// What a label asks an approval of waits for it: what it never led to, or a person judged.
    fn queue(&mut self) {
        let is_asked = |v: u64, label: &Label| {
            let (Some(active), Some(asks)) = (label.active, label.asks) else { return false };
            let was_active = label.promotions.iter().any(|one| one.0 == v);
            let is_new = !was_active || self.verdicts.contains_key(&(active, v));
            active != v && is_new && self.level(active, v) >= asks
        };
        let asked = self.versions.keys().filter(|v| self.labels.values().any(|l| is_asked(**v, l)));
        for v in asked.copied().collect::<Vec<_>>() {
            let marks = self.versions.get_mut(&v).map(|own| &mut own.marks).expect("it is there");
            if !["approved", "rejected", "revoked"].iter().any(|said| marks.contains(said)) {
                marks.insert("pending");
            }
        }
    }

    fn publish(&mut self, content: u8, promote: bool) -> Answer {
        let same = |v: &&u64| content > 0 && self.contents[*v] == content;
        let known = self.versions.keys().find(same).copied();
        let v = known.unwrap_or(self.head + 1);
        if known.is_none() && self.versions.len() >= MOST {
            return Err("TooManyVersions");
        } else if known.is_none() {
            self.head = v;
            self.contents.insert(v, content);
            self.labels.entry(0).or_default();
            self.versions.insert(v, Version::default());
        }
        let promotes = promote && self.labels[&0].active != Some(v);
        if promotes { self.promote(0, v) } else { Ok(Some(v)) }
    }

    fn promote(&mut self, label: usize, v: u64) -> Answer {
        let own = self.routable(label, v)?;
        self.policy(&own, v)?;
        self.activate(label, v)
    }

    fn release(&mut self, promotions: [(usize, u64); 2]) -> Answer {
        let answers = promotions.map(|(label, v)| self.promote(label, v));
        let refusal = answers.iter().find(|answer| !matches!(answer, Ok(_) | Err("AlreadyActive")));
        let is_done = answers.iter().any(Result::is_ok);
        refusal.copied().unwrap_or(if is_done { Ok(None) } else { answers[0] })
    }

    fn leave(&mut self, label: usize) {
        let Some(Label { active: Some(left), since, .. }) = self.labels.get(&label) else { return };
        let own = self.versions.get_mut(left).expect("active versions do not retire");
        own.active_for = own.active_for.max(self.now - since);
    }

    fn activate(&mut self, label: usize, v: u64) -> Answer {
        self.leave(label);
        let own = self.labels.entry(label).or_default();
        (own.active, own.canary, own.since) = (Some(v), None, self.now);
        own.promotions.retain(|(other, _)| *other != v);
        own.promotions.push((v, false));
        Ok(Some(v))
    }

    fn rollback(&mut self, label: usize, target: Target, force: bool) -> Answer {
        let own = self.labels.get_mut(&label).ok_or("UnknownLabel")?;
        if let (Some((v, 1..)), Target::LastProven | Target::Previous) = (own.canary, target) {
            let active = own.active;
            own.canary = None;
            self.version(v)?.marks.insert("reverted");
            return Ok(active);
        }
        let (active, path) = (own.active, own.promotions.clone());
        let fits = |at: usize, (v, left): (u64, bool)| {
            let mut steps = path[at..].windows(2);
            let fits = match target {
                Target::LastProven => {
                    self.is_proven(v) && steps.all(|step| self.level(step[0].0, step[1].0) < 3)
                }
                Target::Tagged => self.versions[&v].marks.contains("stable"),
                Target::Previous | Target::Exact(_) => true,
            };
            !left && fits
        };
        let can_start = |v: u64| {
            let own = self.versions.get(&v).filter(|_| active != Some(v));
            own.is_some_and(|own| !["revoked", "reverted"].iter().any(|m| own.marks.contains(m)))
        };
        let mut all = path.iter().copied().enumerate().filter(|(_, one)| can_start(one.0));
        let found = all.clone().rev().find(|(at, one)| fits(*at, *one));
        let found = found.or_else(|| all.next().filter(|_| force)).map(|(_, one)| one.0);
        let v = match target {
            Target::Exact(v) => self.routable(label, v).map(|_| v)?,
            _ => found.ok_or("NoRollbackTarget")?,
        };
        let promotions = self.labels.get_mut(&label).map(|own| own.promotions.iter_mut());
        promotions.into_iter().flatten().for_each(|one| one.1 |= Some(one.0) == active);
        self.activate(label, v)
    }

    fn mark(&mut self, v: u64, mark: usize, set: bool) -> Answer {
        let (mark, contrary) = [
            ("held", ""),
            ("stable", ""),
            if set { ("approved", "rejected") } else { ("rejected", "approved") },
            ("reverted", ""),
            ("revoked", ""),
        ][mark];
        // A version is reverted by a rollback, and never un-revoked or un-approved as such.
        let set = (set || ["rejected", "revoked"].contains(&mark)) && mark != "reverted";
        let marks = &mut self.version(v)?.marks;
        let is_change = if set { marks.insert(mark) } else { marks.remove(mark) };
        is_change.then_some(()).ok_or("IllegalTransition")?;
        marks.retain(|other| *other != contrary && (contrary.is_empty() || *other != "pending"));
        for label in self.labels.values_mut().filter(|_| mark == "revoked") {
            label.canary = label.canary.filter(|canary| canary.0 != v);
        }
        Ok(Some(v))
    }
}
