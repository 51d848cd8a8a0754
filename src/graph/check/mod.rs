//! Judges a document: every problem at once, or a graph that a plan can be made of.
//!
//! A [`Document`] comes in; [`Problems`] or a [`Checked`] graph go out. Hard limits come first,
//! because everything after them takes time in proportion to the document. Nothing here recurses
//! over nodes, and the answer never depends on the order of `nodes` or `next_nodes`.

mod ancestors;
mod assemble;
mod checked;
mod cron;
mod cycle;
mod draft;
mod handlers;
mod limits;
mod names;
mod numbers;
mod references;
mod report;
mod settings;
mod structure;

#[cfg(test)]
mod tests;

pub(crate) use checked::{Checked, CheckedNode, Refused};
pub(crate) use handlers::{HandlerLookup, Wanted};
pub(crate) use limits::CheckLimits;

use super::document::Document;
use super::problem::Problems;
use draft::Draft;
use report::Report;
use settings::Settings;
use structure::Structure;

impl Document {
    /// Judges the document on its own, without the handlers it names.
    ///
    /// What comes back is no problem but may be a mistake, such as a key that means nothing.
    ///
    /// # Errors
    ///
    /// Every problem it has.
    pub fn check(&self) -> Result<Problems, Problems> {
        let checked = check(self, &CheckLimits::default(), None);
        checked.map(|checked| checked.warnings).map_err(|refused| refused.problems)
    }
}

/// Judges a document on its own, and against the handlers it uses if they can be looked up.
///
/// # Errors
///
/// Every problem it has, and every warning.
pub(crate) fn check(
    document: &Document,
    limits: &CheckLimits,
    lookup: Option<&HandlerLookup<'_>>,
) -> Result<Checked, Refused> {
    let mut report = Report::default();
    limits::check(document, limits, &mut report);
    if !report.is_empty() {
        return Err(report.refused());
    }
    let settings = Settings::check(document, &mut report);
    let mut draft = Draft::check(document, &settings, limits, &mut report);
    let structure = Structure::check(&draft, &mut report);
    references::check(&draft, &structure, &settings, &mut report);
    structure.check_result(document, &mut report);
    if let Some(lookup) = lookup {
        handlers::find(&mut draft, lookup, &mut report);
        handlers::check(&draft, &document.secrets, &mut report);
    }
    match (report.is_empty(), structure.order()) {
        (true, Some(order)) => {
            let warnings = report.warnings();
            Ok(assemble::assemble(document, &draft, &order, settings, warnings))
        }
        _ => Err(report.refused()),
    }
}
