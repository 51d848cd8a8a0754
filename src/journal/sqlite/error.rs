//! What SQLite says, in the words of a journal.

use rusqlite::{Error, ErrorCode};

use crate::journal::error::JournalError;

/// Why a request failed. SQLite's own errors become it with `?`, and nobody outside sees them.
#[derive(Debug)]
pub(super) struct Failure(pub JournalError);

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(told(&error))
    }
}

impl Failure {
    /// Whether the connection can be used again: the store itself refused, and the storage works.
    pub(super) const fn leaves_the_connection_sound(&self) -> bool {
        !matches!(self.0, JournalError::Storage(_) | JournalError::Unusable(_))
    }
}

fn told(error: &Error) -> JournalError {
    let why = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => JournalError::Full(why),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::Unavailable(why),
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed,
        ) => JournalError::Storage(why),
        // The statements are those of this library, so what does not fit them is the store.
        _ => JournalError::Unusable(why),
    }
}
