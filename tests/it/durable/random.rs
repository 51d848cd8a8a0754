//! Random graphs that are cut off at random commits end as their uninterrupted twins.
//!
//! `HOTGRAPH_SOAK=1` runs 1,000 of them; `HOTGRAPH_REPLAY_SEED=<seed>` repeats one.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Durability, Journal, MemoryJournal, Outcome, Rng, StateView, SystemClock, Value,
};

use super::cut::{Cut, CutJournal};
use super::seen::{Ended, ended, ended_roughly};
use crate::fixtures::soak;
use crate::naive::model::Graph;
use crate::naive::{agrees, engine, generate};

/// A run that has ended, as its process saw it.
type Whole = (Arc<Outcome>, Vec<StateView>);

struct Case {
    graph: Arc<Graph>,
    level: Durability,
    rng: Rng,
    clock: SystemClock,
}

impl Case {
    /// Runs the graph in one process; `None` if it died.
    async fn run(&mut self, journal: &Arc<CutJournal>) -> Result<Option<Whole>, String> {
        let builder = engine::builder(&self.graph, self.rng.next_u64() >> 8);
        let builder = builder.durability(self.level).clock(self.clock.clone());
        let document = Document::from_json(&self.graph.document()).unwrap();
        let work = async {
            let runtime = builder.journal(journal.clone()).build().await.unwrap();
            runtime.publish_and_promote(document).await.map_err(|error| error.to_string())?;
            if let Some(stranded) = runtime.stranded().pop() {
                return Err(format!("stranded: {:?}", stranded.reason));
            }
            let start = runtime.start("random", Value::empty_object()).idempotency_key("once");
            let run = start.await.map_err(|error| format!("not started: {error:?}"))?;
            let outcome = tokio::time::timeout(Duration::from_secs(86_400), run.outcome()).await;
            let outcome = outcome.map_err(|_| format!("a hang: {:?}", run.status()))?;
            Ok((outcome, run.states()))
        };
        tokio::select! {
            biased;
            whole = work => whole.map(Some),
            () = journal.died() => Ok(None),
        }
    }

    /// Some commit of those that a whole run takes, before or after it is written.
    fn cut(&mut self, commits: usize) -> Cut {
        let at = usize::try_from(self.rng.up_to(commits as u64)).unwrap();
        if self.rng.up_to(1) == 0 { Cut::Before(at) } else { Cut::After(at) }
    }

    fn compare(&self, (outcome, states): &Whole, twin: &Whole) -> Result<(), String> {
        agrees(&self.graph, outcome, states)?;
        same(ended_roughly(outcome), ended_roughly(&twin.0))
    }

    /// Cuts a run off once or twice, and says how often it was.
    async fn interrupt(&mut self) -> Result<u64, String> {
        let whole = CutJournal::new(Arc::default(), Cut::Never);
        let twin = self.run(&whole).await?.unwrap();
        let kept = Arc::new(MemoryJournal::new());
        let mut cuts = 0;
        for _ in 0..1 + self.rng.up_to(1) {
            let cut = self.cut(whole.commits());
            if self.run(&CutJournal::new(kept.clone(), cut)).await?.is_none() {
                cuts += 1;
            }
            // What is under way in the dead process goes as far as it goes without its journal.
            tokio::time::sleep(Duration::from_secs(3_600)).await;
        }
        let last = self.run(&CutJournal::new(kept.clone(), Cut::Never)).await?.unwrap();
        self.compare(&last, &twin)?;
        // What is read of a run that has ended is what it ended with.
        let read = self.run(&CutJournal::new(kept.clone(), Cut::Never)).await?.unwrap();
        agrees(&self.graph, &read.0, &read.1)?;
        same(ended(&read.0), ended(&last.0))?;
        match kept.size().await.unwrap().runs {
            1 => Ok(cuts),
            runs => Err(format!("{runs} runs were started")),
        }
    }
}

fn same(ended: Ended, twin: Ended) -> Result<(), String> {
    match ended == twin {
        true => Ok(()),
        false => Err(format!("it ended as {ended:?}\n its twin as {twin:?}")),
    }
}

fn interrupt(seed: u64) -> Result<u64, String> {
    let mut tokio = tokio::runtime::Builder::new_current_thread();
    let tokio = tokio.enable_time().start_paused(true).build().unwrap();
    tokio.block_on(async {
        let mut rng = Rng::seeded(seed);
        let levels = [Durability::EveryState, Durability::OnFanoutAndUnites];
        let level = levels[usize::try_from(rng.up_to(1)).unwrap()];
        let graph = Arc::new(generate::graph(seed));
        Case { graph, level, rng, clock: SystemClock::new() }.interrupt().await
    })
}

#[test]
fn random_graphs_that_are_cut_off_end_as_their_uninterrupted_twins() {
    if let Ok(seed) = std::env::var("HOTGRAPH_REPLAY_SEED") {
        let seed = seed.parse().expect("HOTGRAPH_REPLAY_SEED is a number");
        println!("{}", generate::graph(seed).document());
        interrupt(seed).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        return;
    }
    let (graphs, mut cuts, mut failed) = (if soak() { 1_000 } else { 100 }, 0, Vec::new());
    for seed in 0..graphs {
        match interrupt(seed) {
            Ok(more) => cuts += more,
            Err(why) => {
                println!("seed {seed}: {why}");
                failed.push(seed);
            }
        }
    }
    println!("{graphs} graphs, {cuts} cuts");
    assert!(failed.is_empty(), "{} of {graphs} graphs differ: {failed:?}", failed.len());
}
