//! Who owns the store: a lock on a file beside it, held as long as this process lives.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::journal::error::JournalError;

/// The lock of the owner; given back when it is dropped, and by the system when the process ends.
///
/// The file stays: whoever removed it could remove the one that another process has just locked.
#[derive(Debug)]
pub(super) struct OwnerLock {
    file: File,
}

impl OwnerLock {
    /// Takes the lock of the store in a file; `None` if somebody holds it.
    pub(super) fn take(store: &Path) -> Result<Option<Self>, JournalError> {
        let mut path = OsString::from(store);
        path.push("-lock");
        let failed =
            |error| JournalError::Storage(format!("{}: {error}", Path::new(&path).display()));
        let options = OpenOptions::new().create(true).truncate(false).write(true).clone();
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // Closing the file would do, but for a process that is being started at this moment: it
        // has a copy of every open file until it becomes another program. If it fails, closing is
        // what is left.
        let _ = self.file.unlock();
    }
}
