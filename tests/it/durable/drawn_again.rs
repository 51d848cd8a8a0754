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
use serde_json::{Value as Json, json};

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

/// Why a run is not taken up whose journal is changed so.
async fn check_damaged(change: impl Fn(&mut Vec<Json>), expected: &str) {
    let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
    let process = Process::new(kept.clone(), Cut::Before(6), &clock);
    assert!(run(&process, Durability::EveryState, &Seen::default()).await.is_none());
    let row = kept.runs(&RunQuery::default()).await.unwrap().remove(0);
    let stream = Stream::Run(row.run);
    let records = kept.read(stream, 0, usize::MAX).await.unwrap();
    let entries = records.iter().map(|record| serde_json::from_slice(&record.body).unwrap());
    let mut entries: Vec<Json> = entries.collect();
    change(&mut entries);
    let epoch = kept.claim("a test").await.unwrap();
    let changed = records.iter().zip(entries).map(|(record, entry)| {
        Write::Record(stream, Record::new(stream, record.seq, entry.to_string().into_bytes()))
    });
    // All but the first, with which the run would be gone.
    let writes: Vec<_> = [Write::Truncate(stream, 1)].into_iter().chain(changed.skip(1)).collect();
    kept.commit(epoch, writes.into()).await.unwrap();
    let process = Process::new(kept, Cut::Never, &clock);
    let stranded = runtime(&process, Durability::EveryState, &Seen::default()).await.stranded();
    let StrandedReason::Damaged(why) = &stranded[0].reason else {
        panic!("{stranded:?}");
    };
    assert!(why.to_string().contains(expected), "{why}");
}

/// The place of the first entry of a kind.
fn first(entries: &[Json], kind: &str) -> usize {
    entries.iter().position(|entry| entry.get(kind).is_some()).unwrap()
}

/// The same for a change of the first entry that has outputs.
async fn check_damaged_outputs(change: impl Fn(&mut Json), expected: &str) {
    let change = |entries: &mut Vec<Json>| {
        let place = first(entries, "DrawnWithCursors");
        change(&mut entries[place]);
    };
    check_damaged(change, expected).await;
}

#[tokio::test(start_paused = true)]
async fn outputs_that_do_not_follow_each_other_strand_their_run() {
    let gap = |entry: &mut Json| {
        entry["DrawnWithCursors"]["outputs"].as_array_mut().unwrap().remove(0);
    };
    check_damaged_outputs(gap, "output 1 follows 0 of them").await;
    let twice = |entry: &mut Json| {
        let outputs = entry["DrawnWithCursors"]["outputs"].as_array_mut().unwrap();
        let first = outputs[0].clone();
        outputs.insert(0, first);
    };
    check_damaged_outputs(twice, "output 0 follows 1 of them").await;
    let stray = |entry: &mut Json| entry["DrawnWithCursors"]["of"] = 7.into();
    check_damaged_outputs(stray, "no fanout 0000000000000007 is open").await;
}

#[tokio::test(start_paused = true)]
async fn more_outputs_than_a_fanout_may_have_strand_their_run() {
    for outputs in [u64::MAX, i64::MAX as u64, 1 << 40, 10_000_001] {
        let exceeded = |entry: &mut Json| {
            let of = &entry["DrawnWithCursors"]["of"];
            *entry =
                json!({ "Exceeded": { "of": of, "index": 0, "outputs": outputs, "ids": [90] } });
        };
        let expected = format!("{outputs} outputs follow 0 of them, and 10000000 are allowed");
        check_damaged_outputs(exceeded, &expected).await;
        let behind = |entries: &mut Vec<Json>| {
            let place = first(entries, "DrawnWithCursors");
            let of = entries[place]["DrawnWithCursors"]["of"].clone();
            let exceeded = |index: u64, outputs: u64| json!({ "Exceeded": { "of": of, "index": index, "outputs": outputs, "ids": [90] } });
            entries[place] = exceeded(0, 1);
            entries[place + 1] = exceeded(1, outputs);
        };
        let expected = format!("{outputs} outputs follow 1 of them, and 10000000 are allowed");
        check_damaged(behind, &expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_fanout_that_ends_behind_its_outputs_strands_its_run() {
    for drawn in [u64::MAX, i64::MAX as u64, 1 << 40, 1] {
        let kept = |entries: &mut Vec<Json>| {
            let place = first(entries, "FannedOutResumable");
            let of = entries[place]["FannedOutResumable"]["of"].clone();
            entries[place] = json!({ "FannedOut": { "of": of, "kept": 0, "fault": null } });
            entries[place + 1] =
                json!({ "Exhausted": { "of": of[0], "drawn": drawn, "fault": null, "ids": [] } });
        };
        check_damaged(kept, &format!("the fanout ends after {drawn} outputs, and 0 were kept"))
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumable_fanout_without_outputs_and_end_strands_its_run() {
    let alone = |entries: &mut Vec<Json>| {
        let place = first(entries, "DrawnWithCursors");
        entries[place] = json!({ "Removed": { "key": "none" } });
    };
    check_damaged(alone, "has neither an output nor an end").await;
}
