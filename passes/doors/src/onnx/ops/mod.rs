//! The operators of ONNX as operators of TOSA. Invariant: shapes and orders of axes are those of the file outside of a function.

pub(super) mod activation;
pub(super) mod conv;
pub(super) mod einsum;
pub(super) mod elementwise;
pub(super) mod matmul;
pub(super) mod normalize;
pub(super) mod pool;
pub(super) mod reduce;
mod resample;
pub(super) mod resize;
pub(super) mod shape;
pub(super) mod transposed;
pub(super) mod window;
