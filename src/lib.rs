//! An actor-based, in-process runtime for workflow graphs, whose versions are swapped while runs go on.
//!
//! A service registers [`Handler`]s with a [`Runtime`], publishes graphs ([`Document`]s) and starts
//! [`Run`]s. A run keeps the version it started on until it ends, whatever is published meanwhile; a
//! fanout runs its branches over child actors, and a `unites` node joins them exactly once.
//!
//! ```
//! use hotgraph::{Document, Handler, NodeSpec, Runtime, Value};
//!
//! #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
//! struct Number {
//!     n: u64,
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let double = |number: Number| async move { Ok(Number { n: number.n * 2 }) };
//! let runtime = Runtime::builder().handler(Handler::one("double", double)).build().await?;
//! let graph = Document::builder("numbers").node(NodeSpec::new("double").input("n", 1));
//! runtime.publish_and_promote(graph.build()).await?;
//!
//! let outcome = runtime.start("numbers", Value::object([("n", 21)])).await?.await;
//! assert_eq!(outcome.output::<Number>()?.n, 42);
//! # Ok(())
//! # }
//! ```

mod id;
pub use id::{
    DEFAULT_LABEL, DEFAULT_NAMESPACE, GraphName, LabelName, NodeIndex, RunId, StateId,
    VersionNumber,
};

mod value;
pub use value::{Fields, Key, Text, Value, ValueError, from_value, to_value};

mod clock;
pub use clock::{Clock, Rng, Sleep, SystemClock, Timestamp, VirtualClock};

mod until;

mod node;
pub use node::{
    Arity, BranchOutcome, Catalog, CatalogError, Context, CursorError, Emit, FieldType, Handler,
    HandlerFingerprint, HandlerName, Lifetime, Node, NodeError, NodeFunction, Schema, Signal, Slot,
    SlotError, StateKey, Store, United,
};

mod graph;
pub use graph::{
    Compatibility, Concern, Condition, ConditionError, Document, DocumentError, EdgeDocument,
    Entries, EntryError, ExpressionError, ExpressionErrorKind, FieldDiff, Finding, Graph,
    GraphBuilder, GraphDiff, Limits, LimitsDocument, MAX_DOCUMENT_BYTES, Mark, NodeDiff,
    NodeDocument, NodeSpec, OnFailure, Part, Plan, Problem, ProblemKind, Problems, Reference,
    ResolveError, RetryPolicy, RetryPolicyDocument, RetryStrategy, Secrets, StoreConfigDocument,
    SubGraphDocument, Template, TimeoutDocument, TriggerDocument, UnitesDocument, UnknownStrategy,
    parse_text,
};

mod version;
pub use version::{
    Approval, AuditQuery, AuditRecord, Blocker, Blocking, Changed, Comparison, CompatibilityReport,
    Considered, Decision, Ends, Evidence, GraphRouting, HealthGate, InFlight, Judging, LabelPolicy,
    LabelView, Manifest, Marks, NotTaken, Note, Refusal, Retention, RollbackTarget, RolloutEnd,
    RolloutError, RolloutOf, RolloutPhase, RolloutPlan, Routing, RoutingChange, RunEnd, RunGate,
    Sample, StartRule, Step, Transition, Verdict, VersionError, VersionInfo, VersionStatus, Weight,
};

mod event;
pub use event::{Event, EventKind, EventStream, Lagged, RolloutEvent, RoutingEvent};

mod journal;
pub use journal::{
    Epoch, Journal, JournalError, JournalFuture, JournalSize, MemoryJournal, OnSaveFailure, Record,
    RunQuery, RunRow, Stream, Write,
};
#[cfg(feature = "postgres")]
pub use journal::{PostgresConfig, PostgresJournal};
#[cfg(feature = "sqlite")]
pub use journal::{SqliteConfig, SqliteJournal};

mod registry;
pub use registry::{Rollout, RolloutCommand, RolloutStatus};

mod run;
pub use run::{
    Durability, FailureReport, Fingerprint, HistoryStep, Outcome, OutputError, RetryError, Run,
    RunPhase, RunStatus, RunView, SkipReason, SkipReport, StateRetention, StateStatus, StateView,
    UnitingIdentity,
};

mod session;
pub use session::StepOutcome;

mod runtime;
pub use runtime::{
    Accepted, BeginRollout, BuildError, Command, Drain, Next, Publish, PublishError, Published,
    RequiredVersion, RolledBack, RunAt, Runtime, RuntimeBuilder, Session, SessionError,
    SessionSlot, SessionView, ShutdownReport, Start, StartError, Starting, Storage, StrandedReason,
    StrandedRun, Versions,
};

#[cfg(doctest)]
mod docs;
