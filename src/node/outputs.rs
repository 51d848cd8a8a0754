//! Outputs that are there when they are asked for, without their types.

use std::collections::VecDeque;

use super::error::NodeError;
use crate::value::Value;

/// Outputs with their places in the order in which they were drawn.
pub(crate) type Placed = VecDeque<(u64, Value)>;

/// Outputs that are there when they are asked for.
pub(crate) trait Outputs: Send {
    /// Puts the next outputs, at most `count` of them, at the end of `into`, and counts each in
    /// `drawn`, which is its place. Says how they ended, if they did.
    ///
    /// Many at once: each is written where it stays, by code that knows its type.
    fn draw(&mut self, drawn: &mut u64, count: usize, into: &mut Placed) -> Option<End>;

    /// How many more there are, at least and at most, as far as that is known.
    fn size_hint(&self) -> (usize, Option<usize>);
}

/// Why there are no more outputs: an error, or nothing.
pub(crate) type End = Option<NodeError>;

/// Items, and how each is made an output.
pub(crate) struct Each<I, F>(pub I, pub F);

impl<I, F> Outputs for Each<I, F>
where
    I: Iterator + Send,
    F: Fn(I::Item) -> Result<Value, NodeError> + Send,
{
    fn draw(&mut self, drawn: &mut u64, count: usize, into: &mut Placed) -> Option<End> {
        for _ in 0..count {
            let Some(item) = self.0.next() else { return Some(None) };
            match (self.1)(item) {
                Ok(output) => into.push_back((*drawn, output)),
                Err(error) => return Some(Some(error)),
            }
            *drawn += 1;
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
