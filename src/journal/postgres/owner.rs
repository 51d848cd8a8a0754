//! The statements about the owner, and the transaction that only the latest one may commit.

use futures_util::future::join3;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::error::Failure;
use super::query::Typed;
use crate::journal::contract::Epoch;
use crate::journal::error::JournalError;
use crate::journal::kept;

const LATEST: &str = "SELECT epoch FROM owner";
/// Whoever claims the store waits until the transaction has ended, or comes before it.
const LATEST_HELD: &str = "SELECT epoch FROM owner FOR SHARE";
const NAME: &str = "SELECT name FROM owner";
const CLAIM: &str = "UPDATE owner SET epoch = $1, name = $2 WHERE epoch = $3";

/// Begins a transaction, whatever the server takes for its usual one.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// The latest epoch.
pub(super) async fn latest(client: &Client) -> Result<Epoch, Failure> {
    epoch(client.query_typed(LATEST, &[]).await?)
}

/// What the latest owner calls itself.
pub(super) async fn name(client: &Client) -> Result<String, Failure> {
    let row = client.query_typed_one(NAME, &[]).await?;
    Ok(String::from_utf8_lossy(row.try_get(0)?).into_owned())
}

/// Writes the next epoch with its owner.
pub(super) async fn claim(client: &Client, owner: &str) -> Result<Epoch, Failure> {
    let last = latest(client).await?.0;
    let next = last.checked_add(1);
    let next = next.ok_or_else(|| JournalError::Unusable("no epoch is left".to_owned()))?;
    let values = (kept::number(next), owner.as_bytes(), kept::number(last));
    let claim: [Typed<'_>; 3] =
        [(&values.0, Type::INT8), (&values.1, Type::BYTEA), (&values.2, Type::INT8)];
    match client.execute_typed(CLAIM, &claim).await? {
        1 => Ok(Epoch(next)),
        _ => Err(JournalError::Unavailable("somebody else wrote an epoch".to_owned()).into()),
    }
}

/// Works in one transaction of the latest epoch.
///
/// What the work says first is sent with what begins the transaction, before any of it is answered.
pub(super) async fn transaction<T>(
    client: &Client,
    epoch: Epoch,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    // They are polled in this order, and so sent in this order.
    let begun = join3(client.batch_execute(BEGIN), check(client, epoch), work).await;
    let outcome = match begun {
        (Err(error), ..) => Err(error.into()),
        (_, Err(failure), _) => Err(failure),
        (_, _, outcome) => outcome,
    };
    match outcome {
        Ok(done) => {
            client.batch_execute("COMMIT").await?;
            Ok(done)
        }
        Err(failure) => {
            if failure.leaves_the_connection_sound() {
                client.batch_execute("ROLLBACK").await?;
            }
            Err(failure)
        }
    }
}

/// Refuses every epoch but the latest one.
async fn check(client: &Client, wanted: Epoch) -> Result<(), Failure> {
    let found = epoch(client.query_typed(LATEST_HELD, &[]).await?)?;
    match found == wanted {
        true => Ok(()),
        false => Err(JournalError::Fenced { epoch: wanted, found }.into()),
    }
}

fn epoch(rows: Vec<Row>) -> Result<Epoch, Failure> {
    let row = rows.first().ok_or_else(|| JournalError::Unusable("it has no epoch".to_owned()))?;
    Ok(Epoch(row.try_get::<_, i64>(0)?.cast_unsigned()))
}
