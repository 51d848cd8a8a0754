//! Short runs: what starting costs, what a chained node costs, and how the peers do.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use hotgraph::{Document, GraphBuilder, Handler, NodeSpec, Value};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::line::{self, Floor, Line};
use super::{COMMAND, MANY, MIMALLOC, PEER, REPETITIONS, Row, medians, repetitions};
use crate::apart::{self, Apart};
use crate::measure::{self, Sampled};
use crate::peers::hotgraph::{prepared, publish};
use crate::peers::{self, Build, Case, Entry, Hotgraph, Peer, case};
use crate::table;
use crate::work::node;

pub(super) const ROWS: &[Row] = &[
    Row { name: "start-chain", measure: start },
    Row { name: "chain", measure: chain },
    Row { name: "peers", measure: beside_peers },
];

/// A run of three nodes, beside an actor that is started and stopped.
fn start() -> Vec<Line> {
    let actor = Sampled::new(case(bare));
    let ours = Sampled::checked("hotgraph", Hotgraph(Entry::Start).chain(3), 3);
    let [actor, ours] = medians(MANY, [actor, ours]);
    let floor = Floor { name: "a bare actor", time: actor.wall, branches: 1 };
    let line = Line::new("3 chained nodes, `start()` to outcome");
    let most = if MIMALLOC { 1.7 } else { 1.5 };
    vec![line.at_most(ours.wall, &floor, most).note(line::each(ours.wall, 1))]
}

/// An actor that nothing is asked of, and that nobody supervises.
struct Bare;

impl Actor for Bare {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

async fn bare() {
    let (actor, ended) = Actor::spawn(None, Bare, ()).await.expect("the actor starts");
    actor.stop(None);
    ended.await.expect("the actor ends");
}

/// The nodes of the long chain.
const LONG: usize = 100;

/// A long chain, by both entries, with and without mapped fields.
fn chain() -> Vec<Line> {
    let floor = Sampled::checked("floor", peers::Floor.chain(LONG), LONG);
    let [start, run] =
        Entry::ALL.map(|entry| Sampled::checked("hotgraph", Hotgraph(entry).chain(LONG), LONG));
    let [start_mapped, run_mapped] =
        Entry::ALL.map(|entry| Sampled::checked("hotgraph", numbers(entry), LONG));
    let cases = [floor, start, run, start_mapped, run_mapped];
    let [floor, ours @ ..] = medians(MANY, cases);
    let names = ["typed, `start()`", "typed, `run()`", "mapped, `start()`", "mapped, `run()`"];
    let bars = [150.0, 150.0, 400.0, 400.0];
    let floor = format!("floor {}", line::each(floor.wall, LONG));
    (names.into_iter().zip(bars).zip(ours))
        .map(|((name, bar), cost)| {
            let line = Line::new(format!("chain of 100, {name}"));
            line.nanoseconds("per node", cost.wall, LONG, bar).note(floor.clone())
        })
        .collect()
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

/// A long chain of which each node takes a number from the one before it.
fn numbers(entry: Entry) -> Case {
    let pass = |input: Number| async move {
        node();
        Ok(input)
    };
    let graph = (0..LONG).fold(Document::builder("graph"), passes);
    let handlers = [Handler::one("pass", pass)];
    let runtime = Handle::current().block_on(publish(graph, handlers));
    prepared(entry, runtime, Value::Null)
}

fn passes(graph: GraphBuilder, place: usize) -> GraphBuilder {
    let node = NodeSpec::new(format!("n{place}")).handler("pass");
    let node = match place {
        0 => node.input("n", 0),
        _ => node.input("n", format!("${{{{n{}.outputs.n}}}}", place - 1)),
    };
    graph.node(if place + 1 < LONG { node.next(&format!("n{}", place + 1)) } else { node })
}

/// What is asked of every peer; the last two are a short chain, alone and from two producers.
const FANOUTS: [usize; 3] = [100, 1_000, 10_000];
const LONG_CHAIN: usize = FANOUTS.len();
const SHORT_CHAIN: usize = LONG_CHAIN + 1;
const PRODUCERS: usize = SHORT_CHAIN + 1;
const CASES: usize = PRODUCERS + 1;

/// How many runs each of the two producers starts.
const PRODUCED: usize = 1_000;

/// Answers for one peer, in a process of its own.
pub(super) fn answer(row: usize) {
    let peer = peers::all().swap_remove(row);
    let fanouts =
        FANOUTS.map(|children| table::checked(&*peer, peer.fanout(children), children + 2));
    let chains = [LONG, 3].map(|nodes| table::checked(&*peer, peer.chain(nodes), nodes));
    let cases: Vec<_> = fanouts.into_iter().chain(chains).collect();
    let chain = peer.chain(3);
    apart::answer(|case| match cases.get(case) {
        Some(case) => case.sample().wall,
        None => produced(row, &chain),
    });
}

/// The time of a run with two producers, as if they were one: a second divided by runs per second.
fn produced(row: usize, chain: &Case) -> Duration {
    let times = match chain {
        Case::Worker(prepare) => {
            let barrier = Arc::new(tokio::sync::Barrier::new(2));
            let producers = [(); 2].map(|()| {
                let (barrier, ready) =
                    (barrier.clone(), (0..PRODUCED).map(|_| prepare()).collect());
                tokio::spawn(async move {
                    barrier.wait().await;
                    measure::drive(ready).await.wall
                })
            });
            producers.map(|producer| Handle::current().block_on(producer).expect("no run panics"))
        }
        Case::Local(_) => local(row),
    };
    times.iter().sum::<Duration>() / 4 / PRODUCED as u32
}

/// Two threads, for runs that cannot leave theirs.
fn local(row: usize) -> [Duration; 2] {
    let (barrier, tokio) = (Arc::new(Barrier::new(2)), Handle::current());
    let threads = [(); 2].map(|()| {
        let (barrier, tokio) = (barrier.clone(), tokio.clone());
        std::thread::spawn(move || {
            let _context = tokio.enter();
            let Case::Local(prepare) = peers::all()[row].chain(3) else {
                unreachable!("a peer's cases are alike")
            };
            let ready = (0..PRODUCED).map(|_| prepare()).collect();
            barrier.wait();
            tokio.block_on(measure::drive(ready)).wall
        })
    });
    threads.map(|thread| thread.join().expect("no run panics"))
}

/// hotgraph's two entries and every peer, each in a process of its own.
fn beside_peers() -> Vec<Line> {
    let peers = peers::all();
    let start = |row: usize| Apart::start(&[COMMAND, PEER, &row.to_string()]);
    let mut apart: Vec<_> = (0..peers.len()).map(start).collect();
    let samples = measure::samples(repetitions(REPETITIONS), peers.len() * CASES, |case| {
        apart[case / CASES].sample(case % CASES)
    });
    let medians: Vec<_> = samples.into_iter().map(measure::median).collect();
    let standings =
        Standings { peers: peers.iter().map(AsRef::as_ref).zip(medians.chunks(CASES)).collect() };
    let per_second =
        |time: Duration| format!("{} runs/s", line::number((1.0 / time.as_secs_f64()) as usize));
    let producers = "3 chained nodes, `run().await`, from 2 producers";
    let mut lines = vec![
        standings.nodes("3 chained nodes, `run().await`, warm", SHORT_CHAIN, Entry::Run, 1),
        standings.line(producers, PRODUCERS, Entry::Run, per_second),
    ];
    lines.extend(FANOUTS.iter().enumerate().map(|(case, &children)| {
        let name = format!("every peer: fanout of {}", line::number(children));
        standings.nodes(&name, case, Entry::Start, children)
    }));
    lines.push(standings.nodes("every peer: chain of 100", LONG_CHAIN, Entry::Start, LONG));
    lines
}

/// Every peer with the medians of its cases.
struct Standings<'a> {
    peers: Vec<(&'a dyn Peer, &'a [Duration])>,
}

impl Standings<'_> {
    /// hotgraph beside the fastest peer, per node.
    fn nodes(&self, name: &str, case: usize, entry: Entry, nodes: usize) -> Line {
        self.line(name, case, entry, |time| line::each(time, nodes))
    }

    /// hotgraph beside the fastest peer, in a unit of this line.
    fn line(
        &self,
        name: &str,
        case: usize,
        entry: Entry,
        text: impl Fn(Duration) -> String,
    ) -> Line {
        let is_timed = |peer: &dyn Peer| peer.variant() != Build::Before.variant();
        let (fastest, theirs) = self.fastest(case, is_timed);
        let ours = self.ours(case, entry);
        let measured = format!("{}; fastest peer: {fastest} {}", text(ours), text(theirs));
        let line = Line::new(name).check(measured, "ahead of every peer", ours < theirs);
        let line = match entry {
            Entry::Start => line.note(format!("`run()` {}", text(self.ours(case, Entry::Run)))),
            Entry::Run => line,
        };
        match self.fastest(case, |_| true) {
            (before, time) if time < theirs => line.note(format!("{before} {}", text(time))),
            _ => line,
        }
    }

    fn ours(&self, case: usize, entry: Entry) -> Duration {
        let name = match entry {
            Entry::Start => "",
            Entry::Run => entry.name(),
        };
        let is_ours = |peer: &dyn Peer| peer.name() == "hotgraph" && peer.variant() == name;
        let ours = self.peers.iter().find(|(peer, _)| is_ours(*peer));
        ours.expect("hotgraph is a row").1[case]
    }

    /// The fastest of some of the peers.
    fn fastest(&self, case: usize, counts: impl Fn(&dyn Peer) -> bool) -> (String, Duration) {
        let is_peer = |peer: &dyn Peer| !matches!(peer.name(), "hotgraph" | "floor");
        let peers = self.peers.iter().filter(|(peer, _)| is_peer(*peer) && counts(*peer));
        let (peer, medians) =
            peers.min_by_key(|(_, medians)| medians[case]).expect("there are peers");
        (table::title(*peer), medians[case])
    }
}
