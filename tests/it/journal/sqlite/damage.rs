//! Bits of the file change: what is damaged is refused or seen, and never taken for something else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hotgraph::{
    Journal, JournalError, Record, RunQuery, RunRow, SqliteConfig, SqliteJournal, Stream,
};

use super::is_soak;
use super::work::{commit, verify};
use crate::journal::folder::Folder;
use crate::journal::subject::{ALL, run};

/// How many runs the store has that is damaged.
const RUNS: u64 = 3;

/// Everything that a store says.
#[derive(Debug, PartialEq)]
struct Content {
    rows: Vec<RunRow>,
    /// The same ones, found as a runtime that starts again finds them.
    unfinished: Vec<RunRow>,
    streams: Vec<(Stream, Vec<Record>)>,
}

impl Content {
    async fn read(journal: &SqliteJournal) -> Result<Self, JournalError> {
        let runs = (1..=RUNS).map(|id| run(u128::from(id)));
        let mut streams = Vec::new();
        for stream in runs.chain([Stream::Versions]) {
            streams.push((stream, journal.read(stream, 0, ALL).await?));
        }
        let rows = journal.runs(&RunQuery::default()).await?;
        let unfinished = journal.runs(&RunQuery::default().unfinished()).await?;
        Ok(Self { rows, unfinished, streams })
    }

    /// Whether all of it is sound or shows that it is not.
    fn check(&self, sound: &Self, what: &str) {
        let rows = self.rows.iter().chain(&self.unfinished);
        for row in rows.filter(|row| row.is_intact()) {
            assert!(sound.rows.contains(row), "{what}: {row:?}");
        }
        for ((stream, found), (_, sound)) in self.streams.iter().zip(&sound.streams) {
            for record in found.iter().filter(|record| record.is_intact(*stream)) {
                assert!(sound.contains(record), "{what}: {stream}, {record:?}");
            }
        }
    }

    /// Whether nothing is missing that nobody would miss.
    fn check_counts(&self, sound: &Self, what: &str) {
        assert_eq!(self.rows.len(), sound.rows.len(), "{what}: a run is missing");
        assert_eq!(self.rows, self.unfinished, "{what}: a run is missing");
        for ((stream, found), (_, sound)) in self.streams.iter().zip(&sound.streams) {
            // The row of a run says how many there are; of the versions a gap would tell.
            let is_seen = match stream {
                Stream::Versions => !found.iter().all(|record| record.is_intact(*stream)),
                _ => true,
            };
            let is_complete = found.len() == sound.len();
            assert!(is_complete || is_seen, "{what}: a record of {stream} is missing");
        }
    }
}

/// A closed store of a few runs, and what it holds.
async fn sound(path: &Path) -> (Vec<u8>, Content) {
    let journal = SqliteJournal::open(path).await.unwrap();
    let epoch = journal.claim("a test").await.unwrap();
    for number in 1..=RUNS {
        commit(&journal, epoch, number).await.unwrap();
    }
    let content = Content::read(&journal).await.unwrap();
    drop(journal);
    (fs::read(path).unwrap(), content)
}

/// What became of a damaged store.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    refused: u32,
    opened: u32,
    read: u32,
}

impl Tally {
    /// Opens a damaged file, and checks what it says.
    async fn try_file(&mut self, config: SqliteConfig, sound: &Content, what: &str) {
        let is_checked = config == SqliteConfig::new(config.path());
        let outcome = match SqliteJournal::open(config).await {
            Ok(journal) => {
                self.opened += 1;
                Content::read(&journal).await
            }
            Err(error) => {
                self.refused += 1;
                Err(error)
            }
        };
        match outcome {
            Ok(content) => {
                self.read += 1;
                content.check(sound, what);
                if is_checked {
                    content.check_counts(sound, what);
                }
            }
            Err(JournalError::Unusable(_) | JournalError::Storage(_)) => {}
            Err(JournalError::Format { .. }) => {}
            Err(other) => panic!("{what}: {other:?}"),
        }
    }
}

/// The bits that are flipped: many of those in bytes that say something, few of the others.
fn bits(file: &[u8], stride: usize) -> impl Iterator<Item = usize> {
    let stride = move |byte: u8| match (is_soak(), byte) {
        (true, _) => 1,
        (false, 0) => stride * 31,
        (false, _) => stride,
    };
    (0..file.len() * 8).filter(move |bit| bit.is_multiple_of(stride(file[bit / 8])))
}

fn flipped(file: &[u8], bit: usize) -> Vec<u8> {
    let mut file = file.to_vec();
    file[bit / 8] ^= 1 << (bit % 8);
    file
}

async fn check_flips(stride: usize, configure: fn(SqliteConfig) -> SqliteConfig) {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    let (file, content) = sound(&path).await;
    let (mut tally, mut flips) = (Tally::default(), 0);
    for bit in bits(&file, stride) {
        fs::write(&path, flipped(&file, bit)).unwrap();
        flips += 1;
        let config = configure(SqliteConfig::new(&path));
        tally.try_file(config, &content, &format!("bit {bit}")).await;
    }
    println!("{flips} bits of {}: {tally:?}", file.len() * 8);
    assert!(tally.refused > 0 && tally.read > 0);
}

#[tokio::test]
async fn a_flipped_bit_of_the_file_is_refused_or_seen() {
    check_flips(31, |config| config).await;
}

#[tokio::test]
async fn a_flipped_bit_is_never_taken_for_something_else_in_a_store_that_is_not_checked() {
    check_flips(61, SqliteConfig::unchecked).await;
}

#[tokio::test]
async fn a_file_that_was_cut_is_refused() {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    let (file, content) = sound(&path).await;
    let mut tally = Tally::default();
    // One without a byte is a new store, and so is one of a single byte to SQLite.
    for length in (2..file.len()).step_by(509) {
        fs::write(&path, &file[..length]).unwrap();
        tally.try_file(SqliteConfig::new(&path), &content, &format!("{length} bytes")).await;
    }
    assert_eq!(tally.opened, 0, "{tally:?}");
}

/// SQLite ends a log at the first frame that is not as it was written. What was before is there,
/// what was behind it is not; without a crash no store has a log.
#[tokio::test]
async fn a_flipped_bit_of_the_log_leaves_the_commits_before_it() {
    let (folder, copy) = (Folder::new(), Folder::new());
    let journal = SqliteJournal::open(folder.path().join("store.db")).await.unwrap();
    let epoch = journal.claim("a test").await.unwrap();
    for number in 1..=RUNS {
        commit(&journal, epoch, number).await.unwrap();
    }
    let path = copy.path().join("store.db");
    let [store, log] = ["store.db", "store.db-wal"].map(|name| folder.path().join(name));
    let (store, log) = (fs::read(store).unwrap(), fs::read(log).unwrap());
    let mut found = BTreeSet::new();
    // The first frames make the tables: without them there is no store, but a new one.
    for bit in bits(&log, 199) {
        fs::write(&path, &store).unwrap();
        fs::write(copy.path().join("store.db-wal"), flipped(&log, bit)).unwrap();
        found.insert(verify(&SqliteJournal::open(&path).await.unwrap()).await);
    }
    assert_eq!(found, (0..RUNS).collect(), "as many commits as there were before the bit");
}
