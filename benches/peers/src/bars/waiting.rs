//! Branches that wait, and branches that make others wait.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hotgraph::Handler;
use tokio::task::JoinSet;

use super::line::{self, Floor, Line};
use super::{MANY, Row, fanned, medians, repetitions};
use crate::measure::{self, Sampled};
use crate::peers::{Case, case};
use crate::work::node;

pub(super) const ROWS: &[Row] = &[
    Row { name: "fanout-sleep", measure: sleep },
    Row { name: "fanout-blocker", measure: blocker },
];

const BRANCHES: usize = 10_000;

const NAP: Duration = Duration::from_millis(1);

/// Branches that sleep, beside tasks that do.
fn sleep() -> Vec<Line> {
    let nap = async || {
        node();
        tokio::time::sleep(NAP).await;
    };
    let handler = Handler::one("nap", move |_: ()| async move {
        nap().await;
        Ok(())
    });
    let tasks = case(move || async move {
        let mut tasks = JoinSet::new();
        for _ in 0..BRANCHES {
            tasks.spawn(nap());
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no task panics");
        }
    });
    let tasks = Sampled::checked("JoinSet", tasks, BRANCHES);
    let ours = Sampled::checked("hotgraph", fanned(handler, BRANCHES), BRANCHES + 2);
    let [tasks, ours] = medians(MANY, [tasks, ours]);
    let wall = Floor { name: "JoinSet wall", time: tasks.wall, branches: BRANCHES };
    let cpu = Floor { name: "JoinSet CPU", time: tasks.cpu, branches: BRANCHES };
    let line = Line::new("1 ms of sleep, N = 10,000");
    vec![line.at_most(ours.wall, &wall, 1.1).at_most(ours.cpu, &cpu, 1.0)]
}

/// How long the branch takes that blocks, without yielding.
const BLOCK: Duration = Duration::from_millis(10);

/// How many branches start before the one that blocks.
///
/// While it blocks, one core less is left for those after it: on two cores the best there can be is
/// 1.25 times the case without it.
const BEFORE: usize = 7_500;

/// How many branches may wait for it.
const MAY_WAIT: usize = 32;

/// How many other branches end without waiting for it, at least.
const REST: usize = BRANCHES - 1 - MAY_WAIT;

/// One branch that blocks among many that do nothing.
fn blocker() -> Vec<Line> {
    let marks = Arc::new(Marks::default());
    let shared = marks.clone();
    let handler = Handler::one("mark", move |_: ()| {
        let marks = shared.clone();
        async move {
            marks.branch();
            Ok(())
        }
    });
    let case = fanned(handler, BRANCHES);
    for blocks in [false, true] {
        marks.observe(&case, blocks);
    }
    let samples =
        measure::samples(repetitions(MANY), 2, |blocks| marks.observe(&case, blocks == 1));
    let rest = |case: usize| measure::median(samples[case].iter().map(|seen| seen.rest));
    let waited = measure::median(samples[1].iter().map(|seen| seen.waited));
    let (without, with) = (rest(0), rest(1));
    let floor = Floor { name: "the rest without it", time: without, branches: BRANCHES };
    let line = Line::new("one branch of 10 ms without yielding among 10,000")
        .check(
            format!("{} others wait", line::number(waited)),
            format!("at most {MAY_WAIT} wait"),
            waited <= MAY_WAIT,
        )
        .at_most(with, &floor, 1.5);
    vec![line]
}

/// What the branches of one run leave behind.
#[derive(Default)]
struct Marks {
    blocks: AtomicBool,
    started: AtomicUsize,
    ended: AtomicUsize,
    /// How many others had not ended when the one that blocks did.
    waited: AtomicUsize,
    /// When [`REST`] others had ended.
    rest: Mutex<Option<Instant>>,
}

/// What one run showed.
struct Seen {
    rest: Duration,
    waited: usize,
}

impl Marks {
    fn branch(&self) {
        let place = self.started.fetch_add(1, Ordering::Relaxed);
        if place == BEFORE && self.blocks.load(Ordering::Relaxed) {
            std::thread::sleep(BLOCK);
            let ended = self.ended.load(Ordering::Relaxed);
            self.waited.store(BRANCHES - 1 - ended, Ordering::Relaxed);
        } else if self.ended.fetch_add(1, Ordering::Relaxed) + 1 == REST {
            *self.rest.lock().expect("nobody panics") = Some(Instant::now());
        }
    }

    /// Runs the case once, with a branch that blocks or without.
    fn observe(&self, case: &Case, blocks: bool) -> Seen {
        self.blocks.store(blocks, Ordering::Relaxed);
        for count in [&self.started, &self.ended, &self.waited] {
            count.store(0, Ordering::Relaxed);
        }
        let start = Instant::now();
        measure::once(case);
        let rest = self.rest.lock().expect("nobody panics").take().expect("the rest has ended");
        Seen { rest: rest - start, waited: self.waited.load(Ordering::Relaxed) }
    }
}
