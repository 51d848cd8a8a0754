//! Where the store is, and how it is opened.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The file that is taken when nothing names another.
const DEFAULT_FILE: &str = "hotgraph.db";

/// The variables that name the file; the first one that is set and not empty counts.
const VARIABLES: [&str; 2] = ["HOTGRAPH_SQLITE_URL", "SQLITE_DB_NAME"];

/// Where a journal in SQLite is, and how it is opened.
///
/// A path is a configuration: `SqliteJournal::open("runs.db")`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a configuration does nothing until a journal is opened with it"]
pub struct SqliteConfig {
    pub(super) path: PathBuf,
    pub(super) max_bytes: Option<u64>,
    pub(super) is_checked: bool,
}

impl SqliteConfig {
    /// A file, or a URL such as `sqlite://runs.db` or `sqlite:///var/lib/runs.db`.
    ///
    /// What follows a `?` in a URL is not looked at.
    pub fn new(file: impl AsRef<OsStr>) -> Self {
        Self { path: path(file.as_ref()), max_bytes: None, is_checked: true }
    }

    /// The file that the environment names: `HOTGRAPH_SQLITE_URL`, else `SQLITE_DB_NAME`, else
    /// `hotgraph.db` in the working directory.
    ///
    /// No file of variables is read.
    pub fn from_env() -> Self {
        Self::new(file(|name| env::var_os(name)))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database grows up to so many bytes; a commit that needs more is refused as
    /// `JournalError::Full`.
    ///
    /// Space that is free inside it is used again. The write-ahead log beside it comes on top.
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Opens the store without reading all of it first.
    ///
    /// A store is read through when it is opened, and refused if it is damaged. Without that it is
    /// open at once, and what can be read of a damaged one can be saved; but a run whose place in
    /// the file is damaged may be missing from what is found.
    pub const fn unchecked(mut self) -> Self {
        self.is_checked = false;
        self
    }
}

impl<P: AsRef<OsStr>> From<P> for SqliteConfig {
    fn from(file: P) -> Self {
        Self::new(file)
    }
}

/// The file that the first variable names which is set.
pub(super) fn file(variable: impl Fn(&str) -> Option<OsString>) -> OsString {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    VARIABLES.iter().find_map(set).unwrap_or_else(|| DEFAULT_FILE.into())
}

fn path(file: &OsStr) -> PathBuf {
    let Some(url) = file.to_str().and_then(|text| text.strip_prefix("sqlite:")) else {
        return file.into();
    };
    let name = url.strip_prefix("//").unwrap_or(url);
    name.split_once('?').map_or(name, |(name, _)| name).into()
}
