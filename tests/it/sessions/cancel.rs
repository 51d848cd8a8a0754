//! Futures of a session that are dropped, after each of their polls.

use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use hotgraph::{MemoryJournal, Runtime, Session};

use super::{Calls, TOTAL, builder, n, number, single, sums};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Polls a future so many times; others have their turn in between.
async fn polled<T>(mut future: Boxed<T>, times: usize) -> Option<T> {
    for _ in 0..times {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(answer) = polled {
            return Some(answer);
        }
        tokio::task::yield_now().await;
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
    }
    None
}

async fn runtime(calls: &Calls, journal: bool) -> Runtime {
    let builder = builder(calls);
    let builder = if journal { builder.journal(Arc::new(MemoryJournal::new())) } else { builder };
    let runtime = builder.build().await.unwrap();
    runtime.publish_and_promote(sums()).await.unwrap();
    runtime.publish_and_promote(single("slow")).await.unwrap();
    runtime
}

/// Drops what `work` makes after each of its polls, and checks what `check` finds afterwards.
async fn drop_everywhere<T, C: Future<Output = ()>>(
    work: impl Fn(Session) -> Boxed<T>,
    check: impl Fn(Session, Calls) -> C,
) {
    for journal in [false, true] {
        let mut is_done = false;
        for times in 0.. {
            let calls = Calls::default();
            let session = runtime(&calls, journal).await.session("s").graph("sums");
            is_done = polled(work(session.clone()), times).await.is_some();
            check(session, calls).await;
            if is_done {
                assert!(times > 1, "it was dropped before its end");
                break;
            }
            assert!(times < 1_000, "it does not end");
        }
        assert!(is_done);
    }
}

#[tokio::test(start_paused = true)]
async fn an_input_whose_future_is_dropped_is_carried_out_once_or_not_at_all() {
    let give = |session: Session| session.next(n(3)).input_id("a").into_future();
    drop_everywhere(give, |session, calls| async move {
        let ended = session.next(n(3)).input_id("a").await.unwrap();
        assert_eq!((ended.step, number(&ended)), (1, 6));
        assert_eq!(calls.lock().len(), 2, "each of its two nodes ran once");
        let next = session.next(n(4)).await.unwrap();
        assert_eq!((next.step, number(&next)), (2, 14));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_end_is_dropped_is_finished_or_not() {
    let finish = |session: Session| -> Boxed<()> {
        Box::pin(async move {
            session.next(n(3)).input_id("a").await.unwrap();
            session.finish().await.unwrap();
        })
    };
    drop_everywhere(finish, |session, _| async move {
        let ended = session.next(n(3)).input_id("a").await.unwrap();
        assert_eq!((ended.step, number(&ended)), (1, 6));
        session.finish().await.unwrap();
        assert!(session.next(n(3)).await.is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_change_is_dropped_holds_one_of_both() {
    let put = |session: Session| -> Boxed<()> {
        Box::pin(async move { session.slot(&TOTAL).put(&7).await.unwrap() })
    };
    drop_everywhere(put, |session, _| async move {
        let ended = session.next(n(1)).await.unwrap();
        assert!([2, 16].contains(&number(&ended)), "{ended:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_input_that_is_dropped_while_it_waits_for_another_is_not_taken() {
    let session = runtime(&Calls::default(), true).await.session("s").graph("slow");
    let first = tokio::spawn(session.next(n(60)).into_future());
    tokio::task::yield_now().await;
    assert!(polled(session.next(n(1)).input_id("b").into_future(), 5).await.is_none());
    assert_eq!(first.await.unwrap().unwrap().step, 1);
    assert_eq!(session.view().await.unwrap().steps, 1);
}
