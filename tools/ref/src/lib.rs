//! A naive evaluator of integer TOSA operators, the project's internal oracle.
//!
//! Every operator is written as in the text of the TOSA 1.0 specification, over plain `Vec<i64>`, sharing nothing with the
//! compiler or the simulator: where they disagree with this crate, one of the two is wrong. Clarity comes before speed
//! throughout.
//!
//! Results that the specification leaves unpredictable (an int32 accumulator that overflows, a shift beyond the width) are
//! computed as on the machine, in wrapping two's complement, and reported: see [`Evaluated::predictable`].
//!
//! [`array`] simulates a PE array cycle by cycle, as a reference for the timing model.
//!
//! [`smith`] generates random, always legal programs, prints them as MLIR and computes their expected
//! results.
//!
//! ```
//! use strum_ref::{Dtype, Op, Tensor};
//!
//! let x = Tensor::new(Dtype::I8, [1, 4], [-128, -1, 0, 127])?;
//! let y = Op::Clamp { min: -1, max: 100 }.eval(&[&x])?;
//! assert_eq!(y.tensor.data, [-1, -1, 0, 100]);
//! # Ok::<(), strum_ref::Invalid>(())
//! ```

mod arith;
pub mod array;
mod graph;
pub mod lane;
mod mlir;
mod npy;
mod op;
mod ops;
pub mod smith;
mod tensor;

pub use graph::{Graph, Node, NodeId, Run};
pub use mlir::Constants;
pub use npy::NpyError;
pub use op::{Evaluated, Op};
pub use ops::conv::Conv;
pub use ops::pool::Pool;
pub use ops::rescale::{Rescale, Round};
pub use ops::resize::Resize;
pub use ops::transposed::{Conv3d, TransposeConv};
pub use tensor::{Dtype, Tensor};

use thiserror::Error;

/// An operator that the specification does not allow, or operands that do not fit it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{op}: {reason}")]
pub struct Invalid {
    /// The MLIR name of the operator.
    pub op: &'static str,
    /// What is wrong.
    pub reason: String,
}

/// Shorthand of the operators: `return invalid("conv2d", format!(…))`.
fn invalid<T>(op: &'static str, reason: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid { op, reason: reason.into() })
}

/// Shorthand of the operators: refuses unless `condition` holds.
fn require(condition: bool, op: &'static str, reason: impl Into<String>) -> Result<(), Invalid> {
    if condition { Ok(()) } else { invalid(op, reason) }
}
