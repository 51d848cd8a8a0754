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
    loop {
        let before = load();
        let (version, decision) = before.resolve(graph, selector)?;
        let Some(pin) = Pin::of(version) else {
            // It is being retired or revoked: the routing that says so is about to be seen.
            std::hint::spin_loop();
            continue;
        };
        // To load it once more takes as long as the rest of this: only if it has changed.
        let is_same = is_at(before.revision());
        if is_same || load().confirms(&before, graph, selector, decision.version) {
            return Ok((pin, decision));
        }
    }
}
