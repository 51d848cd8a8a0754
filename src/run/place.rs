//! Places among the live runs of a runtime: limited, and waited for by a shutdown.
//!
//! Invariants:
//! 1. A place is counted before its taker looks whether the places are closed: whoever closes them
//!    waits for each place whose taker did not see it.
//! 2. A place is given back before its run tells the end, so that who is told may start another one;
//!    until it has done so the run is counted as telling.
//! 3. The last one of both to go after they are closed tells whoever waits.
//! 4. After they are closed, a place is given only below a run that has its own and keeps it until
//!    the new one is counted: nobody has stopped waiting by then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::node::Control;
use crate::until::until;

/// The places of a runtime.
pub(crate) struct Places {
    most: u64,
    /// How many are taken, and how many runs tell their ends: one word, which is zero if neither.
    counts: AtomicU64,
    closed: AtomicBool,
    emptied: Notify,
}

/// A place that is taken.
const TAKEN: u64 = 1;

/// A run that tells its end: counted above all places that there may be.
const TELLING: u64 = 1 << 32;

/// A place among the live runs; given back by dropping it.
pub(crate) struct Place(Counted);

/// A run that gave its place back and has not told its end; it has when this is dropped.
pub(crate) struct Telling {
    _counted: Counted,
}

/// What is counted until it is dropped.
struct Counted {
    places: Arc<Places>,
    as_what: u64,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// As many are taken as there are.
    Full,
    /// The runtime is being shut down.
    Closed,
}

impl Places {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let (closed, emptied) = (AtomicBool::new(false), Notify::new());
        Arc::new(Self { most: most as u64, counts: AtomicU64::new(0), closed, emptied })
    }

    /// A place for a run that starts.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Place, NoPlace> {
        self.take_of(self.most)
    }

    /// A place for a run that was accepted before: there is always one, unless they are closed.
    pub(crate) fn take_again(self: &Arc<Self>) -> Result<Place, NoPlace> {
        self.take_of(u64::MAX)
    }

    /// A place for a run with these signals that another one starts: also after they are closed, as
    /// long as that one is not being stopped.
    pub(crate) fn take_below(self: &Arc<Self>, signals: &Control) -> Result<Place, NoPlace> {
        self.take_below_of(self.most, signals)
    }

    /// The same for one that was accepted before.
    pub(crate) fn take_again_below(self: &Arc<Self>, signals: &Control) -> Result<Place, NoPlace> {
        self.take_below_of(u64::MAX, signals)
    }

    fn take_below_of(self: &Arc<Self>, most: u64, signals: &Control) -> Result<Place, NoPlace> {
        let place = self.count(most);
        // The run above is stopped before it gives up its place while an attempt of it is under way.
        if self.are_closed_to(Some(signals)) { Err(NoPlace::Closed) } else { place }
    }

    fn take_of(self: &Arc<Self>, most: u64) -> Result<Place, NoPlace> {
        let place = self.count(most);
        // If it is closed, the place that was just counted is given back.
        if self.are_closed() { Err(NoPlace::Closed) } else { place }
    }

    fn count(self: &Arc<Self>, most: u64) -> Result<Place, NoPlace> {
        let one_more = |counts| (counts % TELLING < most).then_some(counts + TAKEN);
        let taken = self.counts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more);
        let place = |_| Place(Counted { places: self.clone(), as_what: TAKEN });
        taken.map(place).map_err(|_| NoPlace::Full)
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        (self.counts.load(Ordering::SeqCst) % TELLING) as usize
    }

    /// Gives no more places, but to children of runs that have theirs.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Whether no more are given, but to children of runs that have theirs.
    pub(crate) fn are_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whether no more are given to a run with these signals, if another one starts it.
    pub(crate) fn are_closed_to(&self, signals: Option<&Control>) -> bool {
        self.are_closed() && signals.is_none_or(Control::is_cancelled)
    }

    /// Waits until no place is taken and every end was told; they have to be closed.
    pub(crate) async fn emptied(&self) {
        until(&self.emptied, || self.counts.load(Ordering::SeqCst) == 0).await;
    }
}

impl Place {
    /// Gives the place of a run back that is about to tell its end.
    pub(crate) fn give_back(self) -> Telling {
        let Self(mut counted) = self;
        counted.places.counts.fetch_add(TELLING - TAKEN, Ordering::SeqCst);
        counted.as_what = TELLING;
        Telling { _counted: counted }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.places.counts.fetch_sub(self.as_what, Ordering::SeqCst);
        if before == self.as_what && self.places.are_closed() {
            self.places.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn there_are_as_many_places_as_were_asked_for() {
        let places = Places::new(2);
        let first = places.take().unwrap();
        let second = places.take().unwrap();
        assert_eq!(places.take().err(), Some(NoPlace::Full));
        let third = places.take_again().unwrap();
        drop(first);
        assert_eq!(places.take().err(), Some(NoPlace::Full), "two are taken");
        drop((second, third));
        assert_eq!(places.taken(), 0);
        assert!(places.take().is_ok());
    }

    #[test]
    fn closed_places_are_not_given_and_not_counted() {
        let places = Places::new(1);
        let last = places.take();
        places.close();
        assert_eq!(places.take().err(), Some(NoPlace::Closed), "also if they are full");
        assert_eq!(places.take_again().err(), Some(NoPlace::Closed));
        assert_eq!(places.taken(), 1);
        drop(last);
        assert_eq!(places.take().err(), Some(NoPlace::Closed));
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn a_child_gets_a_place_until_the_run_above_it_is_stopped() {
        let places = Places::new(2);
        let above = Arc::<Control>::default();
        let (signals, of_above) = (Control::below(&above), places.take());
        places.close();
        let child = places.take_below(&signals);
        assert_eq!((child.is_ok(), places.taken()), (true, 2));
        assert_eq!(places.take_below(&signals).err(), Some(NoPlace::Full));
        assert!(places.take_again_below(&signals).is_ok(), "it was accepted before");
        above.cancel();
        assert_eq!(places.take_below(&signals).err(), Some(NoPlace::Closed));
        assert_eq!(places.take_again_below(&signals).err(), Some(NoPlace::Closed));
        drop((child, of_above));
        assert_eq!(places.taken(), 0);
    }

    #[tokio::test]
    async fn only_the_last_place_ends_the_wait() {
        let places = Places::new(2);
        let (first, last) = (places.take(), places.take());
        places.close();
        let mut emptied = std::pin::pin!(places.emptied());
        assert!(futures_util::poll!(&mut emptied).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut emptied).is_pending());
        let telling = last.map(Place::give_back);
        assert_eq!(places.taken(), 0);
        assert!(futures_util::poll!(&mut emptied).is_pending(), "it has not told its end");
        drop(telling);
        assert!(futures_util::poll!(&mut emptied).is_ready());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_waits_for_the_last_place_is_told() {
        for _ in 0..200 {
            let places = Places::new(8);
            let takers: Vec<_> = (0..4)
                .map(|_| {
                    let places = places.clone();
                    tokio::spawn(async move {
                        while let Ok(place) = places.take() {
                            drop(place)
                        }
                    })
                })
                .collect();
            tokio::task::yield_now().await;
            places.close();
            tokio::time::timeout(Duration::from_secs(10), places.emptied()).await.unwrap();
            for taker in takers {
                taker.await.unwrap();
            }
            assert_eq!(places.taken(), 0);
        }
    }
}
