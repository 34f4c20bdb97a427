//! Quantized operators as integer TOSA: what TFLite and quantized ONNX networks share.
//!
//! Codes are 8 bits, signed; the meaning of a tensor's codes is [`Codes`](crate::tosa::Codes), whose scale is that of a file in
//! f32. Invariant: integers are those of TFLite's reference kernels, as TensorFlow Lite for Microcontrollers has them, bit for bit:
//! factors are rounded as there, products are rounded twice, and tables are computed with the kernels' own arithmetic.

mod arithmetic;
mod convolution;
mod factor;
mod fixed;
mod movement;
mod reduce;
mod resize;
mod softmax;
mod table;

pub(crate) use arithmetic::{Range, add, extremum, mul, prelu, requantize, squared_difference};
pub(crate) use convolution::{Requantization, conv, matmul, mean_pool, transpose_conv};
pub(crate) use factor::Factor;
pub(crate) use movement::{pick, strided};
pub(crate) use reduce::{mean, sum};
pub(crate) use resize::{Sampling, bilinear, nearest};
pub(crate) use softmax::{probabilities, softmax};
pub(crate) use table::{
    abs, elu, from_function, hard_swish, leaky_relu, log, logistic, negated, quotient, requantized, rsqrt,
    sqrt, tanh,
};

/// Codes of 8 bits.
pub(crate) const LOWEST: i64 = -128;
/// Codes of 8 bits.
pub(crate) const HIGHEST: i64 = 127;

/// A scale in the precision of the file.
#[allow(clippy::cast_possible_truncation, reason = "scales are f32 in files")]
pub(crate) fn single(scale: f64) -> f32 {
    scale as f32
}
