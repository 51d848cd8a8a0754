//! The version of a session: pinned with its first input, and moved only if asked.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{Document, InFlight, MemoryJournal, NodeSpec, Runtime, SessionError, VersionError};

use super::{Calls, TOTAL, builder, n, number, runtime, single, sums};
use crate::durable::faulty::{Failure, Faulty};

/// The same graph with another second node.
fn changed() -> Document {
    let again = NodeSpec::new("again").handler("add").input("n", "${{add.outputs.n}}");
    Document::builder("sums")
        .node(NodeSpec::new("add").input("n", 1).next("again"))
        .node(again)
        .build()
}

#[tokio::test(start_paused = true)]
async fn a_session_stays_on_its_version_until_it_is_asked_to_move() {
    let runtime = runtime().await;
    let session = runtime.session("s").graph("sums");
    session.next(n(3)).await.unwrap();
    runtime.publish_and_promote(changed()).await.unwrap();
    let ended = session.next(n(4)).await.unwrap();
    assert_eq!((ended.outcome.version, number(&ended)), (1.into(), 14));
    assert_eq!(session.newest().await.unwrap(), 2.into());
    assert_eq!(session.newest().await.unwrap(), 2.into(), "it is there already");
    let ended = session.next(n(1)).await.unwrap();
    // 7 of before, 1, and 8 again.
    assert_eq!((ended.outcome.version, ended.step, number(&ended)), (2.into(), 3, 16));
    assert_eq!(session.view().await.unwrap().version, 2.into());
}

#[tokio::test(start_paused = true)]
async fn a_move_waits_for_the_input_that_is_under_way() {
    let runtime = runtime().await;
    let session = runtime.session("s").graph("slow");
    let input = tokio::spawn(session.next(n(60)).into_future());
    tokio::task::yield_now().await;
    let mut other = single("twice");
    other.name = Some("slow".into());
    runtime.publish_and_promote(other).await.unwrap();
    assert_eq!(session.newest().await.unwrap(), 2.into());
    assert!(input.is_finished());
    assert_eq!(input.await.unwrap().unwrap().outcome.version, 1.into());
}

#[tokio::test(start_paused = true)]
async fn a_session_can_begin_with_a_look_at_the_newest_version() {
    let session = runtime().await.session("s").graph("sums");
    assert_eq!(session.newest().await.unwrap(), 1.into());
    assert_eq!(session.view().await.unwrap().steps, 0);
    assert_eq!(session.next(n(1)).await.unwrap().step, 1);
}

async fn is_kept(runtime: &Runtime) -> bool {
    let retired = runtime.versions("sums").retire(1).await;
    matches!(retired, Err(VersionError::InUse { live: 1, .. }))
}

#[tokio::test(start_paused = true)]
async fn an_open_session_keeps_its_version_and_a_finished_one_does_not() {
    let journal = Arc::new(MemoryJournal::new());
    let build = || builder(&Calls::default()).journal(journal.clone()).build();
    let first = build().await.unwrap();
    first.publish_and_promote(super::sums()).await.unwrap();
    first.session("s").graph("sums").next(n(1)).await.unwrap();
    first.publish_and_promote(changed()).await.unwrap();
    assert!(is_kept(&first).await);
    let second = build().await.unwrap();
    assert!(is_kept(&second).await, "also after a restart");
    second.session("s").finish().await.unwrap();
    second.versions("sums").retire(1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_begins_with_a_slot_keeps_its_version() {
    let runtime = runtime().await;
    let session = runtime.session("s").graph("sums");
    session.slot(&TOTAL).put(&1).await.unwrap();
    runtime.publish_and_promote(changed()).await.unwrap();
    assert!(is_kept(&runtime).await);
    assert_eq!(number(&session.next(n(3)).await.unwrap()), 8);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_first_input_is_not_on_record_keeps_no_version() {
    let promoted = async |journal: &Arc<Faulty>| {
        let runtime = builder(&Calls::default()).journal(journal.clone()).build().await.unwrap();
        runtime.publish_and_promote(super::sums()).await.unwrap();
        runtime
    };
    let whole = Faulty::whole(Arc::default());
    promoted(&whole).await;
    let journal = Faulty::new(Arc::default(), Failure::Full, whole.commits(), usize::MAX);
    let runtime = promoted(&journal).await;
    let session = runtime.session("s").graph("sums");
    let refused = session.next(n(1)).await.unwrap_err();
    assert!(matches!(refused, SessionError::Journal { .. }), "{refused:?}");
    journal.heal();
    runtime.publish_and_promote(changed()).await.unwrap();
    runtime.versions("sums").retire(1).await.unwrap();
    assert_eq!(session.next(n(1)).await.unwrap().outcome.version, 2.into());
}

#[tokio::test(start_paused = true)]
async fn a_drain_whose_time_is_up_does_not_wait_for_sessions() {
    let runtime = runtime().await;
    let session = runtime.session("s").graph("sums");
    session.next(n(1)).await.unwrap();
    runtime.publish_and_promote(changed()).await.unwrap();
    let drain =
        runtime.versions("sums").drained(1).within(Duration::from_secs(1), InFlight::Cancel);
    drain.await.unwrap();
    assert_eq!(session.next(n(1)).await.unwrap().outcome.version, 1.into(), "it is there still");
}

#[tokio::test(start_paused = true)]
async fn an_open_session_keeps_its_version_in_a_process_that_lacks_its_handlers() {
    let (journal, calls) = (Arc::new(MemoryJournal::new()), Calls::default());
    let first = builder(&calls).journal(journal.clone()).build().await.unwrap();
    first.publish_and_promote(sums()).await.unwrap();
    first.session("s").graph("sums").next(n(1)).await.unwrap();
    first.publish_and_promote(changed()).await.unwrap();
    drop(first);
    let bare = Runtime::builder().journal(journal).build().await.unwrap();
    assert!(is_kept(&bare).await);
    bare.session("s").finish().await.unwrap();
    assert!(!is_kept(&bare).await);
}
