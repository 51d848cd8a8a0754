//! Which of what waits has no record yet.

/// The keys of parked executions that no record lists yet, each of them once.
///
/// A lane that always finds something to go on with lists nothing, and uses the same keys again and
/// again meanwhile.
#[derive(Default)]
pub(super) struct Unlisted {
    keys: Vec<usize>,
    /// By key: whether it is among the keys.
    noted: Vec<bool>,
}

impl Unlisted {
    /// Something waits under this key.
    pub(super) fn note(&mut self, key: usize) {
        if self.noted.len() <= key {
            self.noted.resize(key + 1, false);
        }
        if !std::mem::replace(&mut self.noted[key], true) {
            self.keys.push(key);
        }
    }

    /// The keys, which count as listed from now on.
    pub(super) fn take(&mut self) -> Vec<usize> {
        self.keys.iter().for_each(|key| self.noted[*key] = false);
        std::mem::take(&mut self.keys)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_used_again_is_kept_once() {
        let mut unlisted = Unlisted::default();
        (0..1_000).for_each(|at| unlisted.note(at % 3));
        assert_eq!(unlisted.take(), [0, 1, 2]);
        assert!(unlisted.is_empty());
        unlisted.note(2);
        assert_eq!(unlisted.take(), [2]);
    }
}
