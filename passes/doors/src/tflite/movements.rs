//! Operators that move elements. Invariant: values and their codes stay as they are.

use strum_schemas::tflite::BuiltinOptionsRef as O;

use super::blocks::pairs;
use super::file::{Kind, Operator};
use super::importer::{Importer, Value, axis};
use super::operands;
use super::stop::{Step, Stop};
use crate::integer::{self, pick, strided};
use crate::tosa::{Builder, Elem, Id};

/// Moves the elements of a tensor; codes behind DEQUANTIZE stay codes.
fn moved<'a>(
    importer: &mut Importer<'a>,
    op: &Operator<'a>,
    operand: usize,
    movement: impl FnOnce(&mut Builder, Id) -> Step<Id>,
) -> Step<()> {
    let x = importer.operand(op, operand)?;
    if let Value::Real(id, codes) = importer.value(x)? {
        let made = movement(&mut importer.build, id)?;
        return importer.set(op, 0, Value::Real(made, codes));
    }
    let id = importer.node(x)?;
    let made = movement(&mut importer.build, id)?;
    importer.set_node(op, made)
}

/// `RESHAPE`, `SQUEEZE`, `EXPAND_DIMS`.
pub(super) fn reshape<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let to = new_shape(importer, op)?;
    moved(importer, op, 0, |build, x| Ok(build.reshape(x, &to)?))
}

/// The shape that RESHAPE, SQUEEZE or EXPAND_DIMS gives.
pub(super) fn new_shape(importer: &mut Importer<'_>, op: &Operator<'_>) -> Step<Vec<usize>> {
    operands(op, 1..=2)?;
    let x = op.inputs.first().copied().flatten().ok_or_else(|| Stop::damaged("operand 0 is missing"))?;
    let from = importer.shape(x)?;
    let parameter = op.inputs.get(1).copied().flatten();
    match (&*op.kind, op.options) {
        ("EXPAND_DIMS", _) => {
            let at = parameter.ok_or_else(|| Stop::damaged("an axis is missing"))?;
            let at = importer.ints(at, "an axis")?.first().copied().unwrap_or(0);
            let mut to = from;
            to.insert(axis(at, to.len() + 1)?, 1);
            Ok(to)
        }
        ("SQUEEZE", options) => {
            let listed: Vec<i64> = match options {
                Some(O::SqueezeOptions(o)) => {
                    o.squeeze_dims()?.into_iter().flatten().map(i64::from).collect()
                }
                _ => Vec::new(),
            };
            let listed = listed.iter().map(|&a| axis(a, from.len())).collect::<Step<Vec<usize>>>()?;
            let kept = |&(i, &d): &(usize, &usize)| d != 1 || !(listed.is_empty() || listed.contains(&i));
            Ok(from.iter().enumerate().filter(kept).map(|(_, &d)| d).collect())
        }
        (_, options) => {
            let asked: Vec<i64> = match (parameter, options) {
                (Some(shape), _) => importer.ints(shape, "a shape")?,
                (None, Some(O::ReshapeOptions(o))) => {
                    o.new_shape()?.into_iter().flatten().map(i64::from).collect()
                }
                (None, _) => return Err(Stop::damaged("a reshape has no shape")),
            };
            let told = importer.tensor(x)?.shape.first().copied();
            inferred(&from, &asked, told)
        }
    }
}

/// A shape that may have one extent to be inferred, or the file's batch in place of the one that is asked for.
fn inferred(from: &[usize], asked: &[i64], told: Option<i32>) -> Step<Vec<usize>> {
    let wrong = || Stop::invalid(format!("a shape of {asked:?} for elements of {from:?}"));
    if asked.len() > 8 {
        return Err(wrong());
    }
    let count = from.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).ok_or_else(wrong)?;
    let known = asked.iter().filter(|&&d| d != -1);
    let product =
        known.clone().try_fold(1_usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?)).ok_or_else(wrong)?;
    if product == 0 {
        return Err(wrong());
    }
    let mut to: Vec<usize> = asked.iter().map(|&d| usize::try_from(d).unwrap_or(count / product)).collect();
    let batch = from.first().copied().zip(told.and_then(|t| usize::try_from(t).ok()));
    if let (Some((batch, told)), true) = (batch, known.count() == asked.len() && product != count)
        && to.first() == Some(&told)
    {
        to.iter_mut().take(1).for_each(|d| *d = batch);
    }
    let made = to.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
    if made == Some(count) { Ok(to) } else { Err(wrong()) }
}

/// `TRANSPOSE`.
pub(super) fn transpose<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let perms = importer.operand(op, 1)?;
    let perms = importer.sizes(perms, "a permutation")?;
    moved(importer, op, 0, |build, x| Ok(build.transpose(x, &perms)?))
}

/// `CONCATENATION`.
pub(super) fn concatenation<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let Some(O::ConcatenationOptions(o)) = op.options else {
        return Err(Stop::damaged("a concatenation has no axis"));
    };
    let result = importer.result(op, 0)?;
    let mut parts = Vec::new();
    for index in 0..op.inputs.len() {
        let part = importer.operand(op, index)?;
        if importer.shape(part)?.contains(&0) {
            continue;
        }
        let id = importer.node(part)?;
        parts.push(if importer.is_quantized(result)? { recoded(importer, part, id, result)? } else { id });
    }
    let rank = parts.first().map_or(0, |&id| importer.build.graph().shape(id).len());
    let made = importer.build.concat(&parts, axis(o.axis()?.into(), rank)?)?;
    importer.finish(op, made, o.fused_activation_function()?)
}

/// Codes of an operand in the meaning of the result, as the kernel of unsigned codes computes them; for signed ones it demands the
/// same meaning.
fn recoded(importer: &mut Importer<'_>, part: usize, id: Id, result: usize) -> Step<Id> {
    let (from, to) = (importer.codes(part)?, importer.codes(result)?);
    if from == to {
        return Ok(id);
    }
    if importer.kind(result)? == Kind::I8 {
        return Err(Stop::unsupported(
            "signed codes of different scales are concatenated, which TFLite does not define",
        ));
    }
    let inverse = 1.0 / integer::single(to.scale);
    let scale = integer::single(from.scale) * inverse;
    #[allow(clippy::cast_precision_loss, reason = "zero points have 9 bits")]
    let bias = -((from.zero_point + 128) as f32) * scale;
    #[allow(clippy::cast_possible_truncation, reason = "saturates, and is clamped")]
    let code = |x: i32| {
        #[allow(clippy::cast_precision_loss, reason = "8 bits")]
        let real = (x + 128) as f32 * scale + bias;
        i64::from(real.round() as i32).saturating_add(to.zero_point.into()).clamp(-128, 127)
    };
    let table: Vec<i64> = (-128..128).map(code).collect();
    Ok(importer.build.table(id, &table)?)
}

/// `PACK`.
pub(super) fn pack<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let Some(O::PackOptions(o)) = op.options else { return Err(Stop::damaged("PACK has no axis")) };
    let mut parts = Vec::new();
    let mut at = 0;
    for index in 0..op.inputs.len() {
        let part = importer.operand(op, index)?;
        let id = importer.node(part)?;
        let mut shape = importer.build.graph().shape(id).to_vec();
        at = axis(o.axis()?.into(), shape.len() + 1)?;
        shape.insert(at, 1);
        parts.push(importer.build.reshape(id, &shape)?);
    }
    let made = importer.build.concat(&parts, at)?;
    importer.set_node(op, made)
}

/// `UNPACK`.
pub(super) fn unpack<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let Some(O::UnpackOptions(o)) = op.options else { return Err(Stop::damaged("UNPACK has no axis")) };
    let x = importer.operand(op, 0)?;
    let x = importer.node(x)?;
    let mut shape = importer.build.graph().shape(x).to_vec();
    let at = axis(o.axis()?.into(), shape.len())?;
    let extent = shape.remove(at);
    if extent != op.outputs.len() {
        return Err(Stop::invalid(format!("{} results of an extent of {extent}", op.outputs.len())));
    }
    for index in 0..extent {
        let part = strided(&mut importer.build, x, at, [index, 1, 1])?;
        let part = importer.build.reshape(part, &shape)?;
        importer.set(op, index, Value::Node(part))?;
    }
    Ok(())
}

/// `SPLIT`, `SPLIT_V`.
pub(super) fn split<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let equal = op.kind == "SPLIT";
    let [x, at] = if equal { [1, 0] } else { [0, 2] };
    let (x, at) = (importer.operand(op, x)?, importer.operand(op, at)?);
    let at = importer.ints(at, "an axis")?.first().copied().unwrap_or(0);
    let id = importer.node(x)?;
    let shape = importer.build.graph().shape(id);
    let at = axis(at, shape.len())?;
    let (extent, count) = (shape.get(at).copied().unwrap_or(1), op.outputs.len());
    let sizes: Vec<i64> = if equal {
        if count == 0 || !extent.is_multiple_of(count) {
            return Err(Stop::invalid(format!("{count} equal parts of {extent}")));
        }
        vec![i64::try_from(extent / count).unwrap_or(0); count]
    } else {
        let sizes = importer.operand(op, 1)?;
        importer.ints(sizes, "sizes")?
    };
    let mut start = 0_usize;
    for (index, size) in parts(&sizes, extent, count)?.into_iter().enumerate() {
        let part = strided(&mut importer.build, id, at, [start, 1, size])?;
        start = start.saturating_add(size);
        importer.set(op, index, Value::Node(part))?;
    }
    Ok(())
}

/// The sizes of parts, of which one may be -1 for the rest; together they are the whole.
fn parts(sizes: &[i64], extent: usize, count: usize) -> Step<Vec<usize>> {
    let wrong = || Stop::invalid(format!("{count} parts of {sizes:?} of {extent}"));
    let open = sizes.iter().filter(|&&d| d == -1).count();
    let known = sizes.iter().filter(|&&d| d != -1);
    let known = known
        .map(|&d| usize::try_from(d).ok())
        .try_fold(0_usize, |n, d| n.checked_add(d?))
        .ok_or_else(wrong)?;
    let rest = extent.checked_sub(known).ok_or_else(wrong)?;
    if sizes.len() != count || open > 1 || (open == 0 && rest != 0) {
        return Err(wrong());
    }
    Ok(sizes.iter().map(|&d| usize::try_from(d).unwrap_or(rest)).collect())
}

/// `SLICE`.
pub(super) fn slice<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 3..=3)?;
    let (x, start, size) = (importer.operand(op, 0)?, importer.operand(op, 1)?, importer.operand(op, 2)?);
    let start = importer.sizes(start, "the start of a slice")?;
    let size = importer.ints(size, "the size of a slice")?;
    let shape = importer.shape(x)?;
    if let Some(wrong) = size.iter().find(|&&d| d < -1) {
        return Err(Stop::invalid(format!("a slice of {wrong} elements")));
    }
    let rest = shape.iter().zip(&start).map(|(d, s)| d.saturating_sub(*s));
    let size: Vec<usize> = rest.zip(&size).map(|(rest, &d)| usize::try_from(d).unwrap_or(rest)).collect();
    moved(importer, op, 0, |build, x| Ok(build.slice(x, &start, &size)?))
}

/// Start, step and number of elements along each axis, and the axes that are left out.
pub(super) struct Strides {
    pub(super) axes: Vec<[i64; 3]>,
    pub(super) shrunk: Vec<bool>,
}

/// The parameters of `STRIDED_SLICE` for a shape.
pub(super) fn strides(importer: &mut Importer<'_>, op: &Operator<'_>, shape: &[usize]) -> Step<Strides> {
    let Some(O::StridedSliceOptions(o)) = op.options else {
        return Err(Stop::damaged("STRIDED_SLICE has no options"));
    };
    let mut lists = Vec::new();
    for index in 1..4 {
        let list =
            op.inputs.get(index).copied().flatten().ok_or_else(|| Stop::damaged("a slice has no bounds"))?;
        lists.push(importer.ints(list, "the bounds of a slice")?);
    }
    if o.ellipsis_mask()? != 0 || o.new_axis_mask()? != 0 {
        return Err(Stop::unsupported("STRIDED_SLICE with an ellipsis or new axes"));
    }
    let (begin_mask, end_mask, shrink_mask) = (o.begin_mask()?, o.end_mask()?, o.shrink_axis_mask()?);
    let offset = o.offset()?;
    let mut strides = Strides { axes: Vec::new(), shrunk: Vec::new() };
    for (axis, &extent) in shape.iter().enumerate() {
        let extent = i64::try_from(extent).unwrap_or(i64::MAX);
        let masked = |mask: i32| axis < 31 && mask >> axis & 1 == 1;
        let at = |list: usize| lists.get(list).and_then(|l| l.get(axis)).copied();
        let (Some(begin), Some(end), Some(step)) = (at(0), at(1), at(2)) else {
            strides.axes.push([0, 1, extent]);
            strides.shrunk.push(false);
            continue;
        };
        if step == 0 || i32::try_from(step).is_err() {
            return Err(Stop::invalid(format!("a slice with a step of {step}")));
        }
        let wrap = |i: i64| if i < 0 { i.saturating_add(extent) } else { i };
        let bounds = if step > 0 { (0, extent) } else { (-1, extent - 1) };
        let first = if masked(begin_mask) { if step > 0 { 0 } else { extent - 1 } } else { wrap(begin) };
        let first = first.clamp(bounds.0, bounds.1);
        let last = if masked(end_mask) {
            if step > 0 { extent } else { -1 }
        } else if offset {
            first.saturating_add(end)
        } else {
            wrap(end)
        };
        let span = last.clamp(bounds.0, bounds.1) - first;
        let count = if masked(shrink_mask) { 1 } else { ((span + step - step.signum()) / step).max(0) };
        strides.axes.push([first, step, count]);
        strides.shrunk.push(masked(shrink_mask));
    }
    Ok(strides)
}

/// `STRIDED_SLICE`.
pub(super) fn strided_slice<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 4..=4)?;
    let x = importer.operand(op, 0)?;
    let shape = importer.shape(x)?;
    let Strides { axes, shrunk } = strides(importer, op, &shape)?;
    moved(importer, op, 0, |build, x| {
        let mut x = x;
        for (axis, &[first, step, count]) in axes.iter().enumerate() {
            let sizes = [first, step.abs(), count].map(usize::try_from);
            let [Ok(first), Ok(distance), Ok(count)] = sizes else {
                return Err(Stop::invalid(format!("{count} elements from {first}")));
            };
            if step < 0 {
                let last = count.saturating_sub(1).saturating_mul(distance);
                let lowest =
                    first.checked_sub(last).ok_or_else(|| Stop::invalid("a slice beyond its tensor"))?;
                x = strided(build, x, axis, [lowest, distance, count])?;
                x = reversed(build, x, axis)?;
            } else {
                x = strided(build, x, axis, [first, distance, count])?;
            }
        }
        let kept: Vec<usize> =
            build.graph().shape(x).iter().zip(&shrunk).filter(|(_, s)| !**s).map(|(&d, _)| d).collect();
        Ok(build.reshape(x, &kept)?)
    })
}

fn reversed(build: &mut Builder, x: Id, axis: usize) -> Step<Id> {
    let extent = build.graph().shape(x).get(axis).copied().unwrap_or(1);
    Ok(match extent {
        1 => x,
        // Few elements are slices, which the DPU has.
        2..=64 => pick(build, x, axis, &(0..extent).rev().collect::<Vec<_>>())?,
        _ => build.reverse(x, axis)?,
    })
}

/// `REVERSE_V2`.
pub(super) fn reverse<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let axes = importer.operand(op, 1)?;
    let axes = importer.ints(axes, "an axis")?;
    moved(importer, op, 0, |build, x| {
        let rank = build.graph().shape(x).len();
        axes.iter().take(rank).try_fold(x, |x, &a| reversed(build, x, axis(a, rank)?))
    })
}

/// `GATHER`.
pub(super) fn gather<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let (at, batches) = match op.options {
        Some(O::GatherOptions(o)) => (o.axis()?, o.batch_dims()?),
        _ => (0, 0),
    };
    if batches != 0 {
        return Err(Stop::unsupported("GATHER with batch dimensions"));
    }
    let (x, list) = (importer.operand(op, 0)?, importer.operand(op, 1)?);
    let (shape, list_shape) = (importer.shape(x)?, importer.shape(list)?);
    let indices = importer.sizes(list, "the indices of GATHER")?;
    let at = axis(at.into(), shape.len())?;
    let (before, behind) = (shape.get(..at).unwrap_or_default(), shape.get(at + 1..).unwrap_or_default());
    let to = [before, &list_shape, behind].concat();
    moved(importer, op, 0, |build, x| {
        let picked = pick(build, x, at, &indices)?;
        Ok(build.reshape(picked, &to)?)
    })
}

/// `PAD`, `PADV2`.
pub(super) fn pad<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=3)?;
    let (x, pads) = (importer.operand(op, 0)?, importer.operand(op, 1)?);
    let around = pairs(&importer.sizes(pads, "padding")?);
    let id = importer.node(x)?;
    let value = match importer.optional(op, 2) {
        Some(value) => {
            let value = importer.node(value)?;
            importer.build.reshape(value, &[1])?
        }
        None => {
            let elem = importer.build.graph().value(id).map_or(Elem::F32, |value| value.elem);
            let zero = importer.zero_code(x)?;
            importer.build.scalar(elem, zero)?
        }
    };
    let made = importer.build.pad(id, &around, value)?;
    importer.set_node(op, made)
}

/// `MIRROR_PAD`.
pub(super) fn mirror_pad<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let edge = match op.options {
        Some(O::MirrorPadOptions(o)) if o.mode()? == 0 => 1,
        Some(O::MirrorPadOptions(_)) => 0,
        _ => return Err(Stop::damaged("MIRROR_PAD has no mode")),
    };
    let pads = importer.operand(op, 1)?;
    let around = pairs(&importer.sizes(pads, "padding")?);
    moved(importer, op, 0, |build, x| {
        let mut x = x;
        for (axis, &[before, behind]) in around.iter().enumerate() {
            let extent = build.graph().shape(x).get(axis).copied().unwrap_or(0);
            if before.max(behind).saturating_add(edge) > extent {
                return Err(Stop::invalid(format!("mirrored padding of {before} and {behind} of {extent}")));
            }
            let mut parts = Vec::new();
            let mirrors = [(before, edge), (behind, extent.saturating_sub(edge).saturating_sub(behind))];
            for (count, start) in mirrors.into_iter().filter(|(count, _)| *count > 0) {
                let run = strided(build, x, axis, [start, 1, count])?;
                parts.push(reversed(build, run, axis)?);
            }
            parts.insert(usize::from(before > 0), x);
            x = build.concat(&parts, axis)?;
        }
        Ok(x)
    })
}

/// Repeats whole tensors.
fn tiled(build: &mut Builder, x: Id, multiples: &[usize]) -> Step<Id> {
    let rank = build.graph().shape(x).len();
    if multiples.len() != rank || multiples.iter().any(|m| !(1..=4096).contains(m)) {
        return Err(Stop::unsupported(format!(
            "repetitions of {multiples:?} of {rank} dimensions; 1 to 4096 each"
        )));
    }
    let mut x = x;
    for (axis, &times) in multiples.iter().enumerate() {
        x = build.concat(&vec![x; times], axis)?;
    }
    Ok(x)
}

/// `TILE`.
pub(super) fn tile<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let multiples = importer.operand(op, 1)?;
    let multiples = importer.sizes(multiples, "repetitions")?;
    moved(importer, op, 0, |build, x| tiled(build, x, &multiples))
}

/// `BROADCAST_TO`.
pub(super) fn broadcast_to<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let to = importer.operand(op, 1)?;
    let to = importer.sizes(to, "a shape")?;
    moved(importer, op, 0, |build, x| {
        let shape = build.graph().shape(x).to_vec();
        let ones =
            to.len().checked_sub(shape.len()).ok_or_else(|| Stop::invalid(format!("{shape:?} as {to:?}")))?;
        let raised: Vec<usize> = vec![1; ones].into_iter().chain(shape).collect();
        let pairs = raised.iter().zip(&to);
        if !pairs.clone().all(|(d, t)| d == t || *d == 1) {
            return Err(Stop::invalid(format!("{raised:?} as {to:?}")));
        }
        let multiples: Vec<usize> = pairs.map(|(d, t)| if d == t { 1 } else { *t }).collect();
        let x = build.reshape(x, &raised)?;
        tiled(build, x, &multiples)
    })
}
