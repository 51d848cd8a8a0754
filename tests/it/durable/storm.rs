//! A storm of commands that is cut off at any commit: what was acknowledged is there, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    AuditQuery, Document, Handler, Journal, MemoryJournal, NodeSpec, RollbackTarget, Routing,
    Runtime, Timestamp, Value, VersionError, VirtualClock, Weight,
};

use super::cut::{Cut, CutJournal};

/// The versions of one graph differ by a constant.
fn graph(constant: u64) -> Document {
    Document::builder("g").node(NodeSpec::new("pass").input("n", constant)).build()
}

/// Gives the command of that number, and says why it was refused; `None` if there is none.
pub async fn command(runtime: &Runtime, number: usize) -> Option<Result<(), String>> {
    let versions = runtime.versions("g");
    let stable = versions.label("stable");
    Some(match number {
        0 => told(runtime.publish_and_promote(graph(1)).by("ann").await),
        1 => told(runtime.publish(graph(2)).tag("second").await),
        2 => told(versions.set_canary(2, Weight::percent(50)).await),
        3 => told(versions.promote(2).request_id("two").await),
        4 => told(stable.promote(1).await),
        5 => told(versions.rollback(RollbackTarget::Previous).await),
        6 => told(runtime.publish_and_promote(graph(3)).await),
        7 => told(versions.hold(2).await),
        8 => told(versions.release_hold(2).await),
        9 => told(versions.untag(2, "second").await),
        10 => told(versions.retire(2).await),
        11 => match versions.retire(3).await {
            Err(VersionError::StillRouted { .. }) => Ok(()),
            other => Err(format!("{other:?}")),
        },
        12 => told(runtime.release([("g", "stable", 3), ("g", "default", 1)]).await),
        13 => told(stable.remove_label().await),
        14 => told(versions.revoke(3).await),
        15 => told(runtime.publish(graph(4)).await),
        _ => return None,
    })
}

fn told<T, E: std::fmt::Debug>(answer: Result<T, E>) -> Result<(), String> {
    answer.map(drop).map_err(|error| format!("{error:?}"))
}

pub async fn process(journal: Arc<dyn Journal>) -> Runtime {
    let pass = |input: Value| async move { Ok(input) };
    let handler = Handler::one("pass", pass);
    // Time stands still, so that the routing of two processes compares equal.
    let clock = VirtualClock::new(Timestamp(1));
    Runtime::builder().clock(clock).handler(handler).journal(journal).build().await.unwrap()
}

/// The routing after each command, the first one being that before any.
async fn uninterrupted() -> (Vec<(Routing, usize)>, usize) {
    let journal = CutJournal::new(Arc::default(), Cut::Never);
    let runtime = process(journal.clone()).await;
    let mut states = vec![seen(&runtime)];
    while let Some(answer) = command(&runtime, states.len() - 1).await {
        assert_eq!(answer, Ok(()));
        states.push(seen(&runtime));
    }
    (states, journal.commits())
}

pub fn seen(runtime: &Runtime) -> (Routing, usize) {
    (runtime.routing(), runtime.audit(&AuditQuery::default()).len())
}

/// How many commands were acknowledged before the process died.
async fn until_it_dies(journal: &Arc<CutJournal>) -> usize {
    let acknowledged = std::cell::Cell::new(0);
    let work = async {
        let runtime = process(journal.clone()).await;
        while command(&runtime, acknowledged.get()).await.is_some() {
            acknowledged.set(acknowledged.get() + 1);
        }
    };
    tokio::select! {
        biased;
        () = work => {}
        () = journal.died() => {}
    }
    acknowledged.get()
}

async fn cut_off(cut: Cut, states: &[(Routing, usize)]) {
    let kept = Arc::new(MemoryJournal::new());
    let acknowledged = until_it_dies(&CutJournal::new(kept.clone(), cut)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let second = process(kept).await;
    let found = seen(&second);
    let done = match states.get(acknowledged + 1) {
        Some(next) if found == *next => acknowledged + 1,
        _ => acknowledged,
    };
    assert_eq!(found, states[done], "{cut:?}: after {acknowledged} commands");
    assert!(matches!(cut, Cut::After(_)) || done == acknowledged, "{cut:?}: it was not written");
    assert_eq!(second.fold_audit(), second.routing(), "{cut:?}");
    for number in done..states.len() - 1 {
        assert_eq!(command(&second, number).await, Some(Ok(())));
        assert_eq!(seen(&second), states[number + 1], "{cut:?}: command {number} after it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_commands_that_is_cut_off_at_any_commit_leaves_what_was_acknowledged() {
    let (states, commits) = uninterrupted().await;
    assert!(commits + 1 >= states.len(), "{commits} commits of {} commands", states.len() - 1);
    let mut cuts = 0;
    for at in 0..commits + 1 {
        for cut in [Cut::Before(at), Cut::After(at)] {
            cut_off(cut, &states).await;
            cuts += 1;
        }
    }
    println!("{cuts} cuts in {commits} commits");
}
