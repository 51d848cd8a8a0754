//! The bars: what hotgraph is held to, each measured beside its floor.
//!
//! Each row has a process of its own, one after another: the heap of one does not slow down the next.
//! In it the floor and hotgraph take turns in shuffled order, on a worker of a tokio runtime.

mod chains;
mod line;
mod memory;
mod pin;
mod speed;
mod waiting;

use std::process::{Command, ExitCode};
use std::time::Instant;

use hotgraph::Handler;
use tokio::runtime::Handle;

use crate::measure::{self, Cost, Sampled};
use crate::peers::hotgraph::{fanout, prepared, publish, width};
use crate::peers::{Case, Entry};
use line::Line;

/// The first argument of the program.
pub const COMMAND: &str = "bars";

/// What the processes are asked for that one row starts: itself, a peer, a case of memory.
const ROW: &str = "--row";
const PEER: &str = "--peer";
const MEMORY: &str = "--memory";

/// The variable of the environment that says how often a case is measured at most.
const AT_MOST: &str = "REPETITIONS";

/// How often a case is measured.
const REPETITIONS: usize = 7;

/// How often a case is measured that takes a few milliseconds.
const MANY: usize = 21;

/// Whether the allocator is mimalloc, with which tasks and actors are faster floors.
const MIMALLOC: bool = cfg!(feature = "mimalloc");

/// The exit status of a row of which a bar does not hold.
const SHORT: u8 = 1;

/// What is measured in one process.
struct Row {
    /// Chosen on the command line by any part of it.
    name: &'static str,
    measure: fn() -> Vec<Line>,
}

fn rows() -> impl Iterator<Item = &'static Row> {
    [speed::ROWS, waiting::ROWS, chains::ROWS, pin::ROWS, memory::ROWS].into_iter().flatten()
}

/// Carries out the command: every row, or those whose names contain one of the words.
pub fn command(arguments: &[&str]) -> ExitCode {
    match arguments {
        [ROW, name] => return row(name),
        [PEER, row] => chains::answer(row.parse().expect("a row is a number")),
        [MEMORY, case] => memory::answer(case),
        words => {
            let is_unknown = |word: &&&str| rows().all(|row| !row.name.contains(**word));
            if let Some(word) = words.iter().find(is_unknown) {
                let known: Vec<_> = rows().map(|row| row.name).collect();
                eprintln!("no row has `{word}` in its name; there are {}", known.join(", "));
                return ExitCode::from(2);
            }
            return print(words);
        }
    }
    ExitCode::SUCCESS
}

/// Prints the table, each row as it comes; fails if anything in it is short.
fn print(words: &[&str]) -> ExitCode {
    println!("{}", line::header());
    let is_chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let mut short = 0;
    for row in rows().filter(|row| is_chosen(row.name)) {
        let start = Instant::now();
        eprintln!("{} ..", row.name);
        short += usize::from(!holds(row.name));
        eprintln!("{} took {:.1} s", row.name, start.elapsed().as_secs_f64());
    }
    println!("\n{}", notes());
    if short == 0 { ExitCode::SUCCESS } else { ExitCode::from(SHORT) }
}

/// Lets a process measure a row and print its lines; says whether all of them hold.
fn holds(name: &str) -> bool {
    let program = std::env::current_exe().expect("the program has a path");
    let status = Command::new(program).args([COMMAND, ROW, name]).status();
    let status = status.expect("the program starts again");
    if !status.success() && status.code() != Some(SHORT.into()) {
        println!("{}", Line::new(name).check("broke off", "ends", false));
    }
    status.success()
}

/// Measures a row in this process.
fn row(name: &str) -> ExitCode {
    let row = rows().find(|row| row.name == name).expect("the row is there");
    let lines = (row.measure)();
    lines.iter().for_each(|line| println!("{line}"));
    if lines.iter().all(Line::holds) { ExitCode::SUCCESS } else { ExitCode::from(SHORT) }
}

fn notes() -> String {
    format!(
        "\
Medians of at least {} repetitions in shuffled order on {} cores, the floor and hotgraph by turns in \
one process per row; {} allocator, default limits, published documents, the public API.
Memory is the peak of resident memory; each repetition has a process of its own.
F is the floor, per branch: `tokio::spawn` and an atomic countdown. The clock of the processor time \
runs for all threads of the process.
Runs are started with `start()` on a worker of a tokio runtime, unless a case says `run()`. \
A peer whose graph runs only once builds it for each run; \"built before\", which leaves that out, is \
named where it is the fastest, and is nothing to be ahead of.",
        repetitions(REPETITIONS),
        cores(),
        if MIMALLOC { "mimalloc as" } else { "system" },
    )
}

/// How often a case is measured that usually is so often: less if the environment says so.
fn repetitions(usual: usize) -> usize {
    let most = std::env::var(AT_MOST).ok().and_then(|most| most.parse::<usize>().ok());
    most.map_or(usual, |most| usual.min(most.max(1)))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The medians of cases that take turns.
fn medians<const N: usize>(usual: usize, cases: [Sampled; N]) -> [Cost; N] {
    let samples = measure::samples(repetitions(usual), N, |case| cases[case].sample());
    std::array::from_fn(|case| Cost::median(&samples[case]))
}

/// A root, so many children with this handler, and a merger; nothing is mapped.
fn fanned(child: Handler, children: usize) -> Case {
    let graph = fanout(&child.name().name);
    let runtime = Handle::current().block_on(publish(graph, [child]));
    prepared(Entry::Start, runtime, width(children))
}
