//! An actor-based, in-process runtime for workflow graphs, whose versions are swapped while runs go on.

mod id;
pub use id::{DEFAULT_NAMESPACE, GraphName, NodeIndex, RunId, StateId, VersionNumber};

mod value;
pub use value::{Fields, Key, Value, ValueError, from_value, to_value};

mod clock;
pub use clock::{Clock, Rng, Sleep, SystemClock, Timestamp, VirtualClock};

mod node;
pub use node::{
    Arity, BranchOutcome, Catalog, CatalogError, Context, Emit, FieldType, Handler,
    HandlerFingerprint, HandlerName, Node, NodeError, NodeFunction, Schema, Signal, Store, United,
};

mod graph;
pub use graph::{
    Condition, ConditionError, Document, DocumentError, EdgeDocument, Entries, ExpressionError,
    ExpressionErrorKind, Graph, GraphBuilder, Limits, LimitsDocument, MAX_DOCUMENT_BYTES, Mark,
    NodeDocument, NodeSpec, OnFailure, Part, Plan, Problem, ProblemKind, Problems, Reference,
    ResolveError, RetryCountError, RetryPolicy, RetryPolicyDocument, RetryStrategy, Secrets,
    StoreConfigDocument, SubGraphDocument, Template, TimeoutDocument, TriggerDocument,
    UnitesDocument, parse_text,
};
