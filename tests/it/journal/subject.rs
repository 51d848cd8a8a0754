//! The journal that a check is about, with its owner, and what is written to it.

use std::sync::Arc;

use hotgraph::{
    Epoch, GraphName, Journal, JournalError, Record, RunId, RunQuery, RunRow, Stream, Timestamp,
    VersionNumber, Write,
};

/// More records than any check writes to a stream.
pub const ALL: usize = 100_000;

/// A fresh journal of one kind.
#[derive(Clone)]
pub struct Subject {
    pub journal: Arc<dyn Journal>,
    pub claiming: Claiming,
}

/// What a kind of journal does when a store is claimed that has an owner already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claiming {
    /// It takes it away from the owner, which is fenced from then on.
    TakesOver,
    /// It refuses, and says who the owner is.
    Refuses,
}

impl Subject {
    pub async fn claim(&self) -> Epoch {
        self.journal.claim("a check").await.unwrap()
    }

    /// Claims it twice: an epoch of the past, and the one that counts.
    pub async fn claim_anew(&self) -> (Epoch, Epoch) {
        let past = self.claim().await;
        self.journal.release(past).await.unwrap();
        (past, self.claim().await)
    }

    pub async fn try_commit(&self, epoch: Epoch, writes: Vec<Write>) -> Result<(), JournalError> {
        self.journal.commit(epoch, writes.into()).await
    }

    pub async fn commit(&self, epoch: Epoch, writes: Vec<Write>) {
        self.try_commit(epoch, writes).await.unwrap();
    }

    pub async fn records(&self, stream: Stream) -> Vec<Record> {
        self.journal.read(stream, 0, ALL).await.unwrap()
    }

    /// The bodies of a stream, as text.
    pub async fn bodies(&self, stream: Stream) -> Vec<String> {
        let text = |record: Record| String::from_utf8(record.body).unwrap();
        self.records(stream).await.into_iter().map(text).collect()
    }

    /// The numbers of the records of a stream.
    pub async fn numbers(&self, stream: Stream) -> Vec<u64> {
        self.records(stream).await.iter().map(|record| record.seq).collect()
    }

    pub async fn rows(&self, query: RunQuery) -> Vec<RunRow> {
        self.journal.runs(&query).await.unwrap()
    }

    pub async fn runs(&self, query: RunQuery) -> Vec<RunId> {
        self.rows(query).await.iter().map(|row| row.run).collect()
    }
}

pub const fn run(id: u128) -> Stream {
    Stream::Run(RunId(id))
}

/// A record of that number with a text.
pub fn record(stream: Stream, seq: u64, text: &str) -> Write {
    Write::Record(stream, Record::new(stream, seq, text.as_bytes().to_vec()))
}

/// Records of these numbers, each with its own text.
pub fn records(stream: Stream, numbers: impl IntoIterator<Item = u64>) -> Vec<Write> {
    numbers.into_iter().map(|seq| record(stream, seq, &format!("{stream} {seq}"))).collect()
}

/// The row of a run that was started at a time; it can be changed and sealed again.
pub fn row(id: u128, started_at: u64) -> RunRow {
    let row = RunRow {
        run: RunId(id),
        graph: GraphName::from("graph"),
        version: VersionNumber(1),
        key: None,
        status: "RUNNING".into(),
        started_at: Timestamp(started_at),
        ended_at: None,
        records: 0,
        check: 0,
    };
    row.sealed()
}
