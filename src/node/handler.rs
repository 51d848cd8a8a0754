//! A handler: a name, schemas, and the code that carries out a node.

use std::fmt;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::ReusableBoxFuture;

use super::context::Context;
use super::emit::{Emit, EmitKind, OutputStream};
use super::error::NodeError;
use super::fold::{ErasedFold, Fold};
use super::function::{self, Node, NodeFunction};
use super::outputs::{Each, Outputs};
use super::schema::Schema;
use crate::id::DEFAULT_NAMESPACE;
use crate::value::{Value, to_value};

/// How many outputs an execution of a handler can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arity {
    /// Exactly one.
    One,
    /// Any number: a list, a stream, or none.
    Many,
}

impl Arity {
    /// The word that goes into fingerprints.
    const fn as_str(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Many => "many",
        }
    }
}

/// The name of a handler inside its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerName {
    /// The namespace; `default` unless given.
    pub namespace: Arc<str>,
    /// The name; case-sensitive.
    pub name: Arc<str>,
}

impl fmt::Display for HandlerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What makes two handlers the same to a definition: name, declared version and schemas.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandlerFingerprint(pub(crate) [u8; 32]);

impl fmt::Debug for HandlerFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The code of a node with its name, schemas and declared version.
///
/// The version is `1` unless declared; declare another when the code changes its meaning, so that a
/// graph published with it becomes a new version.
#[derive(Clone)]
#[must_use = "a handler does nothing until it is registered"]
pub struct Handler {
    name: HandlerName,
    version: Arc<str>,
    inputs: Schema,
    outputs: Schema,
    arity: Arity,
    secrets: Arc<[String]>,
    call: Call,
}

/// How a handler is called.
#[derive(Clone)]
pub(crate) enum Call {
    /// One future per attempt.
    Attempt(Arc<dyn ErasedNode>),
    /// Elements as they arrive, then the end.
    Fold(Arc<dyn ErasedFold>),
    /// Elements that are kept until the group has settled, then one future per attempt.
    KeptFold(Arc<dyn ErasedNode>),
}

/// A handler without its types.
pub(crate) trait ErasedNode: Send + Sync {
    /// Begins an attempt, in place of one that has ended.
    fn call(&self, input: &Value, ctx: &Context, attempt: &mut AttemptFuture);
}

/// The future of an attempt; its memory is that of the next one, too, if that is as large.
pub(crate) type AttemptFuture = ReusableBoxFuture<'static, Result<Emission, NodeError>>;

/// In the place of an attempt; nothing is allocated.
pub(crate) fn no_attempt() -> AttemptFuture {
    ReusableBoxFuture::new(std::future::pending())
}

/// What an attempt returned, without its types.
pub(crate) enum Emission {
    Nothing,
    One(Value),
    Each(Box<dyn Outputs>),
    Stream(OutputStream<Value>),
    /// Each output with the cursor that stands behind it.
    Resumable(OutputStream<(Value, Value)>),
}

impl Emission {
    pub(crate) fn of<T: Serialize + Send + 'static>(emit: Emit<T>) -> Result<Self, NodeError> {
        Ok(match emit.kind {
            EmitKind::Nothing => Self::Nothing,
            EmitKind::One(output) => Self::One(output_value(&output)?),
            EmitKind::Each(outputs) => {
                Self::Each(Box::new(Each(outputs, |item| output_value(&item))))
            }
            EmitKind::Stream(outputs) => Self::Stream(Box::pin(
                outputs.map(|item| item.and_then(|item| output_value(&item))),
            )),
            EmitKind::Resumable(outputs) => Self::Resumable(Box::pin(outputs.map(|item| {
                let (output, cursor) = item?;
                Ok((output_value(&output)?, cursor))
            }))),
        })
    }

    /// The same for a run that is never resumed.
    pub(crate) fn without_cursors(self) -> Self {
        match self {
            Self::Resumable(outputs) => {
                Self::Stream(Box::pin(outputs.map_ok(|(output, _)| output)))
            }
            other => other,
        }
    }
}

/// The fields of an output; a unit is the output without fields.
pub(crate) fn output_value<T: Serialize>(output: &T) -> Result<Value, NodeError> {
    match to_value(output) {
        Ok(Value::Null) => Ok(Value::empty_object()),
        Ok(value) => Ok(value),
        Err(error) => Err(NodeError::permanent(format_args!("output: {error}"))),
    }
}

/// What is read as the input, and what is written as the output.
fn schemas<In: JsonSchema, Out: JsonSchema>() -> (Schema, Schema) {
    (Schema::of::<In>(), Schema::of_output::<Out>())
}

impl Handler {
    /// An async function of one output: `|input: In| async move { Ok(output) }`, or with a
    /// [`Context`] as its second argument.
    ///
    /// Inputs and outputs are structs, or whatever else serde writes with fields, or `()`: a handler
    /// without input is `|_: ()| async move { .. }`. Anything else, such as a number, is refused when
    /// the handler is registered or, if it is bound to a node, when the graph is published.
    pub fn one<Args, In, Out>(name: &str, function: impl NodeFunction<Args, In, Out>) -> Self
    where
        In: DeserializeOwned + JsonSchema + Send + 'static,
        Out: Serialize + JsonSchema + Send + 'static,
        Args: 'static,
    {
        let call = Call::Attempt(function::one(function));
        Self::new(name, schemas::<In, Out>(), Arity::One, call)
    }

    /// An async function of many outputs: it returns an [`Emit`].
    ///
    /// The input and each output are structs or `()`, as with [`one`](Self::one).
    pub fn many<Args, In, Out>(name: &str, function: impl NodeFunction<Args, In, Emit<Out>>) -> Self
    where
        In: DeserializeOwned + JsonSchema + Send + 'static,
        Out: Serialize + JsonSchema + Send + 'static,
        Args: 'static,
    {
        let call = Call::Attempt(function::many(function));
        Self::new(name, schemas::<In, Out>(), Arity::Many, call)
    }

    /// A function that blocks its thread; it runs on the blocking pool.
    ///
    /// Neither a cancel nor a timeout stops it: its result is ignored when it comes, and it counts no
    /// longer among the attempts that its node may have at once. One that has no thread by then does
    /// not begin.
    pub fn blocking<In, Out>(
        name: &str,
        function: impl Fn(In, Context) -> Result<Out, NodeError> + Send + Sync + 'static,
    ) -> Self
    where
        In: DeserializeOwned + JsonSchema + Send + 'static,
        Out: Serialize + JsonSchema + Send + 'static,
    {
        let call = Call::Attempt(function::blocking(function));
        Self::new(name, schemas::<In, Out>(), Arity::One, call)
    }

    /// A merger that takes its elements as they arrive and keeps none of them.
    ///
    /// Each successful state that the merger's inputs read becomes one `In`: an input that would be
    /// an array gives one element, any other input is repeated. `init` makes the accumulator, `step`
    /// adds an element in order of arrival, `finish` makes the output.
    pub fn fold<In, Acc, Out>(
        name: &str,
        init: impl Fn() -> Acc + Send + Sync + 'static,
        step: impl Fn(&mut Acc, In) -> Result<(), NodeError> + Send + Sync + 'static,
        finish: impl Fn(Acc) -> Result<Out, NodeError> + Send + Sync + 'static,
    ) -> Self
    where
        In: DeserializeOwned + JsonSchema + Send + 'static,
        Acc: Send + 'static,
        Out: Serialize + JsonSchema + Send + 'static,
    {
        let call = Call::Fold(Arc::new(Fold::new(init, step, finish)));
        Self::new(name, schemas::<In, Out>(), Arity::One, call)
    }

    /// A handler written as a type that implements [`Node`].
    pub fn node<N: Node>(name: &str, node: N) -> Self {
        let call = Call::Attempt(function::typed(node));
        Self::new(name, schemas::<N::Input, N::Output>(), N::ARITY, call)
    }

    /// A handler whose fields are known only at run time: values in, values out.
    pub fn dynamic<Args>(
        name: &str,
        schemas: (Schema, Schema),
        arity: Arity,
        function: impl NodeFunction<Args, Value, Emit<Value>>,
    ) -> Self
    where
        Args: 'static,
    {
        Self::new(name, schemas, arity, Call::Attempt(function::many(function)))
    }

    fn new(name: &str, schemas: (Schema, Schema), arity: Arity, call: Call) -> Self {
        Self {
            name: HandlerName { namespace: DEFAULT_NAMESPACE.into(), name: name.trim().into() },
            version: "1".into(),
            inputs: schemas.0,
            outputs: schemas.1,
            arity,
            secrets: Arc::from([]),
            call,
        }
    }

    /// Moves the handler to a namespace.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.name.namespace = namespace.trim().into();
        self
    }

    /// Declares the version of the code.
    ///
    /// A handler that is registered under a name that is taken replaces the other one for graphs
    /// published later, if its fingerprint is another: another version, arity or other schemas. With
    /// the same fingerprint it is refused. Versions of graphs keep the handlers they have.
    pub fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }

    /// Declares the secrets the handler reads, in place of those declared before; a graph without
    /// them is refused, and no others can be read.
    pub fn secrets<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.secrets = names.into_iter().map(Into::into).collect();
        if let Call::Attempt(node) = &self.call {
            // A fold gets no context.
            self.call = Call::Attempt(function::declaring(node.clone(), self.secrets.clone()));
        }
        self
    }

    /// Keeps the elements of a fold until it starts, and takes them in fanout order.
    ///
    /// Memory then grows with the number of elements, and a failed step can be retried. A handler
    /// that is no fold stays as it is.
    pub fn ordered(mut self) -> Self {
        if let Call::Fold(fold) = &self.call {
            self.call = Call::KeptFold(function::kept(fold.clone()));
        }
        self
    }

    /// Namespace and name.
    #[must_use]
    pub const fn name(&self) -> &HandlerName {
        &self.name
    }

    /// The schema of the input.
    #[must_use]
    pub const fn inputs(&self) -> &Schema {
        &self.inputs
    }

    /// The schema of each output.
    #[must_use]
    pub const fn outputs(&self) -> &Schema {
        &self.outputs
    }

    /// How many outputs an execution can have.
    #[must_use]
    pub const fn arity(&self) -> Arity {
        self.arity
    }

    /// The secrets the handler reads.
    #[must_use]
    pub fn secret_names(&self) -> &[String] {
        &self.secrets
    }

    /// The declared version; that of a sub-graph's handler names the version it is bound to.
    pub(crate) const fn declared(&self) -> &Arc<str> {
        &self.version
    }

    /// The fingerprint: namespace, name, declared version, arity and schemas.
    #[must_use]
    pub fn fingerprint(&self) -> HandlerFingerprint {
        let facts = Value::object([
            ("arity", Value::from(self.arity.as_str())),
            ("inputs", self.inputs.canonical()),
            ("name", Value::from(&*self.name.name)),
            ("namespace", Value::from(&*self.name.namespace)),
            ("outputs", self.outputs.canonical()),
            ("version", Value::from(&*self.version)),
        ]);
        HandlerFingerprint(blake3::hash(facts.to_json().as_bytes()).into())
    }

    pub(crate) const fn call(&self) -> &Call {
        &self.call
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("name", &format_args!("{}", self.name))
            .field("version", &self.version)
            .field("arity", &self.arity)
            .finish_non_exhaustive()
    }
}
