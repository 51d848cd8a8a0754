//! Everything that can be done with runs that are on record, by several at once, while the journal is
//! slow and fails now and then, and processes die, are shut down and lack handlers.
//!
//! `HOTGRAPH_SOAK=1` tells 3,000 stories; `HOTGRAPH_REPLAY_SEED=<seed>` repeats one.

mod actor;
mod shaky;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Handler, Journal, MemoryJournal, Rng, Run, RunQuery, Runtime, RuntimeBuilder, SystemClock,
};
use parking_lot::Mutex;
use tokio::task::JoinSet;

use self::actor::{Actor, HOURS, answered, heads};
use self::shaky::{Shaky, weather};
use self::told::{Told, graphs, rest, work};
use super::before::Before;
use crate::fixtures::soak;

struct Story {
    rng: Rng,
    kept: Arc<MemoryJournal>,
    clock: SystemClock,
    told: Arc<Mutex<Told>>,
    keep_ended: usize,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seeded(seed);
        let keep_ended = usize::try_from(rng.up_to(3)).unwrap();
        let (kept, told) = Default::default();
        Self { rng, kept, clock: SystemClock::new(), told, keep_ended }
    }

    fn journal(&mut self) -> Arc<Before<Shaky>> {
        let slowest = [0, 3, 40, 400][usize::try_from(self.rng.up_to(3)).unwrap()];
        let rng = Mutex::new(Rng::seeded(self.rng.next_u64()));
        let (kept, told) = (self.kept.clone(), self.told.clone());
        let (fails, is_dead) = (Mutex::new(0), AtomicBool::new(false));
        Arc::new(Before(Shaky { kept, rng, slowest, fails, is_dead, told }))
    }

    fn handlers(&self) -> Vec<Handler> {
        vec![work(&self.told), rest(&self.told)]
    }

    async fn open(&mut self, journal: &Arc<Before<Shaky>>, handlers: Vec<Handler>) -> Runtime {
        let builder = Runtime::builder().seed(self.rng.next_u64()).keep_ended(self.keep_ended);
        let builder = builder.clock(self.clock.clone()).journal(journal.clone());
        handlers.into_iter().fold(builder, RuntimeBuilder::handler).build().await.unwrap()
    }

    /// One process.
    async fn live(&mut self, number: usize, handles: &Arc<Mutex<Vec<Run>>>) {
        let journal = self.journal();
        let mut handlers = self.handlers();
        if number > 0 && self.rng.up_to(2) == 0 {
            handlers.retain(|_| heads(&mut self.rng));
        }
        let runtime = self.open(&journal, handlers).await;
        if number == 0 {
            for graph in graphs() {
                runtime.publish_and_promote(graph).await.unwrap();
            }
        }
        let mut actors = JoinSet::new();
        for _ in 0..6 {
            let actor = Actor {
                rng: Rng::seeded(self.rng.next_u64()),
                runtime: runtime.clone(),
                told: self.told.clone(),
                handles: handles.clone(),
                journal: journal.clone(),
            };
            actors.spawn(actor.acts());
        }
        let ends_in = Duration::from_millis(self.rng.up_to(20_000));
        let dies = heads(&mut self.rng);
        let is_patient = heads(&mut self.rng);
        let rng = Rng::seeded(self.rng.next_u64());
        let weather = weather(journal.clone(), rng);
        tokio::select! {
            () = weather => {}
            () = tokio::time::sleep(ends_in) => {}
            () = async { while let Some(done) = actors.join_next().await { done.unwrap() } } => {}
        }
        if dies {
            journal.is_dead.store(true, Ordering::SeqCst);
            actors.abort_all();
            while let Some(done) = actors.join_next().await {
                assert!(done.as_ref().map_or_else(|e| e.is_cancelled(), |()| true), "{done:?}");
            }
            drop(runtime);
            handles.lock().clear();
            tokio::time::sleep(Duration::from_secs(60)).await;
            self.told.lock().executing.clear();
            return;
        }
        *journal.fails.lock() = 0;
        let grace = if is_patient { Duration::from_secs(30) } else { Duration::ZERO };
        let report = tokio::time::timeout(HOURS, runtime.shutdown(grace)).await;
        drop(report.expect("a shutdown ends"));
        while let Some(done) = actors.join_next().await {
            done.unwrap();
        }
        assert_eq!(runtime.live_runs(), 0);
        assert_eq!(self.told.lock().executing, BTreeMap::new());
    }

    /// The last process: everything ends.
    async fn end(&mut self) {
        let journal = self.journal();
        let runtime = self.open(&journal, self.handlers()).await;
        assert_eq!(runtime.stranded(), []);
        for id in ["s", "t"] {
            let session = runtime.session(id);
            if let Ok(view) = answered("view", session.view()).await
                && !view.is_finished
            {
                answered("finish", session.finish()).await.unwrap();
            }
        }
        let rows = self.kept.runs(&RunQuery::default()).await.unwrap();
        let rows: Vec<_> =
            rows.into_iter().filter(|row| !row.status.starts_with("SESSION")).collect();
        let storage = runtime.storage().unwrap();
        for row in rows {
            let told = self.told.lock().ended.get(&row.run).cloned();
            assert!(!self.told.lock().deleted.contains(&row.run), "{row:?} is there again");
            let run = answered("load", storage.load(row.run)).await.unwrap();
            let outcome = tokio::time::timeout(HOURS, run.outcome()).await;
            let outcome = outcome.unwrap_or_else(|_| panic!("{row:?} hangs"));
            let ended = format!("{} {:?}", outcome.status, outcome.outputs);
            if let Some(told) = told
                && !self.told.lock().retried.contains(&row.run)
            {
                assert!(ended.starts_with(&told), "{row:?}: {told}, {ended}");
            }
            answered("history", storage.history(row.run)).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(runtime.live_runs(), 0);
        for graph in ["g", "around", "child", "chat"] {
            for version in runtime.versions(graph).list() {
                assert_eq!(version.live, 0, "{version:?}");
            }
        }
        let told = self.told.lock();
        assert_eq!(told.executing, BTreeMap::new());
        for (key, runs) in &told.named {
            let left: Vec<_> = runs.iter().filter(|run| !told.deleted.contains(run)).collect();
            assert!(left.len() <= 1, "{key:?} names {left:?}");
        }
    }

    async fn tell(mut self) -> BTreeMap<String, usize> {
        let handles = Arc::default();
        for number in 0..4 {
            self.live(number, &handles).await;
        }
        self.end().await;
        let told = self.told.lock();
        told.calls.clone()
    }
}

#[test]
fn whatever_is_done_at_once_every_run_is_one_run_and_ends_once() {
    let replayed = std::env::var("HOTGRAPH_REPLAY_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds: Vec<u64> = match replayed {
        Some(seed) => vec![seed],
        None => (0..if soak() { 3_000 } else { 40 }).collect(),
    };
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for seed in seeds {
        println!("seed {seed}");
        let mut tokio = tokio::runtime::Builder::new_current_thread();
        let tokio = tokio.enable_all().start_paused(true).build().unwrap();
        for (call, count) in tokio.block_on(Story::new(seed).tell()) {
            *calls.entry(call).or_default() += count;
        }
    }
    let done =
        ["start", "retry", "load", "resume", "give_up", "next", "finish true", "revoke true"];
    for call in done.into_iter().chain(["delete Some(1)"]) {
        assert!(replayed.is_some() || calls.contains_key(call), "nobody did {call}: {calls:#?}");
    }
}
