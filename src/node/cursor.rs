//! Why a resumable stream cannot go on behind its cursor.

use crate::value::ValueError;

/// Why a handler cannot go on behind the cursor of its resumable stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// The cursor that is on record is of another type.
    #[error("node `{node}`: its cursor cannot be read as `{wanted}`")]
    Misfit {
        /// The node.
        node: String,
        /// The type that was wanted.
        wanted: &'static str,
        /// What does not fit.
        source: ValueError,
    },
}

impl CursorError {
    pub(super) fn misfit<C>(node: &str, source: ValueError) -> Self {
        Self::Misfit { node: node.into(), wanted: std::any::type_name::<C>(), source }
    }
}
