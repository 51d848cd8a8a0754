//! How many states of each node have which status: one row per node.

use std::collections::BTreeMap;

use super::status::StateStatus;
use crate::id::NodeIndex;

/// How many statuses a row has: those that nearly every state goes through, the first of all.
///
/// A run keeps its counts when it has ended, so a row that is short is memory that stays near.
const USUAL: usize = StateStatus::Success as usize + 1;

/// Counts of states, or what changed in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    rows: Vec<[i64; USUAL]>,
    /// Of the other statuses; made when there is one.
    unusual: Option<Box<Unusual>>,
}

/// Counts by node and status.
type Unusual = BTreeMap<(NodeIndex, StateStatus), i64>;

impl Counts {
    /// No counts yet, with rows for so many nodes.
    pub(crate) fn of(nodes: usize) -> Self {
        Self { rows: vec![[0; USUAL]; nodes], unusual: None }
    }

    /// How many nodes have a row.
    pub(crate) const fn rows(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    pub(crate) fn add(&mut self, node: NodeIndex, status: StateStatus, count: i64) {
        let at = node.at();
        if self.rows.len() <= at {
            self.widen(at);
        }
        match self.rows[at].get_mut(status as usize) {
            Some(usual) => *usual += count,
            None => self.add_unusual(node, status, count),
        }
    }

    /// Moves a state of a node from one status to another; a new one comes from none.
    #[inline]
    pub(crate) fn shift(&mut self, node: NodeIndex, from: Option<StateStatus>, to: StateStatus) {
        match (self.rows.get_mut(node.at()), from.map_or(0, |from| from as usize), to as usize) {
            (Some(row), was @ ..USUAL, is @ ..USUAL) => {
                row[was] -= i64::from(from.is_some());
                row[is] += 1;
            }
            _ => self.shift_unusual(node, from, to),
        }
    }

    #[cold]
    fn shift_unusual(&mut self, node: NodeIndex, from: Option<StateStatus>, to: StateStatus) {
        if let Some(from) = from {
            self.add(node, from, -1);
        }
        self.add(node, to, 1);
    }

    #[cold]
    fn widen(&mut self, to: usize) {
        // To a power of two: the nodes of a chain come one after the other.
        let rows = (to + 1).next_power_of_two();
        self.rows.reserve_exact(rows - self.rows.len());
        self.rows.resize(rows, [0; USUAL]);
    }

    #[cold]
    fn add_unusual(&mut self, node: NodeIndex, status: StateStatus, count: i64) {
        *self.unusual.get_or_insert_default().entry((node, status)).or_default() += count;
    }

    /// Adds the changes of `other`.
    pub(crate) fn merge(&mut self, other: Self) {
        if self.rows.is_empty() {
            // Nothing unusual is lost: `add` widens the rows before it counts anything.
            *self = other;
            return;
        }
        if self.rows.len() < other.rows.len() {
            self.rows.resize(other.rows.len(), [0; USUAL]);
        }
        for (row, change) in self.rows.iter_mut().zip(&other.rows) {
            for (count, change) in row.iter_mut().zip(change) {
                *count += change;
            }
        }
        for ((node, status), count) in other.unusual.into_iter().flat_map(|unusual| *unusual) {
            self.add_unusual(node, status, count);
        }
    }

    /// Whether there is a state of such a status.
    pub(crate) fn has(&self, is_such: impl Fn(StateStatus) -> bool) -> bool {
        let usual = StateStatus::ALL.into_iter().take(USUAL).enumerate();
        let mut columns = usual.filter(|(_, status)| is_such(*status)).map(|(column, _)| column);
        columns.any(|column| self.rows.iter().any(|row| row[column] != 0))
            || self.unusual().any(|(_, status, count)| is_such(status) && count != 0)
    }

    fn unusual(&self) -> impl Iterator<Item = (NodeIndex, StateStatus, i64)> + '_ {
        let unusual = self.unusual.iter().flat_map(|unusual| unusual.iter());
        unusual.map(|(&(node, status), &count)| (node, status, count))
    }

    /// Every count that is not zero.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeIndex, StateStatus, i64)> + '_ {
        let usual = self.rows.iter().enumerate().flat_map(|(node, row)| {
            let node = NodeIndex(u32::try_from(node).expect("nodes are numbered with 32 bits"));
            let counts = StateStatus::ALL.into_iter().zip(row);
            counts.map(move |(status, count)| (node, status, *count))
        });
        usual.chain(self.unusual()).filter(|(.., count)| *count != 0)
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

    #[test]
    fn a_state_moves_from_any_status_to_any_other() {
        let node = NodeIndex(4);
        for to in StateStatus::ALL {
            for from in StateStatus::ALL.map(Some).into_iter().chain([None]) {
                let (mut shifted, mut added) = (Counts::default(), Counts::default());
                shifted.shift(node, from, to);
                // The row is there now.
                shifted.shift(node, from, to);
                if let Some(from) = from {
                    added.add(node, from, -2);
                }
                added.add(node, to, 2);
                let [shifted, added] = [shifted, added].map(|c| c.iter().collect::<Vec<_>>());
                assert_eq!(shifted, added, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn counts_of_any_status_add_up() {
        let mut counts = Counts::default();
        for (at, status) in (1..).zip(StateStatus::ALL) {
            let (mut one, mut other) = (Counts::default(), Counts::default());
            one.add(NodeIndex(2), status, at + 5);
            other.add(NodeIndex(1), status, 7);
            other.add(NodeIndex(1), status, -7);
            other.add(NodeIndex(2), status, -5);
            counts.merge(one);
            counts.merge(other);
        }
        let found: BTreeMap<_, _> =
            counts.iter().map(|(node, status, count)| ((node, status), count)).collect();
        let expected = (1..).zip(StateStatus::ALL).map(|(at, status)| ((NodeIndex(2), status), at));
        assert_eq!(found, expected.collect());
    }
}
