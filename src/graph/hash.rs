//! The hash of a definition.

use std::sync::Arc;

use super::document::Document;
use crate::node::Handler;

/// The hash of a checked document and of the fingerprints of its handlers, in the order of its nodes.
///
/// Values of secrets are not part of it: they are operational.
pub(crate) fn hash(document: &Document, handlers: &[Arc<Handler>]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(document.to_json().as_bytes());
    for handler in handlers {
        hasher.update(&handler.fingerprint().0);
    }
    hasher.finalize().into()
}
