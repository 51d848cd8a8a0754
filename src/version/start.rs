//! How a start gets its version: looked up, pinned, and looked up again.

use std::ops::Deref;
use std::sync::Arc;

use super::decision::Decision;
use super::pin::Pin;
use super::snapshot::{ResolveError, Selector, Snapshot};
use crate::id::GraphName;

/// Pins the version a start gets, and says why it is that one; `load` gives the routing as it is, and
/// `is_at` says whether no other revision of it is there or about to be.
///
/// The second look is where the start takes effect: a route that changed in between is looked
/// up again, so that no start gets the old version once a promotion has returned.
pub(crate) fn start<S: Deref<Target = Arc<Snapshot>>>(
    load: impl Fn() -> S,
    is_at: impl Fn(u64) -> bool,
    graph: &GraphName,
    selector: &Selector,
) -> Result<(Pin, Decision), ResolveError> {
    let mut before = load();
    loop {
        let Some((pin, decision)) = pin(&before, graph, selector)? else {
            // It is being retired or revoked: the routing that says so is about to be seen.
            std::hint::spin_loop();
            before = load();
            continue;
        };
        // To load it once more takes as long as the rest of this: only if it has changed.
        if is_at(before.revision()) {
            return Ok((pin, decision));
        }
        let now = load();
        if now.confirms(&before, graph, selector, decision.version) {
            return Ok((pin, decision));
        }
        before = now;
    }
}

/// Pins the version that a snapshot leads to; nothing if it takes no pin.
fn pin(
    routing: &Snapshot,
    graph: &GraphName,
    selector: &Selector,
) -> Result<Option<(Pin, Decision)>, ResolveError> {
    let pinned = |(version, decision)| Some((Pin::of(version)?, decision));
    match routing.resolve_latest(graph, selector).and_then(pinned) {
        Some(pinned) => Ok(Some(pinned)),
        // The whole way says what is amiss, if anything is.
        None => routing.resolve(graph, selector).map(pinned),
    }
}
