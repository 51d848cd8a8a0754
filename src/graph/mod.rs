//! From definition to plan; knows no actor and no tokio.
//!
//! A [`Document`] (JSON, YAML or the builder's) comes in, is checked as a whole, and goes out as a
//! frozen, index-based [`Plan`], or as every [`Problem`] with it at once.

mod builder;
mod check;
mod compatibility;
mod compile;
mod condition;
mod diff;
mod document;
mod entry;
mod expression;
#[expect(clippy::module_inception, reason = "the type is the module's main word")]
mod graph;
mod hash;
mod outline;
mod plan;
mod problem;
mod region;
mod render;
mod retry;

pub use builder::{GraphBuilder, NodeSpec};
pub(crate) use check::{CheckLimits, Checked, CheckedNode, Refused, Wanted, check};
pub use compatibility::{Compatibility, Concern, Finding};
pub(crate) use compatibility::{assess, worst};
pub(crate) use compile::compile;
pub use condition::{Condition, ConditionError};
pub use diff::{FieldDiff, GraphDiff, NodeDiff};
pub use document::{
    Document, DocumentError, EdgeDocument, Entries, LimitsDocument, MAX_DOCUMENT_BYTES,
    NodeDocument, OnFailure, RetryPolicyDocument, Secrets, StoreConfigDocument, SubGraphDocument,
    TimeoutDocument, TriggerDocument, UnitesDocument,
};
pub use entry::EntryError;
pub use expression::{
    ExpressionError, ExpressionErrorKind, Part, Reference, ResolveError, Template, parse_text,
};
pub(crate) use expression::{Lookup, Seen};
pub use graph::Graph;
pub(crate) use hash::hash;
pub(crate) use outline::Outline;
pub use plan::{Limits, Plan};
pub(crate) use plan::{Multiplicity, Onward, PlanInput, PlanNode, Strategy};
pub use problem::{Problem, ProblemKind, Problems};
pub use render::Mark;
pub use retry::{RetryPolicy, RetryStrategy, UnknownStrategy};

#[cfg(test)]
mod tests;
