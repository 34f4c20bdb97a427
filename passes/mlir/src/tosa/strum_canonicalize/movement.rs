//! Data movement: removes no-ops, and merges two ops into one.

use strum_ir::{Error, Operation, Value};

use super::Cx;
use crate::common::rewrite::fused;
use crate::common::tosa::{perm, view};

/// The op that defines an operand, if it is of the given name.
fn producer<'c>(op: Operation<'c>, operand: usize, name: &str) -> Option<Operation<'c>> {
    op.operand(operand)?.defined_by(name)
}

/// Ops that return one of their operands.
pub(super) fn drop_identity<'c>(_: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    Ok(identity(op))
}

fn identity<'c>(op: Operation<'c>) -> Option<Value<'c>> {
    if op.is("tosa.select") {
        return selected(op);
    }
    let (input, result) = (op.operand(0)?, op.result(0)?);
    let same = input.ty() == result.ty() && view::tensor(result.ty()).is_some();
    let drops = match op.name() {
        "tosa.identity" | "tosa.reshape" | "tosa.cast" => same,
        "tosa.slice" => same && view::extents(op, 1)?.iter().all(|&start| start == 0),
        "tosa.pad" => same && view::padding(op)?.iter().all(|&pad| pad == (0, 0)),
        "tosa.concat" => same && op.num_operands() == 1,
        "tosa.transpose" => same && perm::is_identity(&view::perms(op)?),
        _ => false,
    };
    drops.then_some(input)
}

/// The side that a selection takes everywhere, because its condition is known or both are one.
pub(crate) fn selected<'c>(op: Operation<'c>) -> Option<Value<'c>> {
    let (a, b, result) = (op.operand(1)?, op.operand(2)?, op.result(0)?);
    let holds = view::literal(op.operand(0)?).and_then(|condition| condition.uniform());
    let value = match holds {
        Some(holds) => [b, a][usize::from(holds != 0)],
        None => (a == b).then_some(a)?,
    };
    (value.ty() == result.ty() && view::tensor(result.ty()).is_some()).then_some(value)
}

/// A reshape of a reshape reads the first one's input.
pub(super) fn merge_reshapes<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let (Some(shape), Some(inner)) = (op.result(0).and_then(view::shape), producer(op, 0, "tosa.reshape"))
    else {
        return Ok(None);
    };
    let Some(source) = inner.operand(0).filter(|_| op.is("tosa.reshape")) else { return Ok(None) };
    if view::tensor(source.ty()).is_none() {
        return Ok(None);
    }
    locate(cx, &[inner, op]);
    cx.build.reshape(source, &shape).map(Some)
}

/// A transpose of a transpose is one transpose.
pub(super) fn merge_transposes<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let Some((inner, source, perms)) = composed_transposes(op) else { return Ok(None) };
    locate(cx, &[inner, op]);
    cx.build.transpose(source, &perms).map(Some)
}

fn composed_transposes<'c>(op: Operation<'c>) -> Option<(Operation<'c>, Value<'c>, Vec<usize>)> {
    if !op.is("tosa.transpose") {
        return None;
    }
    let inner = producer(op, 0, "tosa.transpose")?;
    let perms = perm::compose(&view::perms(inner)?, &view::perms(op)?)?;
    let source = inner.operand(0)?;
    view::tensor(source.ty())?;
    Some((inner, source, perms))
}

/// A transpose that leaves the order of the elements alone is a reshape.
pub(super) fn transpose_to_reshape<'c>(
    cx: &mut Cx<'c>,
    op: Operation<'c>,
) -> Result<Option<Value<'c>>, Error> {
    let moves_nothing = |op: Operation<'c>| {
        let input = op.operand(0)?;
        perm::moves_nothing(&view::shape(input)?, &view::perms(op)?).then_some(input)
    };
    let target = op.result(0).and_then(view::shape);
    match (op.is("tosa.transpose").then(|| moves_nothing(op)).flatten(), target) {
        (Some(input), Some(shape)) => cx.build.reshape(input, &shape).map(Some),
        _ => Ok(None),
    }
}

/// Start and size of a slice.
type Window = (Vec<u64>, Vec<u64>);

fn window(op: Operation<'_>) -> Option<Window> {
    let (start, size) = (view::extents(op, 1)?, view::extents(op, 2)?);
    let shape = view::shape(op.operand(0)?)?;
    let inside = start.len() == shape.len()
        && size.len() == shape.len()
        && (start.iter().zip(&size).zip(&shape))
            .all(|((&a, &n), &d)| a.checked_add(n).is_some_and(|e| e <= d));
    inside.then_some((start, size))
}

/// A slice of a slice is one slice.
pub(super) fn merge_slices<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let Some((inner, source, (start, size))) = composed_slices(op) else { return Ok(None) };
    locate(cx, &[inner, op]);
    cx.build.slice(source, &start, &size).map(Some)
}

fn composed_slices<'c>(op: Operation<'c>) -> Option<(Operation<'c>, Value<'c>, Window)> {
    if !op.is("tosa.slice") {
        return None;
    }
    let inner = producer(op, 0, "tosa.slice")?;
    let ((first, _), (second, size)) = (window(inner)?, window(op)?);
    let start = first.iter().zip(&second).map(|(&a, &b)| a.checked_add(b)).collect::<Option<_>>()?;
    Some((inner, inner.operand(0)?, (start, size)))
}

/// A slice that lies in one part of a concatenation is a slice of that part.
pub(super) fn slice_of_concat<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let Some((concat, part, (start, size))) = part_of_concat(op) else { return Ok(None) };
    if view::shape(part).as_ref() == Some(&size) {
        return Ok(Some(part));
    }
    locate(cx, &[concat, op]);
    cx.build.slice(part, &start, &size).map(Some)
}

fn part_of_concat<'c>(op: Operation<'c>) -> Option<(Operation<'c>, Value<'c>, Window)> {
    if !op.is("tosa.slice") {
        return None;
    }
    let concat = producer(op, 0, "tosa.concat")?;
    let axis = view::axis(concat)?;
    let (mut start, size) = window(op)?;
    for part in concat.operands() {
        let extent = *view::shape(part)?.get(axis)?;
        let offset = start.get_mut(axis)?;
        if *offset < extent {
            let inside = offset.checked_add(*size.get(axis)?)? <= extent;
            return inside.then_some((concat, part, (start, size)));
        }
        *offset -= extent;
    }
    None
}

/// A concatenation inside another one along the same axis, without other uses.
pub(super) fn merge_concats<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let inner = |value: Value<'c>| {
        let def = value.defined_by("tosa.concat")?;
        (view::axis(def) == view::axis(op) && value.single_use().is_some()).then_some(def)
    };
    let (operands, Some(result)) = (op.operands(), op.result(0)) else { return Ok(None) };
    if !op.is("tosa.concat") || !operands.iter().any(|&v| inner(v).is_some()) {
        return Ok(None);
    }
    let parts = operands.iter().map(|&v| inner(v));
    let ops: Vec<Operation<'c>> = parts.clone().flatten().chain([op]).collect();
    let flat: Vec<Value<'c>> = (operands.iter().zip(parts))
        .flat_map(|(&value, def)| def.map_or_else(|| vec![value], |def| def.operands()))
        .collect();
    locate(cx, &ops);
    let concat = cx.build.op("tosa.concat").operands(&flat).attributes_of(op).result(result.ty());
    cx.build.insert(concat).map(Some)
}

/// Padding around padding with the same value.
pub(super) fn merge_pads<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let Some((inner, padding)) = composed_pads(op) else { return Ok(None) };
    let (Some(source), Some(value), Some(result)) = (inner.operand(0), op.operand(2), op.result(0)) else {
        return Ok(None);
    };
    locate(cx, &[inner, op]);
    let padding = cx.build.shape(&padding)?;
    let pad = cx.build.op("tosa.pad").operands(&[source, padding, value]).result(result.ty());
    cx.build.insert(pad).map(Some)
}

fn composed_pads<'c>(op: Operation<'c>) -> Option<(Operation<'c>, Vec<u64>)> {
    if !op.is("tosa.pad") {
        return None;
    }
    let inner = producer(op, 0, "tosa.pad")?;
    (view::scalar_operand(inner, 2)? == view::scalar_operand(op, 2)?).then_some(())?;
    view::tensor(op.result(0)?.ty())?;
    let (first, second) = (view::padding(inner)?, view::padding(op)?);
    let sums = first.iter().zip(&second).map(|(a, b)| Some([a.0.checked_add(b.0)?, a.1.checked_add(b.1)?]));
    let flat: Vec<u64> = sums.collect::<Option<Vec<_>>>()?.concat();
    Some((inner, flat))
}

fn locate<'c>(cx: &mut Cx<'c>, ops: &[Operation<'c>]) {
    if let Some(location) = fused(ops) {
        cx.build.set_location(location);
    }
}
