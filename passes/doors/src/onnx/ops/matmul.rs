//! Products of matrices. Invariant: a product by a constant matrix is a convolution, whose weights can be packed.

use super::{Call, one};
use crate::onnx::movement::broadcast;
use crate::onnx::trouble::{Outcome, invalid};
use crate::onnx::value::{Flow, Net, Value};

/// `MatMul`.
pub(super) fn matmul(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (a, b) = (call.floats(net, 0)?, call.floats(net, 1)?);
    let (a, b) = (net.plain(a)?, net.plain(b)?);
    let (left, right) = (net.extents(a), net.extents(b));
    if let (&[_, outputs], true) = (&right[..], net.build.graph().constant(b).is_some()) {
        let weights = net.build.transpose(b, &[1, 0])?;
        let bias = net.build.floats(&[outputs], &vec![0.0; outputs])?;
        return one(net.connected(a, weights, bias)?);
    }
    let wrong = || invalid(format!("{left:?} times {right:?}"));
    // Vectors are matrices of one row or column, which the result does not have.
    let ([h, k], [l, w]) = match (&left[..], &right[..]) {
        (&[.., h, k], &[.., l, w]) => ([h, k], [l, w]),
        (&[.., h, k], &[l]) => ([h, k], [l, 1]),
        (&[k], &[.., l, w]) => ([1, k], [l, w]),
        (&[k], &[l]) => ([1, k], [l, 1]),
        _ => return wrong(),
    };
    if k != l {
        return wrong();
    }
    let outer = |shape: &[usize]| shape.get(..shape.len().saturating_sub(2)).unwrap_or_default().to_vec();
    let batch = broadcast(&outer(&left), &outer(&right))?;
    let mut spread = |id, of: &[usize], matrix: [usize; 2]| -> Outcome<_> {
        let raised = net.build.reshape(id, &[outer(of), matrix.to_vec()].concat())?;
        let whole = net.expand(&Flow::plain(raised).into(), &[&batch[..], &matrix].concat())?;
        let whole = net.flow(&whole)?;
        let count = batch.iter().product();
        Ok(net.build.reshape(whole.id, &[count, matrix[0], matrix[1]])?)
    };
    let operands = [spread(a, &left, [h, k])?, spread(b, &right, [k, w])?];
    let product = net.build.matmul(operands, [0, 0])?;
    let mut to = batch;
    to.extend((left.len() > 1).then_some(h));
    to.extend((right.len() > 1).then_some(w));
    one(Flow::plain(net.build.reshape(product, &to)?))
}

/// `Gemm`.
pub(super) fn gemm(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    let turned = [node.flag("transA", false)?, node.flag("transB", false)?];
    let (a, b) = (call.floats(net, 0)?, call.floats(net, 1)?);
    let (mut a, mut b) = (net.plain(a)?, net.plain(b)?);
    let (left, right) = (net.extents(a), net.extents(b));
    let (&[_, _], &[_, _]) = (&left[..], &right[..]) else {
        return invalid(format!("{left:?} times {right:?}"));
    };
    if turned[0] {
        a = net.build.transpose(a, &[1, 0])?;
    }
    // Weights have their outputs first.
    if !turned[1] {
        b = net.build.transpose(b, &[1, 0])?;
    }
    let mut bias = call.optional(2).map(|c| net.floats(c)).transpose()?;
    if let Some(c) = bias
        && beta != 1.0
    {
        bias = Some(net.with_number("mul", c, beta)?);
    }
    let outputs = net.extents(b).first().copied().unwrap_or(0);
    let as_bias = bias.filter(|c| alpha == 1.0 && net.extents(c.id) == [outputs]);
    let constants = net.build.graph().constant(b).is_some();
    let mut product = if constants {
        let zeros = match as_bias {
            Some(c) => c.id,
            None => net.build.floats(&[outputs], &vec![0.0; outputs])?,
        };
        net.connected(a, b, zeros)?
    } else {
        let b = net.build.transpose(b, &[1, 0])?;
        let (left, right) = (net.extents(a), net.extents(b));
        let a = net.build.reshape(a, &[&[1], &left[..]].concat())?;
        let b = net.build.reshape(b, &[&[1], &right[..]].concat())?;
        let product = net.build.matmul([a, b], [0, 0])?;
        let shape = net.extents(product);
        Flow::plain(net.build.reshape(product, shape.get(1..).unwrap_or_default())?)
    };
    if alpha != 1.0 {
        product = net.with_number("mul", product, alpha)?;
    }
    match bias {
        Some(c) if !(constants && as_bias.is_some()) => one(net.binary("add", product, c)?),
        _ => one(product),
    }
}
