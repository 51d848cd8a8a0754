//! A store has one owner, whoever it is and however it ends.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hotgraph::{Epoch, Journal, JournalError, PostgresJournal};
use tokio_postgres::Client;

use super::server::{Server, Store};
use crate::journal::work::{commit, verify};

async fn connect(store: &Store) -> PostgresJournal {
    PostgresJournal::connect(store.config()).await.unwrap()
}

#[tokio::test]
async fn a_second_owner_waits_until_the_first_one_goes() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    let (first, second) = (connect(&store).await, connect(&store).await);
    let old = first.claim("the first").await.unwrap();
    let refused = second.claim("the second").await;
    assert_eq!(refused, Err(JournalError::Owned { owner: "the first".to_owned() }));
    commit(&first, old, 1).await.unwrap();
    first.release(old).await.unwrap();

    let new = second.claim("the second").await.unwrap();
    let fenced = Err(JournalError::Fenced { epoch: old, found: new });
    assert_eq!(commit(&first, old, 2).await, fenced);
    commit(&second, new, 2).await.unwrap();
    let refused = first.claim("the first").await;
    assert_eq!(refused, Err(JournalError::Owned { owner: "the second".to_owned() }));
    assert_eq!(verify(&first).await, 2);

    drop(second);
    assert_eq!(first.claim("the first").await, Ok(Epoch(new.0 + 1)));
}

/// Polls a future once, and drops it.
fn give_up<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_claim_that_was_given_up_holds_nothing() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    let journal = connect(&store).await;
    for round in 0..200 {
        assert!(give_up(journal.claim("nobody")).is_pending());
        if round % 2 == 0 {
            // It is being carried out when the other one is asked for.
            tokio::task::yield_now().await;
        }
        let epoch = journal.claim("a test").await.unwrap();
        journal.release(epoch).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_that_was_given_up_is_written_or_not() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    for number in 1..=30 {
        let journal = connect(&store).await;
        let epoch = journal.claim("a test").await.unwrap();
        assert!(give_up(commit(&journal, epoch, number)).is_pending());
        for _ in 0..number {
            tokio::task::yield_now().await;
        }
        if number % 2 == 0 {
            // Dropped with the request under way; the next one finds whatever it left.
            drop(journal);
            let journal = connect(&store).await;
            let epoch = journal.claim("a test").await.unwrap();
            commit(&journal, epoch, number).await.unwrap();
            assert_eq!(verify(&journal).await, number);
        } else {
            commit(&journal, epoch, number).await.unwrap();
            assert_eq!(verify(&journal).await, number);
        }
    }
}

#[tokio::test]
async fn more_requests_than_fit_the_channel_are_all_answered() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    let journal = Arc::new(connect(&store).await);
    let epoch = journal.claim("a test").await.unwrap();
    commit(&*journal, epoch, 1).await.unwrap();
    let ask = |_| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.size().await.unwrap().runs })
    };
    for answer in (0..500).map(ask).collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), 1);
    }
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
