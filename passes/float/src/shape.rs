//! Shape inference. Invariant: the volume of an inferred shape fits the address space, and the operator can be computed on
//! operands of the given shapes without further checks.

use crate::Invalid;
use crate::op::{Op, Pool, Window};

/// Maximum number of elements of a tensor; larger networks are a mistake.
const MAX_ELEMENTS: usize = 1 << 33;

/// The number of elements of a shape, if it is sensible.
pub(crate) fn volume(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= MAX_ELEMENTS)
}

/// Checks that a shape has elements, and not too many.
pub(crate) fn check(op: &'static str, shape: &[usize]) -> Result<(), Invalid> {
    match volume(shape) {
        Some(0) => Err(Invalid::new(op, format!("the shape {shape:?} has no elements"))),
        Some(_) => Ok(()),
        None => Err(Invalid::new(op, format!("the shape {shape:?} has more than {MAX_ELEMENTS} elements"))),
    }
}

impl Op {
    /// The shape of the result for operands of these shapes.
    ///
    /// # Errors
    /// When the operator does not accept them.
    pub fn infer(&self, operands: &[&[usize]]) -> Result<Vec<usize>, Invalid> {
        let name = self.name();
        let fail = |reason: String| Invalid::new(name, reason);
        let wrong_count = |n: usize| {
            fail(format!("{n} operand{} expected, got {}", if n == 1 { "" } else { "s" }, operands.len()))
        };
        let shape = match (self, operands) {
            (Op::Conv2d(window), [image, weights, bias]) => {
                conv(window, image, weights, bias).map_err(fail)?
            }
            (Op::DepthwiseConv2d(window), [image, weights, bias]) => {
                depthwise(window, image, weights, bias).map_err(fail)?
            }
            (Op::Matmul, [a, b]) => matmul(a, b).map_err(fail)?,
            (Op::Pool(pool), [image]) => self::pool(pool, image).map_err(fail)?,
            (Op::Unary(_), [x]) => x.to_vec(),
            (Op::Clamp { min, max }, [x]) => {
                if min.is_nan() || max.is_nan() || min > max {
                    return Err(fail(format!("{min} to {max} is not a range")));
                }
                x.to_vec()
            }
            (Op::Binary(_), [a, b]) => broadcast(a, b).map_err(fail)?,
            (Op::Select(_), [a, b, c, d]) => {
                let relation = broadcast(a, b).and_then(|shape| broadcast(&shape, c));
                relation.and_then(|shape| broadcast(&shape, d)).map_err(fail)?
            }
            (Op::Reduce { axis, .. }, [x]) => {
                let mut shape = x.to_vec();
                *shape.get_mut(*axis).ok_or_else(|| fail(no_axis(*axis, x)))? = 1;
                shape
            }
            (Op::Concat { axis }, [first, rest @ ..]) => concat(*axis, first, rest).map_err(fail)?,
            (Op::Pad { around, .. }, [x]) => pad(around, x).map_err(fail)?,
            (Op::Reshape { shape }, [x]) => {
                if volume(shape) != volume(x) {
                    return Err(fail(format!("{x:?} and {shape:?} differ in their number of elements")));
                }
                shape.clone()
            }
            (Op::Slice { start, size }, [x]) => slice(start, size, x).map_err(fail)?,
            (Op::Transpose { perms }, [x]) => transpose(perms, x).map_err(fail)?,
            (Op::Tile { multiples }, [x]) => tile(multiples, x).map_err(fail)?,
            (Op::Conv2d(_) | Op::DepthwiseConv2d(_), _) => return Err(wrong_count(3)),
            (Op::Select(_), _) => return Err(wrong_count(4)),
            (Op::Matmul | Op::Binary(_), _) => return Err(wrong_count(2)),
            (Op::Concat { .. }, _) => return Err(fail("no operand".into())),
            (
                Op::Pool(_)
                | Op::Unary(_)
                | Op::Clamp { .. }
                | Op::Reduce { .. }
                | Op::Pad { .. }
                | Op::Reshape { .. }
                | Op::Slice { .. }
                | Op::Transpose { .. }
                | Op::Tile { .. },
                _,
            ) => return Err(wrong_count(1)),
        };
        check(name, &shape)?;
        Ok(shape)
    }
}

fn no_axis(axis: usize, shape: &[usize]) -> String {
    format!("{shape:?} has no axis {axis}")
}

fn same_rank(rank: usize, shape: &[usize]) -> Result<(), String> {
    if rank == shape.len() {
        Ok(())
    } else {
        Err(format!("{rank} axes given, {shape:?} has {}", shape.len()))
    }
}

fn pad(around: &[[usize; 2]], x: &[usize]) -> Result<Vec<usize>, String> {
    same_rank(around.len(), x)?;
    let extents =
        x.iter().zip(around).map(|(&d, &[before, after])| d.checked_add(before)?.checked_add(after));
    extents.collect::<Option<_>>().ok_or_else(|| "the result is too large".into())
}

fn tile(multiples: &[usize], x: &[usize]) -> Result<Vec<usize>, String> {
    same_rank(multiples.len(), x)?;
    let extents = x.iter().zip(multiples).map(|(d, m)| d.checked_mul(*m));
    extents.collect::<Option<_>>().ok_or_else(|| "the result is too large".into())
}

/// Positions of a kernel of `taps` taps along an axis; TOSA requires the last one to end with the padding.
fn positions(window: &Window, axis: usize, size: usize, taps: usize) -> Result<usize, String> {
    let pick = |pair: &[usize; 2]| pair.get(axis).copied().unwrap_or(0);
    let (stride, dilation) = (pick(&window.stride), pick(&window.dilation));
    if stride == 0 || dilation == 0 || taps == 0 {
        return Err("strides, dilations and kernels are at least 1".into());
    }
    let reach = (taps - 1).checked_mul(dilation).and_then(|n| n.checked_add(1));
    let padded = size.checked_add(pick(&window.before)).and_then(|n| n.checked_add(pick(&window.after)));
    match (padded, reach) {
        (Some(padded), Some(reach)) if padded >= reach => Ok((padded - reach) / stride + 1),
        _ => Err(format!("a kernel of {taps} taps does not fit an image of {size}")),
    }
}

fn image_of(image: &[usize]) -> Result<&[usize; 4], String> {
    image.try_into().map_err(|_| format!("an image has 4 axes, got {image:?}"))
}

fn check_bias(bias: &[usize], channels: usize) -> Result<(), String> {
    match bias {
        [n] if *n == channels || *n == 1 => Ok(()),
        _ => Err(format!("a bias of shape {bias:?} for {channels} channels")),
    }
}

fn conv(window: &Window, image: &[usize], weights: &[usize], bias: &[usize]) -> Result<Vec<usize>, String> {
    let &[n, h, w, c] = image_of(image)?;
    let &[oc, kh, kw, ic] =
        <&[usize; 4]>::try_from(weights).map_err(|_| format!("weights have 4 axes, got {weights:?}"))?;
    if ic != c {
        return Err(format!("weights for {ic} channels, the image has {c}"));
    }
    check_bias(bias, oc)?;
    Ok(vec![n, positions(window, 0, h, kh)?, positions(window, 1, w, kw)?, oc])
}

fn depthwise(
    window: &Window,
    image: &[usize],
    weights: &[usize],
    bias: &[usize],
) -> Result<Vec<usize>, String> {
    let &[n, h, w, c] = image_of(image)?;
    let &[kh, kw, ic, m] =
        <&[usize; 4]>::try_from(weights).map_err(|_| format!("weights have 4 axes, got {weights:?}"))?;
    if ic != c {
        return Err(format!("weights for {ic} channels, the image has {c}"));
    }
    let oc = c.checked_mul(m).ok_or("too many channels")?;
    check_bias(bias, oc)?;
    Ok(vec![n, positions(window, 0, h, kh)?, positions(window, 1, w, kw)?, oc])
}

fn matmul(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    match (a, b) {
        (&[n, h, k], &[m, l, w]) if n == m && k == l => Ok(vec![n, h, w]),
        _ => Err(format!("{a:?} and {b:?} cannot be multiplied")),
    }
}

fn pool(pool: &Pool, image: &[usize]) -> Result<Vec<usize>, String> {
    let &[n, h, w, c] = image_of(image)?;
    let [kh, kw] = pool.kernel;
    let Window { before, after, dilation, .. } = pool.window;
    if dilation != [1, 1] {
        return Err("pooling has no dilation".into());
    }
    // A kernel entirely in padding has no taps.
    if before[0] >= kh || after[0] >= kh || before[1] >= kw || after[1] >= kw {
        return Err(format!(
            "padding of {before:?} and {after:?} is not smaller than the kernel of {:?}",
            pool.kernel
        ));
    }
    Ok(vec![n, positions(&pool.window, 0, h, kh)?, positions(&pool.window, 1, w, kw)?, c])
}

/// The common shape of two operands of one rank.
fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    same_rank(a.len(), b)?;
    let extents = a.iter().zip(b).map(|(&a, &b)| match (a, b) {
        (1, n) | (n, 1) => Some(n),
        (a, b) => (a == b).then_some(a),
    });
    extents.collect::<Option<_>>().ok_or_else(|| format!("{a:?} and {b:?} cannot be broadcast"))
}

fn concat(axis: usize, first: &[usize], rest: &[&[usize]]) -> Result<Vec<usize>, String> {
    let mut shape = first.to_vec();
    for next in rest {
        same_rank(first.len(), next)?;
        for (i, (sum, &extent)) in shape.iter_mut().zip(*next).enumerate() {
            if i == axis {
                *sum = sum.checked_add(extent).ok_or("the result is too large")?;
            } else if *sum != extent {
                return Err(format!("{first:?} and {next:?} differ in an axis other than {axis}"));
            }
        }
    }
    if axis < shape.len() { Ok(shape) } else { Err(no_axis(axis, first)) }
}

fn slice(start: &[usize], size: &[usize], x: &[usize]) -> Result<Vec<usize>, String> {
    same_rank(start.len(), x)?;
    same_rank(size.len(), x)?;
    let inside =
        start.iter().zip(size).zip(x).all(|((s, n), &d)| s.checked_add(*n).is_some_and(|end| end <= d));
    if inside { Ok(size.to_vec()) } else { Err(format!("{size:?} from {start:?} on is outside of {x:?}")) }
}

fn transpose(perms: &[usize], x: &[usize]) -> Result<Vec<usize>, String> {
    same_rank(perms.len(), x)?;
    let mut seen = vec![false; x.len()];
    perms
        .iter()
        .map(|&axis| (!std::mem::replace(seen.get_mut(axis)?, true)).then(|| x.get(axis).copied())?)
        .collect::<Option<_>>()
        .ok_or_else(|| format!("{perms:?} is not a permutation of the axes of {x:?}"))
}
