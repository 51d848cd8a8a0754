//! The wait for a version to drain, with a deadline, and what stands in its way.

use std::future::IntoFuture;
use std::time::Duration;

use hotgraph::{
    AuditQuery, InFlight, RollbackTarget, RunPhase, RunStatus, Value, VersionError, VersionNumber,
};

use super::{held, numbered, promoted, runtime, timed};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn runs_in_the_way_are_cancelled_when_time_is_up() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let run = held(&runtime, 1).await;
    let began = tokio::time::Instant::now();
    runtime.versions("g").drained(1).within(MINUTE, InFlight::Cancel).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(run.await.status, RunStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn runs_in_the_way_are_kept_or_paused_and_the_wait_says_so() {
    for (then, expected) in
        [(InFlight::Finish, RunStatus::Running), (InFlight::Pause, RunStatus::Paused)]
    {
        let runtime = runtime().await;
        promoted(&runtime, 2).await;
        let run = held(&runtime, 1).await;
        let late = runtime.versions("g").drained(1).within(MINUTE, then).await;
        let late = late.unwrap_err();
        assert!(matches!(late, VersionError::InUse { live: 1, .. }), "{late:?}");
        let expected_text = format!("version v1 of graph `default/g` is in use: run {}", run.id());
        assert_eq!(late.to_string(), expected_text);
        assert_eq!(run.status().status, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn runs_of_a_version_that_is_active_again_are_left_alone() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let (run, versions) = (held(&runtime, 1).await, runtime.versions("g"));
    let wait = versions.drained(1).within(MINUTE, InFlight::Cancel);
    let (late, ()) = tokio::join!(wait, async {
        tokio::time::sleep(MINUTE / 2).await;
        versions.promote(1).await.unwrap();
    });
    let late = late.unwrap_err();
    assert!(matches!(late, VersionError::StillRouted { .. }), "{late:?}");
    let expected = "version v1 of graph `default/g` is still routed to by label `default`";
    assert_eq!(late.to_string(), expected);
    assert_eq!(run.status().status, RunStatus::Running);
    let unknown = versions.drained(9).await;
    assert!(matches!(unknown, Err(VersionError::UnknownVersion { .. })), "{unknown:?}");
}

#[tokio::test(start_paused = true)]
async fn the_log_says_who_stopped_runs_by_a_rollback_and_by_a_drain() {
    let runtime = runtime().await;
    promoted(&runtime, 3).await;
    let versions = runtime.versions("g");
    let (_old, bad) = (held(&runtime, 1).await, held(&runtime, 3).await);
    let back = versions.rollback(RollbackTarget::Previous).by("ann").in_flight(InFlight::Cancel);
    back.request_id("back").await.unwrap();
    assert_eq!(bad.await.status, RunStatus::Cancelled);
    let other = versions.rollback(RollbackTarget::Previous).in_flight(InFlight::Pause);
    let taken = other.request_id("back").await.unwrap_err();
    assert!(matches!(taken, VersionError::RequestIdTaken { .. }), "pausing is another command");
    let drain = versions.drained(1).within(MINUTE, InFlight::Cancel);
    drain.by("bob").reason("end of life").await.unwrap();
    let drain = versions.drained(2).within(MINUTE, InFlight::Cancel).by("bob").await;
    let records = runtime.audit(&AuditQuery::default());
    let told = records[3..].iter().map(|it| (it.command.as_str(), it.note.by.as_deref()));
    let told: Vec<_> = told.collect();
    let back = "rollback to Previous, cancelling the runs that are left on default/g:default";
    assert_eq!(told[0], (back, Some("ann")));
    let end = "drain, cancelling the runs in the way, of version v1 of default/g";
    assert_eq!(told[2], (end, Some("bob")));
    assert_eq!(records[5].note.reason.as_deref(), Some("end of life"));
    assert_eq!(records[5].revision_before, records[5].revision_after);
    assert_eq!(records[6].outcome, Err(drain.unwrap_err().into()), "it is routed to");
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_over_in_time_gives_no_order() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    runtime.versions("g").drained(1).within(MINUTE, InFlight::Cancel).by("bob").await.unwrap();
    assert_eq!(runtime.audit(&AuditQuery::default()).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_wait_for_a_version_that_a_label_leads_to() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let versions = runtime.versions("g");
    let _run = held(&runtime, 1).await;
    let (routed, dated, left) = tokio::join!(
        versions.drained(2).into_future(),
        versions.drained(2).within(10 * MINUTE, InFlight::Cancel).into_future(),
        async {
            let left = tokio::spawn(versions.drained(1).into_future());
            tokio::task::yield_now().await;
            let _ = runtime.shutdown(MINUTE).await;
            left.await.unwrap()
        },
    );
    assert_eq!((routed, dated), (Err(VersionError::Stopped), Err(VersionError::Stopped)));
    assert_eq!(left, Ok(()), "its runs have ended by then");
    assert_eq!(versions.drained(2).await, Err(VersionError::Stopped), "also when asked afterwards");
}

#[tokio::test(start_paused = true)]
async fn blockers_come_by_the_page() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    for _ in 0..5 {
        let _ = held(&runtime, 1).await;
    }
    let other = held(&runtime, 2).await;
    let versions = runtime.versions("g");
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = versions.blockers(1, after, 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id());
        seen.extend(page.iter().map(hotgraph::Run::id));
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted() && !seen.contains(&other.id()));
}

#[tokio::test(start_paused = true)]
async fn phases_are_counted_by_version() {
    let (runtime, clock) = timed().await;
    promoted(&runtime, 1).await;
    let hold = |n| super::holding(n).build();
    runtime.publish_and_promote(hold(2)).await.unwrap();
    let sleeping = held(&runtime, 1).await;
    let paused = runtime.start("g", Value::Null).await.unwrap();
    let running = runtime.start("g", Value::Null).await.unwrap();
    paused.pause();
    for run in [&sleeping, &paused, &running] {
        // Until its lane has told what it does.
        while run.status().phase() == Some(RunPhase::Queued) {
            tokio::time::sleep(MINUTE).await;
        }
    }
    let versions = runtime.versions("g");
    assert_eq!(versions.phases(1), [(RunPhase::Sleeping, 1)].into());
    assert_eq!(versions.phases(2), [(RunPhase::Running, 1), (RunPhase::Waiting, 1)].into());
    assert_eq!(running.version(), VersionNumber(2));
    running.cancel();
    assert_eq!(running.outcome().await.status, RunStatus::Cancelled);
    assert_eq!(running.status().phase(), None);
    clock.advance(MINUTE);
    runtime.publish(numbered(7)).await.unwrap();
    assert!(versions.phases(3).is_empty());
}
