//! Why a command on versions was refused; a refused command changes nothing but the audit log.

use std::fmt;
use std::sync::Arc;

use super::compatibility::CompatibilityReport;
use super::marks::Note;
use super::rollback::Considered;
use crate::id::{GraphName, LabelName, RunId, VersionNumber};

/// Why a command on versions was refused; nothing has changed but the audit log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// No graph of that name was published.
    #[error("graph `{0}` was never published")]
    UnknownGraph(GraphName),
    /// The graph has no version of that number.
    #[error("graph `{graph}` has no version {version}")]
    UnknownVersion {
        /// The graph.
        graph: GraphName,
        /// The version that was asked for.
        version: VersionNumber,
    },
    /// The version is retired.
    #[error("version {version} of graph `{graph}` is gone")]
    VersionGone {
        /// The graph.
        graph: GraphName,
        /// The version that was asked for.
        version: VersionNumber,
    },
    /// The graph has no label of that name.
    #[error("graph `{graph}` has no label `{label}`")]
    UnknownLabel {
        /// The graph.
        graph: GraphName,
        /// The label that was asked for.
        label: LabelName,
    },
    /// A label needs a name.
    #[error("graph `{graph}`: the name of the label is blank")]
    BlankLabel {
        /// The graph.
        graph: GraphName,
    },
    /// The default label cannot be removed.
    #[error("graph `{graph}` keeps its label `default`")]
    DefaultLabel {
        /// The graph.
        graph: GraphName,
    },
    /// The label has no active version that a canary could stand beside.
    #[error("label `{label}` of graph `{graph}` has no active version")]
    NoActiveVersion {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
    },
    /// The label has no canary.
    #[error("label `{label}` of graph `{graph}` has no canary")]
    NoCanary {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
    },
    /// The version is the active one.
    #[error("version {version} of graph `{graph}` is active on label `{label}`")]
    AlreadyActive {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
        /// The active version.
        version: VersionNumber,
    },
    /// The version is revoked.
    #[error("version {version} of graph `{graph}` is revoked {note}")]
    Revoked {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// Who revoked it, why and when.
        note: Arc<Note>,
    },
    /// The version is reverted.
    #[error("version {version} of graph `{graph}` is reverted {note}")]
    Reverted {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// Who reverted it, why and when.
        note: Arc<Note>,
    },
    /// The version was not approved.
    #[error("version {version} of graph `{graph}` was rejected {note}")]
    Rejected {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// Who rejected it, why and when.
        note: Arc<Note>,
    },
    /// The version is held, so it does not retire.
    #[error("version {version} of graph `{graph}` is held {note}")]
    Held {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// Who holds it, why and since when.
        note: Arc<Note>,
    },
    /// The command does not apply to a version in that state.
    #[error("cannot {command} version {version} of graph `{graph}`: it is {state}")]
    IllegalTransition {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// What was asked for.
        command: String,
        /// The state that stands against it.
        state: &'static str,
    },
    /// The label takes no version that is BREAKING for callers of its active one.
    #[error("label `{label}` of graph `{graph}` takes no breaking version{}: {report}", unmade(*version))]
    BreakingRejected {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
        /// The version; `None` if the graph was not published, as it could not be promoted. The report
        /// has the number that it would have got.
        version: Option<VersionNumber>,
        /// What is breaking.
        report: Arc<CompatibilityReport>,
    },
    /// The label takes such a version only when it is approved.
    #[error("label `{label}` of graph `{graph}` asks for an approval{}: {report}", unmade(*version))]
    ApprovalRequired {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
        /// The version to approve; `None` if the graph was not published, as it could not be promoted:
        /// publish it alone. The report has the number that it would have got.
        version: Option<VersionNumber>,
        /// What an approval is asked for.
        report: Arc<CompatibilityReport>,
    },
    /// New starts are routed to the version.
    #[error("version {version} of graph `{graph}` is still routed to by {}", named(labels))]
    StillRouted {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// The labels that lead to it.
        labels: Vec<LabelName>,
    },
    /// Runs or sessions are pinned to the version, or nodes of other versions run it.
    #[error("version {version} of graph `{graph}` is in use: {}", users(*live, blockers, referenced_by))]
    InUse {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// How many runs, live ones and stranded ones, and open sessions are pinned to it.
        live: u64,
        /// The first 20 of the runs by their ids, live ones first; `Versions::blockers` has them by the page.
        ///
        /// One that is being started or ended at that moment may be missing.
        blockers: Vec<RunId>,
        /// The versions whose nodes run it.
        referenced_by: Vec<(GraphName, VersionNumber)>,
    },
    /// No earlier version can be rolled back to.
    #[error(
        "label `{label}` of graph `{graph}` has no version to roll back to{}",
        listed(considered)
    )]
    NoRollbackTarget {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
        /// The versions that were active before, latest first, and why none of them is taken.
        considered: Vec<Considered>,
    },
    /// Somebody else changed the routing first.
    #[error("the routing is at revision {found}, not at {expected}{}", told(last.as_deref()))]
    Conflict {
        /// The revision the command was meant for.
        expected: u64,
        /// The revision there is.
        found: u64,
        /// The latest change.
        last: Option<Box<Changed>>,
    },
    /// The request id belongs to another command.
    #[error("the request id `{request_id}` belongs to another command")]
    RequestIdTaken {
        /// The request id.
        request_id: Arc<str>,
    },
    /// The label does not lead where a rollout left it: somebody else has changed it.
    #[error("label `{label}` of graph `{graph}` was changed by somebody else")]
    LabelChanged {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
    },
    /// Somebody else published first.
    #[error("the latest version of graph `{graph}` is {found}, not {expected}")]
    HeadMoved {
        /// The graph.
        graph: GraphName,
        /// The latest version that was expected.
        expected: VersionNumber,
        /// The latest version there is; 0 if there is none.
        found: VersionNumber,
    },
    /// The definition is not the one that was expected.
    #[error("graph `{graph}` does not have the expected hash")]
    HashDiffers {
        /// The graph.
        graph: GraphName,
    },
    /// The graph has as many versions as it may, and retention gives up none.
    #[error(
        "graph `{graph}` has {limit} versions, and none of them can be given up{}",
        stay(blocked)
    )]
    TooManyVersions {
        /// The graph.
        graph: GraphName,
        /// How many versions it may have.
        limit: usize,
        /// Why each version stays, oldest first.
        blocked: Vec<Blocker>,
    },
    /// A release changes at least one label.
    #[error("the release is empty")]
    EmptyRelease,
    /// A release lets a label lead to one version.
    #[error("label `{label}` of graph `{graph}` is twice in the release")]
    LabelTwice {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
    },
    /// The command cannot be put on record.
    #[error("the command cannot be put on record: {0}")]
    NotSaved(String),
    /// What a command was refused for before the process was started, in words.
    #[error("{0}")]
    Recorded(String),
    /// A handler has no place in the catalog, so that no process that opens the journal would have it.
    #[error(
        "graph `{graph}` has a handler outside of the catalog, which no journal can bring back"
    )]
    Opaque {
        /// The graph.
        graph: GraphName,
    },
    /// The runtime is shut down.
    #[error("the runtime is shut down")]
    Stopped,
}

/// A change, who made it, why and when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// The command, in words.
    pub command: String,
    /// Who gave it, why and when.
    pub note: Arc<Note>,
}

/// A version that stays, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocker {
    /// The version.
    pub version: VersionNumber,
    /// Why it stays.
    pub why: Blocking,
}

/// Why a version stays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocking {
    /// A label leads to it.
    Routed,
    /// So many runs are pinned to it.
    Live(u64),
    /// It is held.
    Held,
    /// A node of that version runs it.
    ReferencedBy(GraphName, VersionNumber),
    /// The rollout of that label bakes, and would go back to it.
    Fallback(LabelName),
    /// It is one of the latest, or of the latest proven ones.
    Kept,
}

impl fmt::Display for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Routed => f.write_str("a label leads to it"),
            Self::Live(live) => f.write_str(&users(*live, &[], &[])),
            Self::Held => f.write_str("it is held"),
            Self::ReferencedBy(graph, version) => {
                write!(f, "a node of `{graph}` {version} runs it")
            }
            Self::Fallback(label) => write!(f, "the rollout of `{label}` would go back to it"),
            Self::Kept => f.write_str("it is one of the latest"),
        }
    }
}

/// How many of the versions in the way a message names; the error has them all.
const NAMED: usize = 5;

fn stay(blocked: &[Blocker]) -> String {
    let named = blocked.iter().take(NAMED);
    let mut text: String = named.map(|one| format!("; {}: {}", one.version, one.why)).collect();
    if let Some(more @ 1..) = blocked.len().checked_sub(NAMED) {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

fn unmade(version: Option<VersionNumber>) -> &'static str {
    if version.is_none() { " (it is not published; publish it without promoting it)" } else { "" }
}

fn named(labels: &[LabelName]) -> String {
    let plural = if labels.len() == 1 { "" } else { "s" };
    let names: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
    format!("label{plural} {}", names.join(", "))
}

fn users(live: u64, blockers: &[RunId], referenced_by: &[(GraphName, VersionNumber)]) -> String {
    let runs = (live > 0).then(|| match (live, blockers.first()) {
        (1, Some(run)) => format!("run {run}"),
        (1, None) => "1 run, stranded run or session".to_owned(),
        (live, Some(run)) => format!("{live} runs and sessions, run {run} among them"),
        (live, None) => format!("{live} runs and sessions"),
    });
    let nodes = referenced_by.iter().map(|(graph, version)| format!("`{graph}` {version}"));
    let nodes: Vec<_> = nodes.collect();
    let nodes = (!nodes.is_empty()).then(|| format!("nodes of {}", nodes.join(", ")));
    runs.into_iter().chain(nodes).collect::<Vec<_>>().join("; ")
}

fn listed(considered: &[Considered]) -> String {
    considered.iter().map(|one| format!("; not {}: {}", one.version, one.why)).collect()
}

fn told(last: Option<&Changed>) -> impl fmt::Display {
    last.map_or_else(String::new, |last| format!(" since `{}` {}", last.command, last.note))
}
