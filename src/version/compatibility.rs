//! How one version of a graph can stand in for another: what is derived, and what a person judged.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::marks::Note;
use super::snapshot::Route;
use crate::graph::{Compatibility, Concern, Finding, Outline, assess, worst};
use crate::id::VersionNumber;

/// How one version of a graph can stand in for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompatibilityReport {
    /// The version that is to be replaced.
    pub from: VersionNumber,
    /// The version in its place.
    pub to: VersionNumber,
    /// The level for those who start runs and read outcomes.
    pub callers: Compatibility,
    /// The level for runs in flight, if they were to go on with `to`; they never have to.
    pub runs: Compatibility,
    /// Every reason that was found.
    pub rationale: Vec<Finding>,
    /// Who judged the level for callers, if a person did; what is derived never overrides it.
    pub approved_by: Option<Arc<Note>>,
    /// How many runs in flight are at a node that something was found about, by node.
    ///
    /// Only a report that was asked for counts them.
    pub impact: BTreeMap<String, u64>,
}

impl CompatibilityReport {
    /// Derives the report of two versions; `None` if one of them was never published.
    pub(super) fn derive(route: &Route, from: VersionNumber, to: VersionNumber) -> Option<Self> {
        let (old, new) = (route.manifest(from)?, route.manifest(to)?);
        Some(Self::between((from, to), old.outline(), new.outline()))
    }

    /// Derives the report of two versions with these outlines.
    pub(super) fn between(
        (from, to): (VersionNumber, VersionNumber),
        old: &Outline,
        new: &Outline,
    ) -> Self {
        let rationale = assess(old, new);
        Self {
            from,
            to,
            callers: worst(&rationale, Concern::Callers),
            runs: worst(&rationale, Concern::Runs),
            rationale,
            approved_by: None,
            impact: BTreeMap::new(),
        }
    }
}

impl fmt::Display for CompatibilityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, callers, runs, .. } = self;
        write!(f, "{from} -> {to}: {callers} for callers, {runs} for runs")?;
        if let Some(note) = &self.approved_by {
            write!(f, " (judged {note})")?;
        }
        self.rationale.iter().try_for_each(|finding| write!(f, "\n    {finding}"))?;
        for (node, runs) in &self.impact {
            write!(f, "\n    {runs} runs are at `{node}`")?;
        }
        Ok(())
    }
}

impl Route {
    /// The report of two versions: a person's if there is one, else what is derived.
    pub(crate) fn report(
        &self,
        from: VersionNumber,
        to: VersionNumber,
    ) -> Option<Arc<CompatibilityReport>> {
        let judged = self.verdicts.get(&(from, to)).cloned();
        judged.or_else(|| CompatibilityReport::derive(self, from, to).map(Arc::new))
    }
}
