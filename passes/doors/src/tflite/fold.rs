//! Results that are known while a file is read: arithmetic of shapes. Invariant: only integers of few elements are computed, in
//! 64 bits.

use strum_schemas::tflite::BuiltinOptionsRef as O;

use super::arithmetic::activation;
use super::file::{Kind, Operator};
use super::importer::{Importer, Value, axis};
use super::known::Known;
use super::movements::{Strides, new_shape, strides};
use super::stop::{Step, Stop};

/// Maximum number of elements of a result.
const MAX_ELEMENTS: usize = 4096;

/// Whether an operator is computed here.
pub(super) fn is_foldable(kind: &str) -> bool {
    matches!(
        kind,
        "SHAPE" | "RANK" | "FLOOR_DIV" | "FLOOR_MOD" | "RANGE" | "FILL" | "REDUCE_PROD" | "ZEROS_LIKE"
    ) || has_other_reader(kind)
}

/// Operators that are computed here if their operands are known, and that have other readers.
fn has_other_reader(kind: &str) -> bool {
    matches!(
        kind,
        "ADD"
            | "SUB"
            | "MUL"
            | "DIV"
            | "MAXIMUM"
            | "MINIMUM"
            | "CAST"
            | "CONCATENATION"
            | "EXPAND_DIMS"
            | "GATHER"
            | "PACK"
            | "RESHAPE"
            | "SLICE"
            | "SQUEEZE"
            | "STRIDED_SLICE"
            | "SPLIT"
            | "UNPACK"
    )
}

fn is_integer(kind: Kind) -> bool {
    matches!(kind, Kind::I32 | Kind::I64 | Kind::Bool)
}

/// Computes the results of an operator; false if it is not one of these, or not known.
pub(super) fn fold<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<bool> {
    if op.custom || !is_foldable(&op.kind) || activation(op)? != 0 {
        return Ok(false);
    }
    let result = importer.result(op, 0)?;
    let kind = importer.kind(result)?;
    let made = match &*op.kind {
        "SHAPE" | "RANK" => {
            let x = importer.operand(op, 0)?;
            let shape: Vec<i64> =
                importer.shape(x)?.into_iter().map(|d| i64::try_from(d).unwrap_or(i64::MAX)).collect();
            let rank = i64::try_from(shape.len()).unwrap_or(0);
            Some(if op.kind == "RANK" { (Vec::new(), vec![rank]) } else { (vec![shape.len()], shape) })
        }
        _ if !is_integer(kind) => None,
        "FILL" => {
            let (shape, value) = (importer.operand(op, 0)?, importer.operand(op, 1)?);
            let shape = importer.sizes(shape, "a shape")?;
            let value = importer.ints(value, "a value")?.first().copied().unwrap_or(0);
            let count = shape.iter().fold(1_usize, |n, &d| n.saturating_mul(d));
            (count <= MAX_ELEMENTS).then(|| (shape, vec![value; count]))
        }
        _ => {
            let mut known = Vec::new();
            for index in 0..op.inputs.len().min(MAX_ELEMENTS) {
                let operand = importer.operand(op, index)?;
                match importer.known(operand)? {
                    Some(value) if is_integer(value.kind) && value.count() <= MAX_ELEMENTS => {
                        known.push(value)
                    }
                    _ => return Ok(false),
                }
            }
            return several(importer, op, &known);
        }
    };
    let Some(made) = made else { return Ok(false) };
    give(importer, op, 0, made)?;
    Ok(true)
}

/// Gives a result its elements.
fn give<'a>(importer: &mut Importer<'a>, op: &Operator<'a>, index: usize, made: Elements) -> Step<()> {
    let (shape, values) = made;
    let kind = importer.kind(importer.result(op, index)?)?;
    if kind == Kind::I32
        && let Some(wide) = values.iter().find(|&&v| i32::try_from(v).is_err())
    {
        return Err(Stop::unsupported(format!("{wide} as int32")));
    }
    importer.set(op, index, Value::Known(Known::ints(shape, kind, values)))
}

/// A shape and its elements.
type Elements = (Vec<usize>, Vec<i64>);

fn several<'a>(importer: &mut Importer<'a>, op: &Operator<'a>, known: &[Known<'a>]) -> Step<bool> {
    let elements =
        known.iter().map(|k| Ok((k.shape.clone(), k.to_ints()?))).collect::<Step<Vec<Elements>>>()?;
    let results = match (&*op.kind, &elements[..]) {
        ("EXPAND_DIMS" | "RESHAPE" | "SQUEEZE", [(_, x), ..]) => vec![(new_shape(importer, op)?, x.clone())],
        ("CAST", [(shape, x)]) => {
            let bool = importer.kind(importer.result(op, 0)?)? == Kind::Bool;
            let cast = |&v: &i64| if bool { i64::from(v != 0) } else { v };
            vec![(shape.clone(), x.iter().map(cast).collect())]
        }
        ("ZEROS_LIKE", [(shape, x)]) => vec![(shape.clone(), vec![0; x.len()])],
        ("GATHER", [x, (shape, indices)]) => {
            let (at, batches) = match op.options {
                Some(O::GatherOptions(o)) => (o.axis()?, o.batch_dims()?),
                _ => (0, 0),
            };
            if x.0.len() != 1 || at != 0 || batches != 0 {
                return Ok(false);
            }
            let picked = indices.iter().map(|&i| usize::try_from(i).ok().and_then(|i| x.1.get(i)).copied());
            let picked: Option<Vec<i64>> = picked.collect();
            vec![(shape.clone(), picked.ok_or_else(|| Stop::invalid("an index beyond its tensor"))?)]
        }
        ("PACK" | "CONCATENATION", parts) => match joined(op, parts)? {
            Some(made) => vec![made],
            None => return Ok(false),
        },
        ("UNPACK", [(shape, x)]) if shape.len() == 1 && x.len() == op.outputs.len() => {
            x.iter().map(|&value| (Vec::new(), vec![value])).collect()
        }
        ("SPLIT", [(_, at), (shape, x)])
            if is_whole(shape, at) && !x.is_empty() && x.len().is_multiple_of(op.outputs.len()) =>
        {
            x.chunks(x.len() / op.outputs.len()).map(|part| (vec![part.len()], part.to_vec())).collect()
        }
        ("SLICE", [(shape, x), (_, start), (_, size)]) if shape.len() == 1 => {
            let part = run(x, start, size).ok_or_else(|| Stop::invalid("a slice beyond its tensor"))?;
            vec![(vec![part.len()], part.to_vec())]
        }
        ("STRIDED_SLICE", [(shape, x), ..]) if shape.len() == 1 => {
            let Strides { axes, shrunk } = strides(importer, op, shape)?;
            let [first, step, count] = axes.first().copied().unwrap_or([0, 1, 0]);
            let at = |n: i64| usize::try_from(n.checked_mul(step)?.checked_add(first)?).ok();
            let part: Option<Vec<i64>> = (0..count.min(4096)).map(|n| x.get(at(n)?).copied()).collect();
            let part = part.ok_or_else(|| Stop::invalid("a slice beyond its tensor"))?;
            vec![(if shrunk.contains(&true) { Vec::new() } else { vec![part.len()] }, part)]
        }
        ("RANGE", [(_, from), (_, to), (_, step)]) => vec![range(from, to, step)?],
        ("REDUCE_PROD", [(shape, x), (_, axes)]) if is_whole(shape, axes) => {
            let product = x.iter().try_fold(1_i64, |n, &d| n.checked_mul(d));
            let product = product.ok_or_else(|| Stop::invalid("a product of extents beyond 64 bits"))?;
            let keep = matches!(op.options, Some(O::ReducerOptions(o)) if o.keep_dims()?);
            vec![(if keep { vec![1] } else { Vec::new() }, vec![product])]
        }
        (_, [a, b]) => match element_wise(&op.kind, a, b)? {
            Some(made) => vec![made],
            None => return Ok(false),
        },
        _ => return Ok(false),
    };
    for (index, made) in results.into_iter().enumerate() {
        give(importer, op, index, made)?;
    }
    Ok(true)
}

/// The elements from a start, as many as the size says, or all for -1.
fn run<'x>(x: &'x [i64], start: &[i64], size: &[i64]) -> Option<&'x [i64]> {
    let rest = x.get(usize::try_from(*start.first()?).ok()?..)?;
    match *size.first()? {
        -1 => Some(rest),
        size => rest.get(..usize::try_from(size).ok()?),
    }
}

/// Whether the shape has one axis, and it is the one that is given.
fn is_whole(shape: &[usize], axes: &[i64]) -> bool {
    shape.len() == 1 && !axes.is_empty() && axes.iter().all(|axis| matches!(axis, 0 | -1))
}

fn joined(op: &Operator<'_>, parts: &[Elements]) -> Step<Option<Elements>> {
    let at = match op.options {
        Some(O::PackOptions(o)) => o.axis()?,
        Some(O::ConcatenationOptions(o)) => o.axis()?,
        _ => 0,
    };
    let rank = parts.first().map_or(0, |(shape, _)| shape.len());
    let pack = op.kind == "PACK";
    if rank > 1 || (pack && rank != 0) || axis(at.into(), rank + usize::from(pack))? != 0 {
        return Ok(None);
    }
    let values: Vec<i64> = parts.iter().flat_map(|(_, values)| values.iter().copied()).collect();
    Ok((values.len() <= MAX_ELEMENTS).then(|| (vec![values.len()], values)))
}

fn range(from: &[i64], to: &[i64], step: &[i64]) -> Step<Elements> {
    let (&[from], &[to], &[step]) = (from, to, step) else {
        return Err(Stop::invalid("RANGE has three numbers"));
    };
    let mut values = Vec::new();
    let mut at = from;
    while step != 0 && (if step > 0 { at < to } else { at > to }) {
        if values.len() >= MAX_ELEMENTS {
            return Err(Stop::limit(format!("a range of more than {MAX_ELEMENTS} numbers")));
        }
        values.push(at);
        at = at.saturating_add(step);
    }
    Ok((vec![values.len()], values))
}

fn element_wise(name: &str, (a_shape, a): &Elements, (b_shape, b): &Elements) -> Step<Option<Elements>> {
    let compute: fn(i64, i64) -> Option<i64> = match name {
        "ADD" => i64::checked_add,
        "SUB" => i64::checked_sub,
        "MUL" => i64::checked_mul,
        "DIV" => i64::checked_div,
        "FLOOR_DIV" => |x, y| Some(x.checked_div(y)? - i64::from(x % y != 0 && (x < 0) != (y < 0))),
        "FLOOR_MOD" => |x, y| {
            let rest = x.checked_rem(y)?;
            Some(if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest })
        },
        "MAXIMUM" => |x, y| Some(x.max(y)),
        "MINIMUM" => |x, y| Some(x.min(y)),
        _ => return Ok(None),
    };
    let Some(shape) = broadcast(a_shape, b_shape) else { return Ok(None) };
    let count = shape.iter().fold(1_usize, |n, &d| n.saturating_mul(d));
    if count > MAX_ELEMENTS {
        return Ok(None);
    }
    let pick = |list: &[i64], of: &[usize], i: usize| list.get(place(&shape, of, i)).copied();
    let values: Option<Vec<i64>> =
        (0..count).map(|i| compute(pick(a, a_shape, i)?, pick(b, b_shape, i)?)).collect();
    let values = values.ok_or_else(|| Stop::invalid(format!("{name} of {a:?} and {b:?}")))?;
    Ok(Some((shape, values)))
}

/// The shape of the result of two operands, aligned at their last axes.
fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).and_then(|i| shape.get(i)).copied().unwrap_or(1)
    };
    let extents = (0..rank).map(|axis| match (extent(a, axis), extent(b, axis)) {
        (1, d) | (d, 1) => Some(d),
        (x, y) => (x == y).then_some(x),
    });
    extents.collect()
}

/// Where an element of a result is in an operand of a shape that is broadcast to the result's.
fn place(result: &[usize], of: &[usize], index: usize) -> usize {
    let (mut rest, mut place, mut step) = (index, 0, 1);
    for (&extent, own) in result.iter().rev().zip(of.iter().rev().map(Some).chain(std::iter::repeat(None))) {
        let at = rest % extent.max(1);
        rest /= extent.max(1);
        if let Some(&own) = own {
            place += if own == 1 { 0 } else { at * step };
            step *= own;
        }
    }
    place
}
