//! A mapped design with all that the simulation needs of the library, in flat arrays.
//!
//! Invariant: all numbers of nets, cells, outputs and kinds in here are in range, so that the engine may index.

use indexmap::IndexMap;

use super::energy::{Arcs, Energies};
use super::{CLOCK, PowerError};
use crate::liberty::{Cell, Library, Sequential, State};
use crate::synth::Mapped;

/// What all instances of a cell share.
pub(super) struct Kind {
    pub(super) inputs: usize,
    pub(super) functions: Vec<crate::liberty::Truth>,
    pub(super) sequential: Option<Sequential>,
    pub(super) input_arcs: Vec<Arcs>,
    pub(super) input_energies: Vec<Energies>,
    pub(super) output_arcs: Vec<Arcs>,
}

/// An instance.
pub(super) struct Gate {
    pub(super) kind: usize,
    pub(super) unit: usize,
    /// Its outputs in [`Circuit::outputs`].
    pub(super) outputs: std::ops::Range<usize>,
    /// Whether it is part of the clock network.
    pub(super) clock: bool,
}

/// An output of an instance.
pub(super) struct Output {
    pub(super) gate: usize,
    /// Number of the output in its kind.
    pub(super) number: usize,
    /// The net; none if nothing is connected.
    pub(super) net: Option<usize>,
    /// Ticks from each input to it: rising and falling. Without glitches, one entry: its level.
    pub(super) delays: Vec<[u32; 2]>,
    pub(super) energies: Energies,
}

/// A net.
#[derive(Default)]
pub(super) struct Net {
    /// Cells that it drives, with the number of the input.
    pub(super) sinks: Vec<(usize, usize)>,
    /// Half of C·V², fJ.
    pub(super) half_cv2_fj: f64,
    /// Whether it is part of the clock network.
    pub(super) clock: bool,
    pub(super) load_ff: f64,
}

pub(super) struct Circuit {
    pub(super) kinds: Vec<Kind>,
    pub(super) gates: Vec<Gate>,
    pub(super) outputs: Vec<Output>,
    pub(super) nets: Vec<Net>,
    /// The net of the clock.
    pub(super) clock: usize,
    /// Leakage by unit, nW; the last entry is that of the ports.
    pub(super) leakage_nw: Vec<f64>,
    /// Length of a tick, ps.
    pub(super) tick_ps: f64,
    /// The longest delay, ticks.
    pub(super) longest: u32,
    /// Nets with more load than their driver may have.
    pub(super) overloaded_nets: usize,
    /// When the inputs change after the clock edge, ticks: as outputs of flip-flops do.
    pub(super) input_tick: usize,
}

/// A tick is this part of the longest delay.
const TICKS: f64 = 2000.0;

/// The longest delay in ticks.
const TICKS_LONGEST: u32 = 2000;

fn number(net: u32) -> usize {
    usize::try_from(net).unwrap_or(usize::MAX)
}

impl Circuit {
    pub(super) fn new(
        mapped: &Mapped,
        library: &Library,
        glitches: bool,
        slew_ps: f64,
        wire_ff: f64,
    ) -> Result<Circuit, PowerError> {
        let no_clock = || PowerError::NoClock { top: mapped.top.clone() };
        let clock = mapped.port(CLOCK).filter(|port| port.input).ok_or_else(no_clock)?;
        let [clock] = clock.bits.as_slice() else { return Err(no_clock()) };
        let mut cells: IndexMap<&str, &Cell> = IndexMap::new();
        for instance in &mapped.cells {
            if !cells.contains_key(instance.cell.as_str()) {
                cells.insert(&instance.cell, library.cell(&instance.cell)?);
            }
        }
        let mut circuit = Circuit {
            kinds: cells.values().map(|cell| kind(cell, slew_ps)).collect(),
            gates: Vec::new(),
            outputs: Vec::new(),
            nets: (0..number(mapped.nets)).map(|_| Net::default()).collect(),
            clock: number(*clock),
            leakage_nw: vec![0.0; mapped.units.len() + 1],
            tick_ps: 1.0,
            longest: 1,
            overloaded_nets: 0,
            input_tick: 1,
        };
        for (at, instance) in mapped.cells.iter().enumerate() {
            let Some((kind, _, cell)) = cells.get_full(instance.cell.as_str()) else { continue };
            let first = circuit.outputs.len();
            for (input, &net) in instance.inputs.iter().enumerate() {
                let net = &mut circuit.nets[number(net)];
                net.sinks.push((at, input));
                net.load_ff += cell.inputs[input].capacitance_ff + wire_ff;
            }
            for (output, net) in instance.outputs.iter().enumerate() {
                let net = net.map(number);
                circuit.outputs.push(Output {
                    gate: at,
                    number: output,
                    net,
                    delays: Vec::new(),
                    energies: Vec::new(),
                });
            }
            let outputs = first..circuit.outputs.len();
            circuit.gates.push(Gate { kind, unit: instance.unit, outputs, clock: false });
            circuit.leakage_nw[instance.unit] += cell.leakage_nw;
        }
        for net in &mut circuit.nets {
            net.half_cv2_fj = net.load_ff * library.voltage * library.voltage / 2.0;
        }
        circuit.find_clock_network(&cells);
        circuit.tables(&cells, slew_ps, glitches);
        if glitches {
            let ps = library.input_arrival_ps(slew_ps, wire_ff)?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive, and clamped"
            )]
            let ticks = (ps / circuit.tick_ps).round().clamp(1.0, 1e6) as usize;
            circuit.input_tick = ticks;
        }
        Ok(circuit)
    }

    /// Marks what is reached from the clock port through gates and clock gates.
    fn find_clock_network(&mut self, cells: &IndexMap<&str, &Cell>) {
        let mut nets = vec![self.clock];
        while let Some(net) = nets.pop() {
            if std::mem::replace(&mut self.nets[net].clock, true) {
                continue;
            }
            for &(gate, _) in &self.nets[net].sinks {
                let gate = &mut self.gates[gate];
                let cell = cells[gate.kind];
                if cell.sequential.is_none() || cell.gate.is_some() {
                    gate.clock = true;
                    nets.extend(self.outputs[gate.outputs.clone()].iter().filter_map(|output| output.net));
                }
            }
        }
    }

    /// Energies and delays of every output at its load.
    fn tables(&mut self, cells: &IndexMap<&str, &Cell>, slew_ps: f64, glitches: bool) {
        let mut delays_ps: Vec<Vec<[f64; 2]>> = Vec::new();
        let mut longest = 1e-3_f64;
        for output in &mut self.outputs {
            let gate = &self.gates[output.gate];
            let cell = cells[gate.kind];
            let load_ff = output.net.map_or(0.0, |net| self.nets[net].load_ff);
            let pin = &cell.outputs[output.number];
            self.overloaded_nets += usize::from(pin.max_load_ff.is_some_and(|most| load_ff > most));
            output.energies = Arcs::energies(&pin.power, slew_ps, load_ff);
            let delays =
                (0..cell.inputs.len()).map(|input| delay(pin, input, slew_ps, load_ff)).collect::<Vec<_>>();
            longest = delays.iter().flatten().copied().fold(longest, f64::max);
            delays_ps.push(delays);
        }
        if !glitches {
            for (output, level) in self.levels().into_iter().enumerate() {
                self.outputs[output].delays = vec![[level, level]];
                self.longest = self.longest.max(level);
            }
            return;
        }
        self.tick_ps = longest / TICKS;
        for (output, delays) in self.outputs.iter_mut().zip(delays_ps) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 1 and TICKS"
            )]
            let ticks = |ps: f64| (ps / self.tick_ps).round().clamp(1.0, TICKS) as u32;
            output.delays = delays.iter().map(|[rise, fall]| [ticks(*rise), ticks(*fall)]).collect();
        }
        self.longest = TICKS_LONGEST;
        for net in self.nets.iter().filter(|net| net.clock) {
            for &(gate, input) in &net.sinks {
                let gate = &self.gates[gate];
                if gate.clock {
                    self.outputs[gate.outputs.clone()]
                        .iter_mut()
                        .for_each(|output| output.delays[input] = [0, 0]);
                }
            }
        }
    }

    /// The level of every output: registers are 1, a gate is one more than the highest level among its inputs. Outputs within a
    /// loop, which only open latches close, are registers here.
    fn levels(&self) -> Vec<u32> {
        let mut waits: Vec<usize> = vec![0; self.gates.len()];
        let follows = |gate: &Gate| {
            self.kinds[gate.kind].sequential.as_ref().is_none_or(|state| state.state == State::Latch)
        };
        for output in &self.outputs {
            let sinks = output.net.map_or(&[][..], |net| self.nets[net].sinks.as_slice());
            sinks
                .iter()
                .filter(|(gate, _)| follows(&self.gates[*gate]))
                .for_each(|&(gate, _)| waits[gate] += 1);
        }
        let mut level: Vec<u32> = vec![1; self.gates.len()];
        let mut ready: Vec<usize> = (0..self.gates.len()).filter(|&gate| waits[gate] == 0).collect();
        while let Some(gate) = ready.pop() {
            let own = level[gate];
            for output in &self.outputs[self.gates[gate].outputs.clone()] {
                let sinks = output.net.map_or(&[][..], |net| self.nets[net].sinks.as_slice());
                for &(sink, _) in sinks.iter().filter(|(sink, _)| follows(&self.gates[*sink])) {
                    level[sink] = level[sink].max(own + 1);
                    waits[sink] -= 1;
                    if waits[sink] == 0 {
                        ready.push(sink);
                    }
                }
            }
        }
        // Inputs come at tick 1, so gates that only inputs drive come after them.
        let gate_level = |gate: usize| if follows(&self.gates[gate]) { level[gate] + 1 } else { 1 };
        self.outputs.iter().map(|output| gate_level(output.gate)).collect()
    }
}

fn kind(cell: &Cell, slew_ps: f64) -> Kind {
    let function = |pin: &crate::liberty::Pin| {
        let constant = || crate::liberty::Truth::constant(cell.inputs.len(), false);
        pin.function.clone().unwrap_or_else(constant)
    };
    Kind {
        inputs: cell.inputs.len(),
        functions: cell.outputs.iter().map(function).collect(),
        sequential: cell.sequential.clone(),
        input_arcs: cell.inputs.iter().map(|pin| Arcs::new(&pin.power)).collect(),
        input_energies: cell.inputs.iter().map(|pin| Arcs::energies(&pin.power, slew_ps, 0.0)).collect(),
        output_arcs: cell.outputs.iter().map(|pin| Arcs::new(&pin.power)).collect(),
    }
}

/// Delay from an input to an output, ps, rising and falling: the mean of the arcs that the library gives for different states
/// of the other inputs; where it gives none, as from the data of a register, that of all inputs.
fn delay(pin: &crate::liberty::Pin, input: usize, slew_ps: f64, load_ff: f64) -> [f64; 2] {
    let mean = |falling: bool, all: bool| {
        let arcs = pin.delays.iter().filter(|arc| all || arc.input == input);
        let tables = arcs.filter_map(|arc| if falling { arc.fall.as_ref() } else { arc.rise.as_ref() });
        let (sum, count) =
            tables.fold((0.0, 0.0), |(sum, count), table| (sum + table.at(slew_ps, load_ff), count + 1.0));
        (count > 0.0).then(|| (sum / count).max(0.0))
    };
    [false, true].map(|falling| mean(falling, false).or_else(|| mean(falling, true)).unwrap_or(0.0))
}

impl Library {
    /// The delay of a flip-flop that drives four inverters, ps: 0 without a flip-flop.
    fn input_arrival_ps(&self, slew_ps: f64, wire_ff: f64) -> Result<f64, crate::liberty::LibertyError> {
        let roles = self.roles()?;
        let inverter = self.cell(&roles.inverter.cell)?;
        let load_ff = inverter.inputs.first().map_or(0.0, |pin| 4.0 * (pin.capacitance_ff + wire_ff));
        let Some(register) = roles.flip_flop else { return Ok(0.0) };
        let cell = self.cell(&register.cell)?;
        let clock = cell.inputs.iter().position(|pin| pin.name == register.clock.0);
        let output = cell.outputs.iter().find(|pin| pin.name == register.output.0);
        let delays = clock.zip(output).map(|(clock, output)| delay(output, clock, slew_ps, load_ff));
        Ok(delays.map_or(0.0, |[rise, fall]| f64::midpoint(rise, fall)))
    }

    /// Wire for each input that a net drives: half the capacitance of an inverter's input, fF. Without a layout this is an
    /// assumption, of the order of what short wires within a PE have.
    ///
    /// # Errors
    ///
    /// A library without an inverter.
    pub fn typical_wire_ff(&self) -> Result<f64, crate::liberty::LibertyError> {
        let inverter = self.cell(&self.roles()?.inverter.cell)?;
        Ok(inverter.inputs.first().map_or(0.0, |pin| pin.capacitance_ff / 2.0))
    }

    /// The transition time of an inverter that drives four of its own and their wires, and is driven by such a one, ps.
    ///
    /// # Errors
    ///
    /// A library without an inverter or without its transition times.
    pub fn typical_slew_ps(&self, wire_ff: f64) -> Result<f64, crate::liberty::LibertyError> {
        let inverter = self.cell(&self.roles()?.inverter.cell)?;
        let load_ff = inverter.inputs.first().map_or(0.0, |pin| 4.0 * (pin.capacitance_ff + wire_ff));
        let missing = || self.missing("transition times of an inverter", "give the slew");
        let arc = inverter.outputs.first().and_then(|pin| pin.delays.first()).ok_or_else(missing)?;
        let (rise, fall) = arc.rise_slew.as_ref().zip(arc.fall_slew.as_ref()).ok_or_else(missing)?;
        let mut slew_ps = rise.slew_ps.first().copied().unwrap_or(0.0);
        for _ in 0..32 {
            slew_ps = f64::midpoint(rise.at(slew_ps, load_ff), fall.at(slew_ps, load_ff));
        }
        if slew_ps > 0.0 && slew_ps.is_finite() { Ok(slew_ps) } else { Err(missing()) }
    }
}
