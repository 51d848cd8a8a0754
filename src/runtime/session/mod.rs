//! Sessions: the handle, and the turns that carry out what it is asked for.
//!
//! What a caller asks for becomes a turn: it waits for the turns before it, and goes on when the caller
//! has gone. A turn asks the pure state of the session what may be done, puts it on record, and then
//! does it; an input is carried out by a run like any other.

mod between;
mod cell;
mod error;
mod handle;
mod next;
mod record;
mod slot;
mod turn;

#[cfg(test)]
mod tests;

pub(super) use cell::{SessionCell, Sessions};
pub use error::SessionError;
pub use handle::{Session, SessionView};
pub use next::Next;
pub use slot::SessionSlot;
