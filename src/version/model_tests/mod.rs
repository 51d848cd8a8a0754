//! Random commands against a plain model: both say the same, and the invariants hold after each.

mod model;
mod ops;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::id::{LabelName, VersionNumber};
use model::{MOST, Model, PROOF};
use ops::{Op, Step, Target, change, graph, label, step};

/// What the commands have made, and the runs that go on.
struct World {
    lineages: Lineages,
    audit: AuditLog,
    /// What starts see.
    seen: Arc<Snapshot>,
    runs: Vec<Pin>,
    manifests: Vec<Arc<Manifest>>,
    /// What a process would find that opened the journal now.
    kept: Restored,
    /// The bucket of one key, by label and canary.
    buckets: BTreeMap<(LabelName, VersionNumber), u16>,
    /// How many commands were accepted that changed the model.
    revision: u64,
}

impl World {
    fn new() -> Self {
        let retention = Retention::default().keep_last(usize::MAX).hard_limit(MOST);
        let (lineages, audit) = (Lineages::new(retention), AuditLog::default());
        let (seen, runs, manifests) = (Arc::default(), Vec::new(), Vec::new());
        let (kept, buckets) = (Restored::default(), BTreeMap::new());
        Self { lineages, audit, seen, runs, manifests, kept, buckets, revision: 0 }
    }

    fn execute(&mut self, change: Change, now: u64) -> Result<Done, VersionError> {
        self.execute_under(change, Terms::default(), now)
    }

    fn execute_under(
        &mut self,
        change: Change,
        terms: Terms,
        now: u64,
    ) -> Result<Done, VersionError> {
        let command = Command { change, terms };
        let seen = &mut self.seen;
        let swap = |turned: &Turned<'_>| {
            assert!(!turned.transitions().is_empty(), "a change that nobody is told of");
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

    /// Starts a run, and says which version it must be of, as the model has it.
    fn start(&mut self, model: &mut Model, l: usize, version: Option<u64>, key: bool) {
        let key = key.then(|| format!("key {}", self.runs.len()).into());
        let selector = match version {
            Some(version) => Selector::Version(VersionNumber(version)),
            None => Selector::Label { label: label(l), key },
        };
        let found = self.seen.resolve(&graph(), &selector);
        let routed = model.labels.get(&l).filter(|label| label.active.is_some());
        let expected: Vec<u64> = match (version, routed) {
            (Some(version), _) => vec![version],
            (None, Some(label)) => {
                label.active.into_iter().chain(label.canary.map(|canary| canary.0)).collect()
            }
            (None, None) => Vec::new(),
        };
        match found {
            Ok((found, decision)) => {
                let number = found.number().0;
                assert_eq!(decision.version.0, number);
                assert!(expected.contains(&number), "{number} of {expected:?}");
                let own = model.versions.get_mut(&number).expect("I9: it can be started");
                assert!(!own.marks.contains("revoked"), "I9: what is revoked takes no start");
                own.live += 1;
                self.runs.push(Pin::of(&found).expect("I7: what can be started is not retired"));
            }
            Err(_) => {
                let startable = |v: &u64| {
                    model.versions.get(v).is_some_and(|own| !own.marks.contains("revoked"))
                };
                assert!(!expected.iter().any(startable) || expected.len() > 1, "{expected:?}");
            }
        }
    }

    fn end(&mut self, model: &mut Model, is_success: bool) {
        if self.runs.is_empty() {
            return;
        }
        let ended = self.runs.remove(0);
        let own = model.versions.get_mut(&ended.version().number().0).expect("it is pinned");
        own.live -= 1;
        own.succeeded |= is_success;
        if is_success {
            ended.version().count_success();
        }
    }

    fn check(&mut self, model: &Model) {
        let snapshot = self.seen.clone();
        assert_eq!(snapshot.revision(), self.revision, "I10: the revision counts changes");
        assert_eq!(self.audit.fold(), Routing::of(&snapshot), "I23: the audit adds up");
        assert_eq!(
            Routing::of(&self.kept.snapshot),
            Routing::of(&snapshot),
            "I23: so does the journal"
        );
        let Some(route) = snapshot.route(&graph()) else {
            return assert!(model.contents.is_empty());
        };
        let numbers: Vec<_> = route.versions.keys().map(|number| number.0).collect();
        assert_eq!(numbers, model.versions.keys().copied().collect::<Vec<_>>(), "I2");
        let all = route.versions.keys().chain(route.retired.keys());
        assert_eq!(all.copied().collect::<BTreeSet<_>>().len(), model.contents.len(), "I1");
        self.check_manifests(route);
        for (version, entry) in &route.versions {
            check_version(model, route, *version, entry);
        }
        for (name, found) in route.labels() {
            let expected = &model.labels[&usize::from(!name.is_default())];
            let canary =
                found.canary.as_ref().map(|canary| (canary.version.0, canary.weight.get()));
            assert_eq!((found.active.map(|v| v.0), canary), (expected.active, expected.canary));
            assert_eq!(found.since.0, expected.since);
            let kept = self.kept.snapshot.route(&graph()).and_then(|route| route.label(&name));
            assert_eq!(kept.unwrap().promotions, found.promotions, "I16: what a rollback goes by");
            self.check_canary(name, found);
        }
    }

    /// I13, I14: a canary has as many buckets as its weight says, and a key never changes its own.
    fn check_canary(&mut self, label: LabelName, found: &super::label::LabelRoute) {
        let Some(canary) = &found.canary else { return };
        let weight = canary.weight.get();
        assert!(weight == 0 || canary.has(weight - 1), "I13");
        assert!(!canary.has(weight), "I13");
        let bucket = canary.bucket("key");
        let known = *self.buckets.entry((label, canary.version)).or_insert(bucket);
        assert_eq!(known, bucket, "I14");
    }

    /// I1: a manifest never changes, and numbers are never used again.
    fn check_manifests(&mut self, route: &super::snapshot::Route) {
        for number in 1..=route.head {
            let manifest = route.manifest(VersionNumber(number)).expect("manifests stay");
            let place = usize::try_from(number - 1).unwrap();
            match self.manifests.get(place) {
                Some(known) => assert!(Arc::ptr_eq(known, manifest), "I1"),
                None => self.manifests.push(manifest.clone()),
            }
        }
    }
}

fn check_version(
    model: &Model,
    route: &super::snapshot::Route,
    version: VersionNumber,
    entry: &super::snapshot::Entry,
) {
    let (expected, marks, view) = (&model.versions[&version.0], &entry.marks, entry.version.view());
    assert!(!view.retired, "I7");
    assert_eq!(view.live, expected.live, "I8: pins are the live runs");
    assert_eq!(view.draining, !model.routed().contains(&version.0), "I15: the unrouted drain");
    let marked = [
        ("reverted", marks.reverted.is_some()),
        ("held", marks.held.is_some()),
        ("revoked", marks.revoked.is_some() && entry.version.is_revoked()),
        ("stable", !marks.tags.is_empty()),
        ("pending", marks.approval == Approval::Pending),
        ("approved", matches!(marks.approval, Approval::Approved(_))),
        ("rejected", matches!(marks.approval, Approval::Rejected(_))),
    ];
    let marked: BTreeSet<_> = marked.iter().filter(|mark| mark.1).map(|mark| mark.0).collect();
    assert_eq!(marked, expected.marks);
    let labels = route.labels().filter(|(_, label)| label.active == Some(version));
    let today = labels.map(|(_, label)| Timestamp(model.now).since(label.since)).max();
    let active_for = marks.active_for.max(today.unwrap_or_default());
    assert_eq!(active_for, Duration::from_micros(expected.active_for));
    assert_eq!(
        entry.is_proven(route, Timestamp(model.now)),
        expected.succeeded && expected.active_for >= PROOF
    );
}

/// What was asked for under a request id, and what it was told.
type Told = (String, Result<Option<u64>, String>);

/// What the model says of a command; it is changed if that is accepted.
fn apply(world: &mut World, model: &mut Model, op: &Op) -> Result<Option<u64>, String> {
    let mut next = model.clone();
    let version = next.apply(op)?;
    next.queue();
    // A verdict is a change although it may say what was so.
    world.revision += u64::from(next != *model || matches!(op, Op::Judge(..)));
    *model = next;
    Ok(version)
}

/// The name of an error's variant.
fn name(error: &VersionError) -> String {
    let text = format!("{error:?}");
    text.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

fn config() -> ProptestConfig {
    let cases = if std::env::var_os("HOTGRAPH_SOAK").is_some() { 10_000 } else { 500 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn a_pin_that_comes_while_a_full_graph_is_published_does_not_make_room_for_one_too_many() {
    let mut world = World::new();
    let retention = Retention::default().keep_last(1).keep_proven(0).soft_limit(1).hard_limit(2);
    world.lineages = Lineages::new(retention);
    let publish = |content| change(&Op::Publish { content, promote: false });
    world.execute(publish(1), 0).unwrap();
    world.execute(publish(2), 0).unwrap();
    for turn in 3..2_000_u64 {
        let route = world.seen.route(&graph()).unwrap();
        let oldest = route.versions.values().next().unwrap().version.clone();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    drop(Pin::of(&oldest));
                }
            });
            // It is refused if the pin is seen at all.
            let _ = world.execute(publish(u8::try_from(turn % 250).unwrap() + 3), 0);
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert!(world.seen.route(&graph()).unwrap().versions.size() <= 2);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn commands_do_what_a_plain_model_says(steps in proptest::collection::vec(step(), 50)) {
        let (mut world, mut model) = (World::new(), Model::default());
        let (mut told, mut latest) = (BTreeMap::new(), None);
        for step in steps {
            let again = latest.clone().filter(|_| step.is_repeat);
            let Step { op, request_id, is_stale, .. } = again.unwrap_or_else(|| step.clone());
            match op {
                Op::Start { label, version, key } => world.start(&mut model, label, version, key),
                Op::End(is_success) => world.end(&mut model, is_success),
                Op::Tick(seconds) => model.tick(seconds * 1_000_000),
                op => {
                    let known: Option<Told> = request_id.and_then(|id| told.get(&id).cloned());
                    let terms = Terms {
                        request_id: request_id.map(|id| id.to_string().into()),
                        if_revision: is_stale.then_some(world.revision + 1),
                        ..Terms::default()
                    };
                    let found = world.execute_under(change(&op), terms, model.now);
                    let expected = match &known {
                        Some((asked, answer)) if *asked == format!("{op:?}") => answer.clone(),
                        Some(_) => Err("RequestIdTaken".to_owned()),
                        None if is_stale => Err("Conflict".to_owned()),
                        None => apply(&mut world, &mut model, &op),
                    };
                    if let (Some(id), None) = (request_id, &known) {
                        told.insert(id, (format!("{op:?}"), expected.clone()));
                        latest = Some(Step { op: op.clone(), ..step });
                    }
                    let found = found.map(|done| done.version.map(|version| version.0));
                    prop_assert_eq!(found.map_err(|error| name(&error)), expected, "{:?}", op);
                }
            }
            world.check(&model);
        }
    }

    #[test]
    fn after_a_rollback_the_active_version_was_promoted_before_and_is_not_reverted(
        steps in proptest::collection::vec(step(), 50),
    ) {
        let (mut world, mut model) = (World::new(), Model::default());
        let active = |world: &World, l| world.seen.standing(&graph(), &label(l)).active;
        let mut promoted: BTreeMap<usize, BTreeSet<VersionNumber>> = BTreeMap::new();
        for Step { op, .. } in steps {
            let before = [0, 1].map(|l| active(&world, l));
            match &op {
                Op::Start { label, version, key } => world.start(&mut model, *label, *version, *key),
                Op::End(is_success) => world.end(&mut model, *is_success),
                Op::Tick(seconds) => model.tick(seconds * 1_000_000),
                op => {
                    let done = world.execute(change(op), model.now);
                    prop_assert_eq!(done.is_ok(), apply(&mut world, &mut model, op).is_ok());
                }
            }
            let now = [0, 1].map(|l| active(&world, l));
            // One that takes back a canary leaves the active version as it is.
            if let Op::Rollback(l, target, _) = op && now[l] != before[l] {
                let active = now[l].expect("a rollback leads to a version");
                let marks = &world.seen.entry(&graph(), active).unwrap().marks;
                prop_assert!(marks.reverted.is_none(), "I16: {active} is reverted");
                let was_active = promoted.get(&l).is_some_and(|known| known.contains(&active));
                prop_assert!(was_active || matches!(target, Target::Exact(_)), "I16: {active}");
            }
            for (l, active) in now.into_iter().enumerate() {
                match active {
                    Some(active) => drop(promoted.entry(l).or_default().insert(active)),
                    None => drop(promoted.remove(&l)),
                }
            }
        }
    }
}
