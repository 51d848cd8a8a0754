//! Versions: immutable, pinned by runs, routed by a snapshot. Pure: no actor, no clock.
//!
//! A [`Command`] comes in; [`Lineages`] carries it out on a draft of the [`Snapshot`], as `decide`
//! says, and puts it on record in the [`AuditLog`], accepted or refused. A refused command leaves
//! nothing else behind. [`Gate`](gate::Gate) counts the pins of one version and says when it may
//! retire. What a start gets is [`Snapshot::resolve`], and [`start()`] pins it; the status of a version is derived from the
//! snapshot and its gate, and is never stored.

mod audit;
mod command;
mod compatibility;
mod decide;
mod decision;
mod error;
mod gate;
mod in_flight;
mod label;
mod lineage;
mod manifest;
mod marks;
#[cfg(test)]
mod model_tests;
mod pin;
mod restart;
mod retention;
mod rollback;
mod rollout;
mod routing;
mod secrets;
mod setters;
mod snapshot;
mod start;
mod state;
mod stored;
#[cfg(test)]
mod stored_tests;
#[cfg(feature = "metrics")]
mod tally;
mod transition;
mod turn;

pub(crate) use audit::AuditLog;
pub use audit::{AuditQuery, AuditRecord, Refusal};
pub(crate) use command::{
    Change, Command, Done, LabelChange, NewVersion, Otherwise, Terms, VersionChange,
};
pub use compatibility::CompatibilityReport;
pub use decision::{Decision, StartRule};
pub use error::{Blocker, Blocking, Changed, VersionError};
pub use in_flight::InFlight;
pub(crate) use label::Standing;
pub use label::{LabelPolicy, LabelView, Weight};
pub(crate) use lineage::{Answer, Decision as Decided, Lineages, Turned};
pub(crate) use manifest::Bindings;
pub use manifest::Manifest;
pub use marks::{Approval, Marks, Note};
pub(crate) use pin::{Pin, Version};
pub use retention::Retention;
pub use rollback::{Considered, NotTaken, RollbackTarget};
pub(crate) use rollout::{
    Admission, Ending, Holding, Move, NamedGate, RolloutAct, RolloutMachine, RolloutOrder,
};
pub use rollout::{
    Comparison, Ends, Evidence, HealthGate, Judging, RolloutEnd, RolloutError, RolloutOf,
    RolloutPhase, RolloutPlan, RunEnd, RunGate, Sample, Step, Verdict,
};
pub use routing::{GraphRouting, Routing, RoutingChange};
pub(crate) use secrets::GraphSecrets;
pub(crate) use setters::term_setters;
pub(crate) use snapshot::{ResolveError, Selector, Snapshot};
pub(crate) use start::start;
pub use state::{VersionInfo, VersionStatus};
pub(crate) use stored::{Restored, StoredRollout, StoredTurn};
pub use transition::Transition;
