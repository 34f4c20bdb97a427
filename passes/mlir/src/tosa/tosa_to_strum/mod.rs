//! `tosa-to-strum`: converts TOSA ops to layers of the machine.
//!
//! Invariant: the whole function is checked before anything is changed, and every fault is reported at its op; the result
//! contains only ops that the DPU path supports.

pub(crate) mod check;
mod conv;
mod eltwise;
mod matmul;
mod ppe;

use strum_ir::{Block, Dialect, Error, Operation, Pass, PassContext, PassError, Value, pass_options};

use crate::Documented;
use crate::common::limits;
use crate::common::rewrite::{blocks, remove_dead};
use crate::common::tosa::build::Builder;

pass_options! {
    /// The pass.
    pub struct TosaToStrum;
}

impl Documented for TosaToStrum {
    const DOC: &'static str = "\
Fuses TOSA ops into layers of the machine:

- `conv2d`, `depthwise_conv2d` and `matmul`, and `add`, `sub`, `mul`, `maximum` and `minimum`, become `strum.conv2d`,
  `strum.depthwise_conv2d`, `strum.matmul` and `strum.eltwise`;
- a `rescale` of the 32-bit result, and after it `clamp` and any ops from i8 to i8, become the layer's `#strum.ppe`, as long as
  the values in between have no other uses;
- a `rescale` or `cast` of an operand of an element-wise op becomes its input stage;
- an `add` of one constant for each channel becomes the bias of a convolution;
- a `matmul` of one batch with a constant right side becomes a 1x1 convolution with the transposed matrix as weights;
- the `slice` that TOSA's exact-size rule requires before a strided convolution is removed: a layer ignores the rest of its input;
- a bias that is not constant is added by a separate layer.

Everything else stays TOSA, but is checked: an op, type or attribute that the DPU path does not support is an error that lists what is
supported. All faults of a function are reported, and then nothing is changed. [supported.md](supported.md) is the list.";
}

impl Pass for TosaToStrum {
    const ARGUMENT: &'static str = "tosa-to-strum";
    const DESCRIPTION: &'static str =
        "Fuse TOSA ops into layers of the strum dialect, and check that the rest is supported";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Strum, Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let _span = tracing::debug_span!("tosa-to-strum", function = op.symbol().unwrap_or("?")).entered();
        limits::check(op, 0)?;
        check::function(op)?;
        for block in blocks(op) {
            convert(block)?;
        }
        Ok(())
    }
}

fn convert(block: Block<'_>) -> Result<(), Error> {
    let Some(last) = block.operations().pop() else { return Ok(()) };
    let mut build = Builder::before(last)?;
    for op in block.operations() {
        // An op that a previous layer has absorbed is in no block any more.
        if op.block().is_none() {
            continue;
        }
        build.go(op);
        match op.name() {
            "tosa.conv2d" | "tosa.depthwise_conv2d" => conv::convert(&mut build, op)?,
            "tosa.matmul" => matmul::convert(&mut build, op)?,
            "tosa.add" | "tosa.sub" | "tosa.mul" | "tosa.maximum" | "tosa.minimum" => {
                eltwise::convert(&mut build, op)?;
            }
            _ => {}
        }
    }
    remove_dead(block)?;
    Ok(())
}

/// An op that passed the check but cannot be read.
fn unreadable(op: Operation<'_>) -> Error {
    Error::Build(format!("layer of '{}'", op.name()))
}

/// The value of an operand that passed the check.
fn operand<'c>(op: Operation<'c>, index: usize) -> Result<Value<'c>, Error> {
    op.operand(index).ok_or_else(|| unreadable(op))
}
