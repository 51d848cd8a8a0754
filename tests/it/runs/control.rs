//! What can be done with a run from outside: cancel, pause, retry, let go.

use hotgraph::{Handler, NodeSpec, RunStatus};

use super::{runtime, single, start};

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_ever_ends_with_a_cancel() {
    let deaf = |_: ()| async move {
        tokio::task::spawn_blocking(|| ()).await?;
        std::future::pending::<()>().await;
        Ok(())
    };
    let runtime = runtime().handler(Handler::one("deaf", deaf)).build().await.unwrap();
    let run = start(&runtime, single(NodeSpec::new("deaf"))).await;
    run.cancel();
    assert_eq!(run.outcome().await.status, RunStatus::Cancelled);
}
