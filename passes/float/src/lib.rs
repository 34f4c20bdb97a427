//! Float networks without MLIR: operators, graphs, evaluation.
//!
//! The operators are those of TOSA 1.0 on f32, in its layouts: activations NHWC, weights OHWI, depthwise weights HWCM. A
//! [`Graph`] checks every shape when a node is added, so that evaluating it cannot fail.
//!
//! ```
//! use strum_float::{Graph, Op, Tensor};
//!
//! let mut graph = Graph::new();
//! let x = graph.input(&[1, 4])?;
//! let y = graph.push(Op::Clamp { min: 0.0, max: 6.0 }, &[x])?;
//! graph.output(y)?;
//! let image = Tensor::from_shape_vec(vec![1, 4], vec![-1.0, 0.5, 6.0, 7.0]).unwrap();
//! let outputs = graph.eval(&[image])?;
//! assert_eq!(outputs[0].as_slice().unwrap(), [0.0, 0.5, 6.0, 6.0]);
//! # Ok::<(), strum_float::Invalid>(())
//! ```

mod eval;
pub mod geometry;
mod graph;
mod op;
pub mod quantize;
mod rewrite;
mod shape;

pub use graph::{Graph, Node, Observer, ValueId};
pub use op::{Binary, Op, Pool, PoolKind, Reduction, Relation, Unary, Window};

/// A tensor: shape and elements, row-major where this crate makes it.
pub type Tensor = ndarray::ArrayD<f32>;

/// An operator that TOSA does not allow, or operands that do not match it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op}: {reason}")]
pub struct Invalid {
    /// The operator, by its TOSA name.
    pub op: &'static str,
    /// The fault.
    pub reason: String,
}

impl Invalid {
    fn new(op: &'static str, reason: impl Into<String>) -> Self {
        Invalid { op, reason: reason.into() }
    }
}
