//! Which tensors between layers stay in SRAM, decided before any layer is tiled.
//!
//! A tensor that stays is written and read in place and never moved. It takes its bytes from the tiles of every layer
//! from the one that makes it to the last one that reads it. Tensors are admitted one after the other, those that save
//! most traffic for the SRAM they block first, as long as every layer keeps what its tiles ask for.
//!
//! Invariant: of the tensors that stay, those that are needed at the same time fit the SRAM together (see [`check`]).

use crate::tile::round_up;

/// A tensor between layers; its index names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// Size in bytes.
    pub bytes: u64,
    /// It may stay in SRAM: a layer makes it, and it is no output of the network.
    pub may_stay: bool,
}

/// A layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The tensors it reads.
    pub inputs: Vec<usize>,
    /// The tensor it makes.
    pub output: usize,
    /// Bytes of its constants: weights and tables.
    pub const_bytes: u64,
    /// Of `inputs`, those in whose place the layer could write its output, element by element.
    pub in_place: Vec<usize>,
    /// The vector engine computes it, element by element.
    pub is_vector: bool,
}

/// The layers of a network in the order in which they are planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Tensors.
    pub values: Vec<Value>,
    /// Layers.
    pub nodes: Vec<Node>,
}

/// What stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Residency {
    /// For every tensor, whether it stays in SRAM.
    pub stays: Vec<bool>,
    /// For every tensor that stays, the tensor whose place it takes, if any.
    pub place_of: Vec<Option<usize>>,
    /// For every layer, the SRAM bytes that tensors hold while it runs.
    pub held_bytes: Vec<u64>,
    /// For every layer but those of the vector engine, bytes of the largest tensor that the vector engine makes of or for
    /// tensors in SRAM of the layer: the two can work at the same time, on different rows. 0 if there is none.
    pub shared_bytes: Vec<u64>,
}

/// First and last layer that touch a tensor, inclusive.
type Span = (usize, usize);

impl Graph {
    /// The layers during which each tensor is needed; `None` for one that no layer makes.
    fn spans(&self) -> Vec<Option<Span>> {
        let mut spans: Vec<Option<Span>> = vec![None; self.values.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            if let Some(span) = spans.get_mut(node.output) {
                *span = Some((i, i));
            }
            for &input in &node.inputs {
                if let Some(Some((_, last))) = spans.get_mut(input) {
                    *last = i;
                }
            }
        }
        spans
    }

    fn bytes(&self, value: usize) -> u64 {
        self.values.get(value).map_or(0, |v| round_up(v.bytes))
    }
}

/// What a layer's tiles ask for while its operands are in DRAM: a part of the SRAM for each, or all of it if it is small;
/// and for its constants a larger one.
const OPERAND_SHARE: u64 = 8;
const CONST_SHARE: u64 = 4;

/// What a layer's tiles ask for at least.
const LEAST_SHARE: u64 = 32;

/// Decides what stays in `sram` bytes. `pinned` says of some tensors that they must or must not stay: those that must
/// may fill all `total` bytes, and leave nothing to tiles; those that cannot stay nevertheless are left out.
pub fn decide(graph: &Graph, sram: u64, total: u64, pinned: &[Option<bool>]) -> Residency {
    let spans = graph.spans();
    let mut solver = Solver { graph, spans: &spans, sram, stays: vec![false; graph.values.len()] };
    let place_of = places(graph, &spans);
    let must = |v: usize| pinned.get(v).copied().flatten() == Some(true);
    for value in order(graph, &spans, pinned) {
        solver.admit(value, &place_of, must(value).then_some(total));
    }
    let stays = solver.stays;
    let stay = |v: usize| stays.get(v).copied().unwrap_or(false);
    let place_of: Vec<_> =
        place_of.into_iter().enumerate().map(|(v, p)| p.filter(|&p| stay(v) && stay(p))).collect();
    let held_bytes = (0..graph.nodes.len()).map(|n| held(graph, &spans, &place_of, &stays, n)).collect();
    let shared_bytes = (0..graph.nodes.len()).map(|n| shared_bytes(graph, &stays, n)).collect();
    Residency { stays, place_of, held_bytes, shared_bytes }
}

/// Bytes of the largest tensor that a layer of the vector engine makes of or for tensors in SRAM of layer `n`.
fn shared_bytes(graph: &Graph, stays: &[bool], n: usize) -> u64 {
    let Some(node) = graph.nodes.get(n).filter(|n| !n.is_vector) else { return 0 };
    let stay = |v: &usize| stays.get(*v) == Some(&true);
    let neighbours = graph.nodes.iter().filter(|other| {
        other.is_vector
            && (other.inputs.contains(&node.output) && stay(&node.output)
                || node.inputs.contains(&other.output) && stay(&other.output))
    });
    neighbours.map(|other| graph.bytes(other.output)).max().unwrap_or(0)
}

/// For every tensor the one whose place it could take: an operand that its layer is the last to read.
fn places(graph: &Graph, spans: &[Option<Span>]) -> Vec<Option<usize>> {
    let mut places = vec![None; graph.values.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        let size = |v: usize| graph.values.get(v).map(|v| v.bytes);
        let free = node.in_place.iter().copied().find(|&v| {
            let ends = spans.get(v).copied().flatten().is_some_and(|(_, last)| last == i);
            ends && size(v) == size(node.output) && graph.values.get(v).is_some_and(|v| v.may_stay)
        });
        if let Some(place) = places.get_mut(node.output) {
            *place = free;
        }
    }
    places
}

/// The tensors that may stay, the most worthwhile first: most bytes saved for each byte and layer that is blocked.
fn order(graph: &Graph, spans: &[Option<Span>], pinned: &[Option<bool>]) -> Vec<usize> {
    let pin = |v: usize| pinned.get(v).copied().flatten();
    let mut order: Vec<(bool, u64, usize)> = Vec::new();
    for (v, value) in graph.values.iter().enumerate() {
        let Some((first, last)) = spans.get(v).copied().flatten() else { continue };
        if !value.may_stay || last == first || pin(v) == Some(false) {
            continue;
        }
        let reads = graph.nodes.iter().skip(first).take(last - first + 1);
        let reads = reads.filter(|n| n.inputs.contains(&v)).count() as u64;
        let worth = (reads + 1).saturating_mul(1 << 20) / (last - first) as u64;
        order.push((pin(v) != Some(true), worth, v));
    }
    order.sort_by_key(|&(free, worth, v)| (free, std::cmp::Reverse(worth), v));
    order.into_iter().map(|(.., v)| v).collect()
}

struct Solver<'a> {
    graph: &'a Graph,
    spans: &'a [Option<Span>],
    sram: u64,
    stays: Vec<bool>,
}

impl Solver<'_> {
    /// Lets a tensor stay if all layers that it concerns still have room, or if it and its like fit `all` bytes.
    fn admit(&mut self, value: usize, place_of: &[Option<usize>], all: Option<u64>) {
        let Some((first, last)) = self.spans.get(value).copied().flatten() else { return };
        if let Some(stay) = self.stays.get_mut(value) {
            *stay = true;
        }
        let fits = (first..=last).all(|n| match all {
            Some(all) => held(self.graph, self.spans, place_of, &self.stays, n) <= all,
            None => self.fits(n, place_of),
        });
        if let Some(stay) = self.stays.get_mut(value).filter(|_| !fits) {
            *stay = false;
        }
    }

    /// Whether the tiles of a layer have what they ask for.
    fn fits(&self, node: usize, place_of: &[Option<usize>]) -> bool {
        let Some(layer) = self.graph.nodes.get(node) else { return false };
        let held = held(self.graph, self.spans, place_of, &self.stays, node);
        let moved = layer.inputs.iter().chain([&layer.output]);
        let moved = moved.filter(|&&v| !self.stays.get(v).copied().unwrap_or(false));
        let tiles: u64 = moved.map(|&v| self.graph.bytes(v).min(self.sram / OPERAND_SHARE)).sum();
        let constants = layer.const_bytes.min(self.sram / CONST_SHARE);
        let asked = tiles.saturating_add(constants).saturating_add(self.sram / LEAST_SHARE);
        held.saturating_add(asked) <= self.sram
    }
}

/// Bytes that tensors hold while a layer runs; one that takes another's place needs none of its own while that is there.
fn held(
    graph: &Graph,
    spans: &[Option<Span>],
    place_of: &[Option<usize>],
    stays: &[bool],
    node: usize,
) -> u64 {
    let stay = |v: usize| stays.get(v).copied().unwrap_or(false);
    let mut bytes = 0u64;
    for (v, span) in spans.iter().enumerate() {
        let Some((first, last)) = span.filter(|_| stay(v)) else { continue };
        let shared = first == node && place_of.get(v).copied().flatten().is_some_and(stay);
        if (first..=last).contains(&node) && !shared {
            bytes = bytes.saturating_add(graph.bytes(v));
        }
    }
    bytes
}

/// Checks a residency on its own: walks the layers and counts the bytes of the places in use.
///
/// # Errors
/// What does not hold, in words.
pub fn check(graph: &Graph, residency: &Residency, sram: u64) -> Result<(), String> {
    // The place in use of every tensor, and the tensor that is in it.
    let mut places: Vec<(usize, u64)> = Vec::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        let later = |v: usize| graph.nodes.iter().skip(i + 1).any(|n| n.inputs.contains(&v));
        let stays = |v: usize| residency.stays.get(v) == Some(&true);
        if stays(node.output) {
            match residency.place_of.get(node.output).copied().flatten() {
                Some(old) => {
                    if later(old) || !node.in_place.contains(&old) {
                        return Err(format!("layer {i} writes over tensor {old}, which is still needed"));
                    }
                    let place = places.iter_mut().find(|(v, _)| *v == old);
                    place.ok_or_else(|| format!("layer {i} takes a place that is not there"))?.0 =
                        node.output;
                }
                None => places.push((node.output, graph.bytes(node.output))),
            }
        }
        let bytes: u64 = places.iter().map(|(_, bytes)| bytes).sum();
        let told = residency.held_bytes.get(i).copied().unwrap_or(0);
        if bytes > sram || bytes > told {
            return Err(format!("layer {i}: tensors hold {bytes} bytes of {sram}, {told} were told"));
        }
        if let Some(v) = node.inputs.iter().find(|&&v| stays(v) && v != node.output).filter(|&&v| {
            residency.place_of.get(node.output).copied().flatten() != Some(v)
                && !places.iter().any(|(p, _)| *p == v)
        }) {
            return Err(format!("layer {i} reads tensor {v}, which is gone"));
        }
        places.retain(|(v, _)| later(*v));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graphs() -> impl Strategy<Value = Graph> {
        let node = (prop::collection::vec(any::<prop::sample::Index>(), 1..3), 1u64..600, any::<bool>());
        (prop::collection::vec(node, 1..20), 0u64..2000).prop_map(|(nodes, const_bytes)| {
            let mut graph = Graph::default();
            graph.values.push(Value { bytes: 100, may_stay: false });
            for (inputs, bytes, same) in nodes {
                let inputs: Vec<usize> = inputs.iter().map(|i| i.index(graph.values.len())).collect();
                let bytes = if same { graph.values[inputs[0]].bytes } else { bytes };
                let output = graph.values.len();
                graph.values.push(Value { bytes, may_stay: output % 7 != 6 });
                let in_place = inputs.clone();
                graph.nodes.push(Node { inputs, output, const_bytes, in_place, is_vector: same });
            }
            graph
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_stays_fits(graph in graphs(), sram in 64u64..4096, pins in any::<u64>()) {
            let pin = |v: usize| match pins >> (2 * (v % 30)) & 3 {
                0 => Some(true),
                1 => Some(false),
                _ => None,
            };
            let pinned: Vec<_> = (0..graph.values.len()).map(pin).collect();
            let residency = decide(&graph, sram, sram, &pinned);
            prop_assert_eq!(check(&graph, &residency, sram), Ok(()));
            for (v, stays) in residency.stays.iter().enumerate() {
                prop_assert!(!stays || graph.values[v].may_stay && pinned[v] != Some(false));
            }
            let again: Vec<_> = residency.stays.iter().map(|&stays| Some(stays)).collect();
            prop_assert_eq!(decide(&graph, sram, sram, &again), residency);
        }
    }

    #[test]
    fn a_residual_sum_takes_the_place_of_its_operand() {
        let value = |bytes| Value { bytes, may_stay: true };
        let node = |inputs: &[usize], output, in_place: &[usize]| Node {
            inputs: inputs.to_vec(),
            output,
            const_bytes: 16,
            in_place: in_place.to_vec(),
            is_vector: !in_place.is_empty(),
        };
        let mut values = vec![value(800), value(200), value(800), value(800), value(100)];
        values[4].may_stay = false;
        let nodes = vec![
            node(&[], 0, &[]),
            node(&[0], 1, &[]),
            node(&[1], 2, &[]),
            node(&[0, 2], 3, &[0, 2]),
            node(&[3], 4, &[]),
        ];
        let graph = Graph { values, nodes };
        let residency = decide(&graph, 2048, 2048, &[]);
        assert_eq!(residency.stays, [true, true, true, true, false]);
        assert_eq!(residency.place_of[3], Some(0));
        assert_eq!(residency.held_bytes, [800, 1008, 1808, 1600, 800]);
        assert_eq!(residency.shared_bytes, [800, 0, 800, 0, 800]);
    }
}
