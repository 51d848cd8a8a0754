//! Expressions: `${{node.outputs.field}}` and `${{store.key}}` inside the inputs of a node.
//!
//! A JSON value is parsed once into a [`Template`], a plan binds its references to the places of
//! nodes, and every state resolves the [`BoundTemplate`] through its own [`Lookup`]. What comes
//! out is data: it is never parsed again.

mod bound;
mod render;
mod source;
mod template;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use bound::{BoundTemplate, ResolveTarget};
pub use source::ResolveError;
pub(super) use source::Source;
pub(crate) use source::{Lookup, Seen};
pub(crate) use template::Form;
pub use template::{MAX_NESTING, Template};
pub(super) use text::parse_placeholder;
pub use text::{ExpressionError, ExpressionErrorKind, Part, Reference, parse_text};
