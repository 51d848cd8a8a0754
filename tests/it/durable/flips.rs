//! Every bit of a journal flipped once: what it belongs to is set aside, and the rest goes on.
//!
//! Of versions and of runs that have ended only some are, unless `HOTGRAPH_SOAK=1` is set.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    BuildError, Journal, JournalError, MemoryJournal, Record, RunId, RunQuery, RunRow, RunStatus,
    Runtime, StartError, StrandedReason, Stream, Value, Write,
};

use super::altered::{Altered, Altering, Flip};
use super::before::Before;
use super::cut::{Cut, CutJournal};
use super::graphs;
use super::scenarios::{self, Calls};
use crate::fixtures::soak;

/// How many damaged runs share a journal: each has one flipped bit.
const TOGETHER: usize = 256;

/// A run in a journal, and the versions beside it.
struct Kept {
    row: RunRow,
    records: Vec<Record>,
    versions: Vec<Record>,
}

impl Kept {
    /// A run that was cut off in its midst, or that has ended.
    async fn new(cut: Cut) -> Self {
        let kept = Arc::new(MemoryJournal::new());
        let journal = CutJournal::new(kept.clone(), cut);
        let work = async {
            let runtime = scenarios::runtime(&Calls::default()).seed(1).journal(journal.clone());
            let runtime = runtime.build().await.unwrap();
            runtime.publish_and_promote(graphs::small()).await.unwrap();
            let start = runtime.start("small", Value::object([("n", 2)]));
            start.idempotency_key("one").await.unwrap().outcome().await;
        };
        tokio::select! { () = work => {}, () = journal.died() => {} }
        let row = kept.runs(&RunQuery::default()).await.unwrap().remove(0);
        let records = kept.read(Stream::Run(row.run), 0, usize::MAX).await.unwrap();
        let versions = kept.read(Stream::Versions, 0, usize::MAX).await.unwrap();
        Self { row, records, versions }
    }

    /// Every bit of the run.
    fn flips(&self) -> Vec<Flip> {
        let stream = Stream::Run(self.row.run);
        let records = self.records.iter().flat_map(|record| flips(stream, record));
        records.chain(Flip::of_row(&self.row)).collect()
    }

    /// What has to be written for the same run under another id.
    fn copy(&self, run: RunId) -> impl Iterator<Item = Write> + '_ {
        let stream = Stream::Run(run);
        let record = move |record: &Record| Record::new(stream, record.seq, record.body.clone());
        let row = RunRow { run, ..self.row.clone() }.sealed();
        let records = self.records.iter().map(move |old| Write::Record(stream, record(old)));
        records.chain([Write::Row(row)])
    }

    /// A journal of one whole run and of others, each with a flipped bit.
    async fn altered(&self, flips: &[Flip]) -> Arc<Altered> {
        let inner = MemoryJournal::new();
        let epoch = inner.claim("a test").await.unwrap();
        let versions = self.versions.iter().map(|old| Write::Record(Stream::Versions, old.clone()));
        let mut writes: Vec<_> = versions.chain(self.copy(self.row.run)).collect();
        let mut altered = HashMap::new();
        for (number, flip) in (1..).zip(flips) {
            // Far from each other, so that a flipped bit does not name another one.
            let run = RunId(self.row.run.0.wrapping_mul(number * 2 + 1));
            writes.extend(self.copy(run));
            altered.insert(Stream::Run(run), flip.of_run(run));
        }
        inner.commit(epoch, writes.into()).await.unwrap();
        Arc::new(Before(Altering { inner, flips: altered }))
    }
}

/// Some of them: all would take a minute.
fn sample(flips: Vec<Flip>) -> Vec<Flip> {
    if soak() { flips } else { flips.into_iter().step_by(13).collect() }
}

/// Every bit of a record.
fn flips(of: Stream, record: &Record) -> impl Iterator<Item = Flip> + use<> {
    let seq = record.seq;
    let body = (0..record.body.len() * 8).map(move |bit| Flip::Body(of, seq, bit));
    let rest = (0..64).flat_map(move |bit| [Flip::Seq(of, seq, bit), Flip::Check(of, seq, bit)]);
    body.chain(rest)
}

async fn build(journal: Arc<Altered>) -> Result<Runtime, BuildError> {
    scenarios::runtime(&Calls::default()).seed(2).journal(journal).build().await
}

/// The damaged runs are set aside, each with a clear error, and the whole one ends.
async fn are_stranded(kept: &Kept, flips: &[Flip]) {
    let runtime = build(kept.altered(flips).await).await.unwrap();
    let stranded = runtime.stranded();
    assert_eq!(stranded.len(), flips.len());
    for stranded in stranded {
        let StrandedReason::Damaged(JournalError::Corrupt { stream, why, .. }) = &stranded.reason
        else {
            panic!("{:?}", stranded.reason);
        };
        assert_eq!(*stream, Stream::Run(stranded.run), "{why}");
        assert!(runtime.run(stranded.run).is_none(), "{why}");
    }
    let whole = runtime.run(kept.row.run).unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(600), whole.outcome()).await.unwrap();
    assert_eq!(outcome.status, RunStatus::Success);
    assert_eq!(outcome.outputs["gather"].to_json(), r#"{"n":1}"#);
    assert_eq!(runtime.live_runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_with_a_flipped_bit_is_set_aside_and_another_one_ends() {
    let kept = Kept::new(Cut::Before(5)).await;
    assert!(kept.row.ended_at.is_none() && kept.records.len() > 4, "{:?}", kept.row);
    let flips = kept.flips();
    for flips in flips.chunks(TOGETHER) {
        are_stranded(&kept, flips).await;
    }
    println!("{} flips of a run of {} records", flips.len(), kept.records.len());
}

#[tokio::test(start_paused = true)]
async fn a_journal_whose_versions_have_a_flipped_bit_is_refused() {
    let kept = Kept::new(Cut::Before(5)).await;
    let records = kept.versions.iter();
    let flips = sample(records.flat_map(|record| flips(Stream::Versions, record)).collect());
    let mut reasons = BTreeSet::new();
    for flip in &flips {
        let mut journal = kept.altered(&[]).await;
        Arc::get_mut(&mut journal).unwrap().0.flips.insert(Stream::Versions, *flip);
        let error = build(journal).await.unwrap_err();
        let BuildError::Journal(JournalError::Corrupt { stream: Stream::Versions, why, .. }) =
            error
        else {
            panic!("{flip:?}: {error:?}");
        };
        reasons.insert(why);
    }
    println!("{} flips of the versions: {reasons:?}", flips.len());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_is_not_read_when_a_bit_of_it_is_flipped() {
    let kept = Kept::new(Cut::Never).await;
    assert!(kept.row.ended_at.is_some());
    let all = sample(kept.flips());
    for flip in &all {
        let mut journal = kept.altered(&[]).await;
        Arc::get_mut(&mut journal).unwrap().0.flips.insert(Stream::Run(kept.row.run), *flip);
        let runtime = build(journal).await.unwrap();
        let again = runtime.start("small", Value::object([("n", 2)])).idempotency_key("one").await;
        match again {
            Err(StartError::Stranded { reason, .. })
                if matches!(*reason, StrandedReason::Damaged(_)) => {}
            // It cannot be found by what the start says.
            Ok(_) if flip.is_of_name() => {}
            other => panic!("{flip:?}: {other:?}"),
        }
    }
    println!("{} flips of a run that has ended", all.len());
}
