//! The handlers that a runtime knows, by name.

use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::handler::{Handler, HandlerName};
use super::schema::FieldType;

/// The handlers that graphs can name.
#[derive(Debug, Default)]
pub struct Catalog {
    handlers: DashMap<HandlerName, Arc<Handler>>,
}

/// Why a handler was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The name is blank.
    #[error("a handler in namespace `{namespace}` has a blank name")]
    BlankName {
        /// The namespace it would have gone to.
        namespace: String,
    },
    /// The name is taken by a handler of the same declared version and schemas.
    #[error("handler `{0}` is registered already; declare another version to replace it")]
    Duplicate(String),
    /// The input has no fields and is not `()`.
    #[error("the input of handler `{handler}` is {found}; it must be a struct or `()`")]
    InputWithoutFields {
        /// The handler.
        handler: String,
        /// What the input is.
        found: FieldType,
    },
    /// The output has no fields and is not `()`.
    #[error("the output of handler `{handler}` is {found}; it must be a struct or `()`")]
    OutputWithoutFields {
        /// The handler.
        handler: String,
        /// What the output is.
        found: FieldType,
    },
}

/// Refuses a handler that nothing could be handed to or read from: edges carry fields.
pub(crate) fn check_fields(handler: &Handler) -> Result<(), CatalogError> {
    let name = || handler.name().to_string();
    if let Some(found) = handler.inputs().fieldless().cloned() {
        return Err(CatalogError::InputWithoutFields { handler: name(), found });
    }
    match handler.outputs().fieldless().cloned() {
        Some(found) => Err(CatalogError::OutputWithoutFields { handler: name(), found }),
        None => Ok(()),
    }
}

impl Catalog {
    /// Adds a handler; one of another fingerprint takes the name over for graphs published later.
    ///
    /// Versions that are published keep the handler they were published with.
    ///
    /// # Errors
    ///
    /// If the name is blank, or taken by a handler with the same fingerprint; or if the input or the
    /// output has no fields and is not `()`.
    pub fn register(&self, handler: Handler) -> Result<(), CatalogError> {
        if handler.name().name.is_empty() {
            let namespace = handler.name().namespace.to_string();
            return Err(CatalogError::BlankName { namespace });
        }
        check_fields(&handler)?;
        match self.handlers.entry(handler.name().clone()) {
            Entry::Occupied(taken) if taken.get().fingerprint() == handler.fingerprint() => {
                Err(CatalogError::Duplicate(handler.name().to_string()))
            }
            Entry::Occupied(mut taken) => {
                taken.insert(Arc::new(handler));
                Ok(())
            }
            Entry::Vacant(free) => {
                free.insert(Arc::new(handler));
                Ok(())
            }
        }
    }

    /// The handler of that name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<Handler>> {
        let name = HandlerName { namespace: namespace.into(), name: name.into() };
        self.handlers.get(&name).map(|handler| handler.clone())
    }
}
