//! A journal that fails at any commit of a storm of commands: what is refused changes nothing.

use std::sync::Arc;

use hotgraph::{Journal, MemoryJournal, VersionStatus};

use super::faulty::{FAILURES, Failure, Faulty};
use super::storm::{command, process, seen};

/// Gives every command until it is accepted; one that is refused changes nothing.
async fn storm(failure: Failure, from: usize, for_: usize) {
    let kept = Arc::new(MemoryJournal::new());
    let journal = Faulty::new(kept.clone(), failure, from, for_);
    let (runtime, whole) =
        (process(journal.clone()).await, process(Arc::<MemoryJournal>::default()).await);
    let place = format!("{failure:?} from {from} on");
    let mut number = 0;
    loop {
        let before = seen(&runtime);
        match command(&runtime, number).await {
            None => break,
            Some(Ok(())) => {
                assert_eq!(command(&whole, number).await, Some(Ok(())));
                assert_eq!(seen(&runtime), seen(&whole), "{place}: command {number}");
                number += 1;
            }
            Some(Err(why)) => {
                assert!(why.contains("NotSaved"), "{place}: command {number}: {why}");
                assert_eq!(seen(&runtime), before, "{place}: command {number}");
            }
        }
    }
    let (last, fold) = (seen(&runtime), runtime.fold_audit());
    drop(runtime);
    let second = process(kept).await;
    assert_eq!(seen(&second), last, "{place}: after a restart");
    assert_eq!((second.routing(), second.fold_audit()), (fold.clone(), fold), "{place}");
}

#[tokio::test(start_paused = true)]
async fn commands_that_cannot_be_saved_change_nothing() {
    let journal = Faulty::whole(Arc::default());
    let runtime = process(journal.clone()).await;
    let mut number = 0;
    while command(&runtime, number).await.is_some() {
        number += 1;
    }
    let mut storms = 0;
    for (from, failure) in (0..journal.commits()).flat_map(|n| FAILURES.map(|failure| (n, failure)))
    {
        for for_ in [1, 3] {
            storm(failure, from, for_).await;
            storms += 1;
        }
    }
    println!("{storms} storms of {number} commands");
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_retirement_cannot_be_saved_can_be_started() {
    let kept = Arc::new(MemoryJournal::new());
    // The eleventh command retires version 2.
    let journal = Faulty::new(kept.clone(), Failure::Storage, 10, 1);
    let runtime = process(journal).await;
    for number in 0..10 {
        assert_eq!(command(&runtime, number).await, Some(Ok(())));
    }
    command(&runtime, 10).await.unwrap().unwrap_err();
    let status = runtime.versions("g").get(2).unwrap().status;
    assert!(matches!(status, VersionStatus::Drained { .. }), "{status:?}");
    let run = runtime.start("g", hotgraph::Value::Null).version(2).await.unwrap();
    assert_eq!(run.outcome().await.status, hotgraph::RunStatus::Success);
    assert_eq!(kept.size().await.unwrap().runs, 1);
    assert_eq!(command(&runtime, 10).await, Some(Ok(())));
}
