//! A session that several tasks use at once.

use std::future::IntoFuture;

use futures_util::future::join_all;

use super::{n, number, runtime};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_input_of_any_task_is_lost_and_none_runs_beside_another() {
    let runtime = runtime().await;
    let tasks = (0..8).map(|task| {
        let session = runtime.session("s").graph("sums");
        tokio::spawn(async move {
            let mut seen = Vec::new();
            for input in 0..5 {
                let id = format!("{task}-{input}");
                let ended = session.next(n(1)).input_id(id).await.unwrap();
                seen.push((ended.step, number(&ended)));
            }
            seen
        })
    });
    let seen: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    for task in &seen {
        assert!(task.is_sorted(), "the inputs of one task have their order: {task:?}");
    }
    let mut all = seen.concat();
    all.sort_unstable();
    // Each one found the total that the one before it left.
    let expected: Vec<_> = (1..=40).map(|step| (step, 2 * step)).collect();
    assert_eq!(all, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_input_that_many_tasks_give_is_carried_out_once() {
    let runtime = runtime().await;
    let tasks = (0..16).map(|_| {
        let session = runtime.session("s").graph("sums");
        tokio::spawn(async move { session.next(n(1)).input_id("same").await.unwrap() })
    });
    for ended in join_all(tasks).await {
        let ended = ended.unwrap();
        assert_eq!((ended.step, number(&ended)), (1, 2));
    }
    assert_eq!(runtime.session("s").view().await.unwrap().steps, 1);
}

#[tokio::test(start_paused = true)]
async fn inputs_are_taken_in_the_order_in_which_they_are_first_awaited() {
    let session = runtime().await.session("s").graph("slow");
    // The slowest comes first.
    let inputs = [5, 1, 3].map(|seconds| session.next(n(seconds)).into_future());
    let ended = join_all(inputs).await.into_iter().map(Result::unwrap);
    let steps: Vec<_> = ended.map(|ended| ended.step).collect();
    assert_eq!(steps, [1, 2, 3]);
}
