//! What is on record of the commands.

use super::super::world::World;
use crate::version::Routing;

pub fn check(world: &mut World) {
    let now = Routing::of(&world.seen);
    // I10: the revision grows by one per accepted change.
    assert_eq!(now.revision, world.revision, "I10: the revision counts changes");
    // I23: the audit folds to the state; so does the journal.
    let (folded, last) = &mut world.known.folded;
    for record in world.audit.since(*last) {
        let changes = record.outcome.as_deref().unwrap_or_default();
        changes.iter().for_each(|change| folded.apply(change));
        folded.revision = record.revision_after;
    }
    *last = world.audit.last();
    assert_eq!(*folded, now, "I23: the audit adds up");
    assert_eq!(Routing::of(&world.kept.snapshot), now, "I23: so does the journal");
}
