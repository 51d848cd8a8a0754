//! A store has one owner, whoever it is and however it ends.

use std::sync::Arc;

use hotgraph::{Journal, JournalError, PostgresJournal};
use tokio_postgres::Client;

use super::server::{Server, Store};
use crate::journal::owners;
use crate::journal::work::commit;

async fn connect(store: &Store) -> PostgresJournal {
    PostgresJournal::connect(store.config()).await.unwrap()
}

#[tokio::test]
async fn a_second_owner_waits_until_the_first_one_goes() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    owners::a_second_owner_waits_until_the_first_one_goes(async || connect(&store).await).await;
}

#[tokio::test]
async fn a_claim_that_was_given_up_holds_nothing() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    owners::a_claim_that_was_given_up_holds_nothing(async || connect(&store).await).await;
}

#[tokio::test]
async fn a_commit_that_was_given_up_is_written_or_not() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    owners::a_commit_that_was_given_up_is_written_or_not(async || connect(&store).await).await;
}

#[tokio::test]
async fn more_requests_than_fit_the_channel_are_all_answered() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    owners::more_requests_than_fit_the_channel_are_all_answered(connect(&store).await).await;
}

/// Waits until so many requests of journals wait for each other, or something else is the case.
async fn wait_for(client: &Client, waiting: i64, or_else: impl Fn() -> bool) {
    let sql = "SELECT count(*) FROM pg_stat_activity \
               WHERE wait_event_type = 'Lock' AND application_name = 'hotgraph'";
    while client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) != waiting && !or_else() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whoever_claims_waits_for_a_commit_that_has_begun() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    let (first, second) = (Arc::new(connect(&store).await), connect(&store).await);
    let old = first.claim("the first").await.unwrap();
    first.release(old).await.unwrap();
    // The commit has compared its epoch, and cannot go on.
    let blocker = store.client().await;
    blocker.batch_execute("BEGIN; LOCK TABLE runs IN EXCLUSIVE MODE").await.unwrap();
    let committing = tokio::spawn({
        let first = first.clone();
        async move { commit(&*first, old, 1).await }
    });
    wait_for(&blocker, 1, || committing.is_finished()).await;
    let claiming = tokio::spawn(async move { second.claim("the second").await });
    wait_for(&blocker, 2, || claiming.is_finished()).await;
    assert!(!claiming.is_finished(), "the commit ends in an epoch that is not its own");
    blocker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(committing.await.unwrap(), Ok(()));
    let new = claiming.await.unwrap().unwrap();
    let fenced = Err(JournalError::Fenced { epoch: old, found: new });
    assert_eq!(commit(&*first, old, 2).await, fenced);
}
