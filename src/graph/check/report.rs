//! Collects problems and warnings, up to a bound.

use super::checked::Refused;
use crate::graph::problem::{Problem, ProblemKind, Problems};

/// More problems than this are not told: nobody reads them, and a hostile document could make
/// millions, each with its texts.
const MOST: usize = 10_000;

/// The problems found so far.
#[derive(Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    untold: usize,
}

impl Report {
    pub(super) fn add(&mut self, problem: Problem) {
        match self.problems.len() < MOST {
            true => self.problems.push(problem),
            false => self.untold += 1,
        }
    }

    pub(super) fn warn(&mut self, warning: Problem) {
        if self.warnings.len() < MOST {
            self.warnings.push(warning);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn warnings(self) -> Problems {
        Problems::new(self.warnings)
    }

    pub(super) fn refused(mut self) -> Refused {
        if self.untold > 0 {
            let message = format!("and {} more problems", self.untold);
            self.problems.push(Problem::new(ProblemKind::LimitExceeded, "problems", message));
        }
        let (problems, warnings) = (Problems::new(self.problems), Problems::new(self.warnings));
        Refused { problems, warnings }
    }
}
