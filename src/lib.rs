//! An actor-based, in-process runtime for workflow graphs, whose versions are swapped while runs go on.

mod id;
pub use id::{DEFAULT_NAMESPACE, GraphName, NodeIndex, RunId, StateId, VersionNumber};

mod value;
pub use value::{Fields, Key, Value, ValueError, from_value, to_value};

mod clock;
pub use clock::{Clock, Rng, Sleep, SystemClock, Timestamp, VirtualClock};
