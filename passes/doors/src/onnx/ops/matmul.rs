//! Products of matrices. Invariant: a product by a constant matrix is a convolution, whose weights can be packed.

use super::conv::Layer;
use crate::onnx::call::{Call, one};
use crate::onnx::movement::broadcast;
use crate::onnx::trouble::{Outcome, invalid};
use crate::onnx::value::{Flow, Net, Value};

/// `MatMul`.
pub(in crate::onnx) fn matmul(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (a, b) = (call.floats(net, 0)?, call.floats(net, 1)?);
    one(net.product([a, b], [0, 0])?)
}

impl Net {
    /// The sums of a `MatMul` of floats or codes.
    pub(in crate::onnx) fn product(&mut self, [a, b]: [Flow; 2], zero_points: [i32; 2]) -> Outcome<Flow> {
        let (left, right) = (self.plain(a)?, self.plain(b)?);
        let (a_shape, b_shape) = (self.extents(left), self.extents(right));
        if let (&[_, _], true) = (&b_shape[..], self.build.graph().constant(right).is_some()) {
            let weights = self.build.transpose(right, &[1, 0])?;
            return self.connected(&Layer { x: a, weights, bias: None, zero_points });
        }
        let wrong = || invalid(format!("{a_shape:?} times {b_shape:?}"));
        // Vectors are matrices of one row or column, which the result does not have.
        let ([h, k], [l, w]) = match (&a_shape[..], &b_shape[..]) {
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
        let batch = broadcast(&outer(&a_shape), &outer(&b_shape))?;
        let mut spread = |id, of: &[usize], matrix: [usize; 2]| -> Outcome<_> {
            let raised = self.build.reshape(id, &[outer(of), matrix.to_vec()].concat())?;
            let whole = self.expand(&Flow::plain(raised).into(), &[&batch[..], &matrix].concat())?;
            let whole = self.flow(&whole)?;
            let count = batch.iter().product();
            Ok(self.build.reshape(whole.id, &[count, matrix[0], matrix[1]])?)
        };
        let operands = [spread(left, &a_shape, [h, k])?, spread(right, &b_shape, [k, w])?];
        let product = self.build.matmul(operands, zero_points)?;
        let mut to = batch;
        to.extend((a_shape.len() > 1).then_some(h));
        to.extend((b_shape.len() > 1).then_some(w));
        Ok(Flow::plain(self.build.reshape(product, &to)?))
    }
}

/// `Gemm`.
pub(in crate::onnx) fn gemm(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
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
    let mut bias = call.optional(2).map(|c| net.floats(c)).transpose()?;
    if let Some(c) = bias
        && beta != 1.0
    {
        bias = Some(net.with_number("mul", c, beta)?);
    }
    let x = Flow::plain(a);
    let outputs = right.get(usize::from(!turned[1])).copied().unwrap_or(0);
    let constant = net.build.graph().constant(b).is_some();
    let joined = bias.filter(|c| constant && alpha == 1.0 && net.extents(c.id) == [outputs]);
    let mut product = if constant {
        let weights = if turned[1] { b } else { net.build.transpose(b, &[1, 0])? };
        net.connected(&Layer { x, weights, bias: joined.map(|c| c.id), zero_points: [0, 0] })?
    } else {
        if turned[1] {
            b = net.build.transpose(b, &[1, 0])?;
        }
        net.product([x, Flow::plain(b)], [0, 0])?
    };
    if alpha != 1.0 {
        product = net.with_number("mul", product, alpha)?;
    }
    match bias {
        Some(c) if joined.is_none() => one(net.binary("add", product, c)?),
        _ => one(product),
    }
}
