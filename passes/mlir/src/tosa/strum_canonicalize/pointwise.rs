//! Element-wise ops: clamps, tables, and moving past a reshape.

use strum_ir::{Attribute, Error, OpBuilder, Operation, Value};

use super::Cx;
use crate::common::rewrite::fused;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::num::{Unary, table_as_clamp, tabulate};
use crate::common::tosa::view;

/// Maximum depth of the range analysis.
const RANGE_DEPTH: usize = 8;

/// Maximum number of values of the range analysis: one may be reached along several paths.
const RANGE_VALUES: usize = 10_000;

fn bounds(op: Operation<'_>) -> Option<(i32, i32)> {
    match op.is("tosa.clamp").then(|| view::unary(op)).flatten()? {
        Unary::Clamp(lo, hi) if lo <= hi => Some((lo, hi)),
        _ => None,
    }
}

/// The smallest and largest possible value, derived from the last few ops. `left` counts the values that may still be visited.
fn range(value: Value<'_>, depth: usize, left: &mut usize) -> Option<(i32, i32)> {
    let whole = view::elem(value)?.range();
    let Some(op) = value.defining_op().filter(|_| depth > 0 && *left > 0) else { return Some(whole) };
    *left -= 1;
    let mut input = || range(op.operand(0)?, depth - 1, left);
    let found = match op.name() {
        "tosa.clamp" => bounds(op),
        "tosa.reshape" | "tosa.transpose" | "tosa.slice" | "tosa.identity" | "tosa.max_pool2d"
        | "tosa.reduce_max" | "tosa.reduce_min" => input(),
        "tosa.concat" => {
            let parts = op.operands().into_iter().map(|part| range(part, depth - 1, left));
            parts.reduce(|a, b| Some((a?.0.min(b?.0), a?.1.max(b?.1)))).flatten()
        }
        "tosa.table" => match view::unary(op) {
            Some(Unary::Table(t)) => {
                t.iter().min().zip(t.iter().max()).map(|(&lo, &hi)| (lo.into(), hi.into()))
            }
            _ => None,
        },
        _ => None,
    };
    Some(found.unwrap_or(whole))
}

/// A clamp without effect on any value of its input.
pub(super) fn drop_clamp<'c>(_: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let Some(clamp) = bounds(op) else { return Ok(None) };
    let mut left = RANGE_VALUES;
    let input = op.operand(0);
    let found = Some(clamp).zip(input).zip(input.and_then(|v| range(v, RANGE_DEPTH, &mut left)));
    Ok(found.and_then(|(((lo, hi), input), (least, most))| (lo <= least && most <= hi).then_some(input)))
}

/// A clamp of a clamp is one clamp.
pub(super) fn merge_clamps<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let inner = op.operand(0).and_then(|v| v.defined_by("tosa.clamp"));
    let Some((inner, (lo, hi), (a, b))) = inner.and_then(|inner| Some((inner, bounds(op)?, bounds(inner)?)))
    else {
        return Ok(None);
    };
    let Some(source) = inner.operand(0) else { return Ok(None) };
    if let Some(location) = fused(&[inner, op]) {
        cx.build.set_location(location);
    }
    cx.build.clamp(source, a.clamp(lo, hi), b.clamp(lo, hi)).map(Some)
}

/// A chain of element-wise ops from i8 to i8 without other uses in between becomes one table.
pub(super) fn tabulate_chain<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let Some((ops, source, table)) = longest_chain(op) else { return Ok(None) };
    if let Some(location) = fused(&ops) {
        cx.build.set_location(location);
    }
    match table_as_clamp(&table) {
        Some((i8::MIN, i8::MAX)) => Ok(Some(source)),
        Some((lo, hi)) => cx.build.clamp(source, lo.into(), hi.into()).map(Some),
        None => cx.build.table(source, &table).map(Some),
    }
}

/// The longest chain of at least two ops that ends in `op` and has a table; its ops, first one first, and its input.
fn longest_chain<'c>(op: Operation<'c>) -> Option<(Vec<Operation<'c>>, Value<'c>, Vec<i8>)> {
    (view::elem(op.result(0)?)? == Elem::I8).then_some(())?;
    let (mut ops, mut stages) = (Vec::new(), Vec::new());
    let mut at = op;
    let mut best = None;
    while let Some(stage) = view::unary(at) {
        ops.insert(0, at);
        stages.insert(0, stage);
        let input = at.operand(0)?;
        if ops.len() >= 2 && view::elem(input)? == Elem::I8 {
            match tabulate(&stages) {
                Some(table) => best = Some((ops.clone(), input, table)),
                None => {
                    let location = op.location();
                    tracing::debug!(
                        ?location,
                        "tabulate-chain does not apply: a value is unpredictable in TOSA"
                    );
                }
            }
        }
        match input.defining_op().filter(|_| input.single_use().is_some()) {
            Some(def) => at = def,
            None => break,
        }
    }
    best
}

/// An element-wise op after a reshape is moved before it if the op that produces the reshaped value can absorb it, now or as a
/// layer. An op that would make the reshape move more bytes stays.
pub(super) fn raise_over_reshape<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let Some((reshape, source)) = raisable(op) else { return Ok(None) };
    let (mut operands, Some((shape, elem))) =
        (op.operands(), op.result(0).and_then(|v| view::tensor(v.ty())))
    else {
        return Ok(None);
    };
    if let Some(first) = operands.first_mut() {
        *first = source;
    }
    let ty = cx.build.retype(source, elem)?;
    // The scale of a single channel is one for the whole tensor, which has more channels before the reshape.
    let more_channels = innermost(source) != op.operand(0).and_then(innermost);
    let whole = more_channels.then(|| Attribute::bool(cx.build.context(), false));
    let attributes = op.attributes().into_iter().map(|(name, value)| match whole {
        Some(whole) if name == "per_channel" => (name, whole),
        _ => (name, value),
    });
    let raised = cx.build.op(op.name()).operands(&operands).result(ty);
    let raised =
        attributes.fold(raised, |raised: OpBuilder<'c>, (name, value)| raised.attribute(name, value));
    let raised = cx.build.insert(raised)?;
    cx.build.set_location(reshape.location());
    cx.build.reshape(raised, &shape).map(Some)
}

/// The extent of the innermost dimension.
fn innermost(value: Value<'_>) -> Option<u64> {
    view::shape(value)?.last().copied()
}

fn raisable<'c>(op: Operation<'c>) -> Option<(Operation<'c>, Value<'c>)> {
    let input = op.operand(0)?;
    let reshape = input.defined_by("tosa.reshape")?;
    let source = reshape.operand(0)?;
    // Scales per channel follow the innermost dimension, which must be the same on both sides.
    let same =
        view::unary(op).is_some() || (view::rescale(op).is_some() && innermost(source)? == innermost(input)?);
    let grows = view::elem(op.result(0)?)?.bytes() > view::elem(input)?.bytes();
    let before = source.defining_op()?;
    let takes_in = matches!(
        before.name(),
        "tosa.conv2d"
            | "tosa.depthwise_conv2d"
            | "tosa.matmul"
            | "tosa.add"
            | "tosa.sub"
            | "tosa.mul"
            | "tosa.maximum"
            | "tosa.minimum"
            | "tosa.rescale"
            | "tosa.clamp"
            | "tosa.table"
    );
    let unseen = input.single_use().is_some() && source.single_use().is_some();
    (same && !grows && takes_in && unseen).then_some((reshape, source))
}
