//! Who owns the store: an advisory lock, held as long as a session of the server lives.
//!
//! A session that was lost may live on in the server for a while, until that notices; then the lock
//! is held by nobody who is there. So a session is known by its process and the time at which it
//! began, and the next one ends those of its own that may hold the lock.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use xxhash_rust::xxh3::xxh3_64;

use super::error::Failure;

const WHO: &str = "SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint \
                   FROM pg_stat_activity WHERE pid = pg_backend_pid()";
const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 \
                   AND (extract(epoch FROM backend_start) * 1000000)::bigint = $2";
const TRY: &str = "SELECT pg_try_advisory_lock($1)";
const UNLOCK: &str = "SELECT pg_advisory_unlock($1)";

/// How long a lock is waited for, which a process that has just been killed still holds.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait before trying again.
const PAUSE: Duration = Duration::from_millis(20);

/// How many sessions are remembered that may hold the lock: a new one joins them only if the
/// connection is lost at the very moment in which it takes the lock.
const REMEMBERED: usize = 8;

/// A session of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pid: i32,
    started: i64,
}

impl Session {
    /// The session of a connection.
    pub(super) async fn of(client: &Client) -> Result<Self, Failure> {
        let row = client.query_typed_one(WHO, &[]).await?;
        Ok(Self { pid: row.try_get(0)?, started: row.try_get(1)? })
    }

    /// Ends it, if it lives.
    async fn end(&self, client: &Client) -> Result<(), Failure> {
        client.query_typed(END, &[(&self.pid, Type::INT4), (&self.started, Type::INT8)]).await?;
        Ok(())
    }
}

/// The lock of a store's owner.
#[derive(Debug)]
pub(super) struct OwnerLock {
    key: i64,
    /// The sessions of this journal that may hold it.
    holders: Vec<Session>,
}

impl OwnerLock {
    /// The lock of the store in a schema; nobody has taken it yet.
    pub(super) fn of(schema: &str) -> Self {
        Self { key: key("owner", schema), holders: Vec::new() }
    }

    /// Takes it for a session; says whether it has it then.
    pub(super) async fn take(&mut self, client: &Client, own: Session) -> Result<bool, Failure> {
        let lost = self.holders.clone();
        // Before it is taken: the answer may be lost, and then nobody knows.
        if self.holders.len() == REMEMBERED {
            self.holders.remove(0);
        }
        self.holders.push(own);
        let is_taken = self.wait(client, &lost).await?;
        match is_taken {
            true => self.holders = vec![own],
            false => self.holders.retain(|session| *session != own),
        }
        Ok(is_taken)
    }

    /// Ends the sessions that were lost, and waits for the lock, but not long.
    async fn wait(&self, client: &Client, lost: &[Session]) -> Result<bool, Failure> {
        let start = Instant::now();
        for session in lost {
            session.end(client).await?;
        }
        loop {
            let row = client.query_typed_one(TRY, &[(&self.key, Type::INT8)]).await?;
            let is_taken = row.try_get(0)?;
            if is_taken || start.elapsed() > PATIENCE {
                return Ok(is_taken);
            }
            sleep(PAUSE).await;
        }
    }

    /// Gives it back.
    pub(super) async fn give_back(&mut self, client: &Client) -> Result<(), Failure> {
        client.query_typed(UNLOCK, &[(&self.key, Type::INT8)]).await?;
        self.holders.clear();
        Ok(())
    }
}

/// The key of a lock. Every process computes the same one, whatever its version.
pub(super) fn key(what: &str, schema: &str) -> i64 {
    xxh3_64(format!("hotgraph/{what}/{schema}").as_bytes()).cast_signed()
}
