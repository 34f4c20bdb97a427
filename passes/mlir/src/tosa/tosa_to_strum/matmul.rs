//! `tosa.matmul`.

use strum_ir::strum::MatMul;
use strum_ir::{Error, Operation};

use super::ppe::{Chain, Scales};
use super::{conv, operand, unreadable};
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::view;

pub(super) fn convert<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    match constant_weights(op) {
        Some(weights) => as_convolution(build, op, weights),
        None => dynamic(build, op),
    }
}

/// The right side `[1][C][W]` of a product of one batch as weights `[W][1][1][C]`.
fn constant_weights<'c>(op: Operation<'c>) -> Option<Literal<'c>> {
    let right = view::literal(op.operand(1)?)?;
    let &[1, c, w] = right.shape() else {
        tracing::debug!(location = ?op.location(), "stays a matmul: several batches");
        return None;
    };
    right.transpose(&[2, 0, 1])?.reshape(vec![w, 1, 1, c])
}

fn as_convolution<'c>(build: &mut Builder<'c>, op: Operation<'c>, weights: Literal<'c>) -> Result<(), Error> {
    let chain = Chain::with_bias(op, Scales::PerChannel, None)?;
    let location = chain.location().unwrap_or(op.location());
    let left = operand(op, 0)?;
    let (Some(&[1, h, c]), Some((&[1, _, w], elem))) = (
        view::shape(left).as_deref(),
        view::tensor(chain.result.ty()).as_ref().map(|(shape, elem)| (shape.as_slice(), *elem)),
    ) else {
        return Err(unreadable(op));
    };
    let weights = build.constant(weights)?;
    let input = build.reshape(left, &[1, h, 1, c])?;
    build.set_location(location);
    let mut layer = conv::pointwise(op, input, weights)?;
    layer.ppe = chain.ppe.clone();
    if let Some(bias) = &chain.bias {
        layer.bias = Some(build.vector(Elem::I32, bias)?);
    }
    let ty = build.tensor(&[1, h, 1, w], elem)?;
    let layer = build.insert(layer.build(ty, location)?)?;
    let result = build.reshape(layer, &[1, h, w])?;
    chain.replace(result)
}

fn dynamic<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let chain = Chain::of(op, Scales::PerTensor)?;
    let location = chain.location().unwrap_or(op.location());
    let zero_point = |index| view::scalar_operand(op, index).ok_or_else(|| unreadable(op));
    let layer = MatMul {
        a: operand(op, 0)?,
        b: operand(op, 1)?,
        a_zp: zero_point(2)?,
        b_zp: zero_point(3)?,
        ppe: chain.ppe.clone(),
    };
    let layer = build.insert(layer.build(chain.result.ty(), location)?)?;
    chain.replace(layer)
}
