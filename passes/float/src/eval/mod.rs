//! Evaluation of the operators. Invariant: operands have been checked by [`Op::infer`], and are row-major.

mod conv;
mod pool;

use ndarray::{ArrayD, Axis, IxDyn, Slice};

pub(crate) use conv::gather;

use crate::op::{Binary, Op, Reduction, Relation, Unary};
use crate::{Invalid, Tensor};

/// The result, of the inferred shape.
pub(crate) fn apply(op: &Op, operands: &[&Tensor], shape: &[usize]) -> Result<Tensor, Invalid> {
    let result = match (op, operands) {
        (Op::Conv2d(window), [image, weights, bias]) => conv::conv2d(window, image, weights, bias, shape),
        (Op::DepthwiseConv2d(window), [image, weights, bias]) => {
            conv::depthwise(window, image, weights, bias, shape)
        }
        (Op::Matmul, [a, b]) => conv::matmul(a, b, shape),
        (Op::Pool(pool), [image]) => pool::pool(pool, image, shape),
        (Op::Unary(unary), [x]) => Some(x.mapv(|x| unary.of(x))),
        // NaN is kept, so it cannot go unnoticed.
        (Op::Clamp { min, max }, [x]) => Some(x.mapv(|x| {
            if x < *min {
                *min
            } else if x > *max {
                *max
            } else {
                x
            }
        })),
        (Op::Binary(binary), [a, b]) => pairs(*binary, a, b, shape),
        (Op::Select(relation), [a, b, c, d]) => select(*relation, [a, b, c, d], shape),
        (Op::Reduce { reduction, axis }, [x]) => Some(reduce(*reduction, *axis, x)),
        (Op::Concat { axis }, parts) => {
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            ndarray::concatenate(Axis(*axis), &views).ok()
        }
        (Op::Pad { around, value }, [x]) => Some(pad(around, *value, x, shape)),
        (Op::Reshape { .. }, [x]) => ArrayD::from_shape_vec(IxDyn(shape), x.iter().copied().collect()).ok(),
        (Op::Slice { start, .. }, [x]) => {
            let end = |axis: Axis| {
                (start.get(axis.0).copied().unwrap_or(0), shape.get(axis.0).copied().unwrap_or(0))
            };
            let part = x.slice_each_axis(|about| {
                let (start, size) = end(about.axis);
                Slice::from(start..start + size)
            });
            Some(part.as_standard_layout().into_owned())
        }
        (Op::Transpose { perms }, [x]) => {
            Some(x.view().permuted_axes(IxDyn(perms)).as_standard_layout().into_owned())
        }
        (Op::Tile { multiples }, [x]) => Some(tile(multiples, x)),
        _ => None,
    };
    // Shapes have been inferred from these operands, so there is a result of this shape.
    let result = result.filter(|tensor| tensor.shape() == shape).ok_or_else(|| {
        Invalid::new(op.name(), format!("no result of shape {shape:?}: a bug of the evaluator"))
    })?;
    // Some of the library's functions choose a memory order of their own.
    Ok(if result.is_standard_layout() { result } else { result.as_standard_layout().into_owned() })
}

impl Unary {
    /// The function's value.
    #[must_use]
    pub fn of(self, x: f32) -> f32 {
        match self {
            Unary::Abs => x.abs(),
            Unary::Ceil => x.ceil(),
            Unary::Erf => libm::erff(x),
            Unary::Exp => x.exp(),
            Unary::Floor => x.floor(),
            Unary::Log => x.ln(),
            Unary::Negate => -x,
            Unary::Reciprocal => x.recip(),
            Unary::Rsqrt => x.sqrt().recip(),
            Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Unary::Tanh => x.tanh(),
        }
    }
}

impl Binary {
    /// The function's value. NaN in, NaN out.
    #[must_use]
    pub fn of(self, a: f32, b: f32) -> f32 {
        match self {
            Binary::Add => a + b,
            Binary::Maximum => greater(a, b),
            Binary::Minimum => -greater(-a, -b),
            Binary::Mul => a * b,
            Binary::Pow => a.powf(b),
            Binary::Sub => a - b,
        }
    }
}

/// The maximum of two, NaN if one of them is.
fn greater(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) }
}

fn pairs(binary: Binary, a: &Tensor, b: &Tensor, shape: &[usize]) -> Option<Tensor> {
    let (a, b) = (a.broadcast(IxDyn(shape))?, b.broadcast(IxDyn(shape))?);
    let mut result = Tensor::zeros(IxDyn(shape));
    ndarray::Zip::from(&mut result).and(&a).and(&b).for_each(|r, &a, &b| *r = binary.of(a, b));
    Some(result)
}

impl Relation {
    /// Whether it holds.
    #[must_use]
    pub fn holds(self, a: f32, b: f32) -> bool {
        match self {
            Relation::Equal => a == b,
            Relation::Greater => a > b,
            Relation::GreaterEqual => a >= b,
        }
    }
}

fn select(relation: Relation, operands: [&Tensor; 4], shape: &[usize]) -> Option<Tensor> {
    let [a, b, c, d] = operands.map(|x| x.broadcast(IxDyn(shape)));
    let (a, b, c, d) = (a?, b?, c?, d?);
    let mut result = Tensor::zeros(IxDyn(shape));
    ndarray::Zip::from(&mut result)
        .and(&a)
        .and(&b)
        .and(&c)
        .and(&d)
        .for_each(|r, &a, &b, &c, &d| *r = if relation.holds(a, b) { c } else { d });
    Some(result)
}

fn reduce(reduction: Reduction, axis: usize, x: &Tensor) -> Tensor {
    let axis = Axis(axis);
    let reduced = match reduction {
        // In double precision: a mean over an image has tens of thousands of terms.
        #[allow(clippy::cast_possible_truncation, reason = "the result is a single-precision number")]
        Reduction::Sum => x.map_axis(axis, |lane| lane.iter().map(|&v| f64::from(v)).sum::<f64>() as f32),
        Reduction::Product => x.map_axis(axis, |lane| lane.product()),
        Reduction::Max => x.map_axis(axis, |lane| lane.iter().copied().fold(f32::NEG_INFINITY, greater)),
        Reduction::Min => x.map_axis(axis, |lane| -lane.iter().map(|v| -v).fold(f32::NEG_INFINITY, greater)),
    };
    reduced.insert_axis(axis)
}

fn pad(around: &[[usize; 2]], value: f32, x: &Tensor, shape: &[usize]) -> Tensor {
    let mut result = Tensor::from_elem(IxDyn(shape), value);
    let mut inner = result.slice_each_axis_mut(|about| {
        let before = around.get(about.axis.0).map_or(0, |&[before, _]| before);
        let size = x.shape().get(about.axis.0).copied().unwrap_or(0);
        Slice::from(before..before + size)
    });
    inner.assign(x);
    result
}

fn tile(multiples: &[usize], x: &Tensor) -> Tensor {
    multiples.iter().enumerate().fold(x.clone(), |x, (axis, &times)| {
        let views = vec![x.view(); times.max(1)];
        ndarray::concatenate(Axis(axis), &views).unwrap_or(x)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_does_not_hide() {
        assert!(Binary::Maximum.of(f32::NAN, 1.0).is_nan());
        assert!(Binary::Minimum.of(1.0, f32::NAN).is_nan());
        let x = Tensor::from_elem(IxDyn(&[2]), f32::NAN);
        assert!(apply(&Op::Clamp { min: 0.0, max: 1.0 }, &[&x], &[2]).unwrap()[[0]].is_nan());
    }
}
