//! Nodes that lead back to themselves: Tarjan's components, without recursion.

/// A vertex that has not been reached yet.
const UNSEEN: usize = usize::MAX;

/// The groups of vertices that lead to each other, each sorted; single ones only with a loop.
pub(super) fn cycles(leads: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        leads,
        number: vec![UNSEEN; leads.len()],
        low: vec![0; leads.len()],
        open: Vec::new(),
        is_open: vec![false; leads.len()],
        seen: 0,
        found: Vec::new(),
    };
    for start in 0..leads.len() {
        if search.number[start] == UNSEEN {
            search.from(start);
        }
    }
    search.found
}

struct Search<'a> {
    leads: &'a [Vec<usize>],
    /// The order in which vertices were reached.
    number: Vec<usize>,
    /// The earliest vertex that is known to be reachable and still open.
    low: Vec<usize>,
    open: Vec<usize>,
    is_open: Vec<bool>,
    seen: usize,
    found: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn from(&mut self, start: usize) {
        // Each entry is a vertex and how many of its successors have been followed.
        let mut path = vec![(start, 0)];
        self.enter(start);
        while let Some((vertex, followed)) = path.last_mut() {
            let vertex = *vertex;
            match self.leads[vertex].get(*followed) {
                Some(&next) => {
                    *followed += 1;
                    if self.number[next] == UNSEEN {
                        self.enter(next);
                        path.push((next, 0));
                    } else if self.is_open[next] {
                        self.low[vertex] = self.low[vertex].min(self.number[next]);
                    }
                }
                None => {
                    path.pop();
                    if let Some((above, _)) = path.last() {
                        self.low[*above] = self.low[*above].min(self.low[vertex]);
                    }
                    self.leave(vertex);
                }
            }
        }
    }

    fn enter(&mut self, vertex: usize) {
        self.number[vertex] = self.seen;
        self.low[vertex] = self.seen;
        self.seen += 1;
        self.open.push(vertex);
        self.is_open[vertex] = true;
    }

    /// Closes the component that began with the vertex, if one did.
    fn leave(&mut self, vertex: usize) {
        if self.low[vertex] != self.number[vertex] {
            return;
        }
        let begin = self.open.iter().rposition(|open| *open == vertex).unwrap_or(0);
        let mut component = self.open.split_off(begin);
        component.iter().for_each(|member| self.is_open[*member] = false);
        if component.len() > 1 || self.leads[vertex].contains(&vertex) {
            component.sort_unstable();
            self.found.push(component);
        }
    }
}
