//! The tests' own model of a graph, and its document.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use hotgraph::Value;

/// A graph; node 0 is its root.
pub struct Graph {
    pub seed: u64,
    pub nodes: Vec<Node>,
    /// Whether what would fail succeeds.
    pub is_healed: AtomicBool,
}

pub struct Node {
    pub name: String,
    /// Whether its handler may have many outputs.
    pub many: bool,
    pub retries: u32,
    pub inputs: Vec<(&'static str, Input)>,
    pub next: Vec<Edge>,
    pub unites: Option<Unites>,
}

/// What an input is made of: a field of a node's outputs.
pub enum Input {
    Constant(&'static str),
    /// The value itself.
    Whole(usize, &'static str),
    /// The value inside text.
    Text(usize, &'static str),
}

pub struct Edge {
    pub to: usize,
    pub when: Option<When>,
}

/// `${{node.outputs.v}} < bound`, or `>=`.
pub struct When {
    pub node: usize,
    pub less: bool,
    pub bound: i64,
}

#[derive(Clone, Copy)]
pub struct Unites {
    pub node: usize,
    pub all_done: bool,
    pub tolerate: bool,
}

impl Graph {
    pub fn heal(&self, is_healed: bool) {
        self.is_healed.store(is_healed, Ordering::SeqCst);
    }

    pub fn united(&self, node: usize) -> Option<usize> {
        self.nodes[node].unites.map(|unites| unites.node)
    }

    pub fn mergers_of(&self, united: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.united(*node) == Some(united)).collect()
    }

    /// The nodes above `node` over edges and unites, itself included.
    pub fn above(&self, node: usize) -> BTreeSet<usize> {
        let mut above = BTreeSet::from([node]);
        loop {
            let found: Vec<usize> = (0..self.nodes.len())
                .filter(|other| !above.contains(other))
                .filter(|other| {
                    self.nodes[*other].next.iter().any(|edge| above.contains(&edge.to))
                        || above.iter().any(|below| self.united(*below) == Some(*other))
                })
                .collect();
            if found.is_empty() {
                return above;
            }
            above.extend(found);
        }
    }

    /// Whether edges lead from one node to another, or both are the same.
    pub fn leads(&self, from: usize, to: usize) -> bool {
        from == to || self.nodes[from].next.iter().any(|edge| self.leads(edge.to, to))
    }

    /// The graph's document; the order of its nodes differs from seed to seed.
    pub fn document(&self) -> String {
        let mut nodes: Vec<Value> =
            self.nodes.iter().map(|node| self.node_document(node)).collect();
        let by = usize::try_from(self.seed % 12).unwrap() % nodes.len();
        nodes.rotate_left(by);
        Value::object([("name", Value::from("random")), ("nodes", Value::from(nodes))]).to_json()
    }

    fn node_document(&self, node: &Node) -> Value {
        let retry = Value::object([
            ("max_retries", Value::from(node.retries)),
            ("strategy", Value::from("FIXED_FULL_JITTER")),
            ("backoff_factor", Value::from(30)),
        ]);
        let inputs = node.inputs.iter().map(|(field, input)| (*field, self.input_text(input)));
        let mut fields = vec![
            ("identifier", Value::from(node.name.as_str())),
            ("node_name", Value::from(if node.many { "many" } else { "one" })),
            ("inputs", Value::object(inputs)),
            ("next_nodes", Value::from(self.edges(node))),
            ("retry", retry),
        ];
        if let Some(unites) = &node.unites {
            let strategy = if unites.all_done { "ALL_DONE" } else { "ALL_SUCCESS" };
            let unites = Value::object([
                ("identifier", Value::from(self.nodes[unites.node].name.as_str())),
                ("strategy", Value::from(strategy)),
                ("tolerate", Value::from(unites.tolerate)),
            ]);
            fields.push(("unites", unites));
        }
        Value::object(fields)
    }

    fn edges(&self, node: &Node) -> Vec<Value> {
        let edge = |edge: &Edge| {
            let to = Value::from(self.nodes[edge.to].name.as_str());
            let Some(when) = &edge.when else { return to };
            let sign = if when.less { "<" } else { ">=" };
            let name = &self.nodes[when.node].name;
            let when = format!("${{{{{name}.outputs.v}}}} {sign} {}", when.bound);
            Value::object([("when", Value::from(when)), ("to", to)])
        };
        node.next.iter().map(edge).collect()
    }

    fn input_text(&self, input: &Input) -> String {
        match input {
            Input::Constant(text) => (*text).to_owned(),
            Input::Whole(node, field) => {
                format!("${{{{{}.outputs.{field}}}}}", self.nodes[*node].name)
            }
            Input::Text(node, field) => {
                format!("<${{{{ {}.outputs.{field} }}}}>", self.nodes[*node].name)
            }
        }
    }
}
