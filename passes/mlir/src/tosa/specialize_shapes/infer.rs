//! The shape of a result from those of the operands. Invariant: it is the one that TOSA gives, or there is none.

use strum_float::geometry::Axis;
use strum_ir::Operation;

use crate::common::tosa::view;

/// The shape of a result.
pub(super) struct Inferred {
    pub(super) shape: Vec<i64>,
    /// A list of extents that replaces an operand in which some were -1, and the operand's index.
    pub(super) list: Option<(usize, Vec<i64>)>,
}

/// Operators whose result has the shape of the first operand.
const SAME: &[&str] = &[
    "abs",
    "bitwise_not",
    "cast",
    "ceil",
    "clamp",
    "clz",
    "cos",
    "erf",
    "exp",
    "floor",
    "identity",
    "log",
    "logical_not",
    "negate",
    "reciprocal",
    "rescale",
    "reverse",
    "rsqrt",
    "sigmoid",
    "sin",
    "table",
    "tanh",
];

/// Operators whose result has the shape to which two operands broadcast.
const BROADCAST: &[&str] = &[
    "add",
    "arithmetic_right_shift",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "equal",
    "greater",
    "greater_equal",
    "intdiv",
    "logical_and",
    "logical_left_shift",
    "logical_or",
    "logical_right_shift",
    "logical_xor",
    "maximum",
    "minimum",
    "mul",
    "pow",
    "sub",
];

/// The shape of an op's result.
///
/// # Errors
/// Why it is not known.
pub(super) fn result(op: Operation<'_>) -> Result<Inferred, String> {
    let name = op.name();
    let Some(name) = name.strip_prefix("tosa.") else {
        return Err(format!(
            "'{name}' on dynamic extents: only TOSA is known; export the network with static shapes"
        ));
    };
    let plain = |shape: Option<Vec<i64>>| Ok(Inferred { shape: shape.ok_or_else(unknown)?, list: None });
    match name {
        "reshape" => reshaped(op),
        "slice" => sliced(op),
        _ if SAME.contains(&name) => plain(shape(op, 0)),
        _ if BROADCAST.contains(&name) => plain(broadcast(op, &[0, 1])),
        "select" => plain(broadcast(op, &[0, 1, 2])),
        _ if name.starts_with("reduce_") => plain(reduced(op)),
        _ => plain(on_image(op, name).or_else(|| moved(op, name))),
    }
}

fn unknown() -> String {
    "the result's extents do not follow from the operands".to_owned()
}

/// The static shape of an operand.
fn shape(op: Operation<'_>, index: usize) -> Option<Vec<i64>> {
    op.operand(index)?.ty().shape()
}

fn image(op: Operation<'_>, index: usize) -> Option<[i64; 4]> {
    shape(op, index)?.try_into().ok()
}

fn broadcast(op: Operation<'_>, operands: &[usize]) -> Option<Vec<i64>> {
    let shapes = operands.iter().map(|&index| shape(op, index)).collect::<Option<Vec<_>>>()?;
    let (first, rest) = shapes.split_first()?;
    rest.iter().try_fold(first.clone(), |all, next| {
        let pairs = all.iter().zip(next).map(|(&a, &b)| if a == 1 { b } else { a });
        (all.len() == next.len()).then(|| pairs.collect())
    })
}

fn reduced(op: Operation<'_>) -> Option<Vec<i64>> {
    let mut shape = shape(op, 0)?;
    *shape.get_mut(view::axis(op)?)? = 1;
    Some(shape)
}

/// Operators on images.
fn on_image(op: Operation<'_>, name: &str) -> Option<Vec<i64>> {
    match name {
        "conv2d" => {
            let ([n, ..], [oc, kh, kw, _]) = (image(op, 0)?, image(op, 1)?);
            let [oh, ow] = windows(op, [kh, kw])?;
            Some(vec![n, oh, ow, oc])
        }
        "depthwise_conv2d" => {
            let ([n, ..], [kh, kw, c, m]) = (image(op, 0)?, image(op, 1)?);
            let [oh, ow] = windows(op, [kh, kw])?;
            Some(vec![n, oh, ow, c.checked_mul(m)?])
        }
        "transpose_conv2d" => {
            let ([n, h, w, _], [oc, kh, kw, _]) = (image(op, 0)?, image(op, 1)?);
            let ([top, bottom, left, right], [sy, sx]) =
                (signed::<4>(op, "out_pad")?, signed::<2>(op, "stride")?);
            let extent = |d: i64, s: i64, k: i64, pad: i64| (d - 1).checked_mul(s)?.checked_add(pad + k);
            Some(vec![n, extent(h, sy, kh, top + bottom)?, extent(w, sx, kw, left + right)?, oc])
        }
        "avg_pool2d" | "max_pool2d" => {
            let ([n, _, _, c], kernel) = (image(op, 0)?, signed::<2>(op, "kernel")?);
            let [oh, ow] = windows(op, kernel)?;
            Some(vec![n, oh, ow, c])
        }
        "resize" => {
            let [n, h, w, c] = image(op, 0)?;
            let [yn, yd, xn, xd] = view::offsets(op, 1)?.try_into().ok()?;
            let ([oy, ox], [by, bx]): ([i64; 2], [i64; 2]) =
                (view::offsets(op, 2)?.try_into().ok()?, view::offsets(op, 3)?.try_into().ok()?);
            let extent = |d: i64, up: i64, down: i64, offset: i64, border: i64| {
                (d - 1)
                    .checked_mul(up)?
                    .checked_sub(offset)?
                    .checked_add(border)?
                    .checked_div(down)?
                    .checked_add(1)
            };
            Some(vec![n, extent(h, yn, yd, oy, by)?, extent(w, xn, xd, ox, bx)?, c])
        }
        _ => None,
    }
}

/// Products, and operators that move elements.
fn moved(op: Operation<'_>, name: &str) -> Option<Vec<i64>> {
    match name {
        "matmul" => match (&shape(op, 0)?[..], &shape(op, 1)?[..]) {
            (&[n, h, _], &[_, _, w]) => Some(vec![n, h, w]),
            _ => None,
        },
        "concat" => {
            let (axis, mut all) = (view::axis(op)?, shape(op, 0)?);
            for index in 1..op.num_operands() {
                let more = *shape(op, index)?.get(axis)?;
                let extent = all.get_mut(axis)?;
                *extent = extent.checked_add(more)?;
            }
            Some(all)
        }
        "pad" => {
            let around = view::padding(op)?;
            let grown = |(d, (before, after)): (i64, (u64, u64))| {
                d.checked_add(i64::try_from(before).ok()?)?.checked_add(i64::try_from(after).ok()?)
            };
            shape(op, 0)?.into_iter().zip(around).map(grown).collect()
        }
        "tile" => {
            let multiples = view::offsets(op, 1)?;
            shape(op, 0)?.into_iter().zip(multiples).map(|(d, m)| d.checked_mul(m)).collect()
        }
        "transpose" => {
            let from = shape(op, 0)?;
            view::perms(op)?.into_iter().map(|p| from.get(p).copied()).collect()
        }
        "argmax" => {
            let (axis, mut shape) = (view::axis(op)?, shape(op, 0)?);
            (axis < shape.len()).then(|| shape.remove(axis))?;
            Some(shape)
        }
        "gather" => match (&shape(op, 0)?[..], &shape(op, 1)?[..]) {
            (&[n, _, c], &[_, w]) => Some(vec![n, w, c]),
            _ => None,
        },
        _ => None,
    }
}

fn signed<const N: usize>(op: Operation<'_>, name: &str) -> Option<[i64; N]> {
    op.ints_attr(name)?.try_into().ok()
}

/// Rows and columns of windows on the image.
fn windows(op: Operation<'_>, kernel: [i64; 2]) -> Option<[i64; 2]> {
    let [_, h, w, _] = image(op, 0)?;
    let [top, bottom, left, right] = view::array::<4>(op, "pad")?;
    let stride = view::array::<2>(op, "stride")?;
    // Poolings have none.
    let dilation = view::array::<2>(op, "dilation").unwrap_or([1; 2]);
    let along = |input: i64, [before, after]: [u64; 2], kernel: i64, stride, dilation| {
        let (input, kernel) = (u64::try_from(input).ok()?, u64::try_from(kernel).ok()?);
        let (count, _) = Axis { input, before, after, kernel, stride, dilation }.windows()?;
        i64::try_from(count).ok()
    };
    let [kh, kw] = kernel;
    Some([
        along(h, [top, bottom], kh, stride[0], dilation[0])?,
        along(w, [left, right], kw, stride[1], dilation[1])?,
    ])
}

/// A reshape, in whose list one extent may be -1.
fn reshaped(op: Operation<'_>) -> Result<Inferred, String> {
    let (from, list) = (shape(op, 0).ok_or_else(unknown)?, view::offsets(op, 1).ok_or_else(unknown)?);
    let product = |list: &[i64]| list.iter().try_fold(1i64, |n, &d| n.checked_mul(d));
    let known: Vec<i64> = list.iter().copied().filter(|&d| d != -1).collect();
    let rest = product(&from)
        .zip(product(&known).filter(|&n| n > 0))
        .and_then(|(all, known)| (all % known == 0).then_some(all / known));
    let open = list.len() - known.len();
    match rest {
        Some(rest) if open == 1 || open == 0 && rest == 1 => {
            let shape: Vec<i64> = list.into_iter().map(|d| if d == -1 { rest } else { d }).collect();
            Ok(Inferred { shape: shape.clone(), list: (open == 1).then_some((1, shape)) })
        }
        _ => Err(format!("{from:?} does not become {list:?}: the network was exported for another shape")),
    }
}

/// A slice, whose sizes of -1 reach to the end.
fn sliced(op: Operation<'_>) -> Result<Inferred, String> {
    let from = shape(op, 0).ok_or_else(unknown)?;
    let (start, size) =
        (view::offsets(op, 1).ok_or_else(unknown)?, view::offsets(op, 2).ok_or_else(unknown)?);
    if start.len() != from.len() || size.len() != from.len() {
        return Err(unknown());
    }
    let shape: Vec<i64> =
        from.iter().zip(&start).zip(&size).map(|((&d, &s), &n)| if n == -1 { d - s } else { n }).collect();
    let open = size.contains(&-1);
    Ok(Inferred { shape: shape.clone(), list: open.then_some((2, shape)) })
}
