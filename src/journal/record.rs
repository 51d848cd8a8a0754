//! A record: a number, bytes, and a checksum that belongs to both and to the stream.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use crate::id::RunId;

/// The format of records and rows; part of every checksum.
const FORMAT: u32 = 1;

/// What a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stream {
    /// The versions of all graphs, their routing and the commands on them.
    Versions,
    /// One run.
    Run(RunId),
    /// How many records the versions have: one record, replaced with each of theirs.
    Count,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Versions => f.write_str("the versions"),
            Self::Run(run) => write!(f, "run {run}"),
            Self::Count => f.write_str("the count of the versions"),
        }
    }
}

/// One record of a stream: its number, counted from 1 without gaps, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number in its stream.
    pub seq: u64,
    /// What it says.
    pub body: Vec<u8>,
    /// The checksum of stream, number and body.
    pub check: u64,
}

impl Record {
    /// A record with its checksum: XXH3-64 over format, stream, number and body.
    #[must_use]
    pub fn new(stream: Stream, seq: u64, body: Vec<u8>) -> Self {
        let check = check(stream, seq, &body);
        Self { seq, body, check }
    }

    /// What the count of the versions says.
    pub(super) fn count(records: u64) -> Self {
        Self::new(Stream::Count, 1, records.to_le_bytes().to_vec())
    }

    /// How many records the versions have, if this is their count.
    pub(crate) fn counted(&self) -> Option<u64> {
        self.body.as_slice().try_into().map(u64::from_le_bytes).ok()
    }

    /// Whether it is as it was written, to that stream.
    #[must_use]
    pub fn is_intact(&self, stream: Stream) -> bool {
        self.check == check(stream, self.seq, &self.body)
    }
}

fn check(stream: Stream, seq: u64, body: &[u8]) -> u64 {
    let mut hash = hasher(match stream {
        Stream::Versions => 0,
        Stream::Run(_) => 1,
        // 2 are rows.
        Stream::Count => 3,
    });
    if let Stream::Run(run) = stream {
        hash.update(&run.0.to_le_bytes());
    }
    hash.update(&seq.to_le_bytes());
    hash.update(body);
    hash.digest()
}

/// A hash that begins with the format and with what is hashed.
pub(super) fn hasher(kind: u8) -> Xxh3 {
    let mut hash = Xxh3::new();
    hash.update(&FORMAT.to_le_bytes());
    hash.update(&[kind]);
    hash
}
