//! A process dies at any commit of a run with a resumable stream: its source is drawn again from
//! behind what is on record, and no branch had started whose output is not.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use hotgraph::{
    Context, Document, Durability, Emit, Handler, Journal, MemoryJournal, NodeSpec, Record,
    RunQuery, RunStatus, Runtime, StrandedReason, Stream, SystemClock, Value, Write,
};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::cut::{Cut, Process};

const ALL: u64 = 14;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

/// What a process saw of a run, in this order.
#[derive(Clone, Debug, Default)]
struct Seen {
    given: Arc<Mutex<Vec<u64>>>,
    began: Arc<Mutex<Vec<u64>>>,
}

async fn runtime(process: &Process, level: Durability, seen: &Seen) -> Runtime {
    let given = seen.given.clone();
    let rows = move |_: (), ctx: Context| {
        let given = given.clone();
        async move {
            let first = ctx.cursor::<u64>()?.map_or(0, |last| last + 1);
            let numbers = (first..ALL).map(move |n| {
                given.lock().push(n);
                Ok((Number { n }, n))
            });
            Ok(Emit::resumable(stream::iter(numbers)))
        }
    };
    let began = seen.began.clone();
    let work = move |input: Number, ctx: Context| {
        began.lock().push(input.n);
        async move {
            ctx.sleep(Duration::from_secs(1 + (7 * input.n) % 5)).await;
            Ok(input)
        }
    };
    let runtime = Runtime::builder()
        .lanes(2)
        .durability(level)
        .clock(process.clock.clone())
        .journal(process.journal.clone())
        .handler(Handler::many("rows", rows))
        .handler(Handler::one("work", work));
    runtime.build().await.unwrap()
}

fn graph() -> Document {
    Document::builder("g")
        .node(NodeSpec::new("rows").next("work"))
        .node(NodeSpec::new("work").input("n", "${{rows.outputs.n}}"))
        .in_flight(6)
        .build()
}

/// Runs until the run has ended or the process has died.
async fn run(process: &Process, level: Durability, seen: &Seen) -> Option<Vec<u64>> {
    let work = async {
        let runtime = runtime(process, level, seen).await;
        runtime.publish_and_promote(graph()).await.unwrap();
        let run = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
        let outcome = run.outcome().await;
        assert_eq!(outcome.status, RunStatus::Success);
        let numbers: Vec<Number> = hotgraph::from_value(&outcome.outputs["work"]).unwrap();
        numbers.into_iter().map(|number| number.n).collect()
    };
    process.until_it_dies(work).await
}

/// How many outputs are on record.
async fn on_record(journal: &MemoryJournal) -> u64 {
    let Some(row) = journal.runs(&RunQuery::default()).await.unwrap().pop() else { return 0 };
    let records = journal.read(Stream::Run(row.run), 0, usize::MAX).await.unwrap();
    let mut drawn = 0;
    for record in records {
        let entry: Json = serde_json::from_slice(&record.body).unwrap();
        for output in entry["DrawnWithCursors"]["outputs"].as_array().into_iter().flatten() {
            assert_eq!(output[0], drawn, "an output is missing before it");
            drawn += 1;
        }
    }
    drawn
}

async fn cut_off(level: Durability, cut: Cut) {
    let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
    let (first, second) = (Seen::default(), Seen::default());
    let whole: Vec<u64> = (0..ALL).collect();
    if let Some(outputs) = run(&Process::new(kept.clone(), cut, &clock), level, &first).await {
        return assert_eq!(outputs, whole);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let drawn = on_record(&kept).await;
    let early: Vec<u64> = first.began.lock().iter().copied().filter(|n| *n >= drawn).collect();
    assert_eq!(early, [0_u64; 0], "{level:?}, {cut:?}: began before their outputs were on record");
    let process = Process::new(kept.clone(), Cut::Never, &clock);
    assert_eq!(run(&process, level, &second).await.unwrap(), whole, "{level:?}, {cut:?}");
    let rest: Vec<u64> = (drawn..ALL).collect();
    assert_eq!(*second.given.lock(), rest, "{level:?}, {cut:?}: {drawn} outputs were on record");
}

#[tokio::test(start_paused = true)]
async fn a_source_is_drawn_again_from_behind_what_is_on_record() {
    for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
        let process = Process::new(Arc::default(), Cut::Never, &SystemClock::new());
        run(&process, level, &Seen::default()).await.unwrap();
        let commits = process.journal.commits();
        assert!(commits > 8, "{level:?}: {commits} commits");
        for at in 0..commits {
            cut_off(level, Cut::Before(at)).await;
            cut_off(level, Cut::After(at)).await;
        }
    }
}

/// Why a run is not taken up whose outputs are numbered so in the journal.
async fn check_damaged(change: fn(&mut Json), expected: &str) {
    let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
    let process = Process::new(kept.clone(), Cut::Before(6), &clock);
    assert!(run(&process, Durability::EveryState, &Seen::default()).await.is_none());
    let row = kept.runs(&RunQuery::default()).await.unwrap().remove(0);
    let stream = Stream::Run(row.run);
    let mut records = kept.read(stream, 0, usize::MAX).await.unwrap();
    for record in &mut records {
        let mut entry: Json = serde_json::from_slice(&record.body).unwrap();
        if entry.get("DrawnWithCursors").is_some() {
            change(&mut entry["DrawnWithCursors"]);
            *record = Record::new(stream, record.seq, entry.to_string().into_bytes());
        }
    }
    let epoch = kept.claim("a test").await.unwrap();
    // All but the first, with which the run would be gone.
    let rest = records.drain(1..).map(|record| Write::Record(stream, record));
    let writes: Vec<_> = std::iter::once(Write::Truncate(stream, 1)).chain(rest).collect();
    kept.commit(epoch, writes.into()).await.unwrap();
    let process = Process::new(kept, Cut::Never, &clock);
    let stranded = runtime(&process, Durability::EveryState, &Seen::default()).await.stranded();
    let StrandedReason::Damaged(why) = &stranded[0].reason else {
        panic!("{stranded:?}");
    };
    assert!(why.to_string().contains(expected), "{why}");
}

#[tokio::test(start_paused = true)]
async fn outputs_that_do_not_follow_each_other_strand_their_run() {
    let gap = |drawn: &mut Json| {
        drawn["outputs"].as_array_mut().unwrap().remove(0);
    };
    check_damaged(gap, "output 1 follows 0 of them").await;
    let twice = |drawn: &mut Json| {
        let outputs = drawn["outputs"].as_array_mut().unwrap();
        let first = outputs[0].clone();
        outputs.insert(0, first);
    };
    check_damaged(twice, "output 0 follows 1 of them").await;
    check_damaged(|drawn| drawn["of"] = Json::from(7), "no fanout 0000000000000007 is open").await;
}
