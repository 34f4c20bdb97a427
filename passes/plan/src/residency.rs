//! Residency: which tensors between layers are kept in SRAM, decided before tiling.
//!
//! A resident tensor is written and read in place and never moved. It reduces the SRAM for the tiles of every layer from its
//! producer to its last reader. Tensors are admitted one by one, by saved traffic per blocked SRAM byte, as long as every layer
//! keeps what its tiles request.
//!
//! Invariant: resident tensors that are live at the same time fit the SRAM together (see [`check`]).

use crate::error::PlanError;
use crate::tile::round_up;

/// A tensor between layers; its index names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// Size in bytes.
    pub bytes: u64,
    /// It may be resident: a layer produces it, and it is not an output of the network.
    pub may_stay: bool,
}

/// A layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The tensors it reads.
    pub inputs: Vec<usize>,
    /// The tensor it produces.
    pub output: usize,
    /// Bytes of its constants: weights and tables.
    pub const_bytes: u64,
    /// Those of `inputs` that the layer could overwrite with its output, element by element.
    pub in_place: Vec<usize>,
    /// The vector engine computes it, element by element.
    pub is_vector: bool,
}

/// The layers of a network in planning order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Tensors.
    pub values: Vec<Value>,
    /// Layers.
    pub nodes: Vec<Node>,
}

/// A residency decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Residency {
    /// For every tensor, whether it is resident.
    pub stays: Vec<bool>,
    /// For every resident tensor, the tensor whose memory it reuses, if any.
    pub place_of: Vec<Option<usize>>,
    /// For every layer, the SRAM bytes that resident tensors hold while it runs.
    pub held_bytes: Vec<u64>,
    /// For every layer except those of the vector engine, bytes of the largest tensor that the vector engine computes from or for
    /// the layer's tensors in SRAM: the two can work at the same time, on different rows. 0 if there is none.
    pub shared_bytes: Vec<u64>,
}

/// First and last layer that access a tensor, inclusive.
type Span = (usize, usize);

/// The layers that read a tensor, in order, and as how many operands.
type Readers = Vec<(usize, u64)>;

impl Graph {
    /// The layers during which each tensor is live; `None` for one that no layer produces.
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

    /// The layers that read each tensor, in order, and as how many operands.
    fn readers(&self) -> Vec<Readers> {
        let mut readers = vec![Readers::new(); self.values.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                let Some(readers) = readers.get_mut(input) else { continue };
                match readers.last_mut() {
                    Some((last, times)) if *last == i => *times += 1,
                    _ => readers.push((i, 1)),
                }
            }
        }
        readers
    }

    fn bytes(&self, value: usize) -> u64 {
        self.values.get(value).map_or(0, |v| round_up(v.bytes))
    }
}

/// What a layer's tiles request while its operands are in DRAM: a share of the SRAM for each, or all of it if it is small; and a
/// larger share for its constants.
const OPERAND_SHARE: u64 = 8;
const CONST_SHARE: u64 = 4;

/// The minimum that a layer's tiles request.
const LEAST_SHARE: u64 = 32;

/// The share of the SRAM that is planned with, in eighths: less if buffers cannot be placed, and finally no residency.
const SRAM_EIGHTHS: [u64; 5] = [8, 7, 6, 4, 0];

/// Residency candidates for `sram` bytes, most resident first; each differs from the previous one, and the last is the minimum.
/// For `pinned` see [`decide`].
///
/// # Errors
/// An internal error if one of them does not pass [`check`], in debug builds.
pub fn candidates(graph: &Graph, sram: u64, pinned: &[Option<bool>]) -> Result<Vec<Residency>, PlanError> {
    let mut all: Vec<Residency> = Vec::new();
    for eighths in SRAM_EIGHTHS {
        let residency = decide(graph, sram / 8 * eighths, sram, pinned);
        if cfg!(debug_assertions) {
            check(graph, &residency, sram).map_err(PlanError::internal)?;
        }
        if all.last() != Some(&residency) {
            all.push(residency);
        }
    }
    Ok(all)
}

/// Decides which tensors are resident in `sram` bytes. `pinned` forces tensors to be resident or not: forced ones may fill all
/// `total` bytes and leave nothing to tiles; those that still do not fit are left out.
pub fn decide(graph: &Graph, sram: u64, total: u64, pinned: &[Option<bool>]) -> Residency {
    decide_counted(graph, sram, total, pinned).0
}

/// The residency, and how often the solver looked at a layer.
fn decide_counted(graph: &Graph, sram: u64, total: u64, pinned: &[Option<bool>]) -> (Residency, usize) {
    let (spans, readers) = (graph.spans(), graph.readers());
    let place_of = places(graph, &spans);
    let mut solver = Solver::new(graph, &spans, &readers, &place_of, sram);
    let must = |v: usize| pinned.get(v).copied().flatten() == Some(true);
    for value in order(graph, &spans, &readers, pinned) {
        solver.admit(value, must(value).then_some(total));
    }
    let Solver { stays, held, looks, .. } = solver;
    let stay = |v: usize| stays.get(v).copied().unwrap_or(false);
    let taken = place_of.iter().enumerate().map(|(v, p)| p.filter(|&p| stay(v) && stay(p))).collect();
    let held_bytes = held.into_iter().map(saturated).collect();
    let shared_bytes = shared_bytes(graph, &spans, &readers, &stays);
    (Residency { stays, place_of: taken, held_bytes, shared_bytes }, looks)
}

/// For every layer, bytes of the largest tensor that the vector engine computes from or for its tensors in SRAM.
fn shared_bytes(graph: &Graph, spans: &[Option<Span>], readers: &[Readers], stays: &[bool]) -> Vec<u64> {
    let stay = |v: &usize| stays.get(*v) == Some(&true);
    let maker = |v: &usize| spans.get(*v).copied().flatten().map(|(first, _)| first);
    let of = |node: &Node| {
        let after = Some(&node.output).filter(|v| stay(v)).and_then(|&v| readers.get(v));
        let before = node.inputs.iter().filter(|v| stay(v)).filter_map(maker);
        let neighbours = after.into_iter().flatten().map(|&(n, _)| n).chain(before);
        let neighbours = neighbours.filter_map(|n| graph.nodes.get(n)).filter(|other| other.is_vector);
        neighbours.map(|other| graph.bytes(other.output)).max().unwrap_or(0)
    };
    graph.nodes.iter().map(|node| if node.is_vector { 0 } else { of(node) }).collect()
}

/// For every tensor the one whose memory it could reuse: an operand that its layer is the last to read.
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

/// The candidates, best first: most bytes saved per blocked byte and layer.
fn order(graph: &Graph, spans: &[Option<Span>], readers: &[Readers], pinned: &[Option<bool>]) -> Vec<usize> {
    let pin = |v: usize| pinned.get(v).copied().flatten();
    let mut order: Vec<(bool, u64, usize)> = Vec::new();
    for (v, value) in graph.values.iter().enumerate() {
        let Some((first, last)) = spans.get(v).copied().flatten() else { continue };
        if !value.may_stay || last == first || pin(v) == Some(false) {
            continue;
        }
        let reads =
            readers.get(v).map_or(0, |readers| readers.iter().filter(|&&(n, _)| n >= first).count()) as u64;
        let worth = (reads + 1).saturating_mul(1 << 20) / (last - first) as u64;
        order.push((pin(v) != Some(true), worth, v));
    }
    order.sort_by_key(|&(free, worth, v)| (free, std::cmp::Reverse(worth), v));
    order.into_iter().map(|(.., v)| v).collect()
}

struct Solver<'a> {
    graph: &'a Graph,
    spans: &'a [Option<Span>],
    readers: &'a [Readers],
    place_of: &'a [Option<usize>],
    sram: u64,
    stays: Vec<bool>,
    /// For every layer, the resident bytes while it runs; a tensor that reuses another's memory needs none of its own while that
    /// one is live.
    held: Vec<u128>,
    /// For every layer, what its tiles request: for operands in DRAM, for constants, and at least.
    asked: Vec<u64>,
    /// How often a layer was looked at.
    looks: usize,
}

/// How residency of a tensor changes a layer.
#[derive(Clone, Copy, Default)]
struct Change {
    /// Bytes that are held.
    more: u64,
    /// Bytes no longer held, because another tensor reuses the memory of this one.
    freed: u64,
    /// Bytes that tiles no longer request.
    less: u64,
}

impl Change {
    /// What is held after it.
    fn held(&self, before: u128) -> u128 {
        (before + u128::from(self.more)).saturating_sub(self.freed.into())
    }
}

/// A sum that does not wrap.
fn saturated(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}

impl<'a> Solver<'a> {
    fn new(
        graph: &'a Graph,
        spans: &'a [Option<Span>],
        readers: &'a [Readers],
        place_of: &'a [Option<usize>],
        sram: u64,
    ) -> Self {
        let mut this = Solver {
            graph,
            spans,
            readers,
            place_of,
            sram,
            stays: vec![false; graph.values.len()],
            held: vec![0; graph.nodes.len()],
            asked: Vec::new(),
            looks: 0,
        };
        this.asked = graph.nodes.iter().map(|node| this.asks(node)).collect();
        this
    }

    /// What the tiles of a layer request while all of its operands are in DRAM.
    fn asks(&self, layer: &Node) -> u64 {
        let moved = layer.inputs.iter().chain([&layer.output]);
        let tiles = moved.map(|&v| self.share(v)).fold(0, u64::saturating_add);
        let constants = layer.const_bytes.min(self.sram / CONST_SHARE);
        tiles.saturating_add(constants).saturating_add(self.sram / LEAST_SHARE)
    }

    /// What tiles request for an operand in DRAM.
    fn share(&self, value: usize) -> u64 {
        self.graph.bytes(value).min(self.sram / OPERAND_SHARE)
    }

    fn stay(&self, value: usize) -> bool {
        self.stays.get(value).copied().unwrap_or(false)
    }

    /// How residency of a tensor changes each layer of its span.
    fn changes(&self, value: usize, (first, last): Span) -> impl Iterator<Item = (usize, Change)> {
        let bytes = self.graph.bytes(value);
        let mut readers = self.readers.get(value).map_or(&[][..], Vec::as_slice).iter().peekable();
        (first..=last).map(move |layer| {
            while readers.next_if(|(reader, _)| *reader < layer).is_some() {}
            let reads = readers.peek().filter(|(reader, _)| *reader == layer).map_or(0, |&&(_, times)| times);
            match self.graph.nodes.get(layer).filter(|_| reads > 0 || layer == first) {
                Some(node) => (layer, self.change(value, node, layer == first, reads)),
                None => (layer, Change { more: bytes, ..Change::default() }),
            }
        })
    }

    /// How the SRAM use of a layer changes if a tensor that it produces, or reads through `reads` operands, becomes resident.
    fn change(&self, value: usize, node: &Node, makes: bool, reads: u64) -> Change {
        let place = |v: usize| self.place_of.get(v).copied().flatten();
        let shared = makes && place(value).is_some_and(|p| self.stay(p));
        let takes = node.output != value && place(node.output) == Some(value) && self.stay(node.output);
        let uses = reads + u64::from(node.output == value);
        Change {
            more: if shared { 0 } else { self.graph.bytes(value) },
            freed: if takes { self.graph.bytes(node.output) } else { 0 },
            less: self.share(value).saturating_mul(uses),
        }
    }

    /// Makes a tensor resident if all layers concerned still have room, or if it and the other pinned ones fit `all` bytes.
    fn admit(&mut self, value: usize, all: Option<u64>) {
        let Some(span) = self.spans.get(value).copied().flatten() else { return };
        let fits = |(layer, change): (usize, Change)| {
            let (held, asked) = (self.held.get(layer).copied(), self.asked.get(layer).copied());
            let held = saturated(change.held(held.unwrap_or(0)));
            match all {
                Some(all) => held <= all,
                None => held.saturating_add(asked.unwrap_or(0).saturating_sub(change.less)) <= self.sram,
            }
        };
        let misfit = self.changes(value, span).position(|layer| !fits(layer));
        self.looks += misfit.map_or(span.1 - span.0 + 1, |at| at + 1);
        if misfit.is_some() {
            return;
        }
        let (mut held, mut asked) = (std::mem::take(&mut self.held), std::mem::take(&mut self.asked));
        for (layer, change) in self.changes(value, span) {
            if let (Some(held), Some(asked)) = (held.get_mut(layer), asked.get_mut(layer)) {
                *held = change.held(*held);
                *asked = asked.saturating_sub(change.less);
            }
        }
        (self.held, self.asked) = (held, asked);
        if let Some(stay) = self.stays.get_mut(value) {
            *stay = true;
        }
    }
}

/// Checks a residency independently: walks the layers and counts the bytes in use.
///
/// # Errors
/// The violated condition, as text.
pub fn check(graph: &Graph, residency: &Residency, sram: u64) -> Result<(), String> {
    // The slot in use by every tensor, and the tensor in it.
    let mut places: Vec<(usize, u64)> = Vec::new();
    let mut last_read = vec![0; graph.values.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        for &input in &node.inputs {
            if let Some(last) = last_read.get_mut(input) {
                *last = i;
            }
        }
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        let later = |v: usize| last_read.get(v).is_some_and(|&last| last > i);
        let stays = |v: usize| residency.stays.get(v) == Some(&true);
        if stays(node.output) {
            match residency.place_of.get(node.output).copied().flatten() {
                Some(old) => {
                    if later(old) || !node.in_place.contains(&old) {
                        return Err(format!("layer {i} writes over tensor {old}, which is still needed"));
                    }
                    let place = places.iter_mut().find(|(v, _)| *v == old);
                    place.ok_or_else(|| format!("layer {i} reuses a slot that does not exist"))?.0 =
                        node.output;
                }
                None => places.push((node.output, graph.bytes(node.output))),
            }
        }
        let bytes: u64 = places.iter().map(|(_, bytes)| bytes).sum();
        let told = residency.held_bytes.get(i).copied().unwrap_or(0);
        if bytes > sram || bytes > told {
            return Err(format!("layer {i}: tensors hold {bytes} bytes of {sram}, expected {told}"));
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

    #[test]
    fn a_chain_takes_as_many_looks_as_it_has_layers() {
        let chain = |layers: usize| {
            let values = (0..=layers).map(|v| Value { bytes: 16, may_stay: v > 0 && v < layers }).collect();
            let node = |i: usize| Node {
                inputs: vec![i],
                output: i + 1,
                const_bytes: 0,
                in_place: if i.is_multiple_of(2) { vec![i] } else { Vec::new() },
                is_vector: i.is_multiple_of(2),
            };
            Graph { values, nodes: (0..layers).map(node).collect() }
        };
        for layers in [100, 10_000] {
            let (residency, looks) = decide_counted(&chain(layers), 4096, 4096, &[]);
            assert_eq!(looks, 2 * (layers - 1), "every tensor concerns two layers");
            assert!(residency.stays.iter().skip(1).take(layers - 1).all(|&stays| stays));
            assert_eq!(check(&chain(layers), &residency, 4096), Ok(()));
        }
    }
}
