//! Typed functions and types as handlers: serde in, serde out.

use std::any::TypeId;
use std::future::Future;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::task::AbortOnDropHandle;

use super::context::Context;
use super::dropped::Code;
use super::emit::Emit;
use super::error::NodeError;
use super::fold::ErasedFold;
use super::handler::{Arity, AttemptFuture, Emission, ErasedNode, output_value};
use crate::value::{Fields, Value, from_value};

/// An async function that can be a handler: of an input, or of an input and a [`Context`].
#[diagnostic::on_unimplemented(
    message = "this is no function that can be a handler",
    note = "it has to be an async function of `(input)` or `(input, Context)` that returns \
            `Result<output, NodeError>`, and for `Handler::many` `Result<Emit<output>, NodeError>`"
)]
pub trait NodeFunction<Args, In, Out>: Send + Sync + 'static {
    /// Calls the function.
    fn call(
        &self,
        input: In,
        ctx: &Context,
    ) -> impl Future<Output = Result<Out, NodeError>> + Send + 'static;
}

impl<F, Fut, In, Out> NodeFunction<(In,), In, Out> for F
where
    F: Fn(In) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Out, NodeError>> + Send + 'static,
{
    fn call(
        &self,
        input: In,
        _ctx: &Context,
    ) -> impl Future<Output = Result<Out, NodeError>> + Send + 'static {
        self(input)
    }
}

impl<F, Fut, In, Out> NodeFunction<(In, Context), In, Out> for F
where
    F: Fn(In, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Out, NodeError>> + Send + 'static,
{
    fn call(
        &self,
        input: In,
        ctx: &Context,
    ) -> impl Future<Output = Result<Out, NodeError>> + Send + 'static {
        self(input, ctx.clone())
    }
}

/// A handler written as a type, for those that carry their own state.
pub trait Node: Send + Sync + 'static {
    /// The input.
    type Input: DeserializeOwned + JsonSchema + Send + 'static;
    /// Each output.
    type Output: Serialize + JsonSchema + Send + 'static;
    /// How many outputs an execution can have; a node of one that returns several fails.
    const ARITY: Arity;

    /// Carries out one attempt.
    fn run(
        &self,
        input: Self::Input,
        ctx: Context,
    ) -> impl Future<Output = Result<Emit<Self::Output>, NodeError>> + Send;
}

/// User code with its types taken away.
struct Erased<F>(Code<F>);

impl<F> ErasedNode for Erased<F>
where
    F: Fn(&Value, &Context, &mut AttemptFuture) + Send + Sync,
{
    fn call(&self, input: &Value, ctx: &Context, attempt: &mut AttemptFuture) {
        (*self.0)(input, ctx, attempt);
    }
}

/// A handler that sees the secrets it declared.
pub(super) fn declaring(node: Arc<dyn ErasedNode>, names: Arc<[String]>) -> Arc<dyn ErasedNode> {
    Arc::new(Erased(Code::new(move |input: &Value, ctx: &Context, attempt: &mut AttemptFuture| {
        node.call(input, &ctx.declaring(&names), attempt);
    })))
}

/// A handler of a typed input; one that does not fit fails without calling it.
fn erased<In, F>(call: F) -> Arc<dyn ErasedNode>
where
    In: DeserializeOwned + 'static,
    F: Fn(In, &Context, &mut AttemptFuture) + Send + Sync + 'static,
{
    Arc::new(Erased(Code::new(move |input: &Value, ctx: &Context, attempt: &mut AttemptFuture| {
        match typed_input(input) {
            Ok(input) => call(input, ctx, attempt),
            Err(error) => attempt.set(std::future::ready(Err(error))),
        }
    })))
}

/// The input as its type; a handler that takes nothing takes an input without fields.
fn typed_input<In: DeserializeOwned + 'static>(input: &Value) -> Result<In, NodeError> {
    let is_empty = input.as_object().is_some_and(Fields::is_empty);
    let typed = match is_empty && TypeId::of::<In>() == TypeId::of::<()>() {
        true => from_value(&Value::Null),
        false => from_value(input).or_else(|error| match is_empty {
            true => from_value(&Value::Null).map_err(|_| error),
            false => Err(error),
        }),
    };
    typed.map_err(|error| NodeError::permanent(format_args!("input: {error}")))
}

pub(super) fn one<Args, In, Out>(f: impl NodeFunction<Args, In, Out>) -> Arc<dyn ErasedNode>
where
    In: DeserializeOwned + 'static,
    Out: Serialize + 'static,
    Args: 'static,
{
    erased(move |input, ctx, attempt| {
        let future = f.call(input, ctx);
        attempt.set(async move { Ok(Emission::One(output_value(&future.await?)?)) });
    })
}

pub(super) fn many<Args, In, Out>(f: impl NodeFunction<Args, In, Emit<Out>>) -> Arc<dyn ErasedNode>
where
    In: DeserializeOwned + 'static,
    Out: Serialize + Send + 'static,
    Args: 'static,
{
    erased(move |input, ctx, attempt| {
        let future = f.call(input, ctx);
        attempt.set(async move { Emission::of(future.await?) });
    })
}

pub(super) fn blocking<In, Out>(
    f: impl Fn(In, Context) -> Result<Out, NodeError> + Send + Sync + 'static,
) -> Arc<dyn ErasedNode>
where
    In: DeserializeOwned + Send + 'static,
    Out: Serialize + Send + 'static,
{
    let f = Arc::new(f);
    erased(move |input: In, ctx, attempt| {
        let (f, ctx) = (f.clone(), ctx.clone());
        let work = move || output_value(&f(input, ctx)?);
        attempt.set(async move {
            // Work that has no thread yet when the attempt is dropped is not begun.
            match AbortOnDropHandle::new(tokio::task::spawn_blocking(work)).await {
                Ok(output) => Ok(Emission::One(output?)),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(error) => Err(NodeError::from(error)),
            }
        });
    })
}

pub(super) fn typed<N: Node>(node: N) -> Arc<dyn ErasedNode> {
    let node = Arc::new(node);
    erased(move |input, ctx, attempt| {
        let (node, ctx) = (node.clone(), ctx.clone());
        attempt.set(async move { Emission::of(node.run(input, ctx).await?) });
    })
}

/// A fold over elements that were kept: the whole of it is one attempt.
pub(super) fn kept(fold: Arc<dyn ErasedFold>) -> Arc<dyn ErasedNode> {
    erased(move |input: Value, _ctx, attempt| {
        let fold = fold.clone();
        attempt.set(async move {
            let mut state = fold.init();
            for element in super::fold::elements(&input) {
                state.step(element)?;
            }
            Ok(Emission::One(state.finish()?))
        });
    })
}
