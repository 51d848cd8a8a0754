//! How a session stands, as its row in a journal says: what tells such a row from that of a run.

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits for an input.
    Open,
    /// It has an input that has not ended.
    Busy,
    /// It takes no more inputs.
    Finished,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Open, Self::Busy, Self::Finished];

    /// The status of the row.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "SESSION_OPEN",
            Self::Busy => "SESSION_BUSY",
            Self::Finished => "SESSION_FINISHED",
        }
    }

    /// What the status of a row says of a session; nothing if the row is that of a run.
    pub(crate) fn of(status: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == status)
    }
}
