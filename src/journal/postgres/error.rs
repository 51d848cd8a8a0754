//! What PostgreSQL says, in the words of a journal.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::journal::error::JournalError;

/// Why a request failed. The client's own errors become it with `?`, and nobody outside sees them.
#[derive(Debug)]
pub(super) struct Failure(pub JournalError);

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error.as_db_error().map_or_else(|| JournalError::Unavailable(text(&error)), told))
    }
}

impl Failure {
    /// Whether the connection can be used again: the server answered, and stays there.
    pub(super) const fn leaves_the_connection_sound(&self) -> bool {
        !matches!(self.0, JournalError::Unavailable(_))
    }
}

/// What went wrong on this side of the server, or between the two.
fn text(error: &Error) -> String {
    match error.source() {
        // It says itself what its cause is, but for some of them.
        Some(cause) if !error.to_string().contains(&cause.to_string()) => {
            format!("{error}: {cause}")
        }
        _ => error.to_string(),
    }
}

/// What the server said.
fn told(error: &DbError) -> JournalError {
    let code = error.code();
    let why = format!("{} (SQLSTATE {})", error.message(), code.code());
    match code {
        code if is_unavailable(code) => JournalError::Unavailable(why),
        &SqlState::DISK_FULL | &SqlState::OUT_OF_MEMORY => JournalError::Full(why),
        // The statements are those of this library, so what does not fit them is the store.
        &SqlState::UNDEFINED_TABLE
        | &SqlState::UNDEFINED_COLUMN
        | &SqlState::DATA_CORRUPTED
        | &SqlState::INDEX_CORRUPTED => JournalError::Unusable(why),
        _ => JournalError::Storage(why),
    }
}

/// Whether the server is there at another time, or gave up on something that took too long.
fn is_unavailable(code: &SqlState) -> bool {
    // Class 08 is everything about connections.
    code.code().starts_with("08")
        || [
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::QUERY_CANCELED,
            SqlState::LOCK_NOT_AVAILABLE,
        ]
        .contains(code)
}
