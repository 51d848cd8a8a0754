//! Which nodes lead to a node: one row of bits per node, in topological order.

const BITS: usize = u64::BITS as usize;

/// Which nodes lead to a node.
pub(super) struct Ancestors {
    /// The words of one row.
    width: usize,
    words: Vec<u64>,
}

impl Ancestors {
    /// Follows the predecessors of every place, all of which come before it.
    pub(super) fn new(predecessors: &[Vec<usize>]) -> Self {
        let width = predecessors.len().div_ceil(BITS);
        let mut words = vec![0; width * predecessors.len()];
        for (place, predecessors) in predecessors.iter().enumerate() {
            let (before, rest) = words.split_at_mut(place * width);
            for &predecessor in predecessors {
                let row = &before[predecessor * width..][..width];
                rest.iter_mut().zip(row).for_each(|(mine, theirs)| *mine |= theirs);
                rest[predecessor / BITS] |= 1 << (predecessor % BITS);
            }
        }
        Self { width, words }
    }

    pub(super) fn contains(&self, of: usize, ancestor: usize) -> bool {
        self.words[of * self.width + ancestor / BITS] >> (ancestor % BITS) & 1 == 1
    }
}
