//! Weights of the layers, in both forms: constant tensors and packed constants.

use std::borrow::Cow;

use strum_formats::{Packed, Shape};
use strum_ir::Operation;
use strum_ir::strum::{Conv, PackedType};

use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::view;
use crate::common::verdict::BUG;

/// Marks a convolution whose constant weights were of type i4: `unit`. They are stored as such.
pub(crate) const INT4: &str = "strum.int4";

/// The shape that StruM's formats give to the weights of a layer. Blocks run along the input channels of a convolution,
/// and along all output channels of a depthwise one, which has a single set of weights.
pub(crate) fn block_shape(depthwise: bool, shape: &[u64]) -> Option<Shape> {
    let dims: Vec<usize> = shape.iter().map(|&d| usize::try_from(d)).collect::<Result<_, _>>().ok()?;
    match (depthwise, dims.as_slice()) {
        (false, &[oc, kh, kw, ic]) => Some(Shape { oc, kh, kw, ic }),
        (true, &[kh, kw, c, m]) => Some(Shape { oc: 1, kh, kw, ic: c.checked_mul(m)? }),
        _ => None,
    }
}

/// The shape of a layer's weights as a tensor: OHWI, or HWCM for a depthwise layer.
fn tensor_shape(conv: &Conv<'_>, packed: Shape) -> Option<Vec<u64>> {
    let Shape { oc, kh, kw, ic } = packed;
    let dims = if conv.depthwise {
        let channels = usize::try_from(*view::shape(conv.input)?.get(3)?).ok().filter(|&c| c > 0)?;
        [kh, kw, channels, ic / channels]
    } else {
        [oc, kh, kw, ic]
    };
    dims.into_iter().map(|d| u64::try_from(d).ok()).collect()
}

/// Whether a layer's weights are packed.
pub(crate) fn is_packed(conv: &Conv<'_>) -> bool {
    PackedType::read(conv.weights.ty()).is_some()
}

/// The decoded weights of a layer whose weights are packed, as a tensor.
///
/// # Errors
/// The weights are not a constant, or their bytes are invalid; the message is for the layer.
pub(crate) fn decode(conv: &Conv<'_>) -> Result<Literal<'static>, String> {
    let constant = PackedType::read(conv.weights.ty()).zip(conv.weights.constant());
    let (ty, value) = constant.ok_or("the packed weights are not a strum.constant")?;
    let bytes = value.bytes().map_err(|e| e.to_string())?;
    let packed =
        Packed::new(ty.shape, ty.format, bytes.into_owned()).map_err(|e| format!("packed weights: {e}"))?;
    let codes = packed.unpack().map_err(|e| format!("packed weights: {e}"))?;
    let codes = Cow::Owned(bytemuck::allocation::cast_vec(codes));
    let literal = tensor_shape(conv, ty.shape).and_then(|shape| Literal::dense(shape, Elem::I8, codes));
    literal.ok_or_else(|| BUG.into())
}

/// A key under which layers share decoded or packed weights: the constant, and the layer's interpretation of it.
pub(crate) type Key<'c> = (Operation<'c>, Vec<u64>);

/// The key of a layer's packed weights.
pub(crate) fn key<'c>(conv: &Conv<'c>) -> Option<Key<'c>> {
    let shape = tensor_shape(conv, PackedType::read(conv.weights.ty())?.shape)?;
    Some((conv.weights.defining_op()?, shape))
}

/// The tensor constant behind a layer's weights, and the shape that formats give it.
pub(crate) fn constant<'c>(conv: &Conv<'c>) -> Option<(Operation<'c>, Literal<'c>, Shape)> {
    let literal = view::literal(conv.weights)?;
    let shape = block_shape(conv.depthwise, literal.shape())?;
    Some((conv.weights.defined_by("tosa.const")?, literal, shape))
}
