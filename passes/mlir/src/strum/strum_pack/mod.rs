//! `strum-pack`: constant weights in a StruM format.
//!
//! Invariant: only weight codes change, unless corrections of bias and scale are requested; activations are untouched, and a
//! remark on every layer that is left dense or uncorrected gives the reason.

mod correct;
mod file;
mod int4;
mod layers;
pub mod remark;
mod request;
mod sums;

pub use file::{LayerPacking, Packing, ProgramPacking};
pub use layers::{PackableLayer, packable, stored};
pub use request::{LayerOptions, PackingSource, StrumPack};

use std::collections::BTreeMap;
use std::rc::Rc;

use strum_files::budget;
use strum_formats::Shape;
use strum_ir::strum::{self, Conv};
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, Value};
use strum_quant::{Correct, Request, Select, pack_with};

use crate::Documented;
use crate::common::limits;
use crate::common::statistics::Statistics;
use crate::common::tosa::literal::Literal;
use crate::common::verdict::MEMORY;
use crate::common::weights;
use layers::GivenSettings;
use request::Settings;

impl Documented for StrumPack {
    const DOC: &'static str = "\
Selects the low members of every block of weights, and packs the constant weights of `strum.conv2d`, and optionally of
`strum.depthwise_conv2d`, into a `strum.constant` of type `!strum.packed`. Exactly `p`·`w` of the `w` weights of a block become low.

A layer is left dense if it is depthwise, has fewer than `min-channels` input channels, has a weight zero point other than 0, or
reads weights that are not constant (`strum-canonicalize` folds those behind data movement); a remark under `--strum-log=info`
gives the reason. With `method=dense` all weights stay tensors, the only form of plain INT8 before `strum-to-dpu`. Weights that are
already packed are unchanged.

`select=activation` weights the error of a member by the second moment of its input channel, which `strumc quantize` writes on every
layer (`strum.input_square`, and `strum.input_mean`); a layer without these attributes is an error. `correct=bias` compensates in a
layer's constant bias for the change of the mean of its sums; `scale` multiplies the scale of each output channel by the
least-squares factor, assuming independent inputs, and `both` does both. A layer without a rescale, or with a bias that is not
constant, is not corrected, with a remark; neither is one that was already packed.

A layer whose accumulators cannot overflow 32 bits with its INT8 weights, but could with the packed ones, is an error.

Weights that were of type i4 (`strum.int4`) are stored exactly, whatever the options: in 4 bits each, as `dliq` with `p=1`, `q=4` and
`shift=0`, in the blocks that take the fewest bytes; if that saves none, they are treated as others. Only a packing file gives such a layer
another format.

`packing` names a file with the weight formats of single layers (docs/packing.md); the other options apply to the layers that it does
not name. A layer that cannot be packed as the file says is an error.";
}

impl Pass for StrumPack {
    const ARGUMENT: &'static str = "strum-pack";
    const DESCRIPTION: &'static str = "Pack constant weights in a StruM format";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Strum];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let settings = Settings::of_others(self);
        let given = GivenSettings::read(&self.layers.packing, op)?;
        let narrow = op.walk().into_iter().any(|layer| layer.attribute(weights::INT4).is_some());
        if settings.request.is_none() && given.is_empty() && !narrow {
            tracing::debug!("strum-pack does not apply: method=dense leaves weights as tensors");
            return Ok(());
        }
        limits::check(op, 0)?;
        let prefix = op.symbol().unwrap_or("strum").to_owned();
        let mut packer = Packer { prefix, done: BTreeMap::new() };
        let at_risk = sums::at_risk(op);
        for layer in op.walk() {
            let Some(conv) = Conv::read(layer) else { continue };
            match given.of(layer) {
                Some(settings) => packer.named_layer(layer, &conv, settings)?,
                None if packer.int4(layer, &conv)? => {}
                None => packer.layer(layer, &conv, &settings)?,
            }
        }
        sums::check(op, &at_risk)
    }
}

struct Packer<'c> {
    prefix: String,
    done: BTreeMap<(Operation<'c>, bool, String, Vec<u64>), Stored<'c>>,
}

/// Packed weights, decoded where corrections ask for it.
#[derive(Clone)]
struct Stored<'c> {
    value: Value<'c>,
    decoded: Option<Rc<[i8]>>,
}

/// Weights that are going to be packed.
struct Candidate<'c> {
    constant: Operation<'c>,
    codes: Literal<'c>,
    shape: Shape,
}

/// The weights of a layer, or the reason why they are not packed.
fn candidate<'c>(conv: &Conv<'c>, settings: &Settings) -> Result<Candidate<'c>, String> {
    if conv.depthwise && !settings.depthwise {
        return Err(format!("{} (depthwise=true packs it)", remark::DEPTHWISE));
    }
    if conv.weight_zp != 0 {
        return Err(format!("{} {}", remark::ZERO_POINT, conv.weight_zp));
    }
    let (constant, codes, shape) = weights::constant(conv).ok_or(remark::VARIABLE)?;
    let channels = u64::try_from(shape.ic).unwrap_or(u64::MAX);
    if channels < settings.min_channels {
        let what = if conv.depthwise { "channels" } else { "input channels" };
        let least = settings.min_channels;
        let few = remark::FEW_CHANNELS;
        return Err(format!("{channels} {what}, {few} {least} (min-channels={channels} packs it)"));
    }
    Ok(Candidate { constant, codes, shape })
}

/// The calibration statistics of a layer's inputs, if needed.
fn statistics<'c>(
    op: Operation<'c>,
    conv: &Conv<'c>,
    candidate: &Candidate<'c>,
    (request, correct): (&Request, Correct),
) -> Result<Option<Statistics>, PassError> {
    let option = match (request.select, correct) {
        (Select::Activation, _) => "select=activation".to_owned(),
        (Select::Error | Select::Magnitude, Correct::None) => return Ok(None),
        (Select::Error | Select::Magnitude, correct) => format!("correct={}", correct.name()),
    };
    let axis = if conv.depthwise { 2 } else { 3 };
    let channels = candidate.codes.shape().get(axis).copied().unwrap_or(0);
    match Statistics::read(op, usize::try_from(channels).unwrap_or(0)) {
        Ok(Some(seen)) => Ok(Some(seen)),
        Ok(None) => {
            let message = format!(
                "{option} needs input statistics: quantize the network with calibration data \
                 (strumc quantize --calibration), which writes 'strum.input_mean' and 'strum.input_square'"
            );
            Err(op.error(message).into())
        }
        Err(message) => Err(op.error(message).into()),
    }
}

impl<'c> Packer<'c> {
    /// A layer that the options apply to: unchanged where packing is useless.
    fn layer(&mut self, op: Operation<'c>, conv: &Conv<'c>, settings: &Settings) -> Result<(), PassError> {
        let Some(request) = &settings.request else { return Ok(()) };
        if weights::is_packed(conv) {
            tracing::debug!(location = ?op.location(), "does not apply: the weights are already packed");
            return Ok(());
        }
        match candidate(conv, settings) {
            Ok(candidate) => self.store(op, conv, &candidate, (request, settings.correct)),
            Err(reason) => {
                remark::emit(op, format_args!("{}{reason}", remark::DENSE));
                Ok(())
            }
        }
    }

    /// A layer whose weights were of 4 bits, which are stored as such, whatever the options; false for another one.
    fn int4(&mut self, op: Operation<'c>, conv: &Conv<'c>) -> Result<bool, PassError> {
        if op.attribute(weights::INT4).is_none() || weights::is_packed(conv) {
            return Ok(false);
        }
        let Ok(candidate) = candidate(conv, &Settings::ANY) else { return Ok(false) };
        let Some(request) = int4::request(&candidate.codes, candidate.shape) else { return Ok(false) };
        self.store(op, conv, &candidate, (&request, Correct::None))?;
        Ok(true)
    }

    /// A layer of the packing file, which is followed or refused.
    fn named_layer(
        &mut self,
        op: Operation<'c>,
        conv: &Conv<'c>,
        settings: &Settings,
    ) -> Result<(), PassError> {
        if weights::is_packed(conv) {
            return Err(op.error("packing file: the weights of this layer are already packed").into());
        }
        let Some(request) = &settings.request else { return Ok(()) };
        let candidate = candidate(conv, settings)
            .map_err(|reason| op.error(format_args!("packing file: weights cannot be packed: {reason}")))?;
        self.store(op, conv, &candidate, (request, settings.correct))
    }

    fn store(
        &mut self,
        op: Operation<'c>,
        conv: &Conv<'c>,
        candidate: &Candidate<'c>,
        (request, correct): (&Request, Correct),
    ) -> Result<(), PassError> {
        let statistics = statistics(op, conv, candidate, (request, correct))?;
        let moments = statistics.as_ref().filter(|_| request.select == Select::Activation).map(|seen| {
            let times = candidate.shape.ic / seen.square.len().max(1);
            // A depthwise layer reads each input channel for several members.
            seen.square.iter().flat_map(|&m| std::iter::repeat_n(m, times)).collect::<Vec<f64>>()
        });
        let weighed = moments.iter().flatten().map(|moment| moment.to_bits()).collect();
        let key = (candidate.constant, conv.depthwise, format!("{request:?} {correct:?}"), weighed);
        let packed = match self.done.get(&key) {
            Some(packed) => packed.clone(),
            None => {
                let packed = self.pack(op, candidate, (request, correct), moments.as_deref())?;
                self.done.insert(key, packed.clone());
                packed
            }
        };
        op.set_operand(1, packed.value);
        if let (Some(seen), Some(decoded)) = (&statistics, &packed.decoded) {
            let bytes = candidate.codes.bytes();
            let before = bytemuck::cast_slice(&bytes);
            let change = correct::Change { before, after: decoded, shape: candidate.codes.shape() };
            correct::layer(op, &change, seen, correct)?;
        }
        candidate.constant.erase_if_dead()?;
        Ok(())
    }

    fn pack(
        &self,
        op: Operation<'c>,
        candidate: &Candidate<'c>,
        (request, correct): (&Request, Correct),
        moments: Option<&[f64]>,
    ) -> Result<Stored<'c>, PassError> {
        let Candidate { constant, codes, shape } = candidate;
        let bytes = codes.checked_bytes().map_err(|over| op.error(format_args!("{MEMORY}{over}")))?;
        budget::check("packed weights", bytes.len() as u64)
            .map_err(|over| op.error(format_args!("{MEMORY}{over}")))?;
        let packed = pack_with(bytemuck::cast_slice(&bytes), *shape, request, moments)
            .map_err(|error| op.error(format!("cannot be packed: {error}")))?;
        let decoded = match correct {
            Correct::None => None,
            Correct::Bias | Correct::Scale | Correct::Both => {
                let codes = packed.unpack().map_err(|error| PassError::Internal(error.to_string()))?;
                Some(Rc::from(codes))
            }
        };
        let name = format!("{}_packed{}", self.prefix, self.done.len());
        let made = strum::constant(packed, &name, constant.location())?.insert_before(*constant)?;
        let value = made.single_result();
        let value = value.ok_or_else(|| PassError::Internal("strum.constant without result".into()))?;
        Ok(Stored { value, decoded })
    }
}
