//! How an input of a session ended.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::run::{Outcome, OutputError};

/// How an input of a session ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepOutcome {
    /// The number of the input in its session, from 1 and without gaps.
    pub step: u64,
    /// The id that it was given with.
    pub input_id: Option<Arc<str>>,
    /// How the run ended that carried it out.
    pub outcome: Outcome,
}

impl StepOutcome {
    pub(crate) const fn new(step: u64, input_id: Option<Arc<str>>, outcome: Outcome) -> Self {
        Self { step, input_id, outcome }
    }

    /// Whether the input succeeded: what its handlers put into slots is the session's then.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.outcome.is_success()
    }

    /// The only output, as a type.
    ///
    /// # Errors
    ///
    /// If the input has no output or several, or the output does not fit the type.
    pub fn output<T: DeserializeOwned>(&self) -> Result<T, OutputError> {
        self.outcome.output()
    }
}
