//! Puts what a run gathered into fanout order.

use super::path::Path;

/// Sorts stably by path, in fanout order.
pub(crate) fn sort_by_path<T>(items: &mut [T], path: impl Fn(&T) -> &Path) {
    if items.len() < 2 {
        return;
    }
    let first = path(&items[0]).clone();
    let branch = |item: &T| path(item).branch_beside(&first);
    // Most often they are branches of one fanout, and compare by a number.
    match items.iter().map(branch).collect::<Option<Vec<_>>>() {
        Some(branches) if branches.is_sorted() => {}
        Some(branches) if is_each_once(&branches) => put_in_place(items, branches),
        Some(_) => items.sort_by_key(branch),
        None => items.sort_by(|a, b| path(a).fanout_order(path(b))),
    }
}

/// Whether these are the numbers from 0 on, each once.
fn is_each_once(numbers: &[u64]) -> bool {
    let mut seen = vec![false; numbers.len()];
    numbers.iter().all(|number| {
        let place = usize::try_from(*number).ok().and_then(|at| seen.get_mut(at));
        place.is_some_and(|seen| !std::mem::replace(seen, true))
    })
}

/// Puts each item where its number says; every swap puts one there.
fn put_in_place<T>(items: &mut [T], mut places: Vec<u64>) {
    for at in 0..items.len() {
        while let Ok(to) = usize::try_from(places[at])
            && to != at
        {
            items.swap(at, to);
            places.swap(at, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::path::Step;
    use super::*;

    fn sorted(branches: Vec<u64>) -> Vec<(Path, usize)> {
        let path = |branch| Path::default().then(Step::Output(branch));
        let at = |(at, branch)| (path(branch), at);
        let mut items: Vec<_> = branches.into_iter().enumerate().map(at).collect();
        let mut expected = items.clone();
        expected.sort_by(|a, b| a.0.fanout_order(&b.0));
        sort_by_path(&mut items, |(path, _)| path);
        assert_eq!(items, expected);
        items
    }

    proptest! {
        #[test]
        fn branches_are_sorted_stably_by_number(branches in prop::collection::vec(0_u64..20, 0..20)) {
            sorted(branches);
        }

        #[test]
        fn all_branches_of_a_fanout_find_their_place(branches in Just(0..200_u64).prop_flat_map(
            |all| Just(all.collect::<Vec<_>>()).prop_shuffle()
        )) {
            let places: Vec<_> = sorted(branches.clone()).into_iter().map(|(_, at)| branches[at]).collect();
            prop_assert!(places.is_sorted());
        }
    }
}
