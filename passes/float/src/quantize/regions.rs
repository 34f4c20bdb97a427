//! Which values are element-wise functions of one other value, and which clamps belong to a layer.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Graph, Node, ValueId};
use crate::op::{Binary, Op, Pool, PoolKind, Relation};

/// The regions of a graph.
pub(super) struct Regions {
    /// For each value, the value that it is a function of.
    roots: Vec<Option<ValueId>>,
    /// For the result of a layer, the clamp after it: its range, and its result.
    clamps: BTreeMap<usize, (f32, f32, ValueId)>,
    /// The products with slopes that only a PReLU reads.
    negatives: BTreeSet<usize>,
}

/// The result of a layer: the value, after its clamp if it has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The value.
    pub(super) id: ValueId,
    /// The range that it is clamped to.
    pub(super) bounds: Option<(f32, f32)>,
}

impl Regions {
    pub(super) fn of(graph: &Graph) -> Self {
        let uses = graph.uses();
        let roots = vec![None; graph.value_count()];
        let mut regions = Regions { roots, clamps: BTreeMap::new(), negatives: BTreeSet::new() };
        for node in graph.nodes() {
            if let (Some(_), Some(product)) = (prelu(graph, node), node.operands.get(3))
                && uses.get(product.index()) == Some(&1)
            {
                regions.negatives.insert(product.index());
            }
            if let (Op::Clamp { min, max }, &[x]) = (&node.op, node.operands.as_slice())
                && uses.get(x.index()) == Some(&1)
                && regions.root(x).is_none()
                && graph.producer(x).is_some_and(|layer| is_layer(graph, layer))
            {
                regions.clamps.insert(x.index(), (*min, *max, node.result));
                continue;
            }
            let root = regions.function_of(graph, node);
            if let Some(place) = regions.roots.get_mut(node.result.index()) {
                *place = root;
            }
        }
        regions
    }

    /// The value that a value is a function of, if any.
    pub(super) fn root(&self, id: ValueId) -> Option<ValueId> {
        self.roots.get(id.index()).copied().flatten()
    }

    /// The result of the layer with this value.
    pub(super) fn target(&self, id: ValueId) -> Target {
        match self.clamps.get(&id.index()) {
            Some(&(min, max, id)) => Target { id, bounds: Some((min, max)) },
            None => Target { id, bounds: None },
        }
    }

    /// Whether the node is part of another: a clamp that a layer absorbs, or the product in a PReLU.
    pub(super) fn is_taken(&self, node: &Node) -> bool {
        if self.negatives.contains(&node.result.index()) {
            return true;
        }
        let operand = node.operands.first().and_then(|x| self.clamps.get(&x.index()));
        operand.is_some_and(|(_, _, result)| *result == node.result)
    }

    /// The one value that a node's result is a function of, element by element.
    fn function_of(&self, graph: &Graph, node: &Node) -> Option<ValueId> {
        if !matches!(node.op, Op::Unary(_) | Op::Clamp { .. } | Op::Binary(_) | Op::Select(_)) {
            return None;
        }
        let mut root = None;
        for &id in &node.operands {
            if uniform(graph, id).is_some() {
                continue;
            }
            if graph.constant_of(id).is_some() {
                return None;
            }
            let of = self.root(id).unwrap_or(id);
            if root.is_some_and(|root| root != of) {
                return None;
            }
            root = Some(of);
        }
        root.filter(|&root| graph.shape(root) == graph.shape(node.result))
    }

    /// A value at 256 points of the value that it is a function of.
    pub(super) fn samples(
        &self,
        graph: &Graph,
        id: ValueId,
        root: ValueId,
        points: &[f32],
    ) -> Option<Vec<f32>> {
        let mut known = BTreeMap::from([(root, points.to_vec())]);
        for node in graph.nodes() {
            if self.root(node.result) != Some(root) || node.result.index() > id.index() {
                continue;
            }
            let operands: Option<Vec<_>> = node
                .operands
                .iter()
                .map(|id| known.get(id).cloned().or_else(|| Some(vec![uniform(graph, *id)?; points.len()])))
                .collect();
            let result = pointwise(&node.op, &operands?)?;
            known.insert(node.result, result);
        }
        known.remove(&id)
    }
}

/// The value and the slopes of a PReLU, in the form of [`Graph::recognize_activations`].
pub(super) fn prelu(graph: &Graph, node: &Node) -> Option<(ValueId, ValueId)> {
    let (Op::Select(Relation::GreaterEqual), &[x, zero, yes, no]) = (&node.op, node.operands.as_slice())
    else {
        return None;
    };
    let product = graph.producer(no)?;
    let (Op::Binary(Binary::Mul), &[of, slopes]) = (&product.op, product.operands.as_slice()) else {
        return None;
    };
    let fits = yes == x && of == x && uniform(graph, zero) == Some(0.0);
    (fits && graph.constant_of(slopes).is_some()).then_some((x, slopes))
}

/// Whether an operator is computed in 32 bits and scaled afterwards, so that a clamp is free.
fn is_layer(graph: &Graph, node: &Node) -> bool {
    match &node.op {
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Matmul => true,
        Op::Binary(Binary::Add | Binary::Sub | Binary::Mul) => true,
        Op::Pool(pool) => node.operands.first().is_some_and(|&x| is_global(pool, graph.shape(x))),
        _ => false,
    }
}

/// Whether a pooling is the mean over the whole image.
pub(super) fn is_global(pool: &Pool, image: &[usize]) -> bool {
    let &[_, h, w, _] = image else { return false };
    let none = pool.window.before == [0, 0] && pool.window.after == [0, 0];
    pool.kind == PoolKind::Average && pool.kernel == [h, w] && none
}

/// The one value of a constant.
pub(super) fn uniform(graph: &Graph, id: ValueId) -> Option<f32> {
    let tensor = graph.constant_of(id)?;
    let first = *tensor.first()?;
    tensor.iter().all(|x| x.to_bits() == first.to_bits()).then_some(first)
}

/// Evaluates an operator on lists of values.
fn pointwise(op: &Op, operands: &[Vec<f32>]) -> Option<Vec<f32>> {
    let pairs =
        |a: &[f32], b: &[f32], f: &dyn Fn(f32, f32) -> f32| a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect();
    Some(match (op, operands) {
        (Op::Unary(unary), [x]) => x.iter().map(|&x| unary.of(x)).collect(),
        (Op::Clamp { min, max }, [x]) => x.iter().map(|x| x.max(*min).min(*max)).collect(),
        (Op::Binary(binary), [a, b]) => pairs(a, b, &|a, b| binary.of(a, b)),
        (Op::Select(relation), [a, b, c, d]) => {
            let both = c.iter().zip(d);
            a.iter()
                .zip(b)
                .zip(both)
                .map(|((&a, &b), (&c, &d))| if relation.holds(a, b) { c } else { d })
                .collect()
        }
        _ => return None,
    })
}
