//! The groups that a batch changes, by fingerprint.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::batch::GroupDelta;
use super::fingerprint::Fingerprint;
use crate::id::IdHasher;

/// How many groups are looked through before the index is asked: a lane works on few at a time.
const RECENT: usize = 4;

/// The groups that a batch changes, in the order of their first change.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    list: Vec<(Fingerprint, GroupDelta)>,
    /// The places of all groups but the last [`RECENT`] ones.
    places: HashMap<Fingerprint, usize, BuildHasherDefault<IdHasher>>,
}

impl Groups {
    /// The change of one group.
    #[inline]
    pub(crate) fn entry(&mut self, group: Fingerprint) -> &mut GroupDelta {
        let last = self.list.len().wrapping_sub(1);
        let is_last = self.list.get(last).is_some_and(|(other, _)| *other == group);
        let place = if is_last { last } else { self.place(group) };
        &mut self.list[place].1
    }

    fn place(&mut self, group: Fingerprint) -> usize {
        let recent = self.list.len().saturating_sub(RECENT);
        let found = self.list[recent..].iter().rposition(|(other, _)| *other == group);
        match found {
            Some(place) => recent + place,
            None => self.places.get(&group).copied().unwrap_or_else(|| self.push(group)),
        }
    }

    fn push(&mut self, group: Fingerprint) -> usize {
        let place = self.list.len();
        if place >= RECENT {
            let earlier = place - RECENT;
            self.places.insert(self.list[earlier].0, earlier);
        }
        self.list.push((group, GroupDelta::default()));
        place
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl IntoIterator for Groups {
    type Item = (Fingerprint, GroupDelta);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
