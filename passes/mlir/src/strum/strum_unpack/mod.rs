//! `strum-unpack`: converts packed weights back to plain tensors.
//!
//! Invariant: the layers compute the same, since a packed weight *is* its decoded code.

use std::collections::BTreeMap;

use strum_ir::strum::Conv;
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, Value, pass_options};

use crate::Documented;
use crate::common::limits;
use crate::common::tosa::build::Builder;
use crate::common::weights;

pass_options! {
    /// The pass.
    pub struct StrumUnpack;
}

impl Documented for StrumUnpack {
    const DOC: &'static str = "\
Decodes the packed weights of every layer into a `tosa.const` of their codes, as `strum-pack` rounded them. Layers with tensor weights
are unchanged. Packed weights that are not a `strum.constant` are an error.";
}

impl Pass for StrumUnpack {
    const ARGUMENT: &'static str = "strum-unpack";
    const DESCRIPTION: &'static str = "Decode packed weights into plain tensors";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        limits::check(op, 0)?;
        let mut decoder = Decoder::default();
        let mut outcome = Ok(());
        for layer in op.walk() {
            let Some(conv) = Conv::read(layer).filter(weights::is_packed) else { continue };
            let mut build = Builder::before(layer)?;
            match decoder.tensor(&mut build, &conv)? {
                Ok(tensor) => {
                    layer.set_operand(1, tensor);
                    if let Some(constant) = conv.weights.defining_op() {
                        constant.erase_if_dead()?;
                    }
                }
                Err(message) => outcome = Err(layer.error(message).into()),
            }
        }
        outcome
    }
}

/// Decodes each constant once.
#[derive(Default)]
pub(crate) struct Decoder<'c> {
    done: BTreeMap<weights::Key<'c>, Value<'c>>,
}

impl<'c> Decoder<'c> {
    /// The decoded weights of a layer, or the error in them.
    pub(crate) fn tensor(
        &mut self,
        build: &mut Builder<'c>,
        conv: &Conv<'c>,
    ) -> Result<Result<Value<'c>, String>, strum_ir::Error> {
        let key = weights::key(conv);
        if let Some(&value) = key.as_ref().and_then(|key| self.done.get(key)) {
            return Ok(Ok(value));
        }
        let literal = match weights::decode(conv) {
            Ok(literal) => literal,
            Err(message) => return Ok(Err(message)),
        };
        let value = build.constant(literal)?;
        self.done.extend(key.map(|key| (key, value)));
        Ok(Ok(value))
    }
}
