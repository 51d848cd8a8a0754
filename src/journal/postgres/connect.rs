//! Connects to the server: the session, its settings, who it is.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Socket};
use tokio_util::task::AbortOnDropHandle;

use super::config::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES, PostgresConfig};
use super::error::Failure;
use super::lock::Session;
use super::migrate::verify;
use crate::journal::error::JournalError;

/// A commit is durable when it is answered; a stricter setting of the server stays.
const SYNCHRONOUS: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                           WHERE current_setting('synchronous_commit') = 'off'";

/// A session of the server. It ends when it is dropped, and what was not committed with it.
#[derive(Debug)]
pub(super) struct Connection {
    pub client: Client,
    pub session: Session,
    /// Moves what is said between the client and the socket.
    _driver: AbortOnDropHandle<()>,
}

/// Connects to a store, whose tables may have to be made.
pub(super) async fn connect(config: &PostgresConfig) -> Result<Connection, Failure> {
    within(config.connect_timeout, async {
        #[cfg(feature = "postgres-tls")]
        let tls = super::tls::connector(config)?;
        #[cfg(not(feature = "postgres-tls"))]
        let tls = tokio_postgres::NoTls;
        let (client, driver) = dial(&config.parsed()?, tls).await?;
        client.batch_execute(&settings(config)).await?;
        let session = Session::of(&client).await?;
        verify(&client, &config.schema).await?;
        Ok(Connection { client, session, _driver: driver })
    })
    .await
}

/// Gives up on a peer that says nothing.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(limit, work).await.unwrap_or_else(|_| {
        Err(JournalError::Unavailable(format!("no answer within {limit:?}")).into())
    })
}

async fn dial<T>(config: &Config, tls: T) -> Result<(Client, AbortOnDropHandle<()>), Failure>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    let driver = tokio::spawn(async move {
        // Whoever waits for an answer is told that the connection was lost.
        let _ = connection.await;
    });
    Ok((client, AbortOnDropHandle::new(driver)))
}

/// Statements find the tables of the schema and no others; the server notices, too, that a peer is
/// gone, and gives its lock back.
fn settings(config: &PostgresConfig) -> String {
    let schema = quoted(&config.schema);
    let limit = limit(config);
    let (idle, interval) = (KEEPALIVE_IDLE.as_secs(), KEEPALIVE_INTERVAL.as_secs());
    format!(
        "SET search_path TO {schema}, pg_temp; \
         SET client_min_messages TO warning; \
         {limit}; \
         SET tcp_keepalives_idle TO {idle}; \
         SET tcp_keepalives_interval TO {interval}; \
         SET tcp_keepalives_count TO {KEEPALIVE_RETRIES}; \
         {SYNCHRONOUS}"
    )
}

/// What has the server give up on a statement when nobody waits for it any more.
pub(super) fn limit(config: &PostgresConfig) -> String {
    // 0 would be no limit, and there is a largest one.
    let limit = config.request_timeout.as_millis().clamp(1, i32::MAX as u128);
    format!("SET statement_timeout TO {limit}")
}

/// A name in SQL, whatever letters it is made of.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
