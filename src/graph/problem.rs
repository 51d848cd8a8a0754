//! What is wrong with a graph: a kind, the node and the offending name.

use std::error::Error;
use std::fmt;

/// Longer names are cut in problems; the document has the rest.
const NAME_LENGTH: usize = 256;

/// Names every kind of problem together with its text.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $text:literal,)*) => {
        /// What sort of problem a graph has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ProblemKind {
            $($(#[$doc])* $kind,)*
        }

        impl ProblemKind {
            /// Every kind, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The kind in `snake_case`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// The graph's name is blank.
    GraphNameEmpty = "graph_name_empty",
    /// The namespace of the graph or of a node is blank.
    GraphNamespaceEmpty = "graph_namespace_empty",
    /// Something that must be given is not.
    FieldMissing = "field_missing",
    /// A key that means nothing; only a warning.
    FieldUnknown = "field_unknown",
    /// A handler's name is blank.
    NodeNameEmpty = "node_name_empty",
    /// A node's identifier is blank.
    IdentifierEmpty = "identifier_empty",
    /// A node is called `store`, which expressions use.
    IdentifierReserved = "identifier_reserved",
    /// Two nodes have the same identifier.
    IdentifierDuplicate = "identifier_duplicate",
    /// The name of a next node is blank.
    NextNodeEmpty = "next_node_empty",
    /// A next node is named twice.
    NextNodeDuplicate = "next_node_duplicate",
    /// There is no such next node.
    NextNodeUnknown = "next_node_unknown",
    /// The name of a united node is blank.
    UnitesIdentifierEmpty = "unites_identifier_empty",
    /// There is no such node to unite.
    UnitesUnknown = "unites_unknown",
    /// A node unites itself.
    UnitesSelf = "unites_self",
    /// There is no such strategy.
    UnitesStrategyUnknown = "unites_strategy_unknown",
    /// Not exactly one node is without predecessors.
    RootCount = "root_count",
    /// A node cannot be reached from the root.
    Disconnected = "disconnected",
    /// A node leads back to itself.
    Cycle = "cycle",
    /// An expression is malformed.
    InputSyntax = "input_syntax",
    /// An expression reads a node that does not lead to its own.
    InputNotAncestor = "input_not_ancestor",
    /// An expression reads a store key that is not declared.
    StoreKeyUndeclared = "store_key_undeclared",
    /// A store key is blank.
    StoreKeyEmpty = "store_key_empty",
    /// A store key has a dot.
    StoreKeyDot = "store_key_dot",
    /// A store key is declared twice.
    StoreKeyDuplicate = "store_key_duplicate",
    /// `max_retries` is not a whole number from 0.
    RetryMaxRetriesNegative = "retry_max_retries_negative",
    /// `backoff_factor` is not a whole number from 1.
    RetryBackoffNotPositive = "retry_backoff_not_positive",
    /// `exponent` is not a whole number from 1.
    RetryExponentNotPositive = "retry_exponent_not_positive",
    /// `max_delay` is not a whole number from 1.
    RetryMaxDelayNotPositive = "retry_max_delay_not_positive",
    /// There is no such retry strategy.
    RetryStrategyUnknown = "retry_strategy_unknown",
    /// A cron expression is malformed.
    CronInvalid = "cron_invalid",
    /// There is no such type of trigger.
    TriggerTypeUnknown = "trigger_type_unknown",
    /// A trigger starts no run in this version; only a warning.
    TriggerInert = "trigger_inert",
    /// The name or the value of a secret is blank.
    SecretEmpty = "secret_empty",
    /// The name of a secret is no identifier.
    SecretNameInvalid = "secret_name_invalid",
    /// There is no such handler.
    NodeNotRegistered = "node_not_registered",
    /// A handler takes or returns something that has no fields and is not `()`.
    HandlerWithoutFields = "handler_without_fields",
    /// A handler needs a secret that the graph does not have.
    SecretMissing = "secret_missing",
    /// A handler needs an input that the node does not have.
    InputMissing = "input_missing",
    /// A handler does not know an input.
    InputUnknown = "input_unknown",
    /// A handler does not return a field that an expression reads.
    OutputFieldUnknown = "output_field_unknown",
    /// No value that comes can go into an input.
    InputTypeMismatch = "input_type_mismatch",
    /// A condition is malformed.
    ConditionInvalid = "condition_invalid",
    /// A conditional edge leads into a merger from outside what it unites.
    ConditionOutsideRegion = "condition_outside_region",
    /// A sub-graph is not named properly.
    SubgraphInvalid = "subgraph_invalid",
    /// The document is bigger than the limits allow.
    LimitExceeded = "limit_exceeded",
    /// A limit of the graph is not a whole number from 1.
    LimitInvalid = "limit_invalid",
    /// A fold merger's inputs do not all come from one node.
    FoldInputsMixed = "fold_inputs_mixed",
    /// A timeout is not a whole number of milliseconds from 1.
    TimeoutInvalid = "timeout_invalid",
    /// A node's `concurrency` is not a whole number from 1.
    ConcurrencyInvalid = "concurrency_invalid",
    /// There is no such node to take the result from.
    ResultUnknown = "result_unknown",
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// What sort of problem it is.
    pub kind: ProblemKind,
    /// The identifier of the node concerned, if it is one node's problem.
    pub node: Option<String>,
    /// The offending name; may be empty.
    pub detail: String,
    /// The problem in words.
    pub message: String,
}

impl Problem {
    /// A problem of the graph as a whole.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl fmt::Display, message: impl fmt::Display) -> Self {
        let detail = cut(detail.to_string(), NAME_LENGTH);
        Self { kind, node: None, detail, message: cut(message.to_string(), 4 * NAME_LENGTH) }
    }

    /// The same problem, of one node.
    #[must_use]
    pub fn at(mut self, node: &str) -> Self {
        self.node = Some(cut(node.to_owned(), NAME_LENGTH));
        self
    }

    fn place(&self) -> impl Ord {
        (&self.node, self.kind.as_str(), &self.detail, &self.message)
    }
}

fn cut(mut text: String, length: usize) -> String {
    if text.len() > length {
        let end = (0..=length).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push_str("...");
    }
    text
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(f, "node `{node}`: ")?;
        }
        write!(f, "{} ({})", self.message, self.kind)
    }
}

/// Everything that is wrong with a graph, in an order that depends only on what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts problems and drops those that are told twice.
    #[must_use]
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| a.place().cmp(&b.place()));
        problems.dedup();
        Self(problems)
    }

    /// The problems.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is of this kind.
    #[must_use]
    pub fn has(&self, kind: ProblemKind) -> bool {
        self.0.iter().any(|problem| problem.kind == kind)
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            let line = if place == 0 { "" } else { "\n" };
            write!(f, "{line}{problem}")?;
        }
        Ok(())
    }
}

impl Error for Problems {}
