//! Tensors read at computed indices, and inserted into others: upsampling, and the input of a transposed convolution.
//!
//! Invariant: indices depend only on loops and constants, each on one loop at most.

use strum_float::{Op, ValueId};
use strum_ir::{Operation, Reported, Value};

use super::body::Body;
use super::{Reader, statics};
use crate::common::network::{internal, shape};
use crate::common::verdict::UNSUPPORTED;

const TO_NHWC: [usize; 4] = [0, 2, 3, 1];
const TO_NCHW: [usize; 4] = [0, 3, 1, 2];

/// The indices read along an axis, and the loop that they depend on.
struct Picked {
    along: Option<usize>,
    positions: Vec<usize>,
}

impl<'c> Reader<'c> {
    /// `tensor.extract` in a body: a value with an axis for every loop.
    pub(super) fn extract(&mut self, body: &Body<'c>, op: Operation<'c>) -> Result<ValueId, Reported> {
        let source = self.whole(op, 0)?;
        let rank = self.graph.shape(source).len();
        let picked = (0..rank).map(|axis| picked(body, op, axis)).collect::<Result<Vec<_>, _>>()?;
        let lists: Vec<&[usize]> = picked.iter().map(|p| p.positions.as_slice()).collect();
        let part = self.picked(op, source, &lists)?;
        let along = |axis: usize| picked.get(axis).and_then(|p| p.along);
        let order = super::map::in_loop_order(rank, along);
        let mut extents = vec![1; body.loops()];
        for p in &picked {
            let Some(place) = p.along.and_then(|l| extents.get_mut(l)) else { continue };
            if *place != 1 {
                return Err(op.error(format!("{UNSUPPORTED}two indices depend on the same loop")));
            }
            *place = p.positions.len();
        }
        let turned = self.turned(op, part, &order)?;
        self.push(op, Op::Reshape { shape: extents }, &[turned])
    }

    /// A value at these indices of every axis. NCHW images are gathered as NHWC, so that transposes cancel.
    pub(in crate::common::network) fn picked(
        &mut self,
        op: Operation<'c>,
        x: ValueId,
        lists: &[&[usize]],
    ) -> Result<ValueId, Reported> {
        let is_whole = |shape: &[usize], axis: usize| {
            shape.get(axis).zip(lists.get(axis)).is_some_and(|(&n, list)| list.iter().copied().eq(0..n))
        };
        let shape = self.graph.shape(x).to_vec();
        let image = shape.len() == 4 && is_whole(&shape, 0) && is_whole(&shape, 1);
        let mut x = if image { self.turned(op, x, &TO_NHWC)? } else { x };
        for (axis, list) in lists.iter().enumerate() {
            match (image, axis) {
                (true, 0 | 1) => {}
                (true, _) => x = self.pick(op, x, axis - 1, list)?,
                (false, _) => x = self.pick(op, x, axis, list)?,
            }
        }
        if image { self.turned(op, x, &TO_NCHW) } else { Ok(x) }
    }

    /// `tensor.insert_slice` into a splat: dilation of pixels, and padding around them.
    pub(super) fn insert(&mut self, op: Operation<'c>, wanted: &[usize]) -> Result<ValueId, Reported> {
        let dest = op.operand(1).and_then(|value| self.values.get(&value).copied());
        let number = dest.and_then(|id| self.graph.constant_of(id)).and_then(|t| {
            let first = *t.first()?;
            t.iter().all(|x| x.to_bits() == first.to_bits()).then_some(first)
        });
        let (Some(number), 2) = (number, op.num_operands()) else {
            return Err(op.error(format!(
                "{UNSUPPORTED}tensor.insert_slice is supported only at constant offsets into a splat"
            )));
        };
        let (offsets, sizes) = (statics(op, "static_offsets")?, statics(op, "static_sizes")?);
        let steps = statics(op, "static_strides")?;
        let mut x = self.whole(op, 0)?;
        x = self.push(op, Op::Reshape { shape: sizes.clone() }, &[x])?;
        let image = sizes.len() == 4 && steps.iter().take(2).all(|&step| step == 1);
        if image {
            x = self.turned(op, x, &TO_NHWC)?;
        }
        for (axis, &step) in steps.iter().enumerate().filter(|&(_, &step)| step != 1) {
            x = self.moved_apart(op, x, if image { axis - 1 } else { axis }, step.max(1), number)?;
        }
        if image {
            x = self.turned(op, x, &TO_NCHW)?;
        }
        let inner = self.graph.shape(x).iter().zip(&offsets).zip(wanted);
        let around = inner.map(|((&n, &at), &whole)| Some([at, whole.checked_sub(n.checked_add(at)?)?]));
        let around = around.collect::<Option<Vec<_>>>();
        let around = around.ok_or_else(|| internal(op, "the slice does not fit the destination"))?;
        self.push(op, Op::Pad { around, value: number }, &[x])
    }
}

/// The indices that `tensor.extract` reads along an axis.
fn picked<'c>(body: &Body<'c>, op: Operation<'c>, axis: usize) -> Result<Picked, Reported> {
    let Some(values) = body.position(op, axis + 1) else {
        let from = op.operand(axis + 1).and_then(Value::defining_op).map_or("an argument", Operation::name);
        return Err(op.error(format!(
            "{UNSUPPORTED}the index along axis {axis} (from {from}) must be computed from loop indices and constants; \
             data-dependent gathers are not supported"
        )));
    };
    let loops: Vec<usize> =
        values.shape().iter().enumerate().filter(|&(_, &n)| n > 1).map(|(l, _)| l).collect();
    if loops.len() > 1 {
        return Err(
            op.error(format!("{UNSUPPORTED}the index along axis {axis} depends on more than one loop"))
        );
    }
    let ty = op.operand(0).map(Value::ty).ok_or_else(|| internal(op, "no operand"))?;
    let extent = shape(ty).map_err(|reason| op.error(reason))?.get(axis).copied().unwrap_or(0);
    let inside = |&at: &i64| usize::try_from(at).ok().filter(|&at| at < extent);
    let positions = values.iter().map(inside).collect::<Option<Vec<_>>>();
    let positions = positions
        .ok_or_else(|| op.error(format!("index out of bounds along axis {axis} of size {extent}")))?;
    Ok(Picked { along: loops.first().copied(), positions })
}
