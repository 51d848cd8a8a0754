//! The power goes while a process commits: what it had acknowledged is there, nothing is half there.
//!
//! Every call with which SQLite changes files is recorded. From that the folder is rebuilt as a
//! power loss at any moment could leave it: with everything that was synced, and of the rest any
//! part, down to sectors. 2,000 such images and more; 10,000 with `HOTGRAPH_SOAK=1`.

mod disk;
mod trace;

use std::io::Write as _;
use std::sync::OnceLock;

use disk::{Disk, Fate, Heeds, Image};
use fastrand::Rng;
use hotgraph::{Journal, SqliteJournal};
use tokio::task::JoinSet;
use trace::Act;

use super::work::{commit, verify};
use super::{child, is_soak};
use crate::journal::folder::Folder;

/// What a child says before the number of a commit that was acknowledged.
const COMMITTED: &str = "committed ";

/// How many commits each process makes; the second one more than fit the log before a checkpoint.
const LIVES: [u64; 2] = [15, 100];

/// After which commit the store is rewritten as a whole.
const VACUUMED: u64 = 8;

/// More sectors than any write has.
const SECTORS: usize = 16;

#[tokio::test]
async fn child_that_commits_while_it_is_recorded() {
    let Some(store) = child::store() else { return };
    let mut number = 0;
    for commits in LIVES {
        let journal = SqliteJournal::open(&*store).await.unwrap();
        let epoch = journal.claim("a child").await.unwrap();
        for _ in 0..commits {
            number += 1;
            commit(&journal, epoch, number).await.unwrap();
            println!("{COMMITTED}{number}");
            if number == VACUUMED {
                journal.vacuum(epoch).await.unwrap();
            }
        }
        // Closed, the log is moved into the store and removed.
    }
}

/// What the child did, and in which folder; `None` where nobody can be traced, which is said.
fn recorded() -> Option<&'static (Vec<Act>, Folder)> {
    static RECORDED: OnceLock<Option<(Vec<Act>, Folder)>> = OnceLock::new();
    let recorded = RECORDED.get_or_init(|| {
        if !trace::can_trace() {
            let text =
                b"\n*** Tests of a power loss were skipped: `strace` does not work here ***\n";
            std::io::stderr().write_all(text).unwrap();
            return None;
        }
        let folder = Folder::new();
        let test = concat!(module_path!(), "::child_that_commits_while_it_is_recorded");
        Some((trace::record(test, &folder.path().join("store.db")), folder))
    });
    recorded.as_ref()
}

/// What a power loss takes of the changes that were not synced.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Nothing,
    All,
    Last,
    /// The last one is there with so many of its sectors.
    Tears(usize),
    /// Each has its own fate.
    Random,
}

impl Loss {
    /// What becomes of a change that so many others came after.
    fn fate(self, later: usize, rng: &mut Rng) -> Fate {
        match (self, later) {
            (Self::All, _) | (Self::Last, 0) => Fate::Lost,
            (Self::Tears(kept), 0) => {
                Fate::Torn((0..SECTORS).map(|sector| sector < kept).collect())
            }
            (Self::Random, _) => match rng.u8(0..4) {
                0 => Fate::Lost,
                1 => Fate::Torn((0..SECTORS).map(|_| rng.bool()).collect()),
                _ => Fate::Kept,
            },
            _ => Fate::Kept,
        }
    }
}

/// How the power is lost before a call: in many ways before a sync, when most is at stake.
fn losses(act: &Act, samples: usize, rng: &mut Rng) -> Vec<Loss> {
    let random = std::iter::repeat_n(Loss::Random, samples);
    match act {
        Act::Synced(_) => {
            let systematic = [Loss::Nothing, Loss::All, Loss::Last].into_iter();
            systematic.chain([0, 2, 4, 6].map(Loss::Tears)).chain(random).collect()
        }
        // While the log is moved into the store, and while a folder changes.
        Act::Wrote { file, .. } if file.ends_with("-wal") => {
            random.filter(|_| rng.u8(..) < 5).collect()
        }
        Act::Said(_) => Vec::new(),
        _ => random.take(samples.div_ceil(6)).collect(),
    }
}

/// What a power loss left: when it was, what was acknowledged by then, and the files.
struct Left {
    call: usize,
    loss: Loss,
    announced: u64,
    image: Image,
}

/// Loses the power again and again, on a disk that carries out some syncs; says how often.
async fn lose_power(heeds: Heeds, samples: usize, mut visit: impl AsyncFnMut(Left)) -> Option<u64> {
    let (acts, folder) = recorded()?;
    let (mut disk, mut rng) = (Disk::new(folder.path(), heeds), Rng::with_seed(1));
    let (mut announced, mut images) = (0, 0);
    for (call, act) in acts.iter().enumerate() {
        for loss in losses(act, samples, &mut rng) {
            let image = disk.lose_power(|later| loss.fate(later, &mut rng));
            visit(Left { call, loss, announced, image }).await;
            images += 1;
        }
        disk.carry_out(act);
        if let Act::Said(text) = act {
            announced =
                child::said(text, COMMITTED).map_or(announced, |said| said.parse().unwrap());
        }
    }
    assert_eq!(announced, LIVES.iter().sum::<u64>(), "not everything was recorded");
    Some(images)
}

/// Opens what is left, and goes on with it.
async fn go_on(announced: u64, image: Image) {
    let folder = Folder::in_memory();
    image.put(folder.path());
    let journal = SqliteJournal::open(folder.path().join("store.db")).await.unwrap();
    let epoch = journal.claim("a test").await.unwrap();
    let kept = verify(&journal).await;
    // One that was under way may be there, whole.
    assert!((announced..=announced + 1).contains(&kept), "{announced} announced, {kept} kept");
    commit(&journal, epoch, kept + 1).await.unwrap();
    assert_eq!(journal.size().await.unwrap().runs, kept + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_power_loss() {
    let samples = if is_soak() { 60 } else { 5 };
    let mut checks = JoinSet::new();
    let images = lose_power(
        |_| true,
        samples,
        async |left: Left| {
            let Left { call, loss, announced, image } = left;
            checks.spawn(async move {
                let outcome = tokio::spawn(go_on(announced, image)).await;
                outcome.unwrap_or_else(|error| panic!("call {call}, loss {loss:?}: {error}"));
            });
            // One for each thread: an image takes megabytes.
            if checks.len() > 2 {
                checks.join_next().await.unwrap().unwrap();
            }
        },
    );
    let Some(images) = images.await else { return };
    checks.join_all().await;
    println!("{images} images of a power loss");
    assert!(images >= 2_000, "{images} images");
}

/// Of some images, how many are found to be damaged or to lack what was acknowledged.
async fn found(heeds: Heeds) -> Option<(u64, u64)> {
    let (mut found, mut tried) = (0, 0);
    let images = lose_power(heeds, 1, async |Left { call, loss, announced, image }| {
        if matches!(loss, Loss::Random) && call.is_multiple_of(4) {
            tried += 1;
            found += u64::from(tokio::spawn(go_on(announced, image)).await.is_err());
        }
    });
    images.await?;
    Some((found, tried))
}

#[tokio::test]
async fn a_journal_that_does_not_sync_is_found_out() {
    let Some(nothing) = found(|_| false).await else { return };
    let Some(no_log) = found(|file| !file.ends_with("-wal")).await else { return };
    for (found, tried) in [nothing, no_log] {
        println!("{found} of {tried} images are found to be damaged");
        assert!(found > tried / 2, "{found} of {tried}");
    }
}
