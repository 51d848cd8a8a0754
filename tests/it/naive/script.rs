//! What the handlers of random graphs do: decided by seed, node, inputs and attempt, and whether those
//! that would fail are healed.

use std::sync::atomic::Ordering;

use hotgraph::Value;

use super::model::Graph;

pub enum Act {
    /// The outputs; one for a handler of one output.
    Outputs(Vec<Value>),
    /// A handler of one output returns nothing.
    Nothing,
    Fail {
        permanent: bool,
    },
    Prune,
}

/// What an attempt of a node does.
pub fn act(graph: &Graph, node: usize, inputs: &str, attempt: u32) -> Act {
    let spec = &graph.nodes[node];
    let hash = mix(graph.seed, &spec.name, inputs);
    let (chance, salt) = (hash % 100, hash / 100);
    let harm = if node == 0 { 3 } else { 22 };
    let fails = !graph.is_healed.load(Ordering::SeqCst);
    match chance {
        chance if chance < harm && salt % 8 < 3 => return Act::Prune,
        chance if chance < harm && salt % 8 == 3 && fails => return Act::Fail { permanent: true },
        chance if chance < harm && u64::from(attempt) <= salt % 3 && fails => {
            return Act::Fail { permanent: false };
        }
        _ => {}
    }
    if spec.many {
        let count = [0, 1, 2, 2, 2, 3, 3, 3][usize::try_from(salt / 8 % 8).unwrap()];
        return Act::Outputs((0..count).map(|index| output(hash, index)).collect());
    }
    if salt / 8 % 40 == 0 { Act::Nothing } else { Act::Outputs(vec![output(hash, 0)]) }
}

fn output(hash: u64, index: u64) -> Value {
    let salt = hash.rotate_left(17).wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let salt = (salt ^ (salt >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20;
    let v = ("v", Value::from(salt % 4));
    match salt / 4 % 60 {
        0 => Value::object([v]),
        1 => Value::object([v, ("key", Value::default())]),
        _ => Value::object([v, ("key", Value::from(format!("{:x}.{index}", hash & 0xffff_ffff)))]),
    }
}

/// FNV-1a over everything that decides.
fn mix(seed: u64, name: &str, inputs: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in name.bytes().chain([0]).chain(inputs.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash ^ (hash >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 8
}
