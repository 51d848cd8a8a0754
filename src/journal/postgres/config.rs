//! Where the store is, and how long it is waited for.

use std::env;
use std::fmt;
#[cfg(feature = "postgres-tls")]
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;

use crate::journal::error::JournalError;

/// The server that is taken when nothing names another.
const DEFAULT_URL: &str = "postgresql://localhost";

/// The variables that name the server; the first one that is set and not empty counts.
const VARIABLES: [&str; 2] = ["HOTGRAPH_POSTGRES_URL", "DATABASE_URL"];

/// The schema that is taken when nothing names another.
const DEFAULT_SCHEMA: &str = "hotgraph";

/// The longest name that PostgreSQL keeps; it cuts a longer one off.
const LONGEST_NAME: usize = 63;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How soon a silent peer is asked whether it is there, and how often; both ends do so.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
pub(super) const KEEPALIVE_RETRIES: u32 = 3;

/// Where a journal in PostgreSQL is, and how long it is waited for.
///
/// A URL is a configuration: `PostgresJournal::connect("postgresql://localhost/billing")`.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a configuration does nothing until a journal is connected with it"]
pub struct PostgresConfig {
    url: String,
    pub(super) schema: String,
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
    #[cfg(feature = "postgres-tls")]
    pub(super) root_certificates: Option<PathBuf>,
}

impl PostgresConfig {
    /// A URL such as `postgresql://user:password@host:5432/database`, or words such as
    /// `host=localhost dbname=billing`.
    ///
    /// With `sslmode=require` in it a connection is made over TLS or not at all, with
    /// `sslmode=disable` without; else over TLS if the server has it. That takes the feature
    /// `postgres-tls`. The server's certificate and name are checked in any case.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: DEFAULT_SCHEMA.to_owned(),
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            #[cfg(feature = "postgres-tls")]
            root_certificates: None,
        }
    }

    /// The server that the environment names: `HOTGRAPH_POSTGRES_URL`, else `DATABASE_URL`, else
    /// the one on this machine.
    ///
    /// No file of variables is read.
    pub fn from_env() -> Self {
        Self::new(url(|name| env::var(name).ok()))
    }

    /// Keeps the tables in this schema instead of `hotgraph`: each schema is a store of its own.
    ///
    /// It is made if it is not there.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Gives up after so long to connect: 10 seconds, unless told otherwise.
    ///
    /// That the server answers is part of it, and so is a look at the store.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Gives up on a request that is not carried out after so long: 30 seconds, unless told
    /// otherwise.
    ///
    /// The server gives up on each of its statements after the same time. A vacuum takes as long as
    /// it does, and ends when the server has been silent for a minute.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Trusts servers whose certificates go back to one of those in this PEM file, besides those that
    /// the system trusts.
    #[cfg(feature = "postgres-tls")]
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.root_certificates = Some(file.into());
        self
    }

    /// What the client needs to know; `Unusable` if it is no such thing.
    pub(super) fn parsed(&self) -> Result<Config, JournalError> {
        if self.schema.is_empty() || self.schema.len() > LONGEST_NAME || self.schema.contains('\0')
        {
            let why = format!("{:?} cannot be the name of a schema", self.schema);
            return Err(JournalError::Unusable(why));
        }
        // What is said of it names no part of the URL, which may hold a password.
        let parsed = self.url.parse::<Config>();
        let mut config = parsed.map_err(|error| JournalError::Unusable(error.to_string()))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host("localhost");
        }
        if config.get_application_name().is_none() {
            config.application_name("hotgraph");
        }
        if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
            config.keepalives_idle(KEEPALIVE_IDLE);
            config.keepalives_interval(KEEPALIVE_INTERVAL);
            config.keepalives_retries(KEEPALIVE_RETRIES);
        }
        Ok(config)
    }
}

impl<U: Into<String>> From<U> for PostgresConfig {
    fn from(url: U) -> Self {
        Self::new(url)
    }
}

impl fmt::Debug for PostgresConfig {
    /// Leaves the URL out: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("schema", &self.schema)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .finish_non_exhaustive()
    }
}

/// The URL that the first variable names which is set.
pub(super) fn url(variable: impl Fn(&str) -> Option<String>) -> String {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    VARIABLES.iter().find_map(set).unwrap_or_else(|| DEFAULT_URL.to_owned())
}
