//! From gates to a machine file: what a PE takes is measured on traces, and the prices of the machine file are fitted to it.
//!
//! `dpu-cost` then prices the same events, which shows how far each layer is off: of the driven PE, of the simulator for the whole
//! layer, and by prices that were fitted without the layer.

mod classes;
mod counts;
mod fit;
mod groups;
mod model;
mod prices;

use std::collections::BTreeMap;
use std::path::PathBuf;

use dpu_cost::{Counts, Energy};
use dpu_isa::Machine;
use rayon::prelude::*;
use serde::Serialize;

use crate::drive::{self, DriveError, Schedule, Section};
use crate::liberty::Library;
use crate::netlist::to_verilog;
use crate::power::{Conditions, PowerError, simulate};
use crate::spec::{Level, Spec};
use crate::synth::{Mapped, Options, SynthError, map};
use crate::timing::{TimingError, critical_path};
use crate::{units, verilog};

use classes::Classes;
use prices::Prices;

/// Fewest steps of a layer that prices are fitted to: in shorter ones filling the register files outweighs the work.
const MIN_STEPS: u64 = 256;

/// Why a machine cannot be characterised.
#[derive(Debug, thiserror::Error)]
pub enum CharacteriseError {
    /// The design cannot be mapped.
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// Its critical path cannot be found.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// The gates cannot be simulated.
    #[error("layer '{layer}': {error}")]
    Power {
        /// The layer.
        layer: String,
        /// Why.
        error: PowerError,
    },
    /// A trace does not fit.
    #[error("layer '{layer}': {error}")]
    Drive {
        /// The layer.
        layer: String,
        /// Why.
        error: DriveError,
    },
    /// A format that the PE kind cannot be built for.
    #[error("layer '{layer}': {error}")]
    Spec {
        /// The layer.
        layer: String,
        /// Why.
        error: crate::spec::SpecError,
    },
    /// No layer of the traces fills the lanes.
    #[error(
        "no traced layer has whole vectors of channels and 256 steps, which prices are fitted to: trace more of one"
    )]
    NoLayer,
    /// A clock that the PE does not reach.
    #[error(
        "the PE's critical path takes {shortest_ns:.2} ns, so it does not reach {clock_mhz} MHz; lower --clock or --period"
    )]
    Clock {
        /// The clock that was asked for.
        clock_mhz: u32,
        /// The shortest period, ns.
        shortest_ns: f64,
    },
    /// The result is no machine.
    #[error(transparent)]
    Machine(#[from] dpu_isa::MachineError),
}

/// What is measured with.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The cells.
    pub library: &'a Library,
    /// How designs are mapped.
    pub options: &'a Options,
    /// What the simulation of gates assumes.
    pub conditions: Conditions,
    /// What was traced, for the sources of the machine file.
    pub traced: String,
    /// Figures of the SRAM, which no cell library has.
    pub sram: Option<Sram>,
    /// The clock, MHz; without it the machine's, or the fastest that the PE's critical path allows.
    pub clock_mhz: Option<u32>,
    /// OpenSTA, if not that of the search path.
    pub sta: Option<PathBuf>,
}

/// Figures of SRAM from elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Sram {
    /// Area of a byte, um2.
    pub um2_per_byte: f64,
    /// Leakage of a byte, nW.
    pub nw_per_byte: f64,
    /// Where they are from.
    pub source: String,
}

/// A layer, measured and priced.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerFigures {
    /// Its name.
    pub layer: String,
    /// Format of its weights.
    pub format: String,
    /// Steps of the PE.
    pub steps: u64,
    /// Energy of a step by the gates, without leakage, fJ.
    pub gates_fj: f64,
    /// By the prices of the machine file and the events of the driven PE, fJ.
    pub priced_fj: f64,
    /// The same by prices that were fitted to four fifths of the layers, without this one; for those that prices are fitted to.
    pub held_out_fj: Option<f64>,
    /// By the prices of the machine file and the events that the simulator counts for the whole layer, fJ; not where activations
    /// are resident and windows have several taps.
    pub simulated_fj: Option<f64>,
    /// Energy of a step of each class of units by the gates, fJ.
    pub classes_fj: BTreeMap<&'static str, f64>,
    /// Whether the prices were fitted to it; those of low members are fitted to layers of other formats as well.
    pub fitted: bool,
}

impl LayerFigures {
    /// How far an energy is off, relative to the gates.
    #[must_use]
    pub fn error(&self, fj: f64) -> f64 {
        fj / self.gates_fj - 1.0
    }
}

/// A characterised machine.
#[derive(Clone, Debug)]
pub struct Characterised {
    /// The machine.
    pub machine: Machine,
    /// Sources of its fields.
    pub sources: BTreeMap<&'static str, String>,
    /// The layers.
    pub layers: Vec<LayerFigures>,
}

/// A measured layer.
struct Measured {
    layer: String,
    spec: Spec,
    packed: bool,
    counts: Counts,
    /// What the simulator counts for the whole layer.
    model: Option<Counts>,
    classes: Classes,
    leakage_nw: f64,
    steps: u64,
    whole: bool,
}

/// Characterises the PEs of `machine`, of the main design `spec` (level and kind aside), on traced layers. A trace of another
/// format than the design's is measured on a PE for that format, and gives the prices of its low members alone.
///
/// # Errors
/// When a design cannot be mapped or simulated, or a trace does not fit it.
pub fn characterise(
    machine: &Machine,
    spec: &Spec,
    layers: &[Vec<Section>],
    setup: &Setup<'_>,
) -> Result<Characterised, CharacteriseError> {
    let spec = Spec { level: Level::Pe, ..spec.clone() };
    let mut designs: Vec<(Spec, Mapped)> = Vec::new();
    for sections in layers {
        let own = design_of(&spec, sections)?;
        if !designs.iter().any(|(known, _)| *known == own) {
            let mapped = mapped(machine, &own, setup)?;
            designs.push((own, mapped));
        }
    }
    let mut result = Prices::new(machine.clone(), &spec);
    let pe = result.areas(machine, &spec, setup)?;
    result.clock(&pe, setup)?;
    let measured: Result<Vec<Measured>, CharacteriseError> = layers
        .par_iter()
        .map(|sections| {
            let own = design_of(&spec, sections)?;
            let (_, mapped) =
                designs.iter().find(|(known, _)| *known == own).ok_or(CharacteriseError::NoLayer)?;
            measure(&own, mapped, sections, setup)
        })
        .collect();
    let measured = measured?;
    result.fit(&measured.iter().collect::<Vec<_>>())?;
    let leakage = measured.first().map_or(0.0, |m| m.leakage_nw);
    result.set("pe_leak_nw", leakage);
    result.name_sources(setup, &measured);
    result.sram(setup);
    result.machine.check()?;
    let held_out = held_out(&result, &measured);
    let layers = measured
        .iter()
        .map(|m| {
            let fitted = m.whole && m.spec == result.main;
            let held_out = held_out.get(m.layer.as_str()).filter(|_| fitted);
            figures(&result.machine, m, fitted, held_out)
        })
        .collect();
    Ok(Characterised { machine: result.machine, sources: result.sources, layers })
}

fn layer_name(sections: &[Section]) -> String {
    sections.first().map(|s| s.header.layer.clone()).unwrap_or_default()
}

/// The design that a layer is measured on: the main one, or that of its format.
fn design_of(spec: &Spec, sections: &[Section]) -> Result<Spec, CharacteriseError> {
    let format = sections.first().and_then(|s| drive::format_of(&s.header.conv));
    let own = match format {
        Some(format) if spec.packed() && !drive::same_format(&format, &spec.format) => {
            Spec { format, ..spec.clone() }
        }
        _ => spec.clone(),
    };
    own.check().map_err(|error| CharacteriseError::Spec { layer: layer_name(sections), error })?;
    Ok(own)
}

fn mapped(machine: &Machine, spec: &Spec, setup: &Setup<'_>) -> Result<Mapped, SynthError> {
    map(&verilog::text(spec, machine), &units::top(spec).name, setup.library, setup.options)
}

fn measure(
    spec: &Spec,
    mapped: &Mapped,
    sections: &[Section],
    setup: &Setup<'_>,
) -> Result<Measured, CharacteriseError> {
    let layer = layer_name(sections);
    let drive_error = |error| CharacteriseError::Drive { layer: layer.clone(), error };
    let schedule = Schedule::of(spec, sections).map_err(drive_error)?;
    let stimulus = drive::counted(spec, &units::top(spec), &schedule).map_err(drive_error)?;
    let power = simulate(mapped, setup.library, &stimulus, &setup.conditions)
        .map_err(|error| CharacteriseError::Power { layer: layer.clone(), error })?;
    let header = sections.first().map(|s| &s.header);
    let channels = header.map_or(0, |h| h.tile.in_c);
    let vector = header.map_or(1, |h| h.vector).max(spec.vector());
    Ok(Measured {
        packed: header.is_some_and(|h| drive::format_of(&h.conv).is_some()),
        counts: counts::counts(spec, &schedule, &stimulus),
        model: model::counts(spec, sections),
        classes: Classes::of(spec, &power),
        leakage_nw: power.leakage_nw,
        steps: power.steps,
        whole: channels.is_multiple_of(vector.max(1)) && power.steps >= MIN_STEPS,
        spec: spec.clone(),
        layer,
    })
}

/// Parts that the layers are dealt to: prices are fitted to all but one of them, to see what these say of its layers.
const PARTS: usize = 5;

/// For each layer, the machine whose prices were fitted without it, neither packed nor plain.
fn held_out<'m>(result: &Prices, measured: &'m [Measured]) -> BTreeMap<&'m str, Machine> {
    let mut names: Vec<&str> = Vec::new();
    for m in measured.iter().filter(|m| m.whole) {
        if !names.contains(&m.layer.as_str()) {
            names.push(&m.layer);
        }
    }
    let part_of = |layer: &str| names.iter().position(|name| *name == layer).map(|at| at % PARTS);
    let mut machines = BTreeMap::new();
    for part in 0..PARTS {
        let rest: Vec<&Measured> = measured.iter().filter(|m| part_of(&m.layer) != Some(part)).collect();
        let mut prices = Prices::new(result.machine.clone(), &result.main);
        // With too few layers there is nothing to compare with.
        if prices.fit(&rest).is_ok() {
            let own = names.iter().filter(|name| part_of(name) == Some(part));
            machines.extend(own.map(|name| (*name, prices.machine.clone())));
        }
    }
    machines
}

/// Energy of a step of a PE, without leakage and adder trees, fJ.
fn step_fj(machine: &Machine, counts: &Counts) -> f64 {
    let leakless = Machine { pe_leak_nw: 0, sram_leak_nw: 0, idle_cycle_fj: 0, ..machine.clone() };
    let energy = Energy::of(counts, &leakless);
    energy.pe.saturating_sub(energy.adder_tree) as f64 / counts.events.pe_steps.max(1) as f64
}

/// What the machine file says of a measured layer.
fn figures(machine: &Machine, measured: &Measured, fitted: bool, held_out: Option<&Machine>) -> LayerFigures {
    let steps = measured.steps.max(1) as f64;
    LayerFigures {
        layer: measured.layer.clone(),
        format: if measured.packed { measured.spec.format.method.kind().name() } else { "dense" }.to_owned(),
        steps: measured.steps,
        gates_fj: measured.classes.total() / steps,
        priced_fj: step_fj(machine, &measured.counts),
        held_out_fj: held_out.map(|machine| step_fj(machine, &measured.counts)),
        simulated_fj: measured.model.as_ref().map(|counts| step_fj(machine, counts)),
        classes_fj: measured.classes.named().into_iter().map(|(name, fj)| (name, fj / steps)).collect(),
        fitted,
    }
}

impl Prices {
    /// Where the figures come from.
    fn name_sources(&mut self, setup: &Setup<'_>, measured: &[Measured]) {
        let fitted = measured.iter().filter(|m| m.whole).count();
        let text = format!(
            "gates: {}, {} V; {}; {fitted} layers of {}; {}, strum-rtl {}",
            setup.library.name,
            setup.library.voltage,
            self.main,
            setup.traced,
            setup.options.yosys.version,
            env!("CARGO_PKG_VERSION")
        );
        self.sources.values_mut().for_each(|source| source.clone_from(&text));
    }

    /// Areas of the levels, and of FlexTree's adders; returns the mapped PE.
    fn areas(
        &mut self,
        machine: &Machine,
        spec: &Spec,
        setup: &Setup<'_>,
    ) -> Result<Mapped, CharacteriseError> {
        let at = |level: Level| mapped(machine, &Spec { level, ..spec.clone() }, setup);
        let (datapath, core, pe) = (at(Level::Datapath)?, at(Level::PeCore)?, at(Level::Pe)?);
        self.set("datapath_area_um2", datapath.area);
        self.set("pe_core_area_um2", core.area);
        self.set("pe_area_um2", pe.area);
        // A tree of n PEs has n - 1 adders.
        let adder = units::tree_adder();
        let text = to_verilog(&adder, &[]);
        let adder = map(&text, &adder.name, setup.library, setup.options)?;
        let joined = f64::from(machine.adder_tree_max.max(1));
        self.set("tree_area_um2", adder.area * (joined - 1.0) / joined);
        Ok(pe)
    }

    /// The clock that the PE's critical path allows.
    fn clock(&mut self, pe: &Mapped, setup: &Setup<'_>) -> Result<(), CharacteriseError> {
        let period_ns = f64::from(setup.options.period_ps) / 1000.0;
        let path = critical_path(pe, setup.library, period_ns, setup.sta.as_deref(), setup.options.limit)?;
        let fastest = (1000.0 / path.shortest_period_ns).floor();
        if let Some(clock_mhz) = setup.clock_mhz.filter(|&clock| f64::from(clock) > fastest) {
            return Err(CharacteriseError::Clock { clock_mhz, shortest_ns: path.shortest_period_ns });
        }
        let own = f64::from(self.machine.clock_mhz);
        self.set("clock_mhz", setup.clock_mhz.map_or(own.min(fastest).max(1.0), f64::from));
        Ok(())
    }

    fn sram(&mut self, setup: &Setup<'_>) {
        let Some(sram) = &setup.sram else { return };
        let bytes = self.machine.sram_bytes as f64;
        for (field, value) in
            [("sram_area_um2", sram.um2_per_byte * bytes), ("sram_leak_nw", sram.nw_per_byte * bytes)]
        {
            self.set(field, value);
            self.sources.insert(field, sram.source.clone());
        }
    }
}
