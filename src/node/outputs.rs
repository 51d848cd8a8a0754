//! Outputs that are there when they are asked for, without their types.

use std::collections::VecDeque;

use serde::Serialize;

use super::error::NodeError;
use super::handler::output_value;
use crate::value::Value;

/// Outputs with their places in the order in which they were drawn.
pub(crate) type Placed = VecDeque<(u64, Value)>;

/// Outputs that are there when they are asked for.
pub(crate) trait Outputs: Send {
    /// Puts the next outputs, at most `count` of them, at the end of `into`; the first one has that
    /// place. Says how they ended, if they did.
    ///
    /// Many at once: each is written where it stays, by code that knows its type.
    fn draw(&mut self, first: u64, count: usize, into: &mut Placed) -> Option<End>;

    /// How many more there are, at least and at most, as far as that is known.
    fn size_hint(&self) -> (usize, Option<usize>);
}

/// Why there are no more outputs: an error, or nothing.
pub(crate) type End = Option<NodeError>;

/// What a handler gave.
pub(super) struct Given<T>(pub Box<dyn Iterator<Item = T> + Send>);

impl<T: Serialize> Outputs for Given<T> {
    fn draw(&mut self, first: u64, count: usize, into: &mut Placed) -> Option<End> {
        for (place, _) in (first..).zip(0..count) {
            let Some(item) = self.0.next() else { return Some(None) };
            match output_value(&item) {
                Ok(output) => into.push_back((place, output)),
                Err(error) => return Some(Some(error)),
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// Outputs that are values already.
pub(crate) struct Values<I>(pub I);

impl<I: Iterator<Item = Result<Value, NodeError>> + Send> Outputs for Values<I> {
    fn draw(&mut self, first: u64, count: usize, into: &mut Placed) -> Option<End> {
        for (place, _) in (first..).zip(0..count) {
            match self.0.next() {
                Some(Ok(output)) => into.push_back((place, output)),
                Some(Err(error)) => return Some(Some(error)),
                None => return Some(None),
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
