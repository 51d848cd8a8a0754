//! The table of peers: every case of every peer, in Markdown.

use std::time::Duration;

use crate::apart::{self, Apart};
use crate::measure::{self, Sampled};
use crate::peers::{self, Case, Peer};

/// What the first argument of the process of a row is; the second one is the row.
pub const COMMAND: &str = "peer";

/// How often each case is measured.
const REPETITIONS: usize = 11;

const FANOUTS: [usize; 4] = [10, 100, 1_000, 10_000];

const CHAINS: [usize; 2] = [3, 100];

const COLUMNS: usize = FANOUTS.len() + CHAINS.len();

/// Resolved versions are read from here.
const LOCK: &str = include_str!("../Cargo.lock");

/// Measures everything and prints the table.
pub fn print() {
    let peers = peers::all();
    let start = |row: usize| Apart::start(&[COMMAND, &row.to_string()]);
    let mut apart: Vec<_> = (0..peers.len()).map(start).collect();
    let samples = measure::samples(REPETITIONS, peers.len() * COLUMNS, |case| {
        apart[case / COLUMNS].sample(case % COLUMNS)
    });
    let medians: Vec<_> = samples.into_iter().map(measure::median).collect();
    let rows: Vec<_> = peers.iter().zip(medians.chunks(COLUMNS)).collect();
    let (_, hotgraph) =
        rows.iter().find(|(peer, _)| peer.name() == "hotgraph").expect("hotgraph is a row");
    println!("{}", header());
    for (peer, medians) in &rows {
        println!("{}", row(peer.as_ref(), medians, hotgraph));
    }
    println!("\n{}", notes());
}

/// Answers for one row of the table, in a process of its own.
pub fn answer(row: usize) {
    let peers = peers::all();
    let peer = peers.get(row).expect("the row is there");
    let cases = cases(peer.as_ref());
    apart::answer(|case| cases[case].sample().wall);
}

/// The cases of a peer, each after a run that shows that it does the whole work.
fn cases(peer: &dyn Peer) -> Vec<Sampled> {
    let fanouts = FANOUTS.map(|children| checked(peer, peer.fanout(children), children + 2));
    let chains = CHAINS.map(|nodes| checked(peer, peer.chain(nodes), nodes));
    fanouts.into_iter().chain(chains).collect()
}

/// A case that is warm, after a run that shows that it does the whole work.
pub fn checked(peer: &dyn Peer, case: Case, nodes: usize) -> Sampled {
    Sampled::checked(peer.name(), case, nodes)
}

fn notes() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "\
Wall ns per node, the median of {} repetitions in shuffled order on {cores} cores, and in parentheses \
the multiple of hotgraph's: below 1 is faster than hotgraph.
Each row has a process of its own, and only one is busy at a time. Runs follow one another on one \
worker of a tokio runtime; those of async_dag, which cannot be sent, on the main thread.
A fanout is a root, its children and a merger, divided by the children; a chain of 3 is in us for the \
whole run. Every node is a no-op.
What is done once for many runs (build, check, publish) is not timed. A graph that runs only once is \
built for each run, and that is timed; in a second row (\"built before\") neither building nor \
dropping it is.",
        REPETITIONS
    )
}

fn header() -> String {
    let mut names = vec!["crate".to_owned()];
    names.extend(FANOUTS.map(|children| format!("fanout {}", thousands(children as f64))));
    names.extend(CHAINS.map(|nodes| format!("chain {nodes}")));
    names.push("cannot".to_owned());
    let mut rule = vec!["---"];
    rule.extend(vec!["---:"; COLUMNS]);
    rule.push("---");
    format!("{}\n{}", line(&names), line(&rule))
}

fn row(peer: &dyn Peer, medians: &[Duration], hotgraph: &[Duration]) -> String {
    let mut cells = vec![title(peer)];
    let sizes = FANOUTS.into_iter().chain(CHAINS);
    for ((size, median), hotgraph) in sizes.zip(medians).zip(hotgraph) {
        let ratio = median.as_secs_f64() / hotgraph.as_secs_f64();
        cells.push(format!("{} ({})", time(*median, size), multiple(ratio)));
    }
    cells.push(peer.cannot().to_owned());
    line(&cells)
}

fn time(median: Duration, size: usize) -> String {
    let nanoseconds = median.as_secs_f64() * 1e9;
    match size {
        3 => format!("{:.1} us", nanoseconds / 1e3),
        _ => thousands(nanoseconds / size as f64),
    }
}

fn multiple(ratio: f64) -> String {
    let decimals = match ratio {
        ..0.1 => 3,
        ..10.0 => 2,
        _ => 0,
    };
    format!("{ratio:.decimals$}")
}

/// A number without its fraction, with commas.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// The name with its version, where the lock file has one, and what differs between two rows.
pub fn title(peer: &dyn Peer) -> String {
    let name = peer.name();
    let entry = format!("name = \"{name}\"\nversion = \"");
    let version = LOCK.split_once(&entry).and_then(|(_, rest)| rest.split_once('"'));
    let title = version.map_or(name.to_owned(), |(version, _)| format!("{name} {version}"));
    match peer.variant() {
        "" => title,
        variant => format!("{title}, {variant}"),
    }
}

pub fn line<S: AsRef<str>>(cells: &[S]) -> String {
    let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}
