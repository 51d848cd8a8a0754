//! Locks for keys: of what has the same key, one at a time.
//!
//! Who needs several takes the lock of a start's key first, then that of a run's opening
//! (`RunCell::opening`), then that of the run, then `Inner::taking_up`, and what is locked without
//! waiting, as `Inner::ended`, last.

use std::hash::{BuildHasher, Hash, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// Keys share so many locks: those that share one wait for each other, as a rule for nothing.
const LOCKS: usize = 64;

/// One lock for each key, or for a few.
pub(super) struct KeyLocks {
    locks: [Mutex<()>; LOCKS],
    hasher: RandomState,
}

impl KeyLocks {
    /// Waits until nobody else holds the lock of a key.
    pub(super) async fn lock(&self, key: &impl Hash) -> MutexGuard<'_, ()> {
        let place = self.hasher.hash_one(key) as usize % LOCKS;
        self.locks[place].lock().await
    }
}

impl Default for KeyLocks {
    fn default() -> Self {
        let locks = std::array::from_fn(|_| Mutex::default());
        Self { locks, hasher: RandomState::new() }
    }
}
