//! Constants, shapes, and operators that move elements. Invariant: shapes are known while the file is read.

use crate::onnx::call::{Call, Target, one};
use crate::onnx::movement::listed;
use crate::onnx::node::{axes_of, axis_of};
use crate::onnx::tensor::{Data, Tensor, volume};
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Net, Value};
use crate::tosa::Elem;

/// `Identity` and `Dropout`, which changes nothing outside of training.
pub(in crate::onnx) fn identity(_net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    call.node.ignore(&["seed", "ratio"]);
    if call.node.kind() == "Dropout" && call.operands().number(2)?.is_some_and(|training| training != 0.0) {
        return unsupported("operand 2, training_mode, is supported as false");
    }
    one(call.value(0)?.clone())
}

/// `Constant`.
pub(in crate::onnx) fn constant(_net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    if let Some(tensor) = node.tensor("value") {
        return one(Tensor::read(tensor, call.folder)?);
    }
    if node.has("value_float") {
        return one(Tensor::floats(&[], vec![node.float("value_float", 0.0)?]));
    }
    if node.has("value_int") {
        return one(Tensor::ints(&[], vec![node.int("value_int", 0)?]));
    }
    if let Some(floats) = node.floats("value_floats") {
        return one(Tensor::floats(&[floats.len()], floats.to_vec()));
    }
    match node.ints("value_ints") {
        Some(ints) => one(Tensor::ints(&[ints.len()], ints.to_vec())),
        None => unsupported("a constant must be a tensor, or one or several numbers"),
    }
}

/// Extents from integers.
fn extents(list: &[i64]) -> Outcome<Vec<usize>> {
    match list.iter().map(|&d| usize::try_from(d).ok()).collect() {
        Some(extents) => Ok(extents),
        None => invalid(format!("the shape {list:?} is negative")),
    }
}

/// `ConstantOfShape`.
pub(in crate::onnx) fn filled(_net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let shape = extents(&call.operands().ints(0)?)?;
    let count = volume(&shape)?;
    let value = match call.node.tensor("value") {
        Some(tensor) => Tensor::read(tensor, call.folder)?,
        None => Tensor::floats(&[1], vec![0.0]),
    };
    let data = match &value.data {
        Data::Floats(floats) if floats.len() == 1 => {
            Data::Floats(floats.iter().cycle().take(count).copied().collect())
        }
        Data::Ints(ints) if ints.len() == 1 => Data::Ints(ints.iter().cycle().take(count).copied().collect()),
        _ => return invalid(format!("a value of one element expected, got {}", value.len())),
    };
    one(Tensor { shape, kind: value.kind, data })
}

/// `Shape` and `Size`.
pub(in crate::onnx) fn shape(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let shape = net.shape_of(call.value(0)?);
    let wide: Vec<i64> = shape.iter().map(|&d| i64::try_from(d).unwrap_or(i64::MAX)).collect();
    if call.node.kind() == "Size" {
        return one(Tensor::ints(&[], vec![wide.iter().fold(1, |n: i64, &d| n.saturating_mul(d))]));
    }
    let rank = i64::try_from(shape.len()).unwrap_or(i64::MAX);
    let place = |at: i64| usize::try_from(if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank));
    let (start, end) = (call.node.int("start", 0)?, call.node.int("end", rank)?);
    let (start, end) = (place(start).unwrap_or(0), place(end).unwrap_or(0));
    let part = wide.get(start..end.max(start)).unwrap_or_default();
    one(Tensor::ints(&[part.len()], part.to_vec()))
}

/// `Reshape`, `Flatten`, `Squeeze` and `Unsqueeze`.
pub(in crate::onnx) fn reshape(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let x = call.moved(net, 0)?.clone();
    let shape = net.shape_of(&x);
    let to = match call.node.kind() {
        "Reshape" => {
            let zero = call.node.flag("allowzero", false)?;
            asked(&shape, &call.operands().ints(1)?, zero)?
        }
        "Flatten" => {
            let axis = call.node.int("axis", 1)?;
            let axis = if axis == i64::try_from(shape.len()).unwrap_or(0) {
                shape.len()
            } else {
                axis_of(axis, shape.len())?
            };
            let (rows, columns) = shape.split_at(axis);
            vec![rows.iter().product(), columns.iter().product()]
        }
        "Squeeze" => squeezed(call, &shape)?,
        _ => {
            let axes = given_axes(call)?.unwrap_or_default();
            let axes = axes_of(&axes, shape.len() + axes.len())?;
            let mut rest = shape.iter();
            let rank = shape.len() + axes.len();
            (0..rank).filter_map(|a| if axes.contains(&a) { Some(1) } else { rest.next().copied() }).collect()
        }
    };
    one(net.reshape(&x, &to)?)
}

/// Axes as attribute or as second operand.
fn given_axes(call: &Call<'_>) -> Outcome<Option<Vec<i64>>> {
    match call.node.ints("axes") {
        Some(axes) => Ok(Some(axes.to_vec())),
        None => call.operands().optional_ints(1),
    }
}

/// The shape that a `Reshape` asks for: 0 keeps an extent, and -1 is what is left.
fn asked(shape: &[usize], wanted: &[i64], zero: bool) -> Outcome<Vec<usize>> {
    let wrong = || invalid(format!("{shape:?} reshaped to {wanted:?}"));
    let mut to = Vec::new();
    let mut open = None;
    for (axis, &d) in wanted.iter().enumerate() {
        match (d, shape.get(axis)) {
            (-1, _) if open.is_none() => {
                open = Some(axis);
                to.push(1);
            }
            (0, Some(&kept)) if !zero => to.push(kept),
            (d, _) => match usize::try_from(d) {
                Ok(d) if d > 0 || zero => to.push(d),
                _ => return wrong(),
            },
        }
    }
    if let Some(place) = open.and_then(|axis| to.get_mut(axis)) {
        let whole: usize = shape.iter().product();
        let mut known = wanted.iter().zip(shape.iter().map(Some).chain(std::iter::repeat(None)));
        let known = known.try_fold(1_usize, |n, (&d, kept)| match (d, kept) {
            (-1, _) => Some(n),
            (0, Some(&kept)) if !zero => n.checked_mul(kept),
            (d, _) => n.checked_mul(usize::try_from(d).ok()?),
        });
        match known {
            Some(known) if known > 0 && whole.is_multiple_of(known) => *place = whole / known,
            _ => return wrong(),
        }
    }
    Ok(to)
}

/// Without axes of extent 1.
fn squeezed(call: &Call<'_>, shape: &[usize]) -> Outcome<Vec<usize>> {
    let gone = match given_axes(call)? {
        Some(axes) => axes_of(&axes, shape.len())?,
        None => (0..shape.len()).filter(|&axis| shape.get(axis) == Some(&1)).collect(),
    };
    if gone.iter().any(|&axis| shape.get(axis) != Some(&1)) {
        return invalid(format!("axes {gone:?} of {shape:?} are not of extent 1"));
    }
    Ok(shape.iter().enumerate().filter(|(axis, _)| !gone.contains(axis)).map(|(_, &d)| d).collect())
}

/// `Transpose`.
pub(in crate::onnx) fn transpose(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let x = call.moved(net, 0)?;
    let rank = net.shape_of(x).len();
    let perms = call.node.extents("perm", 0)?.unwrap_or_else(|| (0..rank).rev().collect());
    one(net.transpose(x, &perms)?)
}

/// `Concat`.
pub(in crate::onnx) fn concat(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let parts: Vec<Value> = call.all()?.into_iter().cloned().collect();
    let rank = parts.first().map_or(0, |part| net.shape_of(part).len());
    let axis = axis_of(call.node.int("axis", 1)?, rank)?;
    let known: Option<Vec<&Tensor>> =
        parts.iter().map(|p| if let Value::Known(t) = p { Some(t.as_ref()) } else { None }).collect();
    match known {
        Some(known) => one(joined(&known, axis)?),
        // Parts without elements add nothing.
        None => {
            let full: Vec<Value> = parts.into_iter().filter(|p| !net.shape_of(p).contains(&0)).collect();
            one(net.concat(&full, axis)?)
        }
    }
}

/// Constants one behind the other.
fn joined(parts: &[&Tensor], axis: usize) -> Outcome<Tensor> {
    let Some(&first) = parts.first() else { return invalid("no operand") };
    let alike = |shape: &[usize]| {
        shape.len() == first.shape.len()
            && shape.iter().zip(&first.shape).enumerate().all(|(i, (a, b))| i == axis || a == b)
    };
    if parts.iter().any(|part| !alike(&part.shape) || part.kind != first.kind) {
        return invalid(format!("constants that do not fit behind {:?} along axis {axis}", first.shape));
    }
    let along = parts.iter().filter_map(|part| part.shape.get(axis)).sum();
    let mut shape = first.shape.clone();
    shape.get_mut(axis).into_iter().for_each(|d| *d = along);
    volume(&shape)?;
    let rows: usize = first.shape.iter().take(axis).product();
    fn rows_of<T: Copy>(lists: &[&[T]], rows: usize) -> Vec<T> {
        let chunk = |list: &[T], row: usize| {
            let width = list.len() / rows.max(1);
            list.get(row * width..(row + 1) * width).unwrap_or_default().to_vec()
        };
        (0..rows).flat_map(|row| lists.iter().flat_map(move |list| chunk(list, row))).collect()
    }
    let data = match &first.data {
        Data::Floats(_) => {
            let lists: Vec<&[f32]> = parts
                .iter()
                .map(|p| if let Data::Floats(f) = &p.data { f.as_slice() } else { &[] })
                .collect();
            Data::Floats(rows_of(&lists, rows))
        }
        Data::Ints(_) => {
            let lists: Vec<&[i64]> = parts.iter().map(|p| p.as_ints().unwrap_or_default()).collect();
            Data::Ints(rows_of(&lists, rows))
        }
    };
    Ok(Tensor { shape, kind: first.kind, data })
}

/// `Split`.
pub(in crate::onnx) fn split(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let x = call.moved(net, 0)?;
    let shape = net.shape_of(x);
    let axis = axis_of(node.int("axis", 0)?, shape.len())?;
    let extent = listed(shape.get(axis).copied().unwrap_or(0))?;
    let given = match node.ints("split") {
        Some(sizes) => Some(sizes.to_vec()),
        None => call.operands().optional_ints(1)?,
    };
    let count = node.of.output.len();
    let sizes = match given {
        Some(sizes) => extents(&sizes)?,
        None => {
            let asked = usize::try_from(node.int("num_outputs", i64::try_from(count).unwrap_or(1))?);
            if asked != Ok(count) || count == 0 {
                return invalid(format!("{count} results of a split into another number of parts"));
            }
            let size = extent.div_ceil(count);
            (0..count).map(|i| size.min(extent.saturating_sub(i * size))).collect()
        }
    };
    if sizes.len() != count || sizes.iter().try_fold(0_usize, |n, &d| n.checked_add(d)) != Some(extent) {
        return invalid(format!("{extent} positions split into {sizes:?}"));
    }
    let mut parts = Vec::new();
    let mut start = 0;
    for size in sizes {
        let positions: Vec<usize> = (start..start + size).collect();
        parts.push(net.pick(x, axis, &positions)?);
        start += size;
    }
    Ok(parts)
}

/// `Slice`.
pub(in crate::onnx) fn slice(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let (starts, ends, axes, steps) = if node.opset < 10 {
        let lists = (node.ints("starts"), node.ints("ends"));
        let (Some(starts), Some(ends)) = lists else { return invalid("starts and ends expected") };
        (starts.to_vec(), ends.to_vec(), node.ints("axes").map(<[i64]>::to_vec), None)
    } else {
        (
            call.operands().ints(1)?,
            call.operands().ints(2)?,
            call.operands().optional_ints(3)?,
            call.operands().optional_ints(4)?,
        )
    };
    let mut x = call.moved(net, 0)?.clone();
    let shape = net.shape_of(&x);
    let count = starts.len();
    let axes = axes.unwrap_or_else(|| (0..count).map(|i| i64::try_from(i).unwrap_or(i64::MAX)).collect());
    let steps = steps.unwrap_or_else(|| vec![1; count]);
    axes_of(&axes, shape.len())?;
    if [ends.len(), axes.len(), steps.len()] != [count; 3] {
        return invalid(format!(
            "{count} starts, {} ends, {} axes, {} steps",
            ends.len(),
            axes.len(),
            steps.len()
        ));
    }
    for (((start, end), axis), step) in starts.into_iter().zip(ends).zip(axes).zip(steps) {
        let axis = axis_of(axis, shape.len())?;
        let extent = listed(shape.get(axis).copied().unwrap_or(0))?;
        let positions = positions(start, end, step, extent)?;
        x = net.pick(&x, axis, &positions)?;
    }
    one(x)
}

/// The positions of a slice.
fn positions(start: i64, end: i64, step: i64, extent: usize) -> Outcome<Vec<usize>> {
    let wide = i64::try_from(extent).unwrap_or(i64::MAX);
    let from_end = |at: i64| if at < 0 { at.saturating_add(wide) } else { at };
    let (start, end) = (from_end(start), from_end(end));
    let mut positions = Vec::new();
    if step == 0 {
        return invalid("a slice of step 0");
    }
    let (mut at, end) = if step > 0 {
        (start.clamp(0, wide), end.clamp(0, wide))
    } else {
        (start.clamp(-1, wide - 1), end.clamp(-1, wide - 1))
    };
    while (step > 0 && at < end) || (step < 0 && at > end) {
        positions.extend(usize::try_from(at));
        at = at.saturating_add(step);
    }
    Ok(positions)
}

/// `Gather` with constant indices.
pub(in crate::onnx) fn gather(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let x = call.moved(net, 0)?;
    let shape = net.shape_of(x);
    let axis = axis_of(call.node.int("axis", 0)?, shape.len())?;
    let extent = shape.get(axis).copied().unwrap_or(0);
    let Some(indices) = call.operands().known(1)? else { return invalid("operand 1 is missing") };
    let list = indices.as_ints().unwrap_or_default();
    if list.len() != indices.len() {
        return invalid(format!("operand 1 must be integers, got {}", indices.kind.name()));
    }
    let positions = list.iter().map(|&at| axis_of(at, extent)).collect::<Outcome<Vec<_>>>()?;
    let picked = net.pick(x, axis, &positions)?;
    let (before, after) = (shape.get(..axis).unwrap_or_default(), shape.get(axis + 1..).unwrap_or_default());
    one(net.reshape(&picked, &[before, &indices.shape, after].concat())?)
}

/// `Pad`.
pub(in crate::onnx) fn pad(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let x = call.moved(net, 0)?.clone();
    let shape = net.shape_of(&x);
    let rank = shape.len();
    let old = node.opset < 11;
    let pads = if old { node.ints("pads").unwrap_or_default().to_vec() } else { call.operands().ints(1)? };
    let value = if old { node.float("value", 0.0)? } else { call.operands().number(2)?.unwrap_or(0.0) };
    let axes = match call.operands().optional_ints(3)? {
        Some(axes) => axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Outcome<Vec<_>>>()?,
        None => (0..rank).collect(),
    };
    let (Some(before), Some(after), true) =
        (pads.get(..axes.len()), pads.get(axes.len()..), pads.len() == 2 * axes.len())
    else {
        return invalid(format!("{} numbers of padding for {} axes", pads.len(), axes.len()));
    };
    let mode = node.text("mode")?.unwrap_or("constant");
    let (mut moved, mut around) = (x, vec![[0; 2]; rank]);
    for ((&axis, &before), &after) in axes.iter().zip(before).zip(after) {
        let extent = listed(shape.get(axis).copied().unwrap_or(0))?;
        let positions = match mode {
            "constant" => {
                let kept = |pad: i64| usize::try_from(pad.saturating_neg()).unwrap_or(0).min(extent);
                let more = |pad: i64| usize::try_from(pad).unwrap_or(0);
                around.get_mut(axis).into_iter().for_each(|pair| *pair = [more(before), more(after)]);
                (kept(before)..extent.saturating_sub(kept(after))).collect()
            }
            "reflect" | "edge" | "wrap" => outside(mode, extent, before, after)?,
            other => return invalid(format!("the mode '{other}' is not defined by ONNX")),
        };
        moved = net.pick(&moved, axis, &positions)?;
    }
    if mode != "constant" {
        return one(moved);
    }
    one(net.pad_with(&moved, &around, value, call.target)?)
}

/// Most positions of a mirrored or repeated image on one side.
const MAX_OUTSIDE: i64 = 65535;

/// Positions of an axis that is continued beyond its ends.
fn outside(mode: &str, extent: usize, before: i64, after: i64) -> Outcome<Vec<usize>> {
    let wide = i64::try_from(extent).unwrap_or(i64::MAX);
    if before > MAX_OUTSIDE || after > MAX_OUTSIDE {
        return unsupported(format!(
            "padding of {before} and {after} around {extent} positions; at most {MAX_OUTSIDE} are supported"
        ));
    }
    if wide < 1 {
        return invalid(format!("padding in the mode '{mode}' around an axis without positions"));
    }
    // No position is negative.
    let position = |at: i64| -> Option<usize> {
        let inside = match mode {
            "edge" => at.clamp(0, wide - 1),
            "wrap" => at.rem_euclid(wide),
            _ if wide == 1 => 0,
            _ => {
                let turn = at.rem_euclid(2 * (wide - 1));
                turn.min(2 * (wide - 1) - turn)
            }
        };
        usize::try_from(inside).ok()
    };
    Ok((before.saturating_neg()..wide.saturating_add(after)).filter_map(position).collect())
}

impl Net {
    /// Pads with a constant, quantized if the codes are dequantized.
    fn pad_with(
        &mut self,
        x: &Value,
        around: &[[usize; 2]],
        value: f32,
        target: Option<Target>,
    ) -> Outcome<Value> {
        if around.iter().all(|pair| *pair == [0, 0]) {
            return Ok(x.clone());
        }
        // Requantized first, so that the padding value is rounded only once, to the result's codes.
        let flow = self.flow(x)?;
        let flow = self.brought(flow, target)?;
        let value = match (self.elem(flow.id), flow.codes.filter(|_| flow.real)) {
            (Elem::F32, _) => self.build.floats(&[1], &[value])?,
            (elem, Some(codes)) => {
                let places = f64::from(value) / codes.scale;
                let code = places.round_ties_even() + f64::from(codes.zero_point);
                let exact =
                    (places - places.round_ties_even()).abs() <= 1e-4 && (-128.0..=127.0).contains(&code);
                if value.is_nan() || target.is_none() && !exact {
                    return unsupported(format!(
                        "the padding value {value} is not exactly representable by a code of scale {}",
                        codes.scale
                    ));
                }
                #[allow(clippy::cast_possible_truncation, reason = "clamped to 8 bits")]
                let code = code.clamp(-128.0, 127.0) as i32;
                self.build.scalar(elem, code)?
            }
            (elem, None) => {
                let code = if flow.unsigned { value - 128.0 } else { value };
                if !(-128.0..=127.0).contains(&code) || code.fract() != 0.0 {
                    return invalid(format!("the padding value {value} is not an 8-bit code"));
                }
                #[allow(clippy::cast_possible_truncation, reason = "whole, of 8 bits")]
                let code = code as i32;
                self.build.scalar(elem, code)?
            }
        };
        let mut memory = vec![[0; 2]; around.len()];
        for (axis, pair) in self.order(flow).into_iter().zip(around) {
            memory.get_mut(axis).into_iter().for_each(|place| *place = *pair);
        }
        Ok(flow.with(self.build.pad(flow.id, &memory, value)?, flow.last).into())
    }
}

/// `Expand`.
pub(in crate::onnx) fn expand(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let x = call.moved(net, 0)?.clone();
    let shape = net.shape_of(&x);
    let to = crate::onnx::movement::broadcast(&shape, &extents(&call.operands().ints(1)?)?)?;
    one(net.expand(&x, &to)?)
}

/// `Tile`.
pub(in crate::onnx) fn tile(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let repeats = extents(&call.operands().ints(1)?)?;
    let x = call.moved(net, 0)?.clone();
    one(net.tile(&x, &repeats)?)
}

/// `DepthToSpace` and `SpaceToDepth`.
pub(in crate::onnx) fn blocks(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let x = call.moved(net, 0)?.clone();
    let shape = net.shape_of(&x);
    let block = usize::try_from(node.int("blocksize", 0)?).unwrap_or(0);
    let (&[n, c, h, w], true) = (&shape[..], (1..=1024).contains(&block)) else {
        return invalid(format!("blocks of {block} of an image of shape {shape:?}"));
    };
    if node.kind() == "SpaceToDepth" {
        if h % block != 0 || w % block != 0 {
            return invalid(format!("blocks of {block} of an image of shape {shape:?}"));
        }
        let split = net.reshape(&x, &[n, c, h / block, block, w / block, block])?;
        let perms = match node.text("mode")?.unwrap_or("DCR") {
            "DCR" => [0, 3, 5, 1, 2, 4],
            "CRD" => [0, 1, 3, 5, 2, 4],
            other => return invalid(format!("the mode '{other}' is not defined by ONNX")),
        };
        let turned = net.transpose(&split, &perms)?;
        return one(net.reshape(&turned, &[n, c * block * block, h / block, w / block])?);
    }
    if c % (block * block) != 0 {
        return invalid(format!("blocks of {block} of an image of shape {shape:?}"));
    }
    let rest = c / (block * block);
    let (split, perms) = match node.text("mode")?.unwrap_or("DCR") {
        "DCR" => ([n, block, block, rest, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, rest, block, block, h, w], [0, 1, 4, 2, 5, 3]),
        other => return invalid(format!("the mode '{other}' is not defined by ONNX")),
    };
    let split = net.reshape(&x, &split)?;
    let turned = net.transpose(&split, &perms)?;
    one(net.reshape(&turned, &[n, rest, h * block, w * block])?)
}
