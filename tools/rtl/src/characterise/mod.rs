//! From gates to a machine file: what a PE takes is measured on traces, and the prices of the machine file are fitted to it.
//!
//! Every class of energy has a price for each event and a saving where an operand is held; both are chosen so that the squared
//! errors, relative to the energy of each layer, are least over all measured layers. `dpu-cost` then prices the same events, which shows how far each layer is
//! off.

mod classes;
mod counts;
mod fit;

use std::collections::BTreeMap;
use std::path::PathBuf;

use dpu_cost::{Counts, Energy};
use dpu_isa::{Machine, PeKind};
use rayon::prelude::*;
use serde::Serialize;
use strum_formats::Kind;

use crate::drive::{self, DriveError, Schedule, Section};
use crate::liberty::Library;
use crate::netlist::to_verilog;
use crate::power::{Conditions, PowerError, simulate};
use crate::spec::{Level, Spec};
use crate::synth::{Mapped, Options, SynthError, map};
use crate::timing::{TimingError, critical_path};
use crate::{units, verilog};

use classes::Classes;

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
    /// By the prices of the machine file, fJ.
    pub priced_fj: f64,
    /// Whether the prices were fitted to it; those of low members are fitted to layers of other formats as well.
    pub fitted: bool,
}

impl LayerFigures {
    /// How far the price is off, relative to the gates.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.priced_fj / self.gates_fj - 1.0
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
    result.fit(&measured)?;
    let leakage = measured.first().map_or(0.0, |m| m.leakage_nw);
    result.set("pe_leak_nw", leakage);
    result.name_sources(setup, &measured);
    result.sram(setup);
    result.machine.check()?;
    let layers =
        measured.iter().map(|m| figures(&result.machine, m, m.whole && m.spec == result.main)).collect();
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
    let stimulus = drive::stimulus(spec, &units::top(spec), sections).map_err(drive_error)?;
    let power = simulate(mapped, setup.library, &stimulus, &setup.conditions)
        .map_err(|error| CharacteriseError::Power { layer: layer.clone(), error })?;
    let header = sections.first().map(|s| &s.header);
    let channels = header.map_or(0, |h| h.tile.in_c);
    let vector = header.map_or(1, |h| h.vector).max(spec.vector());
    Ok(Measured {
        packed: header.is_some_and(|h| drive::format_of(&h.conv).is_some()),
        counts: counts::counts(spec, &schedule, &stimulus),
        classes: Classes::of(spec, &power),
        leakage_nw: power.leakage_nw,
        steps: power.steps,
        whole: channels.is_multiple_of(vector.max(1)) && power.steps >= MIN_STEPS,
        spec: spec.clone(),
        layer,
    })
}

/// What the machine file says of a measured layer.
fn figures(machine: &Machine, measured: &Measured, fitted: bool) -> LayerFigures {
    let leakless = Machine { pe_leak_nw: 0, sram_leak_nw: 0, idle_cycle_fj: 0, ..machine.clone() };
    let priced = Energy::of(&measured.counts, &leakless);
    let steps = measured.steps.max(1) as f64;
    LayerFigures {
        layer: measured.layer.clone(),
        format: if measured.packed { measured.spec.format.method.kind().name() } else { "dense" }.to_owned(),
        steps: measured.steps,
        gates_fj: measured.classes.total() / steps,
        priced_fj: priced.pe as f64 / steps,
        fitted,
    }
}

/// The machine that is being filled.
struct Prices {
    machine: Machine,
    sources: BTreeMap<&'static str, String>,
    main: Spec,
}

/// Events and energies of a class over the layers.
type Class<'m> = (&'m dyn Fn(&Measured) -> Vec<f64>, &'m dyn Fn(&Measured) -> f64);

impl Prices {
    fn new(machine: Machine, spec: &Spec) -> Prices {
        Prices { machine, sources: BTreeMap::new(), main: spec.clone() }
    }

    fn set(&mut self, field: &'static str, value: f64) {
        let value = value.round().max(0.0) as u64;
        if self.machine.set(field, value) {
            self.sources.insert(field, String::new());
        }
    }

    /// Fits `fields` to a class over the layers that `of` selects; without events the fields become 0.
    fn class(&mut self, measured: &[&Measured], fields: &[&'static str], (events, energy): Class<'_>) {
        let rows: Vec<Vec<f64>> = measured.iter().map(|m| events(m)).collect();
        let with: Vec<(Vec<f64>, f64)> = rows
            .into_iter()
            .zip(measured)
            .filter(|(row, m)| row.first().is_some_and(|&n| n > 0.0) && energy(m) > 0.0)
            // Relative to the whole layer: each layer counts alike, and each class by its share of it.
            .map(|(row, m)| {
                let whole = m.classes.total();
                (row.into_iter().map(|n| n / whole).collect::<Vec<f64>>(), energy(m) / whole)
            })
            .collect();
        let (rows, targets): (Vec<Vec<f64>>, Vec<f64>) = with.into_iter().unzip();
        // Savings together are at most the price.
        let x =
            fit::fit(&rows, &targets, |x| x.iter().skip(1).sum::<f64>() <= x.first().copied().unwrap_or(0.0));
        for (i, field) in fields.iter().enumerate() {
            self.set(field, x.get(i).copied().unwrap_or(0.0));
        }
    }

    fn fit(&mut self, measured: &[Measured]) -> Result<(), CharacteriseError> {
        let main: Vec<&Measured> = measured.iter().filter(|m| m.whole && m.spec == self.main).collect();
        if main.is_empty() {
            return Err(CharacteriseError::NoLayer);
        }
        let kind = self.main.kind;
        self.class(
            &main,
            &["mult_fj", "mult_act_held_saving_fj", "mult_weight_held_saving_fj"],
            (&|m| multiplications(m, kind), &|m| m.classes.multipliers),
        );
        self.class(
            &main,
            &["product_add_fj", "product_add_act_held_saving_fj", "product_add_weight_held_saving_fj"],
            (
                &|m| vec![products(m), -float(m.counts.events.act_held), -float(m.counts.events.weight_held)],
                &|m| m.classes.product_add,
            ),
        );
        self.class(&main, &["add_fj"], (&|m| vec![float(m.counts.events.pe_steps)], &|m| m.classes.add));
        self.class(
            &main,
            &["operand_fj", "operand_held_saving_fj"],
            (&|m| vec![products(m), -float(m.counts.events.act_held)], &|m| m.classes.operands),
        );
        self.class(
            &main,
            &["route_fj", "route_held_saving_fj"],
            (&|m| vec![float(m.counts.events.routed), -float(m.counts.events.routed_held)], &|m| {
                m.classes.routing
            }),
        );
        self.class(
            &main,
            &["decode_block_fj"],
            (&|m| vec![float(m.counts.events.packed_blocks)], &|m| m.classes.decode),
        );
        self.register_files(&main);
        self.class(&main, &["path_fj"], (&|m| vec![products(m)], &|m| m.classes.paths));
        let steps = |m: &Measured| vec![float(m.counts.events.pe_steps)];
        self.class(&main, &["datapath_clock_fj"], (&steps, &|m| m.classes.datapath_clock));
        self.class(&main, &["pe_clock_fj"], (&steps, &|m| m.classes.pe_clock));
        self.low_members(measured);
        // What packed words cost on their way is in the register file and the decoder.
        self.set("unpack_byte_fj", 0.0);
        Ok(())
    }

    fn register_files(&mut self, main: &[&Measured]) {
        self.class(
            main,
            &["if_byte_fj", "if_held_saving_fj"],
            (
                &|m| {
                    let e = &m.counts.events;
                    vec![float(e.if_read + e.if_write), -float(e.if_held)]
                },
                &|m| m.classes.if_rf,
            ),
        );
        self.class(
            main,
            &["fl_byte_fj", "fl_held_saving_fj"],
            (
                &|m| {
                    let e = &m.counts.events;
                    vec![float(e.fl_read + e.fl_write), -float(e.fl_held)]
                },
                &|m| m.classes.fl_rf,
            ),
        );
        self.class(
            main,
            &["of_byte_fj"],
            (&|m| vec![float(m.counts.events.of_read + m.counts.events.of_write)], &|m| m.classes.of_rf),
        );
    }

    /// The units of low members, each on the PEs for its format.
    fn low_members(&mut self, measured: &[Measured]) {
        if self.main.kind == PeKind::Dense {
            return;
        }
        let of = |kind: Kind| -> Vec<&Measured> {
            measured.iter().filter(|m| m.whole && m.packed && m.spec.format.method.kind() == kind).collect()
        };
        self.class(
            &of(Kind::Mip2q),
            &["shift_fj", "shift_weight_held_saving_fj"],
            (
                &|m| vec![float(m.counts.events.low_shifts), -float(m.counts.events.low_shifts_weight_held)],
                &|m| m.classes.low,
            ),
        );
        self.class(
            &of(Kind::Dliq),
            &["low_mult_bit_fj", "low_mult_bit_weight_held_saving_fj"],
            (
                &|m| {
                    let e = &m.counts.events;
                    vec![float(e.low_product_bits), -float(e.low_product_bits_weight_held)]
                },
                &|m| m.classes.low,
            ),
        );
    }

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

fn float(count: u64) -> f64 {
    count as f64
}

/// Products as `dpu-cost` counts them.
fn products(m: &Measured) -> f64 {
    let dropped = if m.spec.format.method.kind() == Kind::Sparse { m.counts.macs_low } else { 0 };
    float(m.counts.macs_high + m.counts.macs_low - dropped)
}

/// Full multiplications, those with the activation held, and those with the weight held.
fn multiplications(m: &Measured, kind: PeKind) -> Vec<f64> {
    let e = &m.counts.events;
    let held = match kind {
        PeKind::Dense => e.weight_held,
        _ => e.weight_held.saturating_sub(e.low_shifts_weight_held + e.low_products_weight_held),
    };
    let full = m.counts.macs_high + if kind == PeKind::Dense { m.counts.macs_low } else { 0 };
    vec![float(full), -float(e.act_held), -float(held)]
}
