//! How much of a run is on record, and when.

use serde::{Deserialize, Serialize};

/// How much of a run survives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: the run ends with the process.
    None,
    /// The start, every fanout before its branches start or each output of a resumable one before its
    /// own branch, every group before its merger starts, and the end. States in between may run again
    /// after a crash.
    OnFanoutAndUnites,
    /// Every state before what follows it starts: a state that is on record never runs again.
    #[default]
    EveryState,
}
