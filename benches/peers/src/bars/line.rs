//! A line of the table: what was measured, what it is held to, and whether it holds.

use std::fmt;
use std::time::Duration;

use crate::table;

/// A case with its measures, each of which may have a bar.
pub struct Line {
    case: String,
    measured: Vec<String>,
    bars: Vec<String>,
    holds: bool,
}

/// What a ratio is to.
pub struct Floor<'a> {
    pub name: &'a str,
    pub time: Duration,
    /// What it is divided by when it is printed.
    pub branches: usize,
}

impl Line {
    /// A line that holds until something is short.
    pub fn new(case: impl Into<String>) -> Self {
        let (measured, bars) = (Vec::new(), Vec::new());
        Self { case: case.into(), measured, bars, holds: true }
    }

    /// Adds a measure without a bar.
    pub fn note(mut self, measured: impl Into<String>) -> Self {
        self.measured.push(measured.into());
        self
    }

    /// Adds a measure and its bar.
    pub fn check(
        mut self,
        measured: impl Into<String>,
        bar: impl Into<String>,
        holds: bool,
    ) -> Self {
        self.measured.push(measured.into());
        self.bars.push(bar.into());
        self.holds &= holds;
        self
    }

    /// Adds a time as a multiple of a floor's, which is at most `most`.
    pub fn at_most(self, time: Duration, floor: &Floor<'_>, most: f64) -> Self {
        let ratio = time.as_secs_f64() / floor.time.as_secs_f64();
        let Floor { name, time, branches } = floor;
        let measured = format!("{ratio:.3} {name} ({})", each(*time, *branches));
        self.check(measured, format!("at most {most:.2} {name}"), ratio <= most)
    }

    /// Adds nanoseconds per branch or node, of which there are at most `most`.
    pub fn nanoseconds(self, what: &str, time: Duration, count: usize, most: f64) -> Self {
        let measured = format!("{what} {}", each(time, count));
        self.check(
            measured,
            format!("{what} at most {most:.0} ns"),
            nanoseconds(time, count) <= most,
        )
    }

    /// Whether every bar holds.
    pub const fn holds(&self) -> bool {
        self.holds
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds { "holds" } else { "short" };
        let (measured, bars) = (self.measured.join("; "), self.bars.join("; "));
        f.write_str(&table::line(&[&self.case, &measured, &bars, verdict]))
    }
}

/// The first two lines of the table.
pub fn header() -> String {
    let names = table::line(&["case", "measured", "bar", "verdict"]);
    format!("{names}\n{}", table::line(&["---"; 4]))
}

/// A time divided by branches, as text.
pub fn each(time: Duration, count: usize) -> String {
    let nanoseconds = nanoseconds(time, count);
    match nanoseconds {
        ..10_000.0 => format!("{nanoseconds:.0} ns"),
        _ => format!("{:.1} us", nanoseconds / 1e3),
    }
}

/// A number without its fraction, with commas.
pub fn number(number: usize) -> String {
    table::thousands(number as f64)
}

fn nanoseconds(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count as f64
}
