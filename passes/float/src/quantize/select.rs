//! Lowers selection by comparison, and PReLU, to arithmetic of integers.

use super::QuantizeError;
use super::int::{IntElem, IntId, IntOp};
use super::lower::{Lowering, SUM_BITS, scale};
use super::params::{CODES, QParams, Scale};
use super::regions::uniform;
use crate::Tensor;
use crate::graph::{Node, ValueId};
use crate::op::{Binary, Op, Relation};

impl Lowering<'_> {
    /// `x` where it is not negative, otherwise `x · slope`: exact up to the rounding of the result.
    pub(super) fn prelu(&mut self, node: &Node, x: ValueId, slopes: ValueId) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let internal = || QuantizeError::internal(Some(tag), "slopes that are not constant");
        let list = self.graph.constant_of(slopes).ok_or_else(internal)?;
        let Some(list) = per_channel(list, self.graph.shape(x)) else {
            return self.prelu_of_elements(node, x, slopes);
        };
        let all = |range: std::ops::RangeInclusive<f64>| list.iter().all(|slope| range.contains(slope));
        if all(0.0..=1.0) {
            self.prelu_bound(node, x, &list, IntOp::Maximum)
        } else if all(1.0..=f64::INFINITY) {
            self.prelu_bound(node, x, &list, IntOp::Minimum)
        } else {
            self.prelu_corrected(node, x, &list)
        }
    }

    /// The larger of `x` and `x · slope` for slopes up to 1, the smaller for slopes from 1: both rounded to the codes of the
    /// result, which keeps their order.
    fn prelu_bound(
        &mut self,
        node: &Node,
        x: ValueId,
        slopes: &[f64],
        op: IntOp,
    ) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let (from, to) = (self.param(x, tag)?, self.param(node.result, tag)?);
        let ratio = from.scale / to.scale;
        let shape = self.graph.shape(node.result);
        let positive = self.wide(x, ratio, tag)?;
        let codes = self.code(x, tag)?;
        let steep = IntOp::Rescale {
            zero_point: from.zero_point,
            scales: scales(slopes.iter().map(|slope| slope * ratio), tag)?,
            output: IntElem::I8,
            output_zp: to.zero_point,
        };
        let steep = self.out.push(steep, &[codes], (shape, IntElem::I8), tag);
        let only_shifted = IntOp::Rescale {
            zero_point: to.zero_point,
            scales: vec![scale(1.0, tag)?],
            output: IntElem::I32,
            output_zp: 0,
        };
        let steep = self.out.push(only_shifted, &[steep], (shape, IntElem::I32), tag);
        let chosen = self.out.push(op, &[positive, steep], (shape, IntElem::I32), tag);
        self.rounded(chosen, to.scale, node)
    }

    /// For other slopes `x - (1 - slope) · min(x, 0)`, whose factors have either sign.
    fn prelu_corrected(&mut self, node: &Node, x: ValueId, slopes: &[f64]) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let from = self.param(x, tag)?;
        let shape = self.graph.shape(node.result);
        let most = slopes.iter().fold(1.0, |most: f64, slope| most.max((1.0 - slope).abs()));
        let unit = from.scale * 2.0 * most / 2f64.powi(SUM_BITS);
        let codes = self.code(x, tag)?;
        let below = IntOp::Clamp { min: CODES.0, max: from.zero_point };
        let below = self.out.push(below, &[codes], (shape, IntElem::I8), tag);
        let mut sums = self.wide(x, from.scale / unit, tag)?;
        for (op, sign) in [(IntOp::Sub, 1.0), (IntOp::Add, -1.0)] {
            let factors: Vec<f64> = slopes.iter().map(|slope| (sign * (1.0 - slope)).max(0.0)).collect();
            if factors.iter().all(|&factor| factor == 0.0) {
                continue;
            }
            let part = IntOp::Rescale {
                zero_point: from.zero_point,
                scales: scales(factors.into_iter().map(|factor| factor * from.scale / unit), tag)?,
                output: IntElem::I32,
                output_zp: 0,
            };
            let part = self.out.push(part, &[below], (shape, IntElem::I32), tag);
            sums = self.out.push(op, &[sums, part], (shape, IntElem::I32), tag);
        }
        self.rounded(sums, unit, node)
    }

    /// Slopes that differ within a channel are codes like activations: `max(x, 0) + min(x, 0) · slope`.
    fn prelu_of_elements(
        &mut self,
        node: &Node,
        x: ValueId,
        slopes: ValueId,
    ) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let (from, by) = (self.param(x, tag)?, self.param(slopes, tag)?);
        let shape = self.graph.shape(node.result);
        let product = from.scale * by.scale;
        #[allow(clippy::cast_precision_loss, reason = "a code")]
        let most = from.scale.max(product * by.reach() as f64);
        let unit = most / 2f64.powi(SUM_BITS);
        let codes = self.code(x, tag)?;
        let part = |lowering: &mut Self, (min, max): (i32, i32), factor: f64| {
            let part = lowering.out.push(IntOp::Clamp { min, max }, &[codes], (shape, IntElem::I8), tag);
            let wide = IntOp::Rescale {
                zero_point: from.zero_point,
                scales: vec![scale(factor, tag)?],
                output: IntElem::I32,
                output_zp: 0,
            };
            Ok::<_, QuantizeError>(lowering.out.push(wide, &[part], (shape, IntElem::I32), tag))
        };
        let above = part(self, (from.zero_point, CODES.1), from.scale / unit)?;
        let below = part(self, (CODES.0, from.zero_point), 1.0)?;
        let slopes = self.wide(slopes, 1.0, tag)?;
        let below = self.out.push(IntOp::Mul, &[below, slopes], (shape, IntElem::I32), tag);
        let to_unit = IntOp::Rescale {
            zero_point: 0,
            scales: vec![scale(product / unit, tag)?],
            output: IntElem::I32,
            output_zp: 0,
        };
        let below = self.out.push(to_unit, &[below], (shape, IntElem::I32), tag);
        let sums = self.out.push(IntOp::Add, &[above, below], (shape, IntElem::I32), tag);
        self.rounded(sums, unit, node)
    }

    /// `no + mask · (yes - no)`, with the mask 1 where the relation holds and 0 elsewhere.
    pub(super) fn select(
        &mut self,
        node: &Node,
        relation: Relation,
        [a, b, yes, no]: [ValueId; 4],
    ) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let mask = self.mask(node, relation, a, b)?;
        let (py, pn) = (self.param(yes, tag)?, self.param(no, tag)?);
        let unit = 2.0 * py.scale.max(pn.scale) / 2f64.powi(SUM_BITS);
        let (yes_wide, no_wide) =
            (self.wide(yes, py.scale / unit, tag)?, self.wide(no, pn.scale / unit, tag)?);
        let shape = self.common(yes, no, tag)?;
        let result = self.graph.shape(node.result);
        let difference = self.out.push(IntOp::Sub, &[yes_wide, no_wide], (&shape, IntElem::I32), tag);
        let chosen = self.out.push(IntOp::Mul, &[difference, mask], (result, IntElem::I32), tag);
        let sums = self.out.push(IntOp::Add, &[chosen, no_wide], (result, IntElem::I32), tag);
        self.rounded(sums, unit, node)
    }

    /// 1 where a relation holds, otherwise 0, in 32 bits. A comparison with one number is exact for the value of a code.
    fn mask(
        &mut self,
        node: &Node,
        relation: Relation,
        a: ValueId,
        b: ValueId,
    ) -> Result<IntId, QuantizeError> {
        let tag = node.tag;
        let whole = self.graph.shape(node.result);
        let number = |id: ValueId, of: ValueId| {
            let own = self.graph.constant_of(of).is_none() && self.graph.shape(of) == whole;
            uniform(self.graph, id).filter(|_| own)
        };
        let (codes, shape, holds): (_, Vec<usize>, Vec<bool>) = if let Some(limit) = number(b, a) {
            let of = self.param(a, tag)?;
            let holds = values(&of).map(|x| relation.holds(x, limit)).collect();
            (self.code(a, tag)?, whole.to_vec(), holds)
        } else if let Some(limit) = number(a, b) {
            let of = self.param(b, tag)?;
            let holds = values(&of).map(|x| relation.holds(limit, x)).collect();
            (self.code(b, tag)?, whole.to_vec(), holds)
        } else {
            let (pa, pb) = (self.param(a, tag)?, self.param(b, tag)?);
            let unit = 2.0 * pa.scale.max(pb.scale) / 2f64.powi(SUM_BITS);
            let operands = [self.wide(a, pa.scale / unit, tag)?, self.wide(b, pb.scale / unit, tag)?];
            let shape = self.common(a, b, tag)?;
            let difference = self.out.push(IntOp::Sub, &operands, (&shape, IntElem::I32), tag);
            // Saturation keeps the sign, and 0.
            let sign = IntOp::Rescale {
                zero_point: 0,
                scales: vec![scale(1.0, tag)?],
                output: IntElem::I8,
                output_zp: 0,
            };
            let sign = self.out.push(sign, &[difference], (&shape, IntElem::I8), tag);
            let holds = (CODES.0..=CODES.1).map(|code| {
                #[allow(clippy::cast_precision_loss, reason = "a code")]
                let difference = code as f32;
                relation.holds(difference, 0.0)
            });
            (sign, shape, holds.collect())
        };
        let table = IntOp::Table(holds.into_iter().map(i8::from).collect());
        let mask = self.out.push(table, &[codes], (&shape, IntElem::I8), tag);
        let wide = IntOp::Rescale {
            zero_point: 0,
            scales: vec![scale(1.0, tag)?],
            output: IntElem::I32,
            output_zp: 0,
        };
        Ok(self.out.push(wide, &[mask], (&shape, IntElem::I32), tag))
    }

    /// The shape of a function of two values.
    fn common(&self, a: ValueId, b: ValueId, tag: u32) -> Result<Vec<usize>, QuantizeError> {
        let shape = Op::Binary(Binary::Sub).infer(&[self.graph.shape(a), self.graph.shape(b)]);
        shape.map_err(|error| QuantizeError::internal(Some(tag), error))
    }

    /// 32-bit values of one unit as the codes of a node's result.
    fn rounded(&mut self, sums: IntId, unit: f64, node: &Node) -> Result<IntId, QuantizeError> {
        let target = super::regions::Target { id: node.result, bounds: None };
        self.finish(sums, &[unit], target, node.tag)
    }
}

/// The values of all codes, in order.
fn values(of: &QParams) -> impl Iterator<Item = f32> {
    #[allow(clippy::cast_possible_truncation, reason = "the network computes in single precision")]
    let value = |code: i32| of.value(code) as f32;
    (CODES.0..=CODES.1).map(value)
}

/// A constant as a number for each channel of a value, if it depends on nothing else.
fn per_channel(constant: &Tensor, of: &[usize]) -> Option<Vec<f64>> {
    let channels = *of.last()?;
    let fits = constant.shape().last() == Some(&constant.len()) && constant.len() == channels;
    fits.then(|| constant.iter().map(|&x| f64::from(x)).collect())
}

/// Factors, of which some may be 0.
fn scales(factors: impl Iterator<Item = f64>, tag: u32) -> Result<Vec<Scale>, QuantizeError> {
    // RESCALE requires values below 2^(shift - 1).
    const NOTHING: Scale = Scale { multiplier: 0, shift: 62 };
    factors.map(|factor| if factor == 0.0 { Ok(NOTHING) } else { scale(factor, tag) }).collect()
}
