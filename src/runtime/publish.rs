//! How a graph becomes a version: checked as a whole, compiled, hashed, handed to the registry.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use super::{PublishError, Runtime};
use crate::graph::{
    CheckLimits, Checked, CheckedNode, Graph, Plan, Problem, ProblemKind, Problems, Refused,
    Wanted, check, compile, hash,
};
use crate::id::{DEFAULT_NAMESPACE, GraphName, VersionNumber};
use crate::node::Handler;
use crate::version::{
    Bindings, Change, Command, GraphSecrets, NewVersion, Terms, VersionError, term_setters,
};

/// What a publish gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The version that holds the graph.
    pub version: VersionNumber,
    /// Whether it is new; the same graph published again is the version it was.
    pub created: bool,
    /// The hash of the definition; `None` if a handler is opaque.
    pub hash: Option<[u8; 32]>,
    /// The revision of the routing after it.
    pub revision: u64,
    /// What is no problem but may be a mistake, such as a key that means nothing.
    pub warnings: Problems,
}

/// A graph that is about to be published; awaiting it publishes the graph.
///
/// # Errors
///
/// [`PublishError`] if the graph is not valid, with every problem and every warning at once; if the
/// registry refuses it; or after a [`shutdown`](Runtime::shutdown), which refuses every command.
/// Nothing has changed then.
///
/// # Cancel safety
///
/// Dropped before it is polled, it does nothing. Dropped later, it loses only its answer: the graph
/// is published with its secrets all the same, and its stranded runs are listed or go on.
#[must_use = "the graph is published when this is awaited"]
pub struct Publish {
    runtime: Runtime,
    graph: Graph,
    promote: bool,
    note: Option<Arc<str>>,
    tags: Vec<Arc<str>>,
    if_head: Option<VersionNumber>,
    if_hash: Option<[u8; 32]>,
    terms: Terms,
}

impl Publish {
    fn new(runtime: Runtime, graph: Graph, promote: bool) -> Self {
        Self {
            runtime,
            graph,
            promote,
            note: None,
            tags: Vec::new(),
            if_head: None,
            if_hash: None,
            terms: Terms::default(),
        }
    }

    term_setters! {
        terms;
        /// Says who publishes: the author in the version's manifest.
        by,
        /// Names the publish: the same graph under that name again gives the recorded result, refusals
        /// of the registry included; another command of that name is refused.
        request_id,
        /// Publishes only if the routing is at this revision.
        if_revision,
    }

    /// Publishes only if this is the latest version that the graph was given; 0 for none.
    pub fn if_head(mut self, head: impl Into<VersionNumber>) -> Self {
        self.if_head = Some(head.into());
        self
    }

    /// Publishes only a definition of this hash, as another publish gave it.
    pub const fn if_hash(mut self, hash: [u8; 32]) -> Self {
        self.if_hash = Some(hash);
        self
    }

    /// Says in the version's manifest what it is about.
    pub fn note(mut self, note: impl Into<Arc<str>>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Gives the version a tag, if it is new.
    pub fn tag(mut self, tag: impl Into<Arc<str>>) -> Self {
        self.tags.push(tag.into());
        self
    }

    async fn carry_out(self) -> Result<Published, PublishError> {
        let Self { runtime, graph, promote, note, tags, if_head, if_hash, terms } = self;
        let Compiled { plan, bindings, warnings } = runtime.compile(&graph, None)?;
        let (name, hash) = (plan.name().clone(), plan.hash());
        if hash.is_none() && runtime.inner.keeper.is_some() {
            return Err(VersionError::Opaque { graph: name }.into());
        }
        let mut secrets = graph.document().secrets.0.clone();
        secrets.extend(runtime.inner.secrets.clone());
        let (plan, secrets) = (Arc::new(plan), GraphSecrets::new(secrets));
        let new = NewVersion { plan, bindings, secrets, note, tags, if_head, if_hash, promote };
        let command = Command { change: Change::Publish(Box::new(new)), terms };
        let done = runtime.inner.registry.execute(command).await?;
        let version = done.version.expect("a publish is about a version");
        runtime.inner.take_up_stranded(&name).await;
        Ok(Published { version, created: done.created, hash, revision: done.revision, warnings })
    }
}

impl IntoFuture for Publish {
    type Output = Result<Published, PublishError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

impl std::fmt::Debug for Publish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publish")
            .field("graph", &self.graph)
            .field("promote", &self.promote)
            .finish_non_exhaustive()
    }
}

/// A graph that can become a version.
pub(super) struct Compiled {
    pub plan: Plan,
    bindings: Bindings,
    warnings: Problems,
}

/// A node's handler, and the version it runs if another graph carries it out.
type Found = (Arc<Handler>, Option<(GraphName, VersionNumber)>);

impl Runtime {
    /// Publishes a graph: it becomes a version that nothing starts on until it is promoted.
    ///
    /// The same content published again gives the version it already is, unless that was retired.
    /// Its secrets are those of the graph from then on, whatever version a run starts on.
    pub fn publish(&self, graph: impl Into<Graph>) -> Publish {
        Publish::new(self.clone(), graph.into(), false)
    }

    /// Publishes a graph and makes it the version that new runs start on, on the default label.
    ///
    /// If that version is active already, nothing changes. If it may not be promoted, it is not
    /// published either: publish it alone to have it approved.
    pub fn publish_and_promote(&self, graph: impl Into<Graph>) -> Publish {
        Publish::new(self.clone(), graph.into(), true)
    }

    /// Compiles a graph; `bound` has the versions that its nodes run, if that was decided before.
    pub(super) fn compile(
        &self,
        graph: &Graph,
        bound: Option<&Bindings>,
    ) -> Result<Compiled, PublishError> {
        let document = graph.document();
        let find = |wanted: Wanted<'_>| {
            let bound = graph.bound(wanted.identifier);
            bound.or_else(|| self.inner.catalog.get(wanted.namespace, wanted.name))
        };
        let checked = check(document, &CheckLimits::default(), Some(&find));
        let checked = checked.map_err(|Refused { problems, warnings }| {
            let namespace = document.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
            let graph = GraphName::new(namespace, document.name.as_deref().unwrap_or_default());
            PublishError::Invalid { graph, problems, warnings }
        })?;
        let (name, warnings) = (checked.name.clone(), checked.warnings.clone());
        let invalid = |problems| PublishError::Invalid {
            graph: name.clone(),
            problems,
            warnings: warnings.clone(),
        };
        let (handlers, bindings) = self.handlers(&checked, bound).map_err(invalid)?;
        // A bound handler has no place in the catalog, so a graph with one never equals another.
        let hash = (!graph.has_bound()).then(|| hash(&checked.document, &handlers));
        let plan = compile(checked, handlers, hash).map_err(invalid)?;
        Ok(Compiled { plan, bindings, warnings })
    }

    /// The handlers that were checked, those that run other graphs, and the versions they run.
    fn handlers(
        &self,
        checked: &Checked,
        bound: Option<&Bindings>,
    ) -> Result<(Vec<Arc<Handler>>, Bindings), Problems> {
        let (mut problems, mut bindings) = (Vec::new(), Vec::new());
        let bound = known_bindings(checked, bound);
        let found = checked.nodes.iter().filter_map(|node| {
            let known = bound.get(&*node.identifier).copied();
            let handler = self.handler(node, known);
            let handler = handler.map_err(|problem| problems.push(problem.at(&node.identifier)));
            let (handler, binding) = handler.ok()?;
            bindings.extend(binding.map(|binding| (&node.identifier, binding)));
            Some(handler)
        });
        let handlers = found.collect();
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        bindings.sort_unstable();
        Ok((handlers, bindings.into_iter().map(|(_, binding)| binding).collect()))
    }

    fn handler(&self, node: &CheckedNode, bound: Option<VersionNumber>) -> Result<Found, Problem> {
        if let Some(handler) = &node.handler {
            return Ok((handler.clone(), None));
        }
        let Some(child) = &node.graph else {
            let name = &node.node_name;
            return Err(Problem::new(ProblemKind::NodeNotRegistered, name, "no such handler"));
        };
        let found = self.subgraph(child, &node.namespace, bound);
        let found = found.map(|(handler, binding)| (Arc::new(handler), Some(binding)));
        found.map_err(|reason| {
            let name = child.name.as_deref().unwrap_or_default();
            Problem::new(ProblemKind::SubgraphInvalid, name, reason)
        })
    }
}

/// The versions that sub-graph nodes were bound to when their graph was published, by identifier.
fn known_bindings<'a>(
    checked: &'a Checked,
    bound: Option<&Bindings>,
) -> BTreeMap<&'a str, VersionNumber> {
    let children =
        checked.nodes.iter().filter(|node| node.handler.is_none() && node.graph.is_some());
    let mut children: Vec<_> = children.map(|node| &*node.identifier).collect();
    children.sort_unstable();
    let bound = bound.into_iter().flat_map(|bound| bound.iter());
    children.into_iter().zip(bound.map(|(_, version)| *version)).collect()
}
