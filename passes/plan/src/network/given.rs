//! The strategy given for a network, checked against it.
//!
//! Invariant: everything it specifies is either followed or refused at the layer concerned.

use std::collections::BTreeMap;

use dpu_isa::Machine;

use super::{Failure, Layer, Network, Subject, TensorInfo};
use crate::error::PlanError;
use crate::residency::{Graph, Residency};
use crate::strategy::{BundleStrategy, LayerStrategy, ProgramStrategy};

/// The constraints that a strategy puts on a network.
#[derive(Default)]
pub(super) struct Given {
    /// The strategy of every layer; empty without a strategy.
    pub(super) layers: Vec<LayerStrategy>,
    /// SRAM bytes that prefetched constants may fill.
    pub(super) prefetch_bytes: Option<u64>,
    /// Which constants are bundled.
    pub(super) bundle: Option<BundleStrategy>,
}

fn refuse<T>(subject: Subject, what: String) -> Result<T, Failure> {
    Err(Failure { subject, error: PlanError::refused(what) })
}

impl Given {
    /// The constraints of a program's strategy on the layers of a network.
    ///
    /// # Errors
    /// Refused: an unknown layer, or one with another output; more SRAM than there is; a resident output.
    pub(super) fn of(
        strategy: &ProgramStrategy,
        network: &Network,
        graph: &Graph,
        machine: &Machine,
    ) -> Result<Self, Failure> {
        let has = machine.sram_bytes;
        if let Some(bytes) = strategy.prefetch_bytes.filter(|bytes| *bytes > has) {
            let what = format!("prefetch_bytes = {bytes} exceeds the SRAM of {has} bytes");
            return refuse(Subject::Network, what);
        }
        let mut layers = vec![LayerStrategy::default(); network.layers.len()];
        let names = network.layers.iter().enumerate().map(|(i, layer)| (layer.info.name.as_str(), i));
        let names: BTreeMap<&str, usize> = names.collect();
        for told in &strategy.layers {
            let index = names.get(told.name.as_str()).copied();
            let found = index.and_then(|i| Some((i, network.layers.get(i)?, layers.get_mut(i)?)));
            let Some((i, Layer { node, .. }, slot)) = found else {
                return refuse(Subject::Network, unknown(&told.name, network));
            };
            if let (Some(is), Some(output)) =
                (network.tensors.get(node.output).map(TensorInfo::text), &told.output)
                && is != *output
            {
                let what = format!("layer '{}' has output {is}, not {output}", told.name);
                return refuse(Subject::Layer(i), what);
            }
            let value = graph.values.get(node.output);
            if told.stays == Some(true) && !value.is_some_and(|v| v.may_stay) {
                return refuse(
                    Subject::Layer(i),
                    "an output of the function cannot be resident in SRAM".into(),
                );
            }
            *slot = told.clone();
        }
        Ok(Given { layers, prefetch_bytes: strategy.prefetch_bytes, bundle: strategy.bundle })
    }

    /// For each tensor of the graph, whether it must or must not be resident.
    pub(super) fn pins(&self, graph: &Graph) -> Vec<Option<bool>> {
        let mut pins = vec![None; graph.values.len()];
        for (layer, node) in self.layers.iter().zip(&graph.nodes) {
            if let Some(pin) = pins.get_mut(node.output) {
                *pin = layer.stays;
            }
        }
        pins
    }

    /// Refuses tensors that must be resident and are not.
    ///
    /// # Errors
    /// Refused, at the layer.
    pub(super) fn check_residency(&self, graph: &Graph, residency: &Residency) -> Result<(), Failure> {
        let mut layers = self.layers.iter().zip(&graph.nodes);
        let stays = |output: usize| residency.stays.get(output) == Some(&true);
        match layers.position(|(layer, node)| layer.stays == Some(true) && !stays(node.output)) {
            Some(i) => {
                let what = "the result cannot be resident in SRAM: \
                            it does not fit with the other resident tensors, or no layer reads it";
                refuse(Subject::Layer(i), what.into())
            }
            None => Ok(()),
        }
    }
}

/// The message on an unknown layer.
fn unknown(name: &str, network: &Network) -> String {
    let index = name.split_once('.').and_then(|(index, _)| index.parse::<usize>().ok());
    let known = match index.and_then(|i| network.layers.get(i)) {
        Some(same) => format!("that layer is '{}'", same.info.name),
        None => format!("there are {} layers", network.layers.len()),
    };
    format!("unknown layer '{name}': {known}")
}
