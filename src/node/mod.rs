//! What a user writes: handlers, and what they see and return.
//!
//! A [`Handler`] is a typed async function (or fold) with a name and schemas; the [`Catalog`] holds
//! those a runtime knows. A handler gets its input and a [`Context`], and returns an [`Emit`], a
//! [`Signal`] or a [`NodeError`]. Nothing here knows a run or an actor.

mod catalog;
mod context;
mod control;
mod cursor;
mod dropped;
mod emit;
mod error;
mod fold;
mod function;
mod handler;
mod outputs;
mod schema;
mod slot;
mod state_key;
mod store;
mod united;

pub(crate) use catalog::check_fields;
pub use catalog::{Catalog, CatalogError};
pub use context::Context;
pub(crate) use context::{AttemptFacts, Progress, RunFacts};
pub(crate) use control::{Control, PauseWatcher};
pub use cursor::CursorError;
pub(crate) use dropped::{drop_guarded, drop_payload};
pub use emit::Emit;
pub(crate) use emit::OutputStream;
pub(crate) use error::ErrorKind;
pub use error::{NodeError, Signal};
pub(crate) use fold::{ErasedFold, FoldState, KEPT_ELEMENTS};
pub use function::{Node, NodeFunction};
pub use handler::{Arity, Handler, HandlerFingerprint, HandlerName};
pub(crate) use handler::{AttemptFuture, Call, Emission, ErasedNode, no_attempt};
pub(crate) use outputs::{Each, Placed};
pub use schema::{FieldType, Schema};
pub use slot::Slot;
pub use state_key::{Lifetime, SlotError, StateKey};
pub(crate) use state_key::{Reading, session_place, session_slot};
pub use store::Store;
pub use united::{BranchOutcome, United};
