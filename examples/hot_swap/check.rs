//! The same sums by a plain sequential count, to compare with.

use std::path::Path;
use std::sync::Arc;

use hotgraph::{Outcome, RunStatus};

use crate::files;
use crate::handlers::Table;

/// Fails if the table of a run that succeeded is not what a plain loop counts.
pub fn against_a_plain_count(
    root: &Path,
    report: &[(&str, Arc<Outcome>)],
) -> Result<(), Box<dyn std::error::Error>> {
    let (mut plain, mut with_todos) = (Table::default(), Table::default());
    for path in files::list(root) {
        let counts = files::measure(&path)?;
        plain.add(&counts, None);
        with_todos.add(&counts, Some(files::todos(&path)?));
    }
    for (name, outcome) in report.iter().filter(|(_, o)| o.status == RunStatus::Success) {
        let table: Table = outcome.output()?;
        let expected = if outcome.version.0 == 1 { &plain } else { &with_todos };
        if table != *expected {
            return Err(format!("{name}: the table differs from a plain count").into());
        }
    }
    let used: Vec<_> = report.iter().map(|(_, outcome)| outcome.version.0).collect();
    match used.as_slice() {
        [1, 2, 3] | [1, 2, 3, 2] => Ok(()),
        other => Err(format!("runs used the versions {other:?}").into()),
    }
}
