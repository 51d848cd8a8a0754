//! Mergers that take elements one by one instead of an array.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::dropped::Code;
use super::error::NodeError;
use super::handler::output_value;
use crate::value::{Value, from_value};

/// A fold without its types.
pub(crate) trait ErasedFold: Send + Sync {
    /// Starts with a fresh accumulator.
    fn init(&self) -> Box<dyn FoldState>;
}

/// A fold in progress.
pub(crate) trait FoldState: Send {
    /// Adds one element.
    fn step(&mut self, element: Value) -> Result<(), NodeError>;

    /// Makes the output.
    fn finish(self: Box<Self>) -> Result<Value, NodeError>;
}

pub(super) struct Fold<I, S, F, In, Acc, Out> {
    init: Code<I>,
    steps: Arc<Code<(S, F)>>,
    types: PhantomData<fn(In, Acc) -> Out>,
}

impl<I, S, F, In, Acc, Out> Fold<I, S, F, In, Acc, Out> {
    pub(super) fn new(init: I, step: S, finish: F) -> Self {
        let (init, steps) = (Code::new(init), Arc::new(Code::new((step, finish))));
        Self { init, steps, types: PhantomData }
    }
}

struct Folding<S, F, In, Acc, Out> {
    acc: Acc,
    steps: Arc<Code<(S, F)>>,
    types: PhantomData<fn(In) -> Out>,
}

impl<I, S, F, In, Acc, Out> ErasedFold for Fold<I, S, F, In, Acc, Out>
where
    I: Fn() -> Acc + Send + Sync + 'static,
    S: Fn(&mut Acc, In) -> Result<(), NodeError> + Send + Sync + 'static,
    F: Fn(Acc) -> Result<Out, NodeError> + Send + Sync + 'static,
    In: DeserializeOwned + 'static,
    Acc: Send + 'static,
    Out: Serialize + 'static,
{
    fn init(&self) -> Box<dyn FoldState> {
        Box::new(Folding {
            acc: (self.init)(),
            steps: self.steps.clone(),
            types: PhantomData::<fn(In) -> Out>,
        })
    }
}

impl<S, F, In, Acc, Out> FoldState for Folding<S, F, In, Acc, Out>
where
    S: Fn(&mut Acc, In) -> Result<(), NodeError> + Send + Sync,
    F: Fn(Acc) -> Result<Out, NodeError> + Send + Sync,
    In: DeserializeOwned,
    Acc: Send,
    Out: Serialize,
{
    fn step(&mut self, element: Value) -> Result<(), NodeError> {
        let element = from_value(&element)
            .map_err(|error| NodeError::permanent(format_args!("element: {error}")))?;
        let (step, _) = &**self.steps;
        step(&mut self.acc, element)
    }

    fn finish(self: Box<Self>) -> Result<Value, NodeError> {
        let (_, finish) = &**self.steps;
        output_value(&finish(self.acc)?)
    }
}

/// The field under which the engine hands a kept fold its elements.
pub(crate) const KEPT_ELEMENTS: &str = "elements";

/// The elements of a kept fold's input, in fanout order.
pub(super) fn elements(input: &Value) -> impl Iterator<Item = Value> + '_ {
    input.get(KEPT_ELEMENTS).and_then(Value::as_array).unwrap_or_default().iter().cloned()
}
