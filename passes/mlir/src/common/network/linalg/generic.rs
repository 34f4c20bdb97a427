//! `linalg.generic`: element-wise, or a reduction along axes.

use strum_float::{Binary, Op, Reduction, ValueId};
use strum_ir::{Operation, Reported, Value};

use super::body::{Body, Yield};
use super::map::{self, Axis};
use crate::common::network::elements::{Kind, integers};
use crate::common::network::{Condition, Reader, internal, shape};
use crate::common::verdict::UNSUPPORTED;

/// The loops of an indexing map, in order; constant indices have none.
fn loops(axes: &[Axis]) -> Vec<usize> {
    let of_axis = |axis: &Axis| match axis {
        Axis::Loop(l) => Some(*l),
        Axis::First => None,
    };
    axes.iter().filter_map(of_axis).collect()
}

/// A parsed `linalg.generic`.
struct Generic<'c> {
    op: Operation<'c>,
    /// For every operand, inputs first, the loops of its axes.
    maps: Vec<Vec<Axis>>,
    /// Whether a loop reduces.
    reduces: Vec<bool>,
    inputs: usize,
}

impl<'c> Generic<'c> {
    fn read(op: Operation<'c>) -> Result<Self, Reported> {
        let fail = |reason: &str| op.error(format!("{UNSUPPORTED}{reason}"));
        let maps = op.attribute("indexing_maps").and_then(|a| a.as_array()).unwrap_or_default();
        let parsed: Option<Vec<_>> = maps.iter().map(|m| map::parse(&m.to_string())).collect();
        let parsed = parsed.ok_or_else(|| {
            let text: Vec<String> = maps.iter().map(ToString::to_string).collect();
            fail(&format!(
                "only projected permutations are supported as indexing maps, got {}",
                text.join(", ")
            ))
        })?;
        let kinds = op.attribute("iterator_types").and_then(|a| a.as_array()).unwrap_or_default();
        let reduces: Vec<bool> = kinds.iter().map(|kind| kind.to_string().contains("reduction")).collect();
        if parsed.len() != op.num_operands() || parsed.iter().any(|(loops, _)| *loops != reduces.len()) {
            return Err(internal(op, "maps, loops and operands differ in number"));
        }
        let maps = parsed.into_iter().map(|(_, axes)| axes).collect();
        Ok(Generic { op, maps, reduces, inputs: op.num_operands().saturating_sub(op.num_results()) })
    }

    fn loops(&self) -> usize {
        self.reduces.len()
    }

    /// Iterations of every loop, from the shapes of the operands.
    fn extents(&self) -> Vec<usize> {
        let mut extents = vec![1; self.loops()];
        for (index, axes) in self.maps.iter().enumerate() {
            let shape = self.op.operand(index).and_then(|value| value.ty().shape()).unwrap_or_default();
            for (axis, extent) in axes.iter().zip(shape) {
                if let Axis::Loop(l) = axis
                    && let (Some(place), Ok(extent)) = (extents.get_mut(*l), usize::try_from(extent))
                {
                    *place = extent;
                }
            }
        }
        extents
    }
}

impl<'c> Reader<'c> {
    pub(super) fn generic(&mut self, op: Operation<'c>) -> Result<(), Reported> {
        let generic = Generic::read(op)?;
        if generic.reduces.contains(&true) {
            return self.reduction(&generic);
        }
        let Some(block) = op.body() else { return Err(internal(op, "no body")) };
        let mut body = Body::new(generic.extents());
        for (index, argument) in block.arguments().into_iter().enumerate().filter(|(_, a)| a.is_used()) {
            self.argument(&generic, &mut body, index, argument)?;
        }
        let results = self.body(&mut body, op, block)?;
        for (index, &result) in results.iter().enumerate() {
            let axes = generic.maps.get(generic.inputs + index).cloned().unwrap_or_default();
            match result {
                Some(Yield::Value(id)) => {
                    let id = self.mapped(op, id, &axes, generic.loops())?;
                    self.bind(op, index, id)?;
                }
                Some(Yield::Condition(Condition { relation, pair: [a, b], negated })) => {
                    let mut turned = |id| self.mapped(op, id, &axes, generic.loops());
                    let condition = Condition { relation, pair: [turned(a)?, turned(b)?], negated };
                    op.result(index).map(|value| self.conditions.insert(value, condition));
                }
                None if op.result(index).is_some_and(Value::is_used) => {
                    let ty = op.result(index).map(|value| value.ty().to_string()).unwrap_or_default();
                    return Err(op.error(format!(
                        "{UNSUPPORTED}result #{index} has type '{ty}', expected a tensor of f32: integers of a float network must \
                         be constant, or computed from constants, up to 2^24"
                    )));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// An operand as an argument of the body.
    fn argument(
        &mut self,
        generic: &Generic<'c>,
        body: &mut Body<'c>,
        index: usize,
        argument: Value<'c>,
    ) -> Result<(), Reported> {
        let (op, loops) = (generic.op, generic.loops());
        let Some(value) = op.operand(index) else { return Ok(()) };
        let axes = generic.maps.get(index).cloned().unwrap_or_default();
        if let Some(&Condition { relation, pair: [a, b], negated }) = self.conditions.get(&value) {
            let pair =
                [self.arranged(op, index, a, &axes, loops)?, self.arranged(op, index, b, &axes, loops)?];
            body.set_condition(argument, Condition { relation, pair, negated });
        } else if self.values.contains_key(&value) {
            let x = self.narrow(op, index)?;
            let id = self.arranged(op, index, x, &axes, loops)?;
            let is_float = Kind::of(argument.ty()).is_some_and(Kind::is_float);
            match self.graph.constant_of(id).filter(|_| !is_float) {
                Some(tensor) => body.set_integers(argument, integers(tensor)),
                None => body.set(argument, id),
            }
        } else if let Some(number) = self.scalar(value) {
            let id = self.number(op, number, loops)?;
            body.set(argument, id);
        }
        Ok(())
    }

    /// An operand with an axis for every loop, of extent 1 where it has none.
    fn arranged(
        &mut self,
        op: Operation<'c>,
        index: usize,
        x: ValueId,
        axes: &[Axis],
        loops: usize,
    ) -> Result<ValueId, Reported> {
        let extents = self.graph.shape(x).to_vec();
        if extents.len() != axes.len() {
            return Err(internal(op, format_args!("the map of operand #{index} has {} results", axes.len())));
        }
        // Axes at index 0 are dropped, the others permuted into loop order.
        let start = vec![0; axes.len()];
        let size =
            axes.iter().zip(&extents).map(|(axis, &n)| if *axis == Axis::First { 1 } else { n }).collect();
        let first = self.push(op, Op::Slice { start, size }, &[x])?;
        let order = map::in_loop_order(axes.len(), |axis| match axes.get(axis) {
            Some(Axis::Loop(l)) => Some(*l),
            _ => None,
        });
        let turned = self.turned(op, first, &order)?;
        let mut shape = vec![1; loops];
        for (axis, &extent) in axes.iter().zip(&extents) {
            if let Axis::Loop(l) = axis
                && let Some(place) = shape.get_mut(*l)
            {
                if *place != 1 {
                    return Err(op.error(format_args!(
                        "{UNSUPPORTED}reading the diagonal of a tensor is not supported"
                    )));
                }
                *place = extent;
            }
        }
        self.push(op, Op::Reshape { shape }, &[turned])
    }

    /// A value with an axis for every loop, in the layout of a result's map.
    fn mapped(
        &mut self,
        op: Operation<'c>,
        id: ValueId,
        axes: &[Axis],
        loops: usize,
    ) -> Result<ValueId, Reported> {
        let mut perms = Vec::with_capacity(axes.len());
        for axis in axes {
            match axis {
                Axis::Loop(l) => perms.push(*l),
                Axis::First => {
                    return Err(op.error(format_args!(
                        "{UNSUPPORTED}a constant in the indexing map of a result is not supported"
                    )));
                }
            }
        }
        if perms.len() != loops {
            return Err(op.error(format_args!(
                "{UNSUPPORTED}the indexing map of a result must use every parallel loop"
            )));
        }
        self.turned(op, id, &perms)
    }

    /// Sums, maxima and minima along axes.
    fn reduction(&mut self, generic: &Generic<'c>) -> Result<(), Reported> {
        let op = generic.op;
        let seen = |text: &str| op.error(format!("{UNSUPPORTED}{text}"));
        let Some(block) = op.body() else { return Err(internal(op, "no body")) };
        let arguments = block.arguments();
        let (Some(end), [x, acc, ..]) = (block.terminator(), arguments.as_slice()) else {
            return Err(seen("a reduction must have exactly one input"));
        };
        let (x, acc) = (*x, *acc);
        if generic.inputs != 1 {
            return Err(seen("a reduction must have exactly one input"));
        }
        // A second result, the index of the maximum, must be unused.
        if (1..op.num_results()).any(|i| op.result(i).is_some_and(Value::is_used)) {
            return Err(op.error(format!("{UNSUPPORTED}{}", crate::common::network::NO_INDICES)));
        }
        let combined = end.operand(0).and_then(Value::defining_op);
        let of_both = |c: &Operation<'c>| {
            let pair = (c.operand(0), c.operand(1));
            pair == (Some(x), Some(acc)) || pair == (Some(acc), Some(x))
        };
        let Some(combined) = combined.filter(of_both) else {
            return Err(seen("the body must combine the input with the accumulator"));
        };
        let (reduction, binary) = match combined.name() {
            "arith.addf" => (Reduction::Sum, Binary::Add),
            "arith.mulf" => (Reduction::Product, Binary::Mul),
            "arith.maximumf" | "arith.maxnumf" => (Reduction::Max, Binary::Maximum),
            "arith.minimumf" | "arith.minnumf" => (Reduction::Min, Binary::Minimum),
            name => return Err(seen(&format!("a reduction by '{name}' is not supported"))),
        };
        let axes = generic.maps.first().cloned().unwrap_or_default();
        let (read, written) = (loops(&axes), loops(generic.maps.get(1).map_or(&[], Vec::as_slice)));
        if (1..read.len()).any(|i| read[..i].contains(&read[i])) {
            return Err(seen("reading the diagonal of a tensor is not supported"));
        }
        let kept = read.iter().filter(|&&l| generic.reduces.get(l) == Some(&false));
        if kept.ne(&written) {
            return Err(seen("a reduction must keep the order of its parallel loops"));
        }
        let mut id = self.whole(op, 0)?;
        for (axis, place) in axes.iter().enumerate() {
            if matches!(place, Axis::Loop(l) if generic.reduces.get(*l) == Some(&true)) {
                id = self.push(op, Op::Reduce { reduction, axis }, &[id])?;
            }
        }
        let result = op.result(0).ok_or_else(|| internal(op, "no result"))?;
        let wanted = shape(result.ty()).map_err(|reason| op.error(reason))?;
        let id = self.push(op, Op::Reshape { shape: wanted }, &[id])?;
        let init = self.narrow(op, 1)?;
        let neutral = match reduction {
            Reduction::Sum => 0.0,
            Reduction::Product => 1.0,
            Reduction::Max => f32::NEG_INFINITY,
            Reduction::Min => f32::INFINITY,
        };
        let id = match self.graph.constant_of(init) {
            Some(t) if t.iter().all(|&v| v == neutral) => id,
            _ => self.push(op, Op::Binary(binary), &[id, init])?,
        };
        self.bind(op, 0, id)
    }
}
