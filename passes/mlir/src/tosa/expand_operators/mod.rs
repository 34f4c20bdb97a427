//! `expand-operators`: compound operators become those that the DPU has.
//!
//! Invariant: an op that is expanded computes the same bits as before, on every input; none of the ops in the list remains.

mod conv;
mod data;
mod phase;
mod post;
mod repeat;
mod shape;
mod transposed;
mod volume;
mod wide;
mod widen;

use strum_ir::{Block, Dialect, Operation, Pass, PassContext, PassError, pass_options};

use crate::Documented;
use crate::common::limits;
use crate::common::rewrite::{blocks, remove_dead};
use crate::common::support;
use crate::common::tosa::build::Builder;
use crate::tosa::tosa_to_strum::check;

pass_options! {
    /// The pass.
    pub struct ExpandOperators;
}

impl Documented for ExpandOperators {
    const DOC: &'static str = "\
Replaces operators that are made of others, without changing a bit of any result:

- `transpose_conv2d` by a `conv2d` for each phase, the outputs whose position has the same remainder modulo the stride, with the taps
  of the kernel that reach them in reverse order: no product with an inserted zero is computed. Neighbouring phases that read the same
  inputs are one `conv2d` with the output channels of all. An `add` of a constant, a `rescale` and the element-wise ops behind the
  accumulators are applied to the result of each `conv2d`, so that no accumulators of 32 bits are moved. Then the results are
  interleaved: columns by a concatenation, rows by another or by a transposition, each of which moves the result once. Outputs that no
  tap reaches are constants;
- `conv3d` by a `conv2d`: the input's depths that a kernel covers become channels, and output depths images of the batch. The input
  is moved twice for each tap in depth, and once more for padding, but not at all if there is one such tap, with stride 1 and without
  padding;
- `conv2d` and `depthwise_conv2d` of i16 activations, together with the `rescale` of their accumulators of i48, by two
  convolutions of bytes, of the signed high byte and the unsigned low one, with the same weights. Their sums are put together in
  32 bits: by one addition if, whatever the weights, every accumulator fits 32 bits, else in two halves;
- `tile` by concatenations, of up to 15 parts each;
- `reverse` by slices and concatenations of 16 parts at a time, and up to 256 for large tensors: each factor of the extent moves the
  tensor twice;
- operators on shapes by constants;
- weights of convolutions of type i4 by i8 with the same values. The layer is marked with `strum.int4` if they are constant, so that
  `strum-pack` stores them in 4 bits; arguments of i4 are not supported.

An operator whose types or attributes are not supported is an error, as in `tosa-to-strum`.";
}

impl Pass for ExpandOperators {
    const ARGUMENT: &'static str = "expand-operators";
    const DESCRIPTION: &'static str = "Replace compound TOSA operators by those that the DPU has";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let _span = tracing::debug_span!("expand-operators", function = op.symbol().unwrap_or("?")).entered();
        limits::check(op, 0)?;
        widen::function(op)?;
        blocks(op).into_iter().try_for_each(expand)
    }
}

fn expand(block: Block<'_>) -> Result<(), PassError> {
    let Some(last) = block.operations().pop() else { return Ok(()) };
    let mut build = Builder::before(last)?;
    let mut changed = false;
    for op in block.operations().into_iter().filter(|&op| shape::is_shape_op(op)) {
        build.go(op);
        shape::fold(&mut build, op)?;
        changed = true;
    }
    let compound = |op: &Operation<'_>| support::is_compound(op.name());
    let found: Vec<Operation<'_>> = block.operations().into_iter().filter(compound).collect();
    let mut checked = Ok(());
    for &op in &found {
        // All faults are reported.
        checked = check::compound(op).and(checked);
    }
    let mut widened = Vec::new();
    for op in block.operations().into_iter().filter(wide::is_wide) {
        match wide::read(op) {
            Ok(conv) => widened.push(conv),
            Err(error) => checked = Err(error),
        }
    }
    checked?;
    for conv in &widened {
        wide::expand(&mut build, conv)?;
        changed = true;
    }
    for op in found {
        build.go(op);
        match op.name() {
            "tosa.transpose_conv2d" => transposed::expand(&mut build, op)?,
            "tosa.conv3d" => volume::expand(&mut build, op)?,
            "tosa.tile" => repeat::tile(&mut build, op)?,
            _ => repeat::reverse(&mut build, op)?,
        }
        changed = true;
    }
    if changed {
        remove_dead(block)?;
    }
    Ok(())
}
