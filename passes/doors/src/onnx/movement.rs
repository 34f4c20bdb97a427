//! Operators that move elements, of known and of computed values alike. Invariant: elements keep their meaning, so that codes
//! stay codes.

use std::rc::Rc;

use super::tensor::{Tensor, volume};
use super::trouble::{Outcome, invalid, limit, unsupported};
use super::value::{Coded, Flow, Net, Value};
use crate::integer;
use crate::tosa::Id;

/// Upper limit on slices for one operator.
const MAX_PIECES: usize = 1024;

/// Most positions of an axis that are listed.
const MAX_POSITIONS: usize = 1 << 24;

/// Refuses to list the positions of a very long axis.
pub(super) fn listed(extent: usize) -> Outcome<usize> {
    if extent > MAX_POSITIONS {
        return limit(format!("{extent} positions along an axis; at most {MAX_POSITIONS} are supported"));
    }
    Ok(extent)
}

/// Strides of a shape in row-major order.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        let behind = strides.get(axis).copied().unwrap_or(1) * shape.get(axis).copied().unwrap_or(1);
        if let Some(stride) = strides.get_mut(axis - 1) {
            *stride = behind;
        }
    }
    strides
}

/// Places of elements: along each axis, offsets into the operand.
fn places(axes: &[Vec<usize>]) -> Vec<usize> {
    axes.iter().fold(vec![0], |starts, offsets| {
        starts.iter().flat_map(|start| offsets.iter().map(move |offset| start + offset)).collect()
    })
}

impl Tensor {
    /// The elements at these positions along each axis.
    pub(super) fn pick(&self, positions: &[Vec<usize>]) -> Outcome<Tensor> {
        let shape: Vec<usize> = positions.iter().map(Vec::len).collect();
        volume(&shape)?;
        let offsets: Vec<Vec<usize>> = positions
            .iter()
            .zip(strides(&self.shape))
            .map(|(along, stride)| along.iter().map(|p| p * stride).collect())
            .collect();
        match self.at(&shape, &places(&offsets)) {
            Some(tensor) => Ok(tensor),
            None => invalid(format!("positions outside of {:?}", self.shape)),
        }
    }

    /// With axes in another order.
    pub(super) fn transposed(&self, perms: &[usize]) -> Outcome<Tensor> {
        let all = strides(&self.shape);
        let pick = |list: &[usize]| -> Vec<usize> {
            perms.iter().filter_map(|&axis| list.get(axis).copied()).collect()
        };
        let (shape, strides) = (pick(&self.shape), pick(&all));
        let offsets: Vec<Vec<usize>> =
            shape.iter().zip(strides).map(|(&n, stride)| (0..n).map(|i| i * stride).collect()).collect();
        match self.at(&shape, &places(&offsets)) {
            Some(tensor) if perms.len() == self.shape.len() => Ok(tensor),
            _ => invalid(format!("axes {perms:?} of a tensor of shape {:?}", self.shape)),
        }
    }
}

/// The extents that two shapes have in common by broadcasting.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Outcome<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).and_then(|axis| shape.get(axis).copied()).unwrap_or(1)
    };
    let both = (0..rank).map(|axis| match (extent(a, axis), extent(b, axis)) {
        (1, d) | (d, 1) => Some(d),
        (a, b) => (a == b).then_some(a),
    });
    match both.collect() {
        Some(shape) => Ok(shape),
        None => invalid(format!("shapes {a:?} and {b:?} cannot be broadcast")),
    }
}

impl Net {
    /// With another shape.
    pub(super) fn reshape(&mut self, x: &Value, to: &[usize]) -> Outcome<Value> {
        match x {
            Value::Known(tensor) => {
                if volume(to)? != tensor.len() {
                    return invalid(format!("{:?} reshaped to {to:?}", tensor.shape));
                }
                Ok(Tensor { shape: to.to_vec(), ..Tensor::clone(tensor) }.into())
            }
            Value::Coded(coded) if coded.scales.len() == 1 => {
                let tensor = Tensor { shape: to.to_vec(), ..Tensor::clone(&coded.tensor) };
                if volume(to)? != tensor.len() {
                    return invalid(format!("{:?} reshaped to {to:?}", coded.tensor.shape));
                }
                Ok(Value::Coded(Rc::new(Coded { tensor: Rc::new(tensor), axis: 0, ..Coded::clone(coded) })))
            }
            _ => {
                let flow = self.flow(x)?;
                // A reshape to the same shape keeps the layout.
                if self.shape(flow) == to {
                    return Ok(flow.into());
                }
                let plain = self.plain(flow)?;
                Ok(flow.with(self.build.reshape(plain, to)?, false).into())
            }
        }
    }

    /// With axes in another order.
    pub(super) fn transpose(&mut self, x: &Value, perms: &[usize]) -> Outcome<Value> {
        let mut sorted = perms.to_vec();
        sorted.sort_unstable();
        let rank = self.shape_of(x).len();
        if !sorted.into_iter().eq(0..rank) {
            return invalid(format!("axes {perms:?} of a tensor of rank {rank}"));
        }
        match x {
            Value::Known(tensor) => Ok(tensor.transposed(perms)?.into()),
            Value::Coded(coded) => {
                let axis = perms.iter().position(|&p| p == coded.axis).unwrap_or(0);
                let tensor = Rc::new(coded.tensor.transposed(perms)?);
                Ok(Value::Coded(Rc::new(Coded { tensor, axis, ..Coded::clone(coded) })))
            }
            _ => {
                let flow = self.flow(x)?;
                let order = self.order(flow);
                let wanted: Vec<usize> = perms.iter().filter_map(|&axis| order.get(axis).copied()).collect();
                if wanted.is_sorted() {
                    return Ok(flow.with(flow.id, false).into());
                }
                // The order in memory is that of the result with channels last.
                if let [batch, channels, space @ ..] = wanted.as_slice()
                    && !space.is_empty()
                    && [&[*batch], space, &[*channels]].concat().is_sorted()
                {
                    return Ok(flow.with(flow.id, true).into());
                }
                Ok(flow.with(self.build.transpose(flow.id, &wanted)?, false).into())
            }
        }
    }

    /// A part along an axis in memory; that of a constant is a constant.
    pub(super) fn part(&mut self, id: Id, axis: usize, first: usize, count: usize) -> Outcome<Id> {
        let mut size = self.extents(id);
        let mut start = vec![0; size.len()];
        if let Some(constant) = self.build.graph().constant(id)
            && size.get(axis).is_some_and(|&d| first.checked_add(count).is_some_and(|end| end <= d))
        {
            let extent = size.get(axis).copied().unwrap_or(1);
            let inner = size.iter().skip(axis + 1).product::<usize>() * constant.elem.bytes();
            let (elem, chunk) = (constant.elem, inner * extent);
            let rows = constant.bytes.chunks_exact(chunk);
            let bytes =
                rows.flat_map(|row| row.get(first * inner..(first + count) * inner).unwrap_or_default());
            let bytes = bytes.copied().collect();
            size.get_mut(axis).into_iter().for_each(|d| *d = count);
            return Ok(self.build.constant(elem, &size, bytes)?);
        }
        if let (Some(start), Some(size)) = (start.get_mut(axis), size.get_mut(axis)) {
            (*start, *size) = (first, count);
        }
        Ok(self.build.slice(id, &start, &size)?)
    }

    /// The values at these positions of an axis of the file, in this order.
    pub(super) fn pick(&mut self, x: &Value, axis: usize, positions: &[usize]) -> Outcome<Value> {
        let shape = self.shape_of(x);
        let extent = shape.get(axis).copied().unwrap_or(0);
        if let Some(outside) = positions.iter().find(|&&p| p >= extent) {
            return invalid(format!("position {outside} along axis {axis} of {shape:?}"));
        }
        if positions.iter().copied().eq(0..extent) {
            return Ok(x.clone());
        }
        if let Value::Known(tensor) = x {
            let all: Vec<Vec<usize>> = (shape.iter().enumerate())
                .map(|(i, &n)| if i == axis { positions.to_vec() } else { (0..n).collect() })
                .collect();
            return Ok(tensor.pick(&all)?.into());
        }
        let flow = self.flow(x)?;
        let memory = self.order(flow).get(axis).copied().unwrap_or(0);
        Ok(flow.with(self.pick_of(flow.id, memory, positions)?, flow.last).into())
    }

    /// The values at these positions of an axis in memory, all of which exist.
    pub(super) fn pick_of(&mut self, id: Id, axis: usize, positions: &[usize]) -> Outcome<Id> {
        let &[first, ..] = positions else { return unsupported("a result without elements") };
        if let Some(step) = step_of(positions)
            && step > 1
            && positions.len() > 2
        {
            return self.every(id, axis, first, step, positions.len());
        }
        let extent = self.extents(id).get(axis).copied().unwrap_or(0);
        let times = positions.len() / extent.max(1);
        if times > 1
            && positions.len() == times * extent
            && positions.iter().zip(0..).all(|(&p, i)| p == i / times)
        {
            return Ok(integer::pick(&mut self.build, id, axis, positions)?);
        }
        let runs = positions.chunk_by(|&a, &b| b == a + 1);
        if runs.clone().count() > MAX_PIECES {
            return unsupported(format!("positions along an axis that need more than {MAX_PIECES} slices"));
        }
        let mut parts = Vec::new();
        for run in runs {
            let first = run.first().copied().unwrap_or(0);
            parts.push(self.part(id, axis, first, run.len())?);
        }
        Ok(self.build.concat(&parts, axis)?)
    }

    /// Every `step`-th position of an axis in memory: rows of as many positions, of which the first is kept.
    fn every(&mut self, id: Id, axis: usize, first: usize, step: usize, count: usize) -> Outcome<Id> {
        let shape = self.extents(id);
        let extent = shape.get(axis).copied().unwrap_or(0);
        let wanted = count.saturating_mul(step);
        let mut part = self.part(id, axis, first, wanted.min(extent - first))?;
        if wanted > extent - first {
            let mut around = vec![[0; 2]; shape.len()];
            around.get_mut(axis).into_iter().for_each(|pair| *pair = [0, wanted - (extent - first)]);
            let zero = self.build.scalar(self.elem(id), 0)?;
            part = self.build.pad(part, &around, zero)?;
        }
        let (before, after) = (shape.iter().take(axis), shape.iter().skip(axis + 1));
        let rows = [before.product(), count, step, after.product()];
        let rows = self.build.reshape(part, &rows)?;
        let kept = self.part(rows, 2, 0, 1)?;
        let mut to = shape;
        to.get_mut(axis).into_iter().for_each(|d| *d = count);
        Ok(self.build.reshape(kept, &to)?)
    }

    /// Values one behind the other along an axis of the file.
    pub(super) fn concat(&mut self, parts: &[Value], axis: usize) -> Outcome<Value> {
        let flows = parts.iter().map(|part| self.flow(part)).collect::<Outcome<Vec<_>>>()?;
        let Some(&first) = flows.first() else { return invalid("no operand") };
        let meaning = |flow: &Flow| (flow.unsigned, flow.real, flow.codes);
        let alike = |flow: &Flow| meaning(flow) == meaning(&first);
        if !flows.iter().all(alike) {
            return unsupported("operands with different scales or zero points");
        }
        let last = flows.iter().any(|flow| flow.last);
        let mut ids = Vec::new();
        for &flow in &flows {
            ids.push(self.ordered(flow, last)?);
        }
        let order = self.order(first.with(ids.first().copied().unwrap_or(first.id), last));
        let axis = order.get(axis).copied().unwrap_or(usize::MAX);
        Ok(first.with(self.build.concat(&ids, axis)?, last).into())
    }

    /// Repeated as often along each axis of the file.
    pub(super) fn tile(&mut self, x: &Value, repeats: &[usize]) -> Outcome<Value> {
        let shape = self.shape_of(x);
        if repeats.len() != shape.len() {
            return invalid(format!("{} repetitions for a tensor of shape {shape:?}", repeats.len()));
        }
        if let Value::Known(tensor) = x {
            let to: Option<Vec<usize>> = shape.iter().zip(repeats).map(|(d, r)| d.checked_mul(*r)).collect();
            volume(&to.unwrap_or_else(|| vec![usize::MAX]))?;
            let positions: Vec<Vec<usize>> =
                shape.iter().zip(repeats).map(|(&d, &r)| (0..d * r).map(|i| i % d).collect()).collect();
            return Ok(tensor.pick(&positions)?.into());
        }
        let flow = self.flow(x)?;
        let mut multiples = vec![1; shape.len()];
        for (axis, repeats) in self.order(flow).into_iter().zip(repeats) {
            multiples.get_mut(axis).into_iter().for_each(|m| *m = *repeats);
        }
        Ok(flow.with(self.build.tile(flow.id, &multiples)?, flow.last).into())
    }

    /// Broadcast to a shape.
    pub(super) fn expand(&mut self, x: &Value, to: &[usize]) -> Outcome<Value> {
        let shape = self.shape_of(x);
        let ones = vec![1; to.len().saturating_sub(shape.len())];
        let raised = self.reshape(x, &[ones, shape].concat())?;
        let shape = self.shape_of(&raised);
        let repeats: Vec<usize> = shape.iter().zip(to).map(|(a, b)| if a == b { 1 } else { *b }).collect();
        self.tile(&raised, &repeats)
    }
}

/// The distance of positions, if it is the same everywhere and ascending.
fn step_of(positions: &[usize]) -> Option<usize> {
    let &[first, second, ..] = positions else { return None };
    let step = second.checked_sub(first)?;
    positions.windows(2).all(|pair| pair.first().map(|p| p + step) == pair.last().copied()).then_some(step)
}
