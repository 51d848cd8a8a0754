//! What the registry's actor is told.

use tokio::sync::oneshot;

use crate::version::{Command, Done, VersionError};

/// A message to the registry's actor.
#[derive(Debug)]
pub(crate) enum RegistryMessage {
    /// Carry out a command and say what it did.
    Execute(Box<Command>, oneshot::Sender<Result<Done, VersionError>>),
}
