//! One design, measured: areas, shortest period, and energy of a product in every layer, at each level.

use dpu_isa::{Machine, PeKind};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use strum_formats::{Format, Method};

use super::operands::Layer;
use super::{ExploreError, Setup};
use crate::power::simulate;
use crate::spec::{Decode, LowLanes, Multiplier, RegisterFile, Spec, Structure};
use crate::{drive, synth, timing, units, verilog};

/// A figure of a PE and of what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// Multipliers, shifters, tree and accumulator.
    pub datapath: f64,
    /// And operand registers, zero point, decoder and choice of activations.
    pub pe_core: f64,
    /// And register files: the whole PE.
    pub pe: f64,
}

impl Levels {
    /// The levels by name, smallest first.
    #[must_use]
    pub fn named(&self) -> [(&'static str, f64); 3] {
        [("datapath", self.datapath), ("pe-core", self.pe_core), ("pe", self.pe)]
    }

    /// Sums of units by path, in a design of level `pe`.
    fn of(sum: impl Fn(&str) -> f64) -> Levels {
        Levels { datapath: sum("u_core.u_datapath"), pe_core: sum("u_core") + sum("u_fetch"), pe: sum("") }
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Levels {
        Levels { datapath: f(self.datapath), pe_core: f(self.pe_core), pe: f(self.pe) }
    }
}

/// The energy of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerEnergy {
    /// Network and input.
    pub case: String,
    /// The layer.
    pub layer: String,
    /// Products in the traced vectors.
    pub products: u64,
    /// Steps of the PE.
    pub steps: u64,
    /// Accumulators compared with the trace, all equal.
    pub compared: usize,
    /// Energy of a product, fJ, with glitches, clock and leakage.
    pub energy_fj: Levels,
}

/// A measured design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The design in words.
    pub design: String,
    /// Kind of the PE.
    pub kind: String,
    /// The weights that it was driven with: `dense`, or a packed format. A dense PE gets decoded ones.
    pub weights: String,
    /// Block length; 0 without blocks.
    pub w: u8,
    /// Low members of a block.
    pub low: u8,
    /// How products are added.
    pub structure: Structure,
    /// How partial products are formed.
    pub multiplier: Multiplier,
    /// What register files consist of.
    pub register_file: RegisterFile,
    /// When masks are decoded; nothing in a dense PE.
    pub decode: Option<Decode>,
    /// Where the lanes of low members are; nothing but in a static PE.
    pub low_lanes: Option<LowLanes>,
    /// Areas, in the library's unit, um2 as a rule.
    pub area_um2: Levels,
    /// Shortest clock period, ns.
    pub shortest_period_ns: f64,
    /// Every layer.
    pub layers: Vec<LayerEnergy>,
}

impl Point {
    /// Mean over all layers of the energy of a product, fJ.
    #[must_use]
    pub fn mean_energy(&self) -> Levels {
        let mut sum = Levels::default();
        for LayerEnergy { energy_fj, .. } in &self.layers {
            sum.datapath += energy_fj.datapath;
            sum.pe_core += energy_fj.pe_core;
            sum.pe += energy_fj.pe;
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of layers")]
        let count = self.layers.len().max(1) as f64;
        sum.map(|sum| sum / count)
    }

    /// Whether the PE is dense.
    #[must_use]
    pub fn dense(&self) -> bool {
        self.kind == PeKind::Dense.name()
    }
}

/// A format as packing files and `strumc eval` write it, with all that a PE is built for.
#[must_use]
pub fn format_text(format: &Format) -> String {
    let Format { w, low, method } = *format;
    let share = f64::from(low) / f64::from(w.max(1));
    let name = method.kind().name();
    match method {
        Method::Dense => name.to_owned(),
        Method::Sparse => format!("{name},w={w},p={share}"),
        Method::Mip2q { l, zero } => {
            format!("{name},w={w},p={share},L={l}{}", if zero { ",zero=true" } else { "" })
        }
        Method::Dliq { q, .. } => format!("{name},w={w},p={share},q={q}"),
    }
}

/// Maps a design, and simulates its gates on layers with weights of this format.
pub(super) fn measure(
    spec: &Spec,
    format: Option<Format>,
    layers: &[&Layer],
    machine: &Machine,
    setup: &Setup<'_>,
) -> Result<Point, ExploreError> {
    let design = || spec.to_string();
    let top = units::top(spec);
    let machine = Machine { pe_kind: spec.kind, ..machine.clone() };
    let mapped = synth::map(&verilog::text(spec, &machine), &top.name, setup.library, setup.options)
        .map_err(|error| ExploreError::Synth { design: design(), error: error.into() })?;
    let period_ns = setup.conditions.period_ps / 1000.0;
    let path =
        timing::critical_path(&mapped, setup.library, period_ns, setup.sta.as_deref(), setup.options.limit)
            .map_err(|error| ExploreError::Timing { design: design(), error: error.into() })?;
    let energies: Result<Vec<LayerEnergy>, ExploreError> = layers
        .par_iter()
        .map(|layer| {
            // The tree of modules is not shared among threads.
            let stimulus = drive::stimulus(spec, &units::top(spec), &layer.sections).map_err(|error| {
                ExploreError::Drive { design: design(), layer: layer.layer.clone(), error: error.into() }
            })?;
            let power = simulate(&mapped, setup.library, &stimulus, &setup.conditions).map_err(|error| {
                ExploreError::Power { design: design(), layer: layer.layer.clone(), error: error.into() }
            })?;
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            let steps = power.steps as f64 / layer.products.max(1) as f64;
            let energy = Levels::of(|path| power.energy_of(path).total_fj()).map(|energy| energy * steps);
            Ok(LayerEnergy {
                case: layer.case.clone(),
                layer: layer.layer.clone(),
                products: layer.products,
                steps: power.steps,
                compared: power.compared,
                energy_fj: energy,
            })
        })
        .collect();
    Ok(Point {
        design: design(),
        kind: spec.kind.name().to_owned(),
        weights: format.as_ref().map_or_else(|| "dense".to_owned(), format_text),
        w: if spec.packed() { spec.format.w } else { 0 },
        low: if spec.packed() { spec.format.low } else { 0 },
        structure: spec.structure,
        multiplier: spec.multiplier,
        register_file: spec.register_file,
        decode: spec.packed().then_some(spec.decode),
        low_lanes: (spec.kind == PeKind::StrumStatic).then_some(spec.placement),
        area_um2: Levels::of(|path| mapped.area_of(path)),
        shortest_period_ns: path.shortest_period_ns,
        layers: energies?,
    })
}
