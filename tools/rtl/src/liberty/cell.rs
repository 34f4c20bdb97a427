//! Cells of a library: pins, functions, state, tables.

use serde::{Deserialize, Serialize};

use super::{Table, Truth};

/// A cell.
///
/// Functions of outputs are truth tables over the inputs in order, followed by the state where the cell has one. Conditions of
/// tables are over the inputs, the outputs, and the state.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Name.
    pub name: String,
    /// Area in µm², or the unit of the library where that is not µm².
    pub area: f64,
    /// Leakage in nW, averaged over the states that the library gives.
    pub leakage_nw: f64,
    /// Input pins in order.
    pub inputs: Vec<Pin>,
    /// Output pins in order.
    pub outputs: Vec<Pin>,
    /// Its state, where it has one.
    pub sequential: Option<Sequential>,
    /// The pins of an integrated clock gate.
    pub gate: Option<GatePins>,
    /// Why the mapping does not use it.
    pub unusable: Option<Unusable>,
}

/// Why a cell is not used for mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unusable {
    /// The library says so.
    DontUse,
    /// It has a scan input.
    Scan,
    /// An output can be high-impedance.
    ThreeState,
    /// It is for power domains: isolation, level shifting, a second supply.
    PowerDomain,
    /// It has no output with a function: fillers, antennas, state tables.
    NoFunction,
    /// Its pins are in buses, or too many.
    Pins,
    /// A buffer whose delay is its purpose.
    Delay,
    /// Far larger than the smallest cell of its function.
    Huge,
}

/// A pin.
#[derive(Clone, Debug, Default)]
pub struct Pin {
    /// Name.
    pub name: String,
    /// Capacitance, fF.
    pub capacitance_ff: f64,
    /// The largest load that it may drive, fF.
    pub max_load_ff: Option<f64>,
    /// An output's function.
    pub function: Option<Truth>,
    /// Internal energy of its transitions.
    pub power: Vec<PowerArc>,
    /// Delays to it, of an output.
    pub delays: Vec<DelayArc>,
}

/// Internal energy of a pin's transitions.
#[derive(Clone, Debug)]
pub struct PowerArc {
    /// The inputs whose transitions cause those of the output; empty where that is not said.
    pub related: Vec<usize>,
    /// The condition, over inputs, outputs and state.
    pub when: Option<Truth>,
    /// Number of the supply whose share this is; a pin's energy is the sum over the supplies.
    pub supply: usize,
    /// Energy of a rising transition, fJ.
    pub rise: Option<Table>,
    /// Energy of a falling transition, fJ.
    pub fall: Option<Table>,
}

/// Delay from an input to an output.
#[derive(Clone, Debug)]
pub struct DelayArc {
    /// The input.
    pub input: usize,
    /// Delay of a rising output, ps.
    pub rise: Option<Table>,
    /// Delay of a falling output, ps.
    pub fall: Option<Table>,
    /// Transition time of a rising output, ps.
    pub rise_slew: Option<Table>,
    /// Transition time of a falling output, ps.
    pub fall_slew: Option<Table>,
}

/// What kind of state a cell has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Taken where the clock becomes true.
    FlipFlop,
    /// Follows the data while the enable is true.
    Latch,
}

/// The state of a cell. All functions are over its inputs and the state.
#[derive(Clone, Debug)]
pub struct Sequential {
    /// Kind.
    pub state: State,
    /// Clock of a flip-flop, enable of a latch.
    pub clock: Truth,
    /// What is taken.
    pub data: Truth,
    /// Sets the state to 0.
    pub clear: Option<Truth>,
    /// Sets the state to 1.
    pub preset: Option<Truth>,
}

/// Pins of an integrated clock gate whose latch is transparent while the clock is low.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePins {
    /// Clock input.
    pub clock: String,
    /// Enable input.
    pub enable: String,
    /// Test enable, to be tied to 0.
    pub test: Option<String>,
    /// Gated clock.
    pub output: String,
}

/// A cell's pin by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An input, by its number.
    Input(usize),
    /// An output, by its number.
    Output(usize),
}

impl Cell {
    /// The pin of a name.
    pub fn pin(&self, name: &str) -> Option<Role> {
        let input = self.inputs.iter().position(|pin| pin.name == name).map(Role::Input);
        input.or_else(|| self.outputs.iter().position(|pin| pin.name == name).map(Role::Output))
    }

    /// The inputs that a function of this cell depends on.
    pub fn support(&self, function: &Truth) -> Vec<usize> {
        (0..self.inputs.len()).filter(|&input| function.depends_on(input)).collect()
    }
}
