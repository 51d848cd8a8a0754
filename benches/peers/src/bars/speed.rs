//! How fast branches go that wait for nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hotgraph::{Document, Emit, GraphBuilder, Handler, NodeSpec};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::line::{self, Floor, Line};
use super::{MANY, MIMALLOC, REPETITIONS, Row, cores, fanned, medians};
use crate::measure::{Cost, Sampled};
use crate::peers::hotgraph::{prepared, publish, width};
use crate::peers::{self, Case, Entry, Hotgraph, Peer, case};
use crate::work::node;

pub(super) const ROWS: &[Row] = &[
    Row { name: "fanout-noop-1000", measure: || noop(1_000) },
    Row { name: "fanout-noop-10000", measure: || noop(10_000) },
    Row { name: "fanout-noop-100000", measure: || noop(100_000) },
    Row { name: "fanout-noop-1000000", measure: || noop(1_000_000) },
    Row { name: "fanout-mapped-1000", measure: || mapped(1_000) },
    Row { name: "fanout-mapped-10000", measure: || mapped(10_000) },
    Row { name: "fanout-mapped-100000", measure: || mapped(100_000) },
    Row { name: "fanout-mapped-1000000", measure: || mapped(1_000_000) },
    Row { name: "fanout-small-10", measure: || small(10, 2.0) },
    Row { name: "fanout-small-100", measure: || small(100, 0.5) },
    Row { name: "fanout-busy", measure: busy },
    Row { name: "fanout-nested", measure: nested },
    Row { name: "fanout-growth", measure: growth },
];

/// From so many branches on there is a bar for nanoseconds, too.
const WIDE: usize = 10_000;

/// How often a case of so many branches is measured.
fn usual(branches: usize) -> usize {
    if branches > WIDE { REPETITIONS } else { MANY }
}

fn floor(branches: usize) -> Sampled {
    Sampled::checked("floor", peers::Floor.fanout(branches), branches + 2)
}

/// What ratios are to: F of so many branches.
const fn f(time: Duration, branches: usize) -> Floor<'static> {
    Floor { name: "F", time, branches }
}

/// Branches that take nothing, do nothing and return nothing.
fn noop(branches: usize) -> Vec<Line> {
    let ours = Hotgraph(Entry::Start).fanout(branches);
    let ours = Sampled::checked("hotgraph", ours, branches + 2);
    let [floor, ours] = medians(usual(branches), [floor(branches), ours]);
    let most = if cores() == 1 || MIMALLOC { 0.35 } else { 0.25 };
    let line = Line::new(format!("fanout no-op, typed, N = {}", line::number(branches)));
    let line = line.at_most(ours.wall, &f(floor.wall, branches), most);
    vec![match branches {
        WIDE.. => line
            .nanoseconds("wall", ours.wall, branches, 200.0)
            .nanoseconds("CPU", ours.cpu, branches, 300.0),
        _ => times(line, ours, branches),
    }]
}

fn times(line: Line, cost: Cost, branches: usize) -> Line {
    line.note(format!("wall {}", line::each(cost.wall, branches)))
        .note(format!("CPU {}", line::each(cost.cpu, branches)))
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Text {
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Texts {
    texts: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Children {
    children: usize,
}

/// Branches that take a string from the root and give one to an array.
fn mapped(branches: usize) -> Vec<Line> {
    let ours = Sampled::checked("hotgraph", strings(branches), branches + 2);
    let [floor, ours] = medians(usual(branches), [floor(branches), ours]);
    let case =
        format!("one string field mapped in and out into an array, N = {}", line::number(branches));
    let line = Line::new(case).at_most(ours.wall, &f(floor.wall, branches), 0.8);
    vec![times(line, ours, branches)]
}

fn strings(branches: usize) -> Case {
    let split = |input: Children| async move {
        node();
        Ok(Emit::each((0..input.children).map(|_| Text { text: "a string".to_owned() })))
    };
    let pass = |input: Text| async move {
        node();
        Ok(input)
    };
    let join = move |all: Texts| async move {
        node();
        assert_eq!(all.texts.len(), branches);
        Ok(())
    };
    let handlers =
        [Handler::many("split", split), Handler::one("pass", pass), Handler::one("join", join)];
    let graph = Document::builder("graph")
        .node(NodeSpec::new("split").input("children", 0).next("pass"))
        .node(NodeSpec::new("pass").input("text", "${{split.outputs.text}}").next("join"))
        .node(NodeSpec::new("join").unites("split").input("texts", "${{pass.outputs.text}}"));
    let runtime = Handle::current().block_on(publish(graph, handlers));
    prepared(Entry::Start, runtime, width(branches))
}

/// So few branches that starting a run is most of it; by both entries.
fn small(branches: usize, most: f64) -> Vec<Line> {
    let cases = Entry::ALL.map(|entry| Hotgraph(entry).fanout(branches));
    let [start, run] = cases.map(|case| Sampled::checked("hotgraph", case, branches + 2));
    let [floor, start, run] = medians(MANY, [floor(branches), start, run]);
    let line = |(entry, cost): (Entry, Cost)| {
        let line = Line::new(format!("fanout no-op, N = {branches}, `{}`", entry.name()));
        times(line.at_most(cost.wall, &f(floor.wall, branches), most), cost, branches)
    };
    Entry::ALL.into_iter().zip([start, run]).map(line).collect()
}

/// Branches that keep a core busy for 10 us each.
fn busy() -> Vec<Line> {
    const BRANCHES: usize = 10_000;
    let rounds = rounds(Duration::from_micros(10));
    let work = move |_: ()| async move {
        node();
        spin(rounds);
        Ok(())
    };
    let rayon = case(move || async move {
        (0..BRANCHES).into_par_iter().for_each(|_| {
            node();
            spin(rounds);
        });
    });
    let ours = fanned(Handler::one("work", work), BRANCHES);
    let ours = Sampled::checked("hotgraph", ours, BRANCHES + 2);
    let rayon = Sampled::checked("rayon", rayon, BRANCHES);
    let [rayon, ours] = medians(REPETITIONS, [rayon, ours]);
    let throughput = rayon.wall.as_secs_f64() / ours.wall.as_secs_f64();
    let measured = format!(
        "{throughput:.3} of rayon's throughput (rayon {})",
        line::each(rayon.wall, BRANCHES)
    );
    let line = Line::new("10 us of CPU, N = 10,000");
    vec![times(line.check(measured, "at least 0.90 of rayon", throughput >= 0.9), ours, BRANCHES)]
}

/// Work that the compiler cannot leave out.
fn spin(rounds: u64) {
    (0..rounds).fold(1_u64, |x, _| black_box(x.wrapping_mul(6_364_136_223_846_793_005) + 1));
}

/// How many rounds take so long, at the best of several attempts.
fn rounds(time: Duration) -> u64 {
    const TRIED: u64 = 1_000_000;
    let attempt = |_| {
        let start = Instant::now();
        spin(TRIED);
        start.elapsed()
    };
    let fastest = (0..9).map(attempt).min().expect("there are attempts");
    (time.as_secs_f64() / fastest.as_secs_f64() * TRIED as f64) as u64
}

/// Three levels of 100 each, and a merger for each of them.
fn nested() -> Vec<Line> {
    const BRANCHES: usize = 1_000_000;
    let runtime = Handle::current().block_on(publish(levels(), []));
    let ours = prepared(Entry::Start, runtime, width(100));
    let nodes = BRANCHES + 2 * (10_000 + 100 + 1);
    let ours = Sampled::checked("hotgraph", ours, nodes);
    let [floor, ours] = medians(REPETITIONS, [floor(BRANCHES), ours]);
    let line = Line::new("nested fanout 100 x 100 x 100 with three mergers");
    vec![times(line.at_most(ours.wall, &f(floor.wall, BRANCHES), 0.2), ours, BRANCHES)]
}

fn levels() -> GraphBuilder {
    let level =
        |name: &str, next| NodeSpec::new(name).handler("root").input("children", 100).next(next);
    let merger = |name: &str, united| NodeSpec::new(name).handler("noop").unites(united);
    Document::builder("graph")
        .node(level("a", "b"))
        .node(level("b", "c"))
        .node(level("c", "leaf"))
        .node(NodeSpec::new("leaf").handler("noop").next("join_c"))
        .node(merger("join_c", "c").next("join_b"))
        .node(merger("join_b", "b").next("join_a"))
        .node(merger("join_a", "a"))
}

/// Whether a branch costs more where there are more of them.
fn growth() -> Vec<Line> {
    const WIDTHS: [usize; 5] = [100_000, 200_000, 400_000, 800_000, 1_600_000];
    let case = |branches| {
        let case = Hotgraph(Entry::Start).fanout(branches);
        Sampled::checked("hotgraph", case, branches + 2)
    };
    let medians = medians(REPETITIONS, WIDTHS.map(case));
    let each: Vec<f64> = (WIDTHS.iter().zip(medians))
        .map(|(&branches, cost)| cost.wall.as_secs_f64() * 1e9 / branches as f64)
        .collect();
    let growth = 100.0 * (each[WIDTHS.len() - 1] / each[0] - 1.0);
    let steps: Vec<_> = each.iter().map(|each| format!("{each:.0}")).collect();
    let measured = format!("{growth:+.0} % ({} ns per branch)", steps.join(", "));
    let line = Line::new("N from 100,000 to 1,600,000 in four doublings");
    vec![line.check(measured, "grows by at most 25 %", growth <= 25.0)]
}
