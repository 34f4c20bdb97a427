//! The packing file applied to the layers of a function, and the layers that it can name.

use std::collections::BTreeMap;

use strum_ir::strum::Conv;
use strum_ir::{Operation, PassError};
use strum_plan::strategy::Document;
use strum_quant::Choice;

use super::candidate;
use super::file::{LayerPacking, Packing};
use super::request::{PackingSource, Settings};
use crate::common::statistics::INPUT_SQUARE;
use crate::common::weights;
use crate::dpu::strum_to_dpu::{is_layer, layer_name};

/// Settings of the layers that a packing file names.
#[derive(Default)]
pub(super) struct GivenSettings<'c> {
    layers: BTreeMap<Operation<'c>, Settings>,
}

impl<'c> GivenSettings<'c> {
    /// Reads the settings for a function.
    pub(super) fn read(source: &PackingSource, function: Operation<'c>) -> Result<Self, PassError> {
        match source {
            PackingSource::None => Ok(GivenSettings::default()),
            PackingSource::File(path) => {
                let packing = Packing::read(path).map_err(|error| function.error(error))?;
                GivenSettings::of_packing(&packing, function)
            }
            PackingSource::Value(packing) => GivenSettings::of_packing(packing, function),
        }
    }

    fn of_packing(packing: &Packing, function: Operation<'c>) -> Result<Self, PassError> {
        check_programs(packing, function)?;
        let name = function.symbol().unwrap_or("main");
        let mut layers = BTreeMap::new();
        let ops = convolutions(function);
        for layer in packing.programs.iter().filter(|p| p.name == name).flat_map(|p| &p.layers) {
            let found = ops.iter().find(|(name, _, _)| *name == layer.name);
            let Some((_, op, conv)) = found else { return Err(unknown(&layer.name, function, &ops)) };
            if let (Some(expected), Some(is)) = (&layer.weights, weights_text(conv))
                && *expected != is
            {
                let what = format_args!(
                    "packing file: the weights of layer '{}' are {is}, not {expected}",
                    layer.name
                );
                return Err(op.error(what).into());
            }
            layers.insert(*op, Settings::of(&layer.choice));
        }
        Ok(GivenSettings { layers })
    }

    /// Whether the file names no layer of the function.
    pub(super) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The settings of a layer, if the file names it.
    pub(super) fn of(&self, op: Operation<'c>) -> Option<&Settings> {
        self.layers.get(&op)
    }
}

/// Refuses programs that match no function of the module.
fn check_programs(packing: &Packing, function: Operation<'_>) -> Result<(), PassError> {
    let Some(block) = function.block() else { return Ok(()) };
    let functions = block.operations().into_iter().filter_map(Operation::symbol).collect();
    match packing.stray(&functions) {
        Some(name) => Err(function.error(format_args!("packing file: unknown function '{name}'")).into()),
        None => Ok(()),
    }
}

/// The convolutions of a function, by name.
fn convolutions<'c>(function: Operation<'c>) -> Vec<(String, Operation<'c>, Conv<'c>)> {
    let Some(body) = function.body() else { return Vec::new() };
    let layers = body.operations().into_iter().filter(|op| is_layer(*op)).enumerate();
    layers.filter_map(|(i, op)| Some((layer_name(i, op), op, Conv::read(op)?))).collect()
}

fn unknown(name: &str, function: Operation<'_>, ops: &[(String, Operation<'_>, Conv<'_>)]) -> PassError {
    let index = name.split('.').next();
    let near = ops.iter().map(|(other, _, _)| other).find(|other| other.split('.').next() == index);
    let near = near.or(ops.first().map(|(other, _, _)| other));
    let hint = near.map(|near| format!(", but '{near}'")).unwrap_or_default();
    function.error(format_args!("packing file: unknown convolution '{name}'{hint}")).into()
}

/// Shape of a layer's weights: `64x3x3x32`.
fn weights_text(conv: &Conv<'_>) -> Option<String> {
    let (_, codes, _) = weights::constant(conv)?;
    Some(codes.shape().iter().map(u64::to_string).collect::<Vec<_>>().join("x"))
}

/// A layer whose weights can be packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackableLayer {
    /// Index of the layer and its operator: `12.conv2d`.
    pub name: String,
    /// Its location in the source.
    pub location: String,
    /// Shape of its weights, OHWI or HWCM.
    pub weights: String,
    /// INT8 weight codes in that order.
    pub codes: Vec<i8>,
    /// Whether it is a depthwise convolution.
    pub depthwise: bool,
    /// Input channels, or all channels of a depthwise layer: what blocks run along.
    pub channels: u64,
    /// Whether it has input statistics, so that `select=activation` and `correct` can be used.
    pub calibrated: bool,
}

impl PackableLayer {
    /// Its entry in a packing file.
    #[must_use]
    pub fn stored_as(&self, choice: &Choice) -> LayerPacking {
        LayerPacking {
            name: self.name.clone(),
            location: Some(self.location.clone()),
            weights: Some(self.weights.clone()),
            choice: choice.clone(),
        }
    }
}

/// The layers of a function before `strum-pack` that a packing file can name with any method.
#[must_use]
pub fn packable(function: Operation<'_>) -> Vec<PackableLayer> {
    let layers = convolutions(function).into_iter().filter_map(|(name, op, conv)| {
        let candidate = candidate(&conv, &Settings::ANY).ok()?;
        Some(PackableLayer {
            name,
            location: op.location().describe(),
            weights: weights_text(&conv)?,
            codes: bytemuck::cast_slice(&candidate.codes.bytes()).to_vec(),
            depthwise: conv.depthwise,
            channels: u64::try_from(candidate.shape.ic).ok()?,
            calibrated: op.attribute(INPUT_SQUARE).is_some(),
        })
    });
    layers.collect()
}

/// The weights of the convolutions of a function after `strum-pack`, by name: the values that the DPU multiplies with.
///
/// # Errors
/// Invalid packed weights.
pub fn stored(function: Operation<'_>) -> Result<BTreeMap<String, Vec<i8>>, String> {
    let mut all = BTreeMap::new();
    for (name, _, conv) in convolutions(function) {
        let literal = match weights::is_packed(&conv) {
            true => weights::decode(&conv)?,
            false => match weights::constant(&conv) {
                Some((_, literal, _)) => literal,
                None => continue,
            },
        };
        all.insert(name, bytemuck::cast_slice(&literal.bytes()).to_vec());
    }
    Ok(all)
}
