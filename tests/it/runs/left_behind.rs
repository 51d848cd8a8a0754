//! What goes on although its run has ended without it: nobody hears of it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Context, Document, EventKind, EventStream, Handler, NodeSpec, Runtime, StateId, Value,
};
use tokio::time::{sleep, timeout};

use super::control::end_of;
use super::{Number, runtime, start};

/// Code that goes on after its run has ended.
#[derive(Clone, Default)]
struct Stubborn {
    reached: Arc<AtomicBool>,
    let_go: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
}

impl Stubborn {
    /// Blocks its thread until it is let go, then says how far it is.
    fn block(&self, ctx: &Context) {
        if self.reached.swap(true, Ordering::SeqCst) {
            return;
        }
        while !self.let_go.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
        }
        ctx.progress(1);
        self.gone.store(true, Ordering::SeqCst);
    }

    async fn is(flag: &AtomicBool) {
        let is_set = async {
            while !flag.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(20), is_set).await.unwrap();
    }

    async fn runtime(&self) -> Runtime {
        let stubborn = self.clone();
        let block = move |input: Number, ctx: Context| {
            let stubborn = stubborn.clone();
            async move {
                ctx.sleep(Duration::from_millis(5)).await;
                stubborn.block(&ctx);
                Ok(input)
            }
        };
        let builder = runtime().lanes(1).cancel_grace(Duration::from_millis(50));
        builder.handler(Handler::one("block", block)).build().await.unwrap()
    }
}

/// What is told until nothing more is.
async fn rest(events: &mut EventStream) -> Vec<EventKind> {
    let mut kinds = Vec::new();
    while let Ok(event) = timeout(Duration::from_millis(200), events.next()).await {
        kinds.push(event.unwrap().unwrap().kind.clone());
    }
    kinds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_end_of_a_run_is_told_last_also_if_code_of_it_goes_on() {
    let stubborn = Stubborn::default();
    let runtime = stubborn.runtime().await;
    let graph = Document::builder("g")
        .node(NodeSpec::new("block").input("n", 1).next("pass"))
        .node(NodeSpec::new("pass").input("n", "${{block.outputs.n}}"));
    let run = start(&runtime, graph).await;
    let mut events = run.events();
    Stubborn::is(&stubborn.reached).await;
    run.cancel();
    end_of(&run).await;
    stubborn.let_go.store(true, Ordering::SeqCst);
    Stubborn::is(&stubborn.gone).await;
    let told = rest(&mut events).await;
    assert!(matches!(told.last(), Some(EventKind::RunEnded { .. })), "{told:?}");
    // The next episode is told whole.
    run.retry(StateId(0), "again").await.unwrap();
    assert!(end_of(&run).await.is_success());
    let told = rest(&mut events).await;
    assert!(matches!(told.first(), Some(EventKind::RunStarted)), "{told:?}");
    assert!(matches!(told.last(), Some(EventKind::RunEnded { .. })), "{told:?}");
    assert_eq!(runtime.run(run.id()).map(|run| run.is_ended()), Some(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_pause_is_told_before_the_end_of_a_run_or_not_at_all() {
    let runtime = runtime().build().await.unwrap();
    start(&runtime, Document::builder("g").node(NodeSpec::new("pass").input("n", 1))).await.await;
    for round in 0..2_000 {
        let mut events = runtime.events();
        let run = runtime.start("g", Value::Null).await.unwrap();
        let paused = run.clone();
        let pauses = tokio::task::spawn_blocking(move || {
            while !paused.is_ended() {
                paused.pause();
                paused.resume();
            }
        });
        run.await;
        pauses.await.unwrap();
        let told = std::iter::from_fn(|| events.try_next());
        // Of very many the oldest are lost.
        let last = told.filter_map(Result::ok).last().unwrap();
        assert!(matches!(last.kind, EventKind::RunEnded { .. }), "round {round}: {last:?}");
    }
}
