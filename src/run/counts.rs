//! How many states of each node have which status: one row per node.

use super::status::StateStatus;
use crate::id::NodeIndex;

const STATUSES: usize = StateStatus::ALL.len();

/// Counts of states, or what changed in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    rows: Vec<[i64; STATUSES]>,
}

impl Counts {
    #[inline]
    pub(crate) fn add(&mut self, node: NodeIndex, status: StateStatus, count: i64) {
        let at = node.at();
        if self.rows.len() <= at {
            self.widen(at);
        }
        self.rows[at][status as usize] += count;
    }

    #[cold]
    fn widen(&mut self, to: usize) {
        self.rows.resize(to + 1, [0; STATUSES]);
    }

    /// Adds the changes of `other`.
    pub(crate) fn merge(&mut self, other: Self) {
        if self.rows.is_empty() {
            self.rows = other.rows;
            return;
        }
        if self.rows.len() < other.rows.len() {
            self.rows.resize(other.rows.len(), [0; STATUSES]);
        }
        for (row, change) in self.rows.iter_mut().zip(&other.rows) {
            for (count, change) in row.iter_mut().zip(change) {
                *count += change;
            }
        }
    }

    /// Every count that is not zero.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeIndex, StateStatus, i64)> + '_ {
        self.rows.iter().enumerate().flat_map(|(node, row)| {
            let node = NodeIndex(u32::try_from(node).expect("nodes are numbered with 32 bits"));
            let counts = StateStatus::ALL.into_iter().zip(row);
            counts
                .filter(|(_, count)| **count != 0)
                .map(move |(status, count)| (node, status, *count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_the_order_of_all() {
        for (at, status) in StateStatus::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, at);
        }
    }
}
