//! Random, always legal programs with their expected results.
//!
//! A case is a function of its seed alone. Operators whose result the specification does not define on the case's inputs
//! are discarded while the program grows, so that every implementation must agree on every output.

mod builder;
mod chain;
mod compound;
mod kinds;
mod layers;
mod logical;
mod operands;
mod rewrites;
mod rng;
mod selected;
mod wide;

pub use kinds::Kind;

use crate::{Graph, Invalid, Tensor};
use builder::Builder;
use rng::Rng;

/// A program, inputs and the expected outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The program, a module with one function `@main`.
    pub mlir: String,
    /// The values of the arguments.
    pub inputs: Vec<Tensor>,
    /// The results.
    pub outputs: Vec<Tensor>,
    /// The program in the evaluator's form.
    pub graph: Graph,
}

/// The size of a single operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Some thousand elements, at most about a million multiplications.
    Small,
    /// About a million elements, extents of thousands, some ten million multiplications: more than fits a small SRAM.
    Large,
}

/// One small operator, with shapes and attributes drawn from its corner cases.
///
/// # Errors
/// Never, unless the generator itself makes an illegal operator.
pub fn single_op(kind: Kind, seed: u64) -> Result<Case, Invalid> {
    sized_op(kind, Size::Small, seed)
}

/// One operator of this size, with shapes and attributes drawn from its corner cases.
///
/// # Errors
/// Never, unless the generator itself makes an illegal operator.
pub fn sized_op(kind: Kind, size: Size, seed: u64) -> Result<Case, Invalid> {
    let mut rng = Rng::new(seed ^ (kind as u64) << 56);
    let mut attempt = 0;
    loop {
        let mut builder = Builder::new(rng.fork(), size, attempt);
        if let Some(output) = kind.build(&mut builder)? {
            builder.output(output);
            return builder.finish();
        }
        // The next attempt draws smaller values, so that a predictable one is found soon.
        attempt += 1;
    }
}

/// A network of some ten to twenty operators with several inputs, outputs and uses.
///
/// # Errors
/// Never, unless the generator itself makes an illegal operator.
pub fn graph(seed: u64) -> Result<Case, Invalid> {
    chain::grow(&mut Rng::new(seed ^ 0x6e65_7400 << 32))
}

/// A small network of chains of data movement and element-wise operators around layers: targets of compiler
/// rewrites.
///
/// # Errors
/// Never, unless the generator itself makes an illegal operator.
pub fn rewrites(seed: u64) -> Result<Case, Invalid> {
    rewrites::grow(&mut Rng::new(seed ^ 0x7265_7700 << 32))
}
