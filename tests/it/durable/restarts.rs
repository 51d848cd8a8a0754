//! The server of the journal goes away again and again under runs: each of them ends once and as it
//! should, and calls nothing twice.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use hotgraph::{
    Context, Document, Emit, Handler, NodeSpec, OnSaveFailure, PostgresJournal, Run, RunQuery,
    RunStatus, Runtime, RuntimeBuilder, StartError, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::scenarios::Calls;
use super::seen::on_record;
use crate::journal::postgres::Server;

const RESTARTS: u64 = 50;
const RUNS: u64 = 1_000;
const BRANCHES: u64 = 3;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Numbers {
    n: Vec<u64>,
}

/// Notes that a handler was called.
fn note(calls: &Calls, ctx: &Context) {
    calls.lock().push((ctx.idempotency_key().to_string(), ctx.attempt()));
}

fn builder(calls: &Calls) -> RuntimeBuilder {
    let calls = [(); 3].map(|()| calls.clone());
    let [of_list, of_work, of_gather] = calls;
    let list = move |input: Number, ctx: Context| {
        note(&of_list, &ctx);
        async move { Ok(Emit::each((input.n..input.n + BRANCHES).map(|n| Number { n }))) }
    };
    let work = move |input: Number, ctx: Context| {
        note(&of_work, &ctx);
        async move {
            ctx.sleep(Duration::from_millis(input.n % 40)).await;
            Ok(input)
        }
    };
    let gather = move |all: Numbers, ctx: Context| {
        note(&of_gather, &ctx);
        async move { Ok(Number { n: all.n.iter().sum() }) }
    };
    Runtime::builder()
        .handler(Handler::many("list", list))
        .handler(Handler::one("work", work))
        .handler(Handler::one("gather", gather))
        .on_save_failure(OnSaveFailure::Park)
}

fn graph() -> Document {
    let reads = |name: &str, from: &str| {
        NodeSpec::new(name).input("n", format!("${{{{{from}.outputs.n}}}}"))
    };
    Document::builder("restarted")
        .node(NodeSpec::new("list").input("n", 0).next("work"))
        .node(reads("work", "list").next("gather"))
        .node(reads("gather", "work").unites("list"))
        .build()
}

/// Who starts runs, and waits for them.
#[derive(Clone)]
struct Caller {
    runtime: Runtime,
    /// How many restarts were begun.
    turn: watch::Receiver<u64>,
    refused: Arc<AtomicU64>,
}

impl Caller {
    /// Carries out one run, in the turn of its restart.
    async fn carry_out(mut self, number: u64) {
        let turn = number * RESTARTS / RUNS + 1;
        self.turn.wait_for(|begun| *begun >= turn).await.unwrap();
        let outcome = self.start(number).await.outcome().await;
        assert_eq!(outcome.status, RunStatus::Success, "run {number}");
        let sum = (number..number + BRANCHES).sum::<u64>();
        assert_eq!(outcome.output::<Number>().unwrap().n, sum, "run {number}");
    }

    /// Starts a run however often it is refused, always under the same key.
    async fn start(&self, number: u64) -> Run {
        loop {
            let start = self.runtime.start("restarted", Value::object([("n", number)]));
            match start.idempotency_key(format!("run {number}")).await {
                Ok(run) => return run,
                Err(StartError::Journal { source, .. }) if source.is_temporary() => {}
                Err(other) => panic!("run {number}: {other}"),
            }
            // Relaxed: read when everybody who counts has ended.
            self.refused.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Restarts a server, each time when some runs have just begun, and says so before.
fn restart_under(server: &Server, turn: &watch::Sender<u64>) {
    let mut rng = Rng::with_seed(1);
    for restart in 1..=RESTARTS {
        turn.send_replace(restart);
        std::thread::sleep(Duration::from_millis(rng.u64(0..120)));
        server.restart(if restart % 2 == 0 { "fast" } else { "immediate" });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_again_and_again_loses_no_run_and_doubles_none() {
    // One that is given is not restarted.
    let Some(server) = Server::own("") else { return };
    let store = server.store();
    let (calls, refused) = (Calls::default(), Arc::new(AtomicU64::new(0)));
    let journal = Arc::new(PostgresJournal::connect(store.config()).await.unwrap());
    let runtime = builder(&calls).journal(journal.clone()).build().await.unwrap();
    runtime.publish_and_promote(graph()).await.unwrap();

    let (turn, turns) = watch::channel(0);
    let caller = Caller { runtime: runtime.clone(), turn: turns, refused: refused.clone() };
    let mut runs: JoinSet<_> = (0..RUNS).map(|number| caller.clone().carry_out(number)).collect();
    let restarting = tokio::task::spawn_blocking(move || {
        restart_under(&server, &turn);
        server
    });
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
    let server = restarting.await.unwrap();

    let refused = refused.load(Ordering::Relaxed);
    let text = format!("PostgreSQL: {RESTARTS} restarts, {RUNS} runs, {refused} starts refused\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(refused > 0, "no start met a restart");
    let called: BTreeSet<_> = calls.lock().iter().cloned().collect();
    assert_eq!(calls.lock().len(), called.len(), "something was called twice");
    assert_eq!(called.len() as u64, RUNS * (BRANCHES + 2), "a run was there twice");
    assert_eq!(on_record(&*journal).await, called, "what was called is on record");
    let report = runtime.shutdown(Duration::from_secs(10)).await;
    assert_eq!((report.parked, report.cancelled), (vec![], vec![]));

    // Whoever comes next finds every run once, ended, and has nothing to go on with.
    let next = builder(&calls).journal(journal).build().await.unwrap();
    let storage = next.storage().unwrap();
    let ended = storage.runs(&RunQuery::default().status("SUCCESS").ended()).await.unwrap();
    let keys: BTreeSet<_> = ended.iter().map(|row| row.key.clone()).collect();
    assert_eq!((ended.len() as u64, keys.len() as u64), (RUNS, RUNS));
    assert_eq!(storage.size().await.unwrap().runs, RUNS);
    assert_eq!((next.live_runs(), next.stranded()), (0, vec![]));
    drop(server);
}
