//! What the journal of a session says: one entry for each thing that changed it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::outcome::StepOutcome;
use super::standing::Standing;
use crate::id::{GraphName, RunId, VersionNumber};
use crate::value::{Value, read_record};

/// A slot by its name, and what it holds from then on; nothing if it was emptied.
pub(crate) type SlotChange = (String, Option<Value>);

/// One thing that changed a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum SessionEntry {
    /// The session began, on a version.
    Began { id: Arc<str>, graph: GraphName, version: VersionNumber },
    /// An input was accepted: it is carried out once.
    Accepted(Input),
    /// The input that was accepted last has ended, and left this in the slots.
    Ended(Box<StepOutcome>, Vec<SlotChange>),
    /// Slots were changed between inputs.
    SlotsChanged(Vec<SlotChange>),
    /// The session moved to another version.
    Moved(VersionNumber),
    /// The session takes no more inputs.
    Finished,
}

/// What a caller gives to a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Given {
    /// What the caller calls it.
    pub id: Option<Arc<str>>,
    /// The node that it begins at, if that is not the root.
    pub entry: Option<Arc<str>>,
    pub value: Value,
    /// Keys of the store of its run.
    pub store: BTreeMap<String, Value>,
}

/// An input that was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    /// Its number in its session, from 1.
    pub step: u64,
    pub given: Given,
    pub version: VersionNumber,
    /// The run that carries it out, once.
    pub run: RunId,
}

impl Given {
    /// What two inputs of one id have to agree in.
    pub(super) fn content(&self) -> [u8; 32] {
        let text = serde_json::to_vec(&(&self.entry, &self.value, &self.store));
        let text = text.expect("values have string keys and finite numbers");
        blake3::hash(&text).into()
    }
}

impl SessionEntry {
    /// What is written.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("entries have string keys and finite numbers")
    }

    /// How the session stands from then on.
    pub(crate) const fn leaves(&self) -> Standing {
        match self {
            Self::Accepted(_) => Standing::Busy,
            Self::Finished => Standing::Finished,
            Self::Began { .. } | Self::Ended(..) | Self::SlotsChanged(_) | Self::Moved(_) => {
                Standing::Open
            }
        }
    }

    /// Reads what was written.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, String> {
        read_record(body)
    }
}
