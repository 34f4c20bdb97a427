//! Energy of a mapped design on given operands.
//!
//! An event-driven simulation of the gates counts every transition of every net. A transition costs half of C·V² of its net and
//! the internal energy that Liberty gives for the cell that made it and for every cell that sees it. Delays are inertial and
//! come from the library's tables at one slew and each net's load. The clock network is ideal, as before a clock tree is
//! built: its cells have no delay, so that registers behind a clock gate see the same edge as those before it, but its energy
//! is counted. Each half of a cycle lasts until the logic has settled, so the energy does not depend on the period; leakage
//! does, and is an average over the states of each cell.
//!
//! Invariant: no energy is returned of a simulation whose accumulator differed from what was expected in any cycle.

mod energy;
mod engine;
mod prepare;

use serde::{Deserialize, Serialize};

use crate::liberty::{LibertyError, Library};
use crate::stimulus::Stimulus;
use crate::synth::Mapped;

/// The output port that is compared.
pub const ACCUMULATOR: &str = "acc_out";

/// The clock port.
pub const CLOCK: &str = "clk";

/// What a simulation assumes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Clock period, ps: leakage is energy over this time.
    pub period_ps: f64,
    /// Transition time of all signals, ps; without it, that of an inverter that drives four.
    pub slew_ps: Option<f64>,
    /// Capacitance of wire for each input that a net drives, fF; see [`Library::typical_wire_ff`].
    pub wire_ff: f64,
    /// Whether gates have delays; without them there are no glitches.
    pub glitches: bool,
    /// Leading cycles whose energy is not counted; they hold no steps.
    pub skip_cycles: usize,
}

impl Default for Conditions {
    fn default() -> Conditions {
        Conditions { period_ps: 5000.0, slew_ps: None, wire_ff: 1.0, glitches: true, skip_cycles: 0 }
    }
}

/// Energy by its cause, fJ a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// Clock nets, clock pins, and cells of the clock network.
    pub clock_fj: f64,
    /// Charging and discharging nets.
    pub switching_fj: f64,
    /// Within cells.
    pub internal_fj: f64,
    /// Leakage.
    pub leakage_fj: f64,
}

impl Energy {
    /// All of it, fJ.
    pub fn total_fj(&self) -> f64 {
        self.clock_fj + self.switching_fj + self.internal_fj + self.leakage_fj
    }

    fn add(&mut self, other: &Energy) {
        self.clock_fj += other.clock_fj;
        self.switching_fj += other.switching_fj;
        self.internal_fj += other.internal_fj;
        self.leakage_fj += other.leakage_fj;
    }

    fn scaled(&self, factor: f64) -> Energy {
        Energy {
            clock_fj: self.clock_fj * factor,
            switching_fj: self.switching_fj * factor,
            internal_fj: self.internal_fj * factor,
            leakage_fj: self.leakage_fj * factor,
        }
    }
}

/// Energy of a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitPower {
    /// Path of instances; empty for the top module, whose input ports charge the nets that they drive.
    pub path: String,
    /// Energy of the cells directly in it and of the nets that they drive, a step.
    pub energy: Energy,
}

/// The result of a simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// What was assumed; the slew is given here in any case.
    pub conditions: Conditions,
    /// Cycles whose energy was counted.
    pub cycles: usize,
    /// Steps of the PE in them.
    pub steps: u64,
    /// Cycles in which the accumulator was compared.
    pub compared: usize,
    /// Transitions of nets in the counted cycles.
    pub transitions: u64,
    /// The longest that the logic took to settle after a clock edge, ps.
    pub settling_ps: f64,
    /// Energy of a step.
    pub energy: Energy,
    /// Energy of a step by unit.
    pub units: Vec<UnitPower>,
    /// Leakage of all cells, nW.
    pub leakage_nw: f64,
    /// Nets whose load is more than the library allows their driver: nets between modules have no buffers.
    pub overloaded_nets: usize,
}

impl Power {
    /// Energy a step of a unit with all that is in it.
    pub fn energy_of(&self, path: &str) -> Energy {
        let mut sum = Energy::default();
        for unit in self.units.iter().filter(|unit| crate::synth::within(&unit.path, path)) {
            sum.add(&unit.energy);
        }
        sum
    }
}

/// Why there is no energy.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// The library is another than the one mapped to.
    #[error(transparent)]
    Liberty(#[from] LibertyError),
    /// The library is another than the one mapped to.
    #[error("the design was mapped to another library than the one given; map it again")]
    OtherLibrary,
    /// An assumption is no quantity.
    #[error("{name} must be {expected}, got {found}")]
    Condition {
        /// Which.
        name: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was given.
        found: f64,
    },
    /// The design has no clock.
    #[error("module '{top}' has no input port 'clk' of one bit")]
    NoClock {
        /// Top module.
        top: String,
    },
    /// The stimulus is for other ports.
    #[error("input port '{port}': the design has {design} bits, the stimulus {stimulus}")]
    Ports {
        /// The port.
        port: String,
        /// Its bits in the design; 0 if it has no such port.
        design: usize,
        /// Its bits in the stimulus; 0 if it has no such port.
        stimulus: usize,
    },
    /// A cycle has too few words.
    #[error("cycle {cycle} of the stimulus has {found} words, expected {expected}")]
    Words {
        /// The cycle.
        cycle: usize,
        /// Words that it has.
        found: usize,
        /// Words that the ports need.
        expected: usize,
    },
    /// Nothing to divide by.
    #[error("the stimulus has no steps, so the energy per step is undefined")]
    NoSteps,
    /// All cycles are skipped.
    #[error("{skip} cycles are to be skipped, but the stimulus has {cycles}")]
    Skip {
        /// To be skipped.
        skip: usize,
        /// What there is.
        cycles: usize,
    },
    /// The accumulator cannot be compared.
    #[error(
        "the stimulus expects values of output port 'acc_out', of which module '{top}' has {found} bits, not 32"
    )]
    NoAccumulator {
        /// Top module.
        top: String,
        /// Its width.
        found: usize,
    },
    /// Nothing was compared.
    #[error("no cycle of the stimulus says what the accumulator must hold, so the netlist cannot be checked")]
    NothingExpected,
    /// The netlist computed something else.
    #[error(
        "cycle {cycle}: acc_out is {found:#010x}, expected {expected:#010x}; no energy of a wrong netlist is given"
    )]
    Mismatch {
        /// The cycle.
        cycle: usize,
        /// What the gates computed.
        found: u32,
        /// What was expected.
        expected: u32,
    },
    /// The logic does not settle.
    #[error("cycle {cycle}: the logic does not settle; the netlist has a loop that oscillates")]
    Oscillates {
        /// The cycle.
        cycle: usize,
    },
}

/// Simulates a mapped design on a stimulus.
///
/// # Errors
///
/// [`PowerError`]: a stimulus of other ports, or a netlist that computes something else than expected.
pub fn simulate(
    mapped: &Mapped,
    library: &Library,
    stimulus: &Stimulus,
    conditions: &Conditions,
) -> Result<Power, PowerError> {
    if mapped.library != library.digest {
        return Err(PowerError::OtherLibrary);
    }
    let wire_ff = conditions.wire_ff;
    let slew_ps = match conditions.slew_ps {
        Some(slew_ps) => slew_ps,
        None => library.typical_slew_ps(wire_ff)?,
    };
    let conditions = Conditions { slew_ps: Some(slew_ps), ..conditions.clone() };
    check(&conditions, slew_ps, wire_ff)?;
    if stimulus.steps == 0 {
        return Err(PowerError::NoSteps);
    }
    if conditions.skip_cycles >= stimulus.cycles.len() {
        return Err(PowerError::Skip { skip: conditions.skip_cycles, cycles: stimulus.cycles.len() });
    }
    let circuit = prepare::Circuit::new(mapped, library, conditions.glitches, slew_ps, wire_ff)?;
    let plan = engine::Plan::new(mapped, stimulus)?;
    let run = engine::run(&circuit, &plan, stimulus, &conditions)?;
    let cycles = stimulus.cycles.len() - conditions.skip_cycles;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let (per_step, seconds) = (1.0 / stimulus.steps as f64, cycles as f64 * conditions.period_ps * 1e-12);
    let mut units: Vec<UnitPower> = Vec::new();
    for (number, energy) in run.units.iter().enumerate() {
        let path = mapped.units.get(number).map(|unit| unit.path.clone()).unwrap_or_default();
        // nW times seconds is nJ.
        let leakage_fj = circuit.leakage_nw.get(number).copied().unwrap_or(0.0) * seconds * 1e6;
        let energy = Energy { leakage_fj, ..*energy }.scaled(per_step);
        match units.iter_mut().find(|unit| unit.path == path) {
            Some(unit) => unit.energy.add(&energy),
            None => units.push(UnitPower { path, energy }),
        }
    }
    let mut energy = Energy::default();
    units.iter().for_each(|unit| energy.add(&unit.energy));
    Ok(Power {
        conditions,
        cycles,
        steps: stimulus.steps,
        compared: run.compared,
        transitions: run.transitions,
        settling_ps: run.settling_ps,
        energy,
        units,
        leakage_nw: circuit.leakage_nw.iter().sum(),
        overloaded_nets: circuit.overloaded_nets,
    })
}

fn check(conditions: &Conditions, slew_ps: f64, wire_ff: f64) -> Result<(), PowerError> {
    let positive = |name, found: f64| match found > 0.0 && found.is_finite() {
        true => Ok(()),
        false => Err(PowerError::Condition { name, expected: "more than 0", found }),
    };
    positive("the period", conditions.period_ps)?;
    positive("the slew", slew_ps)?;
    match wire_ff >= 0.0 && wire_ff.is_finite() {
        true => Ok(()),
        false => {
            Err(PowerError::Condition { name: "the wire capacitance", expected: "0 or more", found: wire_ff })
        }
    }
}
