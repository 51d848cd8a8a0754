//! What holds of the owners of a store, in whatever it is kept; each check gets what opens it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hotgraph::{Epoch, Journal, JournalError};

use super::work::{commit, verify};

/// More requests than any journal lets wait.
const REQUESTS: usize = 1_000;

pub async fn a_second_owner_waits_until_the_first_one_goes<J: Journal>(open: impl AsyncFn() -> J) {
    let (first, second) = (open().await, open().await);
    let old = first.claim("the first").await.unwrap();
    let refused = second.claim("the second").await;
    assert_eq!(refused, Err(JournalError::Owned { owner: "the first".to_owned() }));
    commit(&first, old, 1).await.unwrap();
    first.release(old).await.unwrap();

    let new = second.claim("the second").await.unwrap();
    let fenced = Err(JournalError::Fenced { epoch: old, found: new });
    assert_eq!(commit(&first, old, 2).await, fenced);
    assert_eq!(first.vacuum(old).await, fenced);
    commit(&second, new, 2).await.unwrap();
    let refused = first.claim("the first").await;
    assert_eq!(refused, Err(JournalError::Owned { owner: "the second".to_owned() }));
    // Who does not own it reads what the owner wrote.
    assert_eq!(verify(&first).await, 2);

    drop(second);
    assert_eq!(first.claim("the first").await, Ok(Epoch(new.0 + 1)));
}

/// Polls a future once, and drops it.
fn give_up<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

pub async fn a_claim_that_was_given_up_holds_nothing<J: Journal>(open: impl AsyncFn() -> J) {
    let journal = open().await;
    for round in 0..200 {
        if let Poll::Ready(epoch) = give_up(journal.claim("nobody")) {
            // The answer was faster.
            journal.release(epoch.unwrap()).await.unwrap();
        }
        if round % 2 == 0 {
            // It is being carried out when the other one is asked for.
            tokio::task::yield_now().await;
        }
        let epoch = journal.claim("a test").await.unwrap();
        journal.release(epoch).await.unwrap();
    }
}

pub async fn a_commit_that_was_given_up_is_written_or_not<J: Journal>(open: impl AsyncFn() -> J) {
    for number in 1..=30 {
        let journal = open().await;
        let epoch = journal.claim("a test").await.unwrap();
        // Whether it was ready at once does not matter either.
        let _ = give_up(commit(&journal, epoch, number));
        for _ in 0..number / 2 {
            tokio::task::yield_now().await;
        }
        let (journal, epoch) = match number % 2 {
            0 => {
                // Dropped with the request under way; the next one finds whatever it left.
                drop(journal);
                let journal = open().await;
                let epoch = journal.claim("a test").await.unwrap();
                (journal, epoch)
            }
            _ => (journal, epoch),
        };
        commit(&journal, epoch, number).await.unwrap();
        assert_eq!(verify(&journal).await, number);
    }
}

pub async fn more_requests_than_fit_the_channel_are_all_answered(journal: impl Journal) {
    let journal = Arc::new(journal);
    let epoch = journal.claim("a test").await.unwrap();
    commit(&*journal, epoch, 1).await.unwrap();
    let ask = |_| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.size().await.unwrap().runs })
    };
    for answer in (0..REQUESTS).map(ask).collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), 1);
    }
}
