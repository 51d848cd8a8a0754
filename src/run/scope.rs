//! The outputs an execution can read: those of its own ancestors, nearest first.
//!
//! A scope is a chain that siblings share, and so it brings the groups that they are counted in.
//! Outputs that nobody below can read are not linked in. Dropping a chain of any length does not
//! recurse.

use std::sync::Arc;

use super::tokens::Tokens;
use crate::graph::{Lookup, Seen};
use crate::id::NodeIndex;
use crate::node::Store;
use crate::value::Value;

/// The outputs of an execution's ancestors, and the groups that it is counted in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(Option<Arc<Frame>>);

#[derive(Debug)]
struct Frame {
    parent: Scope,
    tokens: Tokens,
    kind: FrameKind,
}

#[derive(Debug)]
enum FrameKind {
    /// What lies above, behind a count of its own or with other groups.
    Local,
    Output {
        node: NodeIndex,
        output: Value,
    },
    United(Box<[(NodeIndex, Collected)]>),
}

/// What a merger sees of one node of its region.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Collected {
    /// The one state that can exist; `None` if it did not succeed.
    One(Option<Value>),
    /// Every successful state, in fanout order.
    Many(Arc<[Value]>),
}

impl Scope {
    /// That of a root: no outputs, no groups.
    pub(crate) const NONE: Self = Self(None);

    /// Adds an ancestor's output.
    pub(crate) fn with_output(self, node: NodeIndex, output: Value) -> Self {
        let tokens = self.tokens().clone();
        self.with(tokens, FrameKind::Output { node, output })
    }

    /// Adds what a merger collected from its region, and has its groups in the place of others.
    pub(crate) fn with_united(
        self,
        collected: Vec<(NodeIndex, Collected)>,
        tokens: Tokens,
    ) -> Self {
        if collected.is_empty() {
            return self.with_tokens(tokens);
        }
        self.with(tokens, FrameKind::United(collected.into()))
    }

    /// The same outputs with other groups.
    pub(crate) fn with_tokens(self, tokens: Tokens) -> Self {
        if *tokens == **self.tokens() {
            return self;
        }
        self.with(tokens, FrameKind::Local)
    }

    /// The groups, outermost first.
    #[inline]
    pub(crate) fn tokens(&self) -> &Tokens {
        static NONE: Tokens = Tokens::NONE;
        self.0.as_ref().map_or(&NONE, |frame| &frame.tokens)
    }

    /// The same behind counts of their own, for one lane.
    pub(crate) fn localized(&self) -> Self {
        match &self.0 {
            Some(frame) => self.clone().with(frame.tokens.localized(), FrameKind::Local),
            None => Self(None),
        }
    }

    /// The same for the lane that made it, which is to be the only one that has it.
    pub(crate) fn localized_by_maker(&self) -> Self {
        match &self.0 {
            Some(frame) if Arc::strong_count(frame) == 1 && frame.tokens.is_unshared() => {
                self.clone()
            }
            _ => self.localized(),
        }
    }

    /// Makes this a copy of `other`, without a count if it is one.
    #[inline]
    pub(crate) fn set_to(&mut self, other: &Self) {
        if self.address() != other.address() {
            *self = other.clone();
        }
    }

    /// Tells it from every other scope that somebody holds.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.0.as_ref().map_or(0, |frame| Arc::as_ptr(frame).addr())
    }

    fn with(self, tokens: Tokens, kind: FrameKind) -> Self {
        Self(Some(Arc::new(Frame { parent: self, tokens, kind })))
    }

    fn find(&self, wanted: NodeIndex) -> Option<Seen<'_>> {
        let mut next = self.0.as_deref();
        while let Some(frame) = next {
            match &frame.kind {
                FrameKind::Output { node, output } if *node == wanted => {
                    return Some(Seen::One(output));
                }
                FrameKind::Output { .. } | FrameKind::Local => {}
                FrameKind::United(collected) => {
                    if let Some((_, found)) = collected.iter().find(|(node, _)| *node == wanted) {
                        return match found {
                            Collected::One(value) => value.as_ref().map(Seen::One),
                            Collected::Many(values) => Some(Seen::Many(values)),
                        };
                    }
                }
            }
            next = frame.parent.0.as_deref();
        }
        None
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        if let Some(frame) = self.0.take() {
            unlink(frame);
        }
    }
}

/// Drops a chain from its nearest frame on, as far as nobody else has it.
fn unlink(frame: Arc<Frame>) {
    let mut next = Some(frame);
    while let Some(mut frame) = next.and_then(Arc::into_inner) {
        next = frame.parent.0.take();
    }
}

/// What templates and conditions read when a state's children are made.
pub(crate) struct View<'a> {
    /// The output of the state itself, if there is one.
    pub own: Option<(NodeIndex, &'a Value)>,
    /// Its ancestors.
    pub scope: &'a Scope,
    /// The run's key-value data.
    pub store: &'a Store,
}

impl Lookup for View<'_> {
    fn node(&self, node: NodeIndex) -> Option<Seen<'_>> {
        match self.own {
            Some((own, output)) if own == node => Some(Seen::One(output)),
            _ => self.scope.find(node),
        }
    }

    fn store(&self, key: &str) -> Option<Value> {
        self.store.get(key)
    }
}
