//! The pure core under random interleavings of lanes: every one of them ends alike.
//!
//! No actor and no clock: lanes are vectors, and what a lane reports is applied at once. The rules
//! are those of `batch.rs`: a lane reports before it shares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::batch::Batch;
use super::execution::Execution;
use super::machine::{Effect, Machine};
use super::outcome::Outcome;
use super::retention::StateRetention;
use super::state_ids::StateCounter;
use super::status::{RunStatus, StateStatus};
use super::unites::{Barriers, Verdict};
use super::walk::{Fault, Ground, Walker};
use crate::clock::Rng;
use crate::graph::{CheckLimits, Plan, Wanted, check, compile};
use crate::id::{RunId, VersionNumber};
use crate::node::Store;
use crate::{
    Arity, Context, Document, Emit, Fields, Handler, NodeSpec, RetryPolicy, Schema, Value,
};

/// Nested fanouts; two mergers on one node, one below another, one that minds failures.
fn document() -> Document {
    let key = "${{outer.outputs.k}}";
    Document::builder("g")
        .retry(RetryPolicy::fixed(1, std::time::Duration::from_millis(1)))
        .node(NodeSpec::new("outer").handler("many").next("inner").next("side"))
        .node(
            NodeSpec::new("inner")
                .handler("many")
                .input("k", key)
                .next_when("leaf", "${{inner.outputs.k}} != 1"),
        )
        .node(NodeSpec::new("side").handler("one").input("k", key).next("all"))
        .node(
            NodeSpec::new("leaf")
                .handler("one")
                .input("k", "${{inner.outputs.k}}")
                .next("near")
                .next("strict"),
        )
        .node(
            NodeSpec::new("near")
                .handler("one")
                .unites("inner")
                .all_done()
                .input("k", "${{leaf.outputs.k}}")
                .next("all"),
        )
        .node(NodeSpec::new("strict").handler("one").unites("inner").input("k", key))
        .node(
            NodeSpec::new("all")
                .handler("one")
                .unites("outer")
                .all_done()
                .input("k", "${{near.outputs.k}}")
                .next("after"),
        )
        .node(
            NodeSpec::new("after")
                .handler("one")
                .unites("outer")
                .all_done()
                .input("k", "${{all.outputs.k}}"),
        )
        .build()
}

fn plan() -> Arc<Plan> {
    let open = || (Schema::any(), Schema::any());
    let nothing = |_: Value, _: Context| async { Ok(Emit::nothing()) };
    let handler = |arity| Arc::new(Handler::dynamic("h", open(), arity, nothing));
    let (one, many) = (handler(Arity::One), handler(Arity::Many));
    let find =
        |wanted: Wanted<'_>| Some(if wanted.name == "many" { many.clone() } else { one.clone() });
    let checked = check(&document(), &CheckLimits::default(), Some(&find)).unwrap();
    let pick = |name: &str| if name == "many" { many.clone() } else { one.clone() };
    let handlers = checked.nodes.iter().map(|node| pick(&node.node_name)).collect();
    Arc::new(compile(checked, handlers, None).unwrap())
}

enum Task {
    Attempt(Box<Execution>),
    Fanout(Arc<Drawing>),
}

/// A fanout of `total` outputs.
struct Drawing {
    execution: Execution,
    drawn: AtomicU64,
    total: u64,
}

#[derive(Default)]
struct Lane {
    tasks: Vec<Task>,
    batch: Batch,
}

/// A run whose lanes are scheduled by a seed; what handlers do depends on `world` alone.
struct World {
    world: u64,
    ground: Ground,
    lanes: Vec<Lane>,
    shared: Vec<Arc<Drawing>>,
    barriers: Barriers,
    machine: Machine,
    chance: Rng,
    /// A planted bug: lanes share work without having reported it.
    shares_unreported: bool,
    settled: u64,
    fired: BTreeSet<(u64, u32)>,
}

impl World {
    fn new(plan: &Arc<Plan>, world: u64, seed: u64) -> Self {
        let (run, version) = (RunId(1), VersionNumber(1));
        let ground = Ground {
            plan: plan.clone(),
            run,
            version,
            store: Store::default(),
            retention: StateRetention::All,
            states: StateCounter::default(),
            is_durable: false,
        };
        let mut new = Self {
            world,
            ground,
            lanes: (0..3).map(|_| Lane::default()).collect(),
            shared: Vec::new(),
            barriers: Barriers::new(plan.clone()),
            machine: Machine::new(plan.clone(), run, version, Vec::new()),
            chance: Rng::seeded(seed),
            shares_unreported: false,
            settled: 0,
            fired: BTreeSet::new(),
        };
        let mut batch = Batch::default();
        let root = Walker::new(&new.ground, &mut batch, false).begin(Value::empty_object());
        new.lanes[0].tasks.push(Task::Attempt(root.unwrap()));
        new.apply(batch);
        new
    }

    fn apply(&mut self, batch: Batch) {
        let effects = self.machine.apply(batch.run);
        self.count(&effects);
        for verdict in self.barriers.apply(batch.groups) {
            match verdict {
                Verdict::Fire(firing) => {
                    let key = (firing.opener.id, firing.merger.0);
                    assert!(self.fired.insert(key), "P2: a merger fired twice for one group");
                    let mut batch = Batch::default();
                    let merged = Walker::new(&self.ground, &mut batch, false).merged(*firing);
                    self.apply(batch);
                    let lane = self.pick(3);
                    self.lanes[lane].tasks.extend(merged.map(Task::Attempt));
                }
                Verdict::Skip(skipping) => {
                    let mut batch = Batch::default();
                    let mut walker = Walker::new(&self.ground, &mut batch, false);
                    walker.merger_skipped(*skipping);
                    self.apply(batch);
                }
            }
        }
    }

    fn count(&mut self, effects: &[Effect]) {
        self.settled += effects.iter().filter(|effect| **effect == Effect::Settled).count() as u64;
        if self.settled > 0 {
            let is_idle = self.lanes.iter().all(|lane| lane.tasks.is_empty());
            assert!(is_idle && self.shared.is_empty(), "P1: the run ended with work left");
        }
    }

    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.chance.up_to(count as u64 - 1)).unwrap()
    }

    fn report(&mut self, lane: usize) {
        let batch = self.lanes[lane].batch.take();
        self.apply(batch);
    }

    /// One random move of a random lane; says whether there is anything left to do.
    fn turn(&mut self) -> bool {
        let lane = self.pick(3);
        match self.pick(4) {
            0 => self.report(lane),
            1 if !self.lanes[lane].tasks.is_empty() => {
                if !self.shares_unreported {
                    self.report(lane);
                }
                let task = self.pick(self.lanes[lane].tasks.len());
                match self.lanes[lane].tasks.swap_remove(task) {
                    Task::Fanout(drawing) => self.shared.push(drawing),
                    attempt @ Task::Attempt(_) => self.lanes[(lane + 1) % 3].tasks.push(attempt),
                }
            }
            2 if !self.shared.is_empty() => {
                let at = self.pick(self.shared.len());
                let drawing = self.shared[at].clone();
                if self.draw(lane, &drawing) {
                    self.shared.remove(at);
                }
            }
            _ => self.work(lane),
        }
        let busy = |lane: &Lane| !lane.tasks.is_empty() || !lane.batch.is_empty();
        self.lanes.iter().any(busy) || !self.shared.is_empty()
    }

    fn work(&mut self, lane: usize) {
        if self.lanes[lane].tasks.is_empty() {
            return;
        }
        let task = self.pick(self.lanes[lane].tasks.len());
        match self.lanes[lane].tasks.swap_remove(task) {
            Task::Attempt(execution) => self.attempt(lane, execution),
            Task::Fanout(drawing) => {
                if !self.draw(lane, &drawing) {
                    self.lanes[lane].tasks.push(Task::Fanout(drawing));
                }
            }
        }
    }

    fn attempt(&mut self, lane: usize, execution: Box<Execution>) {
        let lot = Rng::seeded(self.world ^ execution.id ^ u64::from(execution.attempt)).up_to(9);
        let is_many = self.ground.plan.node(execution.node).arity() == Arity::Many;
        let Lane { tasks, batch } = &mut self.lanes[lane];
        let mut walker = Walker::new(&self.ground, batch, false);
        walker.queued(&execution);
        match lot {
            0 | 1 => {
                let fault = Fault { error: "ill".into(), retryable: true, timed_out: lot == 1 };
                let again = walker.faulted(execution, &fault, &mut Rng::seeded(1));
                tasks.extend(again.map(|(next, _)| Task::Attempt(next)));
            }
            2 => walker.pruned(execution, Value::Null),
            _ if is_many => {
                walker.fanned_out(&execution, 0, None);
                let (drawn, total) = (AtomicU64::new(0), lot % 4);
                tasks.push(Task::Fanout(Arc::new(Drawing { execution: *execution, drawn, total })));
            }
            _ => {
                let (mut made, output) = (Vec::new(), output(execution.id % 3));
                walker.returned((execution, StateStatus::Queued), output, &mut made);
                tasks.extend(made.into_iter().map(Task::Attempt));
            }
        }
    }

    /// Draws one output, or sees the end.
    fn draw(&mut self, lane: usize, drawing: &Arc<Drawing>) -> bool {
        use std::sync::atomic::Ordering;
        let Lane { tasks, batch } = &mut self.lanes[lane];
        let mut walker = Walker::new(&self.ground, batch, false);
        let index = drawing.drawn.load(Ordering::Relaxed);
        if index == drawing.total {
            walker.exhausted(&drawing.execution, index, None);
            return true;
        }
        drawing.drawn.store(index + 1, Ordering::Relaxed);
        let mut made = Vec::new();
        let branched = walker.drawn(&drawing.execution, index, output(index), &mut made);
        assert!(branched.add_to(&mut made));
        tasks.extend(made.into_iter().map(Task::Attempt));
        false
    }
}

fn output(k: u64) -> Value {
    Value::object([("k", k)])
}

/// What has to be the same whatever the interleaving.
type End = (RunStatus, Fields, Vec<String>, BTreeMap<(Arc<str>, StateStatus), u64>);

fn run(plan: &Arc<Plan>, world: u64, seed: u64) -> End {
    finish(World::new(plan, world, seed), world, seed)
}

fn finish(mut run: World, world: u64, seed: u64) -> End {
    let mut turns = 0;
    while run.turn() {
        turns += 1;
        assert!(turns < 100_000, "no end in sight: world {world}, seed {seed}");
    }
    assert_eq!(run.settled, 1, "P1: the run ends once: world {world}, seed {seed}");
    let view = run.machine.view();
    let counts = view.nodes.iter().flat_map(|(node, counts)| {
        counts.iter().map(|(status, count)| ((node.clone(), *status), *count))
    });
    let counts: BTreeMap<_, _> = counts.collect();
    assert!(counts.keys().all(|(_, status)| status.is_terminal()), "{counts:?}");
    let Outcome { status, outputs, skipped, .. } = run.machine.end(false);
    let skipped = skipped.iter().map(|skip| skip.node.to_string()).collect();
    (status, outputs, skipped, counts)
}

#[test]
fn every_interleaving_of_lanes_ends_alike() {
    let plan = plan();
    let soak = std::env::var_os("HOTGRAPH_SOAK").is_some();
    let (worlds, seeds) = if soak { (2_000, 64) } else { (200, 16) };
    let mut kinds = BTreeSet::new();
    for world in 0..worlds {
        let first = run(&plan, world, 0);
        kinds.insert(first.0.as_str());
        for seed in 1..seeds {
            assert_eq!(first, run(&plan, world, seed), "world {world}, seed {seed}");
        }
    }
    assert_eq!(kinds.len(), 2, "runs that succeed and runs that fail");
}

#[test]
fn sharing_without_reporting_is_found_out() {
    let plan = plan();
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for world in 0..50 {
            let first = run(&plan, world, 0);
            for seed in 1..8 {
                let bugged = World { shares_unreported: true, ..World::new(&plan, world, seed) };
                assert_eq!(first, finish(bugged, world, seed), "an end of its own");
            }
        }
    }));
    assert!(found.is_err(), "the planted bug was not noticed");
}
