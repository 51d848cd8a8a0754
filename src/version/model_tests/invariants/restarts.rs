//! What a process finds that opens the journal now.

use std::sync::Arc;

use super::super::model::Model;
use super::super::ops::{graph, label};
use super::super::rollouts::take_back;
use super::super::world::{World, name, place};
use crate::clock::Timestamp;
use crate::id::VersionNumber;
use crate::version::{
    Command, Decided, Lineages, Refusal, Retention, Selector, Snapshot, StoredRollout, start,
};

pub fn check(world: &World, model: &Model) {
    bring_plans(world);
    runs_find_their_versions(world, model);
    promotions_that_nobody_confirmed_go_back(world, model);
}

/// The process has the handlers of every version.
fn bring_plans(world: &World) {
    let route = world.seen.route(&graph());
    for (number, entry) in route.into_iter().flat_map(|route| route.versions.iter()) {
        let kept = world.kept.snapshot.version(&graph(), *number).expect("it is on record");
        entry.version.plan().into_iter().for_each(|plan| kept.bring(plan.clone()));
    }
}

/// I22: recovery never changes a run's version.
fn runs_find_their_versions(world: &World, model: &Model) {
    let kept = Arc::new(world.kept.snapshot.clone());
    for run in &world.runs {
        let selector = Selector::Bound(VersionNumber(run.version));
        let is_revoked = model.versions[&run.version].marks.contains("revoked");
        match start(|| &kept, |_| true, &graph(), &selector) {
            Ok((pin, _)) => {
                let (found, own) = (pin.version().manifest(), run.pin.version().manifest());
                assert_eq!((found.number, found.hash), (own.number, own.hash), "I22");
                assert!(!is_revoked, "I22: what is revoked takes no run");
            }
            Err(error) => assert!(is_revoked, "I22: version {} {error}", run.version),
        }
    }
}

/// I17: unconfirmed plus restart goes back to permanent.
///
/// What is permanent is what the label led to before the rollout, unless something was said against
/// that since: then it is the one before, or the label stays as it is because there is none.
fn promotions_that_nobody_confirmed_go_back(world: &World, model: &Model) {
    let open = &world.kept.rollouts;
    assert_eq!(open.len(), world.rollouts.under_way.len(), "I17: what is under way");
    let (mut process, mut expected) = (Process::new(world, model.now), model.clone());
    for rollout in open {
        let (l, v) = (place(&rollout.label), rollout.version.0);
        let known = &world.rollouts.under_way[&l];
        let stored = (rollout.version.0, rollout.is_confirmed);
        assert_eq!(stored, (known.version, known.is_confirmed), "I17: what is under way");
        let mut next = expected.clone();
        let leads = |model: &Model| {
            let own = model.labels.get(&l).map(|own| [own.active, own.canary.map(|it| it.0)]);
            own.is_some_and(|own| own.contains(&Some(v)))
        };
        let is_back = !leads(&next) || known.is_confirmed || take_back(&mut next, l, v).is_ok();
        let answer = process.end(rollout);
        assert_eq!(answer.is_ok(), is_back, "I17: {answer:?}");
        if is_back {
            expected = next;
            assert!(known.is_confirmed || !leads(&expected));
        }
    }
    for (l, own) in &expected.labels {
        let standing = process.seen.standing(&graph(), &label(*l));
        let canary = standing.canary.map(|(v, weight)| (v.0, weight.get()));
        assert_eq!((standing.active.map(|v| v.0), canary), (own.active, own.canary), "I17");
    }
}

/// A process that has opened the journal.
struct Process {
    lineages: Lineages,
    audit: crate::version::AuditLog,
    seen: Arc<Snapshot>,
    now: u64,
}

impl Process {
    fn new(world: &World, now: u64) -> Self {
        let lineages = Lineages::restore(&world.kept, Retention::default());
        let seen = Arc::new(world.kept.snapshot.clone());
        Self { lineages, audit: world.kept.audit.clone(), seen, now }
    }

    /// Ends a rollout as a process does that comes up.
    fn end(&mut self, rollout: &StoredRollout) -> Result<(), String> {
        let back = rollout.take_back(&self.seen);
        self.execute(&back).inspect_err(|refused| {
            self.execute(&rollout.strand(refused.clone())).expect("it lets go of the label");
        })
    }

    fn execute(&mut self, command: &Command) -> Result<(), String> {
        let decided = self.lineages.decide(command, None, Timestamp(self.now), &self.audit);
        let Decided::New(decided) = decided else { unreachable!("it has no name") };
        let seen = &mut self.seen;
        let swap = |turned: &crate::version::Turned<'_>| *seen = turned.after.clone();
        let answer = self.lineages.take_effect(command, *decided, &mut self.audit, swap);
        answer.map(drop).map_err(|error| name(&Refusal::into_version_error(error)))
    }
}
