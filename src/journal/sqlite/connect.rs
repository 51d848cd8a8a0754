//! Opens the database: the file, its settings, its format, its soundness.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Row};

use super::config::SqliteConfig;
use super::error::Failure;
use super::kept;
use super::migrate::{migrate, verify};
use crate::journal::error::JournalError;

/// How long a request waits for another process that writes: it writes for moments only.
const BUSY: Duration = Duration::from_secs(5);

/// How long to wait before trying again what SQLite does not wait for by itself.
const PAUSE: Duration = Duration::from_millis(10);

/// Statements that are kept prepared: those of commits, and the queries that are in use.
const STATEMENTS: usize = 64;

/// Makes the file if there is none; gives back its full path as well.
///
/// The system says here what is wrong with a path, and SQLite would not.
pub(super) fn make_file(config: &SqliteConfig) -> Result<(File, PathBuf), JournalError> {
    let failed = |error| JournalError::Storage(format!("{}: {error}", config.path.display()));
    let options = OpenOptions::new().create(true).truncate(false).read(true).write(true).clone();
    let file = options.open(&config.path).map_err(failed)?;
    Ok((file, config.path.canonicalize().map_err(failed)?))
}

/// Whether a path leads to an open file.
#[cfg(unix)]
pub(super) fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (there, here) = (fs::metadata(path)?, file.metadata()?);
    Ok((there.dev(), there.ino()) == (here.dev(), here.ino()))
}

/// What is open can be neither removed nor replaced there.
#[cfg(not(unix))]
pub(super) fn leads_to(path: &Path, _: &File) -> io::Result<bool> {
    fs::metadata(path).map(|_| true)
}

/// Opens a store for the first time.
pub(super) fn open(config: &SqliteConfig) -> Result<Connection, Failure> {
    let mut connection = connect(config)?;
    if config.is_checked {
        check(&connection)?;
    }
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens the file that is there, with its settings.
pub(super) fn connect(config: &SqliteConfig) -> Result<Connection, Failure> {
    // No names that mean something to SQLite, and no file that is made by mistake.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&config.path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Before the first setting that changes the file, which may be somebody else's.
    verify(&connection)?;
    write_ahead(&connection)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON;")?;
    if let Some(bytes) = config.max_bytes {
        bound(&connection, bytes)?;
    }
    Ok(connection)
}

/// Sets the journal mode; SQLite does not wait for others that do the same.
fn write_ahead(connection: &Connection) -> Result<(), Failure> {
    let start = Instant::now();
    loop {
        let mode = |row: &Row<'_>| row.get::<_, String>(0);
        let set = connection.pragma_update_and_check(None, "journal_mode", "WAL", mode);
        match set.map_err(Failure::from) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let why = format!("its journal mode stays {mode}");
                return Err(JournalError::Unusable(why).into());
            }
            Err(Failure(JournalError::Unavailable(_))) if start.elapsed() < BUSY => sleep(PAUSE),
            Err(failure) => return Err(failure),
        }
    }
}

fn bound(connection: &Connection, bytes: u64) -> Result<(), Failure> {
    let page: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    // SQLite counts pages in 32 bits, and takes 0 for a question.
    let pages = (bytes / u64::from(page)).clamp(1, u64::from(u32::MAX - 1));
    let pages = kept::number(pages);
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    Ok(())
}

/// Reads the whole store: every tree, and whether the indexes say what the tables say.
fn check(connection: &Connection) -> Result<(), Failure> {
    let sql = "PRAGMA integrity_check(1)";
    let found: String = connection.query_row(sql, (), |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        why => Err(JournalError::Unusable(why.to_owned()).into()),
    }
}
