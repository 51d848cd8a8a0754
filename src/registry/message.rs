//! What the registry's actor is told.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::version::{Answer, Command, Refusal, Version};

/// A message to the registry's actor.
#[derive(Debug)]
pub(crate) enum RegistryMessage {
    /// Carry out a command and say what it did; one that was refused before it came here is only put
    /// on record.
    Execute(Box<Command>, Option<Refusal>, oneshot::Sender<Answer>),
    /// Say what a command was told that was given before under its request id.
    Recall(Box<Command>, oneshot::Sender<Option<Answer>>),
    /// A version that lost its last route had no run left, a moment ago.
    Drained(Arc<Version>),
}
