//! Folds `tosa.pad` into the padding of a window.

use strum_ir::{Attribute, Error, OpBuilder, Operation, Value};

use super::Cx;
use crate::common::rewrite::fused;
use crate::common::tosa::view;

/// Maximum padding in TOSA's levels.
const MAX_PAD: u64 = 8192;

/// Padding of height and width is folded into a convolution if its value is the input's zero point, which is what a convolution
/// pads with, and into a maximum if its value is the smallest one, which a maximum ignores. An average counts explicit padding
/// but not its own, so nothing is folded there.
pub(super) fn into_window<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    let Some((pad, source, pads)) = merged(op) else { return Ok(None) };
    let Some(result) = op.result(0) else { return Ok(None) };
    if let Some(location) = fused(&[pad, op]) {
        cx.build.set_location(location);
    }
    let list: Vec<i64> = pads.iter().map(|&p| i64::try_from(p).unwrap_or(i64::MAX)).collect();
    let pads = Attribute::i64s(cx.build.context(), &list);
    let operands = op.operands().into_iter().enumerate().map(|(i, v)| if i == 0 { source } else { v });
    let window = cx.build.op(op.name()).operands(&operands.collect::<Vec<_>>()).result(result.ty());
    let others = op.attributes().into_iter().filter(|(name, _)| *name != "pad");
    let window: OpBuilder<'c> = others.fold(window, |window, (name, value)| window.attribute(name, value));
    cx.build.insert(window.attribute("pad", pads)).map(Some)
}

/// The `tosa.pad` in front of a window, its input, and the padding of both together.
fn merged<'c>(op: Operation<'c>) -> Option<(Operation<'c>, Value<'c>, [u64; 4])> {
    let is_conv = op.is("tosa.conv2d") || op.is("tosa.depthwise_conv2d");
    if !is_conv && !op.is("tosa.max_pool2d") {
        return None;
    }
    let pad = op.operand(0)?.defined_by("tosa.pad")?;
    let decline = |reason: &str| {
        tracing::debug!(op = op.name(), location = ?op.location(), "pad-into-window does not apply: {reason}");
    };
    let &[(0, 0), (top, bottom), (left, right), (0, 0)] = view::padding(pad)?.as_slice() else {
        decline("batch or channels are padded");
        return None;
    };
    let source = pad.operand(0)?;
    let (_, elem) = view::tensor(source.ty())?;
    let neutral = if is_conv { view::scalar_operand(op, 3)? } else { elem.range().0 };
    if view::scalar_operand(pad, 2)? != neutral {
        decline("the padding is not neutral");
        return None;
    }
    let own = view::array::<4>(op, "pad")?;
    let added = [top, bottom, left, right];
    let mut sum = [0; 4];
    for (to, (a, b)) in sum.iter_mut().zip(own.iter().zip(added)) {
        *to = a.checked_add(b).filter(|&p| p <= MAX_PAD)?;
    }
    if !is_conv {
        let [height, width] = view::array::<2>(op, "kernel")?;
        let [top, bottom, left, right] = sum;
        if top.max(bottom) >= height || left.max(right) >= width {
            decline("a window would lie in the padding alone");
            return None;
        }
    }
    Some((pad, source, sum))
}
