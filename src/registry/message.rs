//! What the registry's actor is told.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::version::{Command, Done, Refusal, Version, VersionError};

/// A message to the registry's actor.
#[derive(Debug)]
pub(crate) enum RegistryMessage {
    /// Carry out a command and say what it did.
    Execute(Box<Command>, oneshot::Sender<Result<Done, VersionError>>),
    /// Put on record a command that was refused before it came here.
    Refuse(Box<Command>, Refusal, oneshot::Sender<()>),
    /// A version that lost its last route had no run left, a moment ago.
    Drained(Arc<Version>),
}
