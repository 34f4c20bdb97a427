//! A function as the graph of tensors that [`strum_plan::residency`] decides on.
//!
//! Invariant: the layers are the ops that [`is_layer`] accepts, in their order, and a reshape is no layer and no tensor
//! of its own.

use std::collections::BTreeMap;

use strum_ir::{Block, Operation, Value};
use strum_plan::residency::{Graph, Node, Value as Tensor};

use super::values::{is_alias, root};
use crate::common::tosa::view;

/// Whether an op becomes a layer of the program.
pub(crate) fn is_layer(op: Operation<'_>) -> bool {
    let constant = ["tosa.const", "tosa.const_shape", "strum.constant"].iter().any(|name| op.is(name));
    !constant && !op.is("func.return") && !is_alias(op)
}

/// The graph of a function's body, and the number of every tensor in it.
pub(super) fn of<'c>(body: Block<'c>, returned: &[Value<'c>]) -> (Graph, BTreeMap<Value<'c>, usize>) {
    let mut graph = Graph::default();
    let mut numbers = BTreeMap::new();
    let returned: Vec<Value<'c>> = returned.iter().map(|v| root(*v)).collect();
    for op in body.operations().into_iter().filter(|op| is_layer(*op)) {
        let Some(result) = op.single_result() else { continue };
        let mut number = |value: Value<'c>| {
            let value = root(value);
            *numbers.entry(value).or_insert_with(|| {
                let computed = value.defining_op().is_some_and(is_layer);
                let may_stay = computed && !returned.contains(&value);
                graph.values.push(Tensor { bytes: bytes(value), may_stay });
                graph.values.len() - 1
            })
        };
        let operands: Vec<(Value<'c>, usize)> = op.operands().into_iter().map(|v| (v, number(v))).collect();
        let output = number(result);
        let same = |v: &Value<'c>| element_wise(op) && view::tensor(v.ty()) == view::tensor(result.ty());
        graph.nodes.push(Node {
            inputs: operands.iter().map(|&(_, n)| n).collect(),
            output,
            const_bytes: op.operands().into_iter().map(constant_bytes).fold(0, u64::saturating_add),
            in_place: operands.iter().filter(|(v, _)| same(v)).map(|&(_, n)| n).collect(),
            is_vector: element_wise(op),
        });
    }
    (graph, numbers)
}

/// Whether an op's result at an index depends on its operands at that index alone.
fn element_wise(op: Operation<'_>) -> bool {
    const OPS: &[&str] = &[
        "strum.eltwise",
        "tosa.add",
        "tosa.sub",
        "tosa.mul",
        "tosa.maximum",
        "tosa.minimum",
        "tosa.rescale",
        "tosa.clamp",
        "tosa.abs",
        "tosa.negate",
    ];
    OPS.iter().any(|name| op.is(name))
}

fn bytes(value: Value<'_>) -> u64 {
    let Some((shape, elem)) = view::tensor(value.ty()) else { return 0 };
    let bits = u64::from(elem.bits());
    shape.iter().fold(bits.div_ceil(8), |n, &d| n.saturating_mul(d))
}

/// Bytes of an operand that is a constant.
fn constant_bytes(value: Value<'_>) -> u64 {
    if let Some(packed) = value.constant() {
        return packed.bytes().map_or(0, |bytes| bytes.len() as u64);
    }
    view::literal(value).map_or(0, |literal| literal.byte_len() as u64)
}
