//! The groups that an execution is counted in.

use std::ops::Deref;
use std::sync::Arc;

use smallvec::SmallVec;

use super::fingerprint::Fingerprint;
use crate::id::NodeIndex;

/// A group that an execution is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub group: Fingerprint,
    pub merger: NodeIndex,
}

/// The groups that an execution is counted in, outermost first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens(Option<Arc<[Token]>>);

impl Tokens {
    /// No groups.
    pub(super) const NONE: Self = Self(None);

    /// Whether nobody else has them.
    pub(super) fn is_unshared(&self) -> bool {
        self.0.as_ref().is_none_or(|tokens| Arc::strong_count(tokens) == 1)
    }

    /// The same groups behind a count of their own.
    pub(super) fn localized(&self) -> Self {
        Self(self.0.as_deref().map(Arc::from))
    }
}

impl Deref for Tokens {
    type Target = [Token];

    fn deref(&self) -> &[Token] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl FromIterator<Token> for Tokens {
    fn from_iter<I: IntoIterator<Item = Token>>(tokens: I) -> Self {
        let tokens: SmallVec<[Token; 2]> = tokens.into_iter().collect();
        Self((!tokens.is_empty()).then(|| Arc::from(&*tokens)))
    }
}
