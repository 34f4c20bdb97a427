//! Lowers float operators to integer operators, node by node.

use std::collections::BTreeMap;

use petgraph::unionfind::UnionFind;

use super::int::{IntElem, IntGraph, IntId, IntOp, Port, Source, Weights};
use super::params::{CODES, QParams, Scale};
use super::ranges::Range;
use super::regions::{Regions, Target, is_global, prelu};
use super::weights::{self, ChannelOf};
use super::{QuantizeError, WeightScales};
use crate::graph::{Graph, Node, ValueId};
use crate::op::{Binary, Op, Pool, PoolKind, Reduction, Window};

/// Bits that operands of a sum are shifted up by, so that rescaling them to one scale loses nothing.
pub(super) const SUM_BITS: i32 = 20;

/// The state of a lowering.
pub(super) struct Lowering<'g> {
    pub(super) graph: &'g Graph,
    regions: Regions,
    params: Vec<Option<QParams>>,
    scales: WeightScales,
    pub(super) out: IntGraph,
    codes: BTreeMap<ValueId, IntId>,
}

impl<'g> Lowering<'g> {
    pub(super) fn new(
        graph: &'g Graph,
        ranges: &[Range],
        scales: WeightScales,
    ) -> Result<Self, QuantizeError> {
        let regions = Regions::of(graph);
        let params = all_params(graph, ranges, &regions)?;
        Ok(Lowering { graph, regions, params, scales, out: IntGraph::default(), codes: BTreeMap::new() })
    }

    pub(super) fn run(mut self) -> Result<IntGraph, QuantizeError> {
        for &id in self.graph.inputs() {
            let int = self.out.add(self.graph.shape(id), IntElem::I8);
            let params =
                self.params_of(id).ok_or_else(|| QuantizeError::invalid(None, "an input has no range"))?;
            self.codes.insert(id, int);
            self.out.inputs.push(Port { id: int, params });
        }
        for node in self.graph.nodes() {
            if self.regions.root(node.result).is_none() && !self.regions.is_taken(node) {
                self.node(node)?;
            }
        }
        for &id in self.graph.outputs() {
            let tag = self.graph.producer(id).map_or(u32::MAX, |node| node.tag);
            let int = self.code(id, tag)?;
            let params = self.param(id, tag)?;
            self.out.outputs.push(Port { id: int, params });
        }
        self.out.coded = self.codes.keys().filter_map(|&id| Some((id, self.params_of(id)?))).collect();
        Ok(self.out)
    }

    fn params_of(&self, id: ValueId) -> Option<QParams> {
        self.params.get(id.index()).copied().flatten()
    }

    pub(super) fn param(&self, id: ValueId, tag: u32) -> Result<QParams, QuantizeError> {
        self.params_of(id)
            .ok_or_else(|| QuantizeError::invalid(Some(tag), "no finite range was observed for this value"))
    }

    /// The codes of a value, created if needed: a constant, or a table of the function that computes the value.
    pub(super) fn code(&mut self, id: ValueId, tag: u32) -> Result<IntId, QuantizeError> {
        if let Some(&known) = self.codes.get(&id) {
            return Ok(known);
        }
        let params = self.param(id, tag)?;
        let shape = self.graph.shape(id);
        let int = if let Some(tensor) = self.graph.constant_of(id) {
            let codes = tensor.iter().map(|&x| code_of(&params, f64::from(x))).collect();
            self.out.push(IntOp::Constant(codes), &[], (shape, IntElem::I8), tag)
        } else {
            let root = self
                .regions
                .root(id)
                .ok_or_else(|| QuantizeError::internal(Some(tag), "an operand comes after its use"))?;
            let (from, of) = (self.code(root, tag)?, self.param(root, tag)?);
            #[allow(clippy::cast_possible_truncation, reason = "the network computes in single precision")]
            let points: Vec<f32> = (CODES.0..=CODES.1).map(|code| of.value(code) as f32).collect();
            let values = self.regions.samples(self.graph, id, root, &points);
            let values =
                values.ok_or_else(|| QuantizeError::internal(Some(tag), "a function without values"))?;
            let table = values.iter().map(|&x| code_of(&params, f64::from(x))).collect();
            self.out.push(IntOp::Table(table), &[from], (shape, IntElem::I8), tag)
        };
        self.codes.insert(id, int);
        Ok(int)
    }

    fn node(&mut self, node: &'g Node) -> Result<(), QuantizeError> {
        let (tag, target) = (node.tag, self.regions.target(node.result));
        let shape = self.graph.shape(node.result);
        let int = match (&node.op, node.operands.as_slice()) {
            (Op::Conv2d(window), &[image, w, b]) => {
                self.conv(node, (image, w, b), window, weights::first_axis, IntOp::Conv2d, target)?
            }
            (Op::DepthwiseConv2d(window), &[image, w, b]) => {
                self.conv(node, (image, w, b), window, weights::last_axes, IntOp::DepthwiseConv2d, target)?
            }
            (Op::Matmul, &[a, b]) => {
                let (pa, pb) = (self.param(a, tag)?, self.param(b, tag)?);
                let terms = self.graph.shape(a).last().copied().unwrap_or(1);
                check_sum(terms, pa.reach() * pb.reach(), tag)?;
                let operands = [self.code(a, tag)?, self.code(b, tag)?];
                let op = IntOp::Matmul([pa.zero_point, pb.zero_point]);
                let sums = self.out.push(op, &operands, (shape, IntElem::I32), tag);
                self.finish(sums, &[pa.scale * pb.scale], target, tag)?
            }
            (Op::Binary(binary), &[a, b]) => self.binary(node, *binary, a, b, target)?,
            (Op::Select(relation), &[a, b, c, d]) => match prelu(self.graph, node) {
                Some((x, slopes)) => self.prelu(node, x, slopes)?,
                None => self.select(node, *relation, [a, b, c, d])?,
            },
            (Op::Pool(pool), &[x]) => self.pool(node, pool, x, target)?,
            (Op::Reduce { reduction: Reduction::Sum, axis }, &[x]) => {
                let terms = self.graph.shape(x).get(*axis).copied().unwrap_or(1);
                check_sum(terms, self.param(x, tag)?.reach(), tag)?;
                let wide = self.wide(x, 1.0, tag)?;
                let sums =
                    self.out.push(IntOp::ReduceSum { axis: *axis }, &[wide], (shape, IntElem::I32), tag);
                self.finish(sums, &[self.param(x, tag)?.scale], target, tag)?
            }
            (op, operands) => self.movement(node, op, operands)?,
        };
        self.codes.insert(target.id, int);
        Ok(())
    }

    /// Operators that keep codes.
    fn movement(&mut self, node: &Node, op: &Op, operands: &[ValueId]) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let new = match op {
            Op::Reduce { reduction: Reduction::Max, axis } => IntOp::ReduceMax { axis: *axis },
            Op::Reduce { reduction: Reduction::Min, axis } => IntOp::ReduceMin { axis: *axis },
            Op::Concat { axis } => IntOp::Concat { axis: *axis },
            Op::Pad { around, value } => {
                let value = code_of(&self.param(node.result, tag)?, f64::from(*value));
                IntOp::Pad { around: around.clone(), value }
            }
            Op::Reshape { .. } => IntOp::Reshape,
            Op::Slice { start, .. } => IntOp::Slice { start: start.clone() },
            Op::Transpose { perms } => IntOp::Transpose { perms: perms.clone() },
            Op::Tile { multiples } => IntOp::Tile { multiples: multiples.clone() },
            _ => {
                let what = format!("'{}' of more than one value cannot be quantized", op.name());
                return Err(QuantizeError::unsupported(tag, what));
            }
        };
        let operands = operands.iter().map(|&id| self.code(id, tag)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.out.push(new, &operands, (self.graph.shape(node.result), IntElem::I8), tag))
    }

    fn conv(
        &mut self,
        node: &Node,
        (image, w, b): (ValueId, ValueId, ValueId),
        window: &Window,
        channel_of: ChannelOf,
        make: fn(Window, Weights) -> IntOp,
        target: Target,
    ) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let (Some(weights), Some(bias)) = (self.graph.constant_of(w), self.graph.constant_of(b)) else {
            return Err(QuantizeError::unsupported(tag, "weights and bias must be constant"));
        };
        let (input, output) = (self.param(image, tag)?, self.param(target.id, tag)?);
        let shape = self.graph.shape(node.result);
        let channels = shape.last().copied().unwrap_or(1);
        let coded = weights::code(
            weights,
            bias,
            channels,
            channel_of,
            (input.scale, output.scale),
            self.scales,
            tag,
        )?;
        let codes = Weights {
            codes: coded.codes,
            shape: weights.shape().to_vec(),
            bias: coded.bias,
            zero_point: input.zero_point,
            source: Source { image, weights: w, sums: node.result, input, scales: coded.scales.clone() },
            inputs: None,
        };
        let image = self.code(image, tag)?;
        let sums = self.out.push(make(*window, codes), &[image], (shape, IntElem::I32), tag);
        let factors: Vec<f64> = coded.scales.iter().map(|scale| scale * input.scale).collect();
        self.finish(sums, &factors, target, tag)
    }

    fn binary(
        &mut self,
        node: &Node,
        binary: Binary,
        a: ValueId,
        b: ValueId,
        target: Target,
    ) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let (pa, pb) = (self.param(a, tag)?, self.param(b, tag)?);
        let shape = self.graph.shape(node.result);
        match binary {
            Binary::Add | Binary::Sub => {
                // Twice the larger step: the sum of two codes then has room for its sign.
                let step = 2.0 * pa.scale.max(pb.scale);
                let up = 2f64.powi(SUM_BITS);
                let wide =
                    [self.wide(a, pa.scale / step * up, tag)?, self.wide(b, pb.scale / step * up, tag)?];
                let op = if binary == Binary::Add { IntOp::Add } else { IntOp::Sub };
                let sums = self.out.push(op, &wide, (shape, IntElem::I32), tag);
                self.finish(sums, &[step / up], target, tag)
            }
            Binary::Mul => {
                let wide = [self.wide(a, 1.0, tag)?, self.wide(b, 1.0, tag)?];
                let products = self.out.push(IntOp::Mul, &wide, (shape, IntElem::I32), tag);
                self.finish(products, &[pa.scale * pb.scale], target, tag)
            }
            Binary::Maximum | Binary::Minimum => {
                let unit = self.param(target.id, tag)?.scale;
                let wide = [self.wide(a, pa.scale / unit, tag)?, self.wide(b, pb.scale / unit, tag)?];
                let op = if binary == Binary::Maximum { IntOp::Maximum } else { IntOp::Minimum };
                let chosen = self.out.push(op, &wide, (shape, IntElem::I32), tag);
                self.finish(chosen, &[unit], target, tag)
            }
            Binary::Pow => {
                Err(QuantizeError::unsupported(tag, "'pow' of more than one value cannot be quantized"))
            }
        }
    }

    fn pool(&mut self, node: &Node, pool: &Pool, x: ValueId, target: Target) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let (image, shape) = (self.graph.shape(x), self.graph.shape(node.result));
        if pool.kind == PoolKind::Average {
            check_sum(pool.kernel.iter().product(), self.param(x, tag)?.reach(), tag)?;
        }
        if let (true, &[n, h, w, c]) = (is_global(pool, image), image) {
            let wide = self.wide(x, 1.0, tag)?;
            let rows =
                self.out.push(IntOp::ReduceSum { axis: 1 }, &[wide], (&[n, 1, w, c], IntElem::I32), tag);
            let sums = self.out.push(IntOp::ReduceSum { axis: 2 }, &[rows], (shape, IntElem::I32), tag);
            #[allow(clippy::cast_precision_loss, reason = "an image has far fewer than 2^52 pixels")]
            let factor = self.param(x, tag)?.scale / (h * w) as f64;
            return self.finish(sums, &[factor], target, tag);
        }
        let zero_point = if pool.kind == PoolKind::Average { self.param(x, tag)?.zero_point } else { 0 };
        let codes = self.code(x, tag)?;
        Ok(self.out.push(IntOp::Pool { pool: *pool, zero_point }, &[codes], (shape, IntElem::I8), tag))
    }

    /// A value in 32 bits, minus its zero point, times a factor.
    pub(super) fn wide(&mut self, id: ValueId, factor: f64, tag: u32) -> Result<IntId, QuantizeError> {
        let (codes, params) = (self.code(id, tag)?, self.param(id, tag)?);
        let op = IntOp::Rescale {
            zero_point: params.zero_point,
            scales: vec![scale(factor, tag)?],
            output: IntElem::I32,
            output_zp: 0,
        };
        Ok(self.out.push(op, &[codes], (self.graph.shape(id), IntElem::I32), tag))
    }

    /// Sums with units `units` (one, or one for each channel) as the codes of a layer's result.
    pub(super) fn finish(
        &mut self,
        sums: IntId,
        units: &[f64],
        target: Target,
        tag: u32,
    ) -> Result<IntId, QuantizeError> {
        let params = self.param(target.id, tag)?;
        let scales =
            units.iter().map(|unit| scale(unit / params.scale, tag)).collect::<Result<Vec<_>, _>>()?;
        let shape = self.graph.shape(target.id);
        let op = IntOp::Rescale { zero_point: 0, scales, output: IntElem::I8, output_zp: params.zero_point };
        let codes = self.out.push(op, &[sums], (shape, IntElem::I8), tag);
        let Some((min, max)) = target.bounds else { return Ok(codes) };
        let (min, max) = (params.code(f64::from(min)), params.code(f64::from(max)));
        if (min, max) == CODES {
            return Ok(codes);
        }
        Ok(self.out.push(IntOp::Clamp { min, max }, &[codes], (shape, IntElem::I8), tag))
    }
}

/// Refuses sums of `terms` terms, each at most `greatest` in magnitude, that could overflow 32 bits.
fn check_sum(terms: usize, greatest: i64, tag: u32) -> Result<(), QuantizeError> {
    let most = i64::try_from(terms).unwrap_or(i64::MAX).saturating_mul(greatest);
    if most <= i64::from(i32::MAX) {
        return Ok(());
    }
    let what = format!("a sum of {terms} terms of magnitude {greatest} could overflow 32 bits");
    Err(QuantizeError::unsupported(tag, what))
}

fn code_of(params: &QParams, value: f64) -> i8 {
    i8::try_from(params.code(value)).unwrap_or(0)
}

pub(super) fn scale(factor: f64, tag: u32) -> Result<Scale, QuantizeError> {
    Scale::of(factor).ok_or_else(|| {
        QuantizeError::invalid(
            Some(tag),
            format!("rescale factor {factor:e} is out of range: use other calibration data"),
        )
    })
}

/// Scales and zero points of all values; values that are only moved share theirs.
fn all_params(
    graph: &Graph,
    ranges: &[Range],
    regions: &Regions,
) -> Result<Vec<Option<QParams>>, QuantizeError> {
    let mut ranges: Vec<Range> =
        (0..graph.value_count()).map(|i| ranges.get(i).copied().unwrap_or(Range::EMPTY)).collect();
    // Values in equivalence classes, each with one label.
    let mut classes = UnionFind::new(ranges.len());
    for node in graph.nodes() {
        for id in &node.operands {
            if let Some(tensor) = graph.constant_of(*id)
                && let Some(range) = ranges.get_mut(id.index())
            {
                *range = tensor.iter().fold(*range, |r, &x| r.union(Range { min: x, max: x }));
            }
        }
        if let Op::Pad { value, .. } = node.op
            && let Some(range) = ranges.get_mut(node.result.index())
        {
            *range = range.union(Range { min: value, max: value });
        }
        if shares(graph, node) {
            for id in &node.operands {
                // Both are values of the graph, so none is out of range.
                let _ = classes.try_union(id.index(), node.result.index());
            }
        }
    }
    let classes = classes.into_labeling();
    let mut unions = vec![Range::EMPTY; ranges.len()];
    for (&class, range) in classes.iter().zip(&ranges) {
        if let Some(union) = unions.get_mut(class) {
            *union = union.union(*range);
        }
    }
    let mut params = Vec::with_capacity(ranges.len());
    for (index, class) in classes.into_iter().enumerate() {
        let range = unions.get(class).copied().unwrap_or(Range::EMPTY);
        // A value without observations has no scale; an error is reported where one is needed.
        let seen = range.min <= range.max;
        let node = graph.nodes().iter().find(|node| node.result.index() == index);
        // Within a tabulated function, values have no codes: exp may overflow on the way to a sigmoid.
        let coded = node.is_none_or(|node| regions.root(node.result).is_none());
        if seen && !range.is_finite() && coded && !is_constant(graph, index) {
            let reason = "calibration data make this value infinite or not a number";
            return Err(QuantizeError::invalid(node.map(|node| node.tag), reason));
        }
        let range = widened(graph, &ranges, index, range);
        let made = QParams::asymmetric(f64::from(range.min), f64::from(range.max));
        params.push((seen && range.is_finite()).then_some(made));
    }
    Ok(params)
}

/// A range that is in proportion to its operands: sums are scaled in 32 bits, and must fit them even if values that calibration
/// has not seen, or earlier rounding, do not cancel as they should.
fn widened(graph: &Graph, ranges: &[Range], index: usize, range: Range) -> Range {
    /// Maximum ratio of the operands' range to the result's.
    const MOST: f32 = 65536.0;
    let made = |index: usize| graph.nodes().iter().find(|node| node.result.index() == index);
    let Some(node) = made(index) else { return range };
    let mut largest = reach(graph, ranges, node);
    if let (Op::Clamp { .. }, [before]) = (&node.op, node.operands.as_slice()) {
        largest = made(before.index()).map_or(largest, |layer| largest.max(reach(graph, ranges, layer)));
    }
    let least = largest / MOST;
    // A range without observations stays empty.
    if range.min > range.max || range.max - range.min >= least {
        range
    } else {
        Range { max: range.min + least, ..range }
    }
}

/// The maximum magnitude of an operator's result for operands in their ranges; 0 where that is not computed.
fn reach(graph: &Graph, ranges: &[Range], node: &Node) -> f32 {
    let of = |id: &ValueId| {
        let range = ranges.get(id.index()).filter(|range| range.is_finite());
        range.map_or(0.0, |range| range.min.abs().max(range.max.abs()))
    };
    #[allow(clippy::cast_precision_loss, reason = "a bound, of few digits")]
    let reach = match (&node.op, node.operands.as_slice()) {
        (Op::Clamp { .. }, [x]) => of(x),
        (Op::Pool(pool), [x]) if is_global(pool, graph.shape(*x)) => of(x),
        (Op::Reduce { reduction: Reduction::Sum, axis }, [x]) => {
            of(x) * graph.shape(*x).get(*axis).copied().unwrap_or(1) as f32
        }
        (Op::Binary(Binary::Mul), [a, b]) => of(a) * of(b),
        (Op::Binary(Binary::Add | Binary::Sub), [a, b]) => of(a) + of(b),
        (Op::Select(_), [_, _, yes, no]) => of(yes).max(of(no)),
        _ => 0.0,
    };
    if reach.is_finite() { reach } else { 0.0 }
}

fn is_constant(graph: &Graph, index: usize) -> bool {
    graph
        .nodes()
        .iter()
        .flat_map(|node| &node.operands)
        .any(|id| id.index() == index && graph.constant_of(*id).is_some())
}

/// Whether operands and result share one scale.
fn shares(graph: &Graph, node: &Node) -> bool {
    match &node.op {
        Op::Pool(pool) => !node.operands.first().is_some_and(|&x| is_global(pool, graph.shape(x))),
        Op::Reduce { reduction, .. } => matches!(reduction, Reduction::Max | Reduction::Min),
        Op::Concat { .. }
        | Op::Pad { .. }
        | Op::Reshape { .. }
        | Op::Slice { .. }
        | Op::Transpose { .. }
        | Op::Tile { .. } => true,
        Op::Conv2d(_)
        | Op::DepthwiseConv2d(_)
        | Op::Matmul
        | Op::Unary(_)
        | Op::Clamp { .. }
        | Op::Binary(_)
        | Op::Select(_) => false,
    }
}
