//! The table of peers: every case of every peer, in Markdown.

use std::time::Duration;

use crate::peers::{self, Case, Peer};
use crate::{measure, work};

const FANOUTS: [usize; 4] = [10, 100, 1_000, 10_000];

const CHAINS: [usize; 2] = [3, 100];

/// Resolved versions are read from here.
const LOCK: &str = include_str!("../Cargo.lock");

/// Measures everything and prints the table.
pub async fn print() {
    let peers = peers::all(&CHAINS).await;
    let mut cases = Vec::new();
    for peer in &peers {
        cases.extend(cases_of(peer.as_ref()).await);
    }
    let medians = measure::medians(&cases).await;
    let rows: Vec<_> = peers.iter().zip(medians.chunks(columns())).collect();
    let (_, hotgraph) =
        rows.iter().find(|(peer, _)| peer.name() == "hotgraph").expect("hotgraph is a row");
    println!("{}", header());
    for (peer, medians) in &rows {
        println!("{}", row(peer.as_ref(), medians, hotgraph));
    }
    println!("\n{}", notes());
}

fn notes() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "\
Wall ns per node, the median of {} repetitions in shuffled order on {cores} cores, and in parentheses \
the multiple of hotgraph's.
A fanout is a root, its children and a merger, divided by the children; a chain of 3 is in us for the \
whole run. Every node is a no-op.
What is done once for many runs (build, check, publish) is not timed. A graph that runs only once is \
built for each run, and that is timed; in a second row (\"built before\") neither building nor \
dropping it is.",
        measure::REPETITIONS
    )
}

const fn columns() -> usize {
    FANOUTS.len() + CHAINS.len()
}

/// The cases of a peer, each after a run that shows that it does the whole work.
async fn cases_of(peer: &dyn Peer) -> Vec<Case> {
    let mut cases = Vec::with_capacity(columns());
    for children in FANOUTS {
        cases.push(checked(peer, peer.fanout(children), children + 2).await);
    }
    for nodes in CHAINS {
        cases.push(checked(peer, peer.chain(nodes), nodes).await);
    }
    cases
}

async fn checked(peer: &dyn Peer, case: Case, nodes: usize) -> Case {
    work::count();
    measure::once(&case).await;
    assert_eq!(work::counted(), nodes, "{} runs every node once", peer.name());
    case
}

fn header() -> String {
    let mut names = vec!["crate".to_owned()];
    names.extend(FANOUTS.map(|children| format!("fanout {}", thousands(children as f64))));
    names.extend(CHAINS.map(|nodes| format!("chain {nodes}")));
    names.push("cannot".to_owned());
    let mut rule = vec!["---"];
    rule.extend(vec!["---:"; columns()]);
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
    if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

/// A number without its fraction, with commas.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// The name with its version, where the lock file has one, and what differs between two rows.
fn title(peer: &dyn Peer) -> String {
    let name = peer.name();
    let entry = format!("name = \"{name}\"\nversion = \"");
    let version = LOCK.split_once(&entry).and_then(|(_, rest)| rest.split_once('"'));
    let title = version.map_or(name.to_owned(), |(version, _)| format!("{name} {version}"));
    match peer.variant() {
        "" => title,
        variant => format!("{title}, {variant}"),
    }
}

fn line<S: AsRef<str>>(cells: &[S]) -> String {
    let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}
