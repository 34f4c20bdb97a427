//! The event-driven simulation.
//!
//! Time is in ticks since the last clock edge. What happens at one tick is applied first and evaluated then, so that inputs
//! that change together make one transition. An output that would return to its value before it has changed does not change.

use super::prepare::{Circuit, Gate, Net};
use super::{ACCUMULATOR, CLOCK, Conditions, Energy, PowerError};
use crate::liberty::State;
use crate::stimulus::Stimulus;
use crate::synth::{Mapped, Port};

/// A netlist without loops makes far fewer transitions an output in one half of a cycle.
const OSCILLATION: u64 = 1000;

/// Which nets the stimulus drives, and which are compared.
pub(super) struct Plan {
    /// For every port: its nets, least significant bit first.
    ports: Vec<Vec<usize>>,
    /// Words of a cycle.
    words: usize,
    accumulator: Vec<usize>,
}

impl Plan {
    pub(super) fn new(mapped: &Mapped, stimulus: &Stimulus) -> Result<Plan, PowerError> {
        let bits =
            |port: &Port| port.bits.iter().filter_map(|&bit| usize::try_from(bit).ok()).collect::<Vec<_>>();
        let mut ports = Vec::new();
        let mut words = 0;
        for port in &stimulus.ports {
            let width = usize::try_from(port.bits).unwrap_or(usize::MAX);
            let nets = mapped
                .port(&port.name)
                .filter(|port| port.input && port.name != CLOCK)
                .map(bits)
                .unwrap_or_default();
            if nets.len() != width {
                return Err(PowerError::Ports {
                    port: port.name.clone(),
                    design: nets.len(),
                    stimulus: width,
                });
            }
            words += width.div_ceil(64);
            ports.push(nets);
        }
        let given = |port: &Port| stimulus.ports.iter().any(|known| known.name == port.name);
        let missing = mapped.ports.iter().find(|port| port.input && port.name != CLOCK && !given(port));
        if let Some(port) = missing {
            return Err(PowerError::Ports { port: port.name.clone(), design: port.bits.len(), stimulus: 0 });
        }
        let short = stimulus.cycles.iter().position(|cycle| cycle.words.len() != words);
        if let Some(cycle) = short {
            let found = stimulus.cycles.get(cycle).map_or(0, |cycle| cycle.words.len());
            return Err(PowerError::Words { cycle, found, expected: words });
        }
        if stimulus.cycles.iter().all(|cycle| cycle.expect.is_none()) {
            return Err(PowerError::NothingExpected);
        }
        let accumulator = mapped.port(ACCUMULATOR).filter(|port| !port.input).map(bits).unwrap_or_default();
        if accumulator.len() != 32 {
            return Err(PowerError::NoAccumulator { top: mapped.top.clone(), found: accumulator.len() });
        }
        Ok(Plan { ports, words, accumulator })
    }
}

/// What a simulation counted; energies of all cycles, fJ.
pub(super) struct Run {
    /// By unit; the last is that of the ports.
    pub(super) units: Vec<Energy>,
    pub(super) compared: usize,
    pub(super) transitions: u64,
    pub(super) settling_ps: f64,
}

/// An output's value, and the one that it is about to take.
#[derive(Clone, Copy, Default)]
struct Signal {
    value: bool,
    pending: bool,
    /// Number of its last event; older ones are void.
    serial: u32,
    /// Inputs that caused the pending change, as bits.
    cause: u32,
    /// State of the cell's pins when they did.
    state: usize,
}

#[derive(Clone, Copy, Default)]
struct Status {
    /// Values of the inputs and of the outputs, as bits.
    inputs: usize,
    outputs: usize,
    state: bool,
    /// Whether a flip-flop's clock was true.
    clock: bool,
    /// Inputs that changed at this tick, as bits; 0 if it is not yet to be evaluated.
    changed: u32,
}

struct Engine<'c> {
    circuit: &'c Circuit,
    glitches: bool,
    values: Vec<bool>,
    status: Vec<Status>,
    signals: Vec<Signal>,
    /// Events by tick: number of the output and of the event.
    wheel: Vec<Vec<(usize, u32)>>,
    live: usize,
    now: usize,
    touched: Vec<usize>,
    counting: bool,
    units: Vec<Energy>,
    transitions: u64,
    /// Transitions of this half of a cycle, counted or not.
    recent: u64,
    last: usize,
}

pub(super) fn run(
    circuit: &Circuit,
    plan: &Plan,
    stimulus: &Stimulus,
    conditions: &Conditions,
) -> Result<Run, PowerError> {
    let mut engine = Engine::new(circuit, conditions.glitches);
    engine.settle_first()?;
    let mut compared = 0;
    let mut settling = 0;
    for (cycle, inputs) in stimulus.cycles.iter().enumerate() {
        engine.counting = cycle >= conditions.skip_cycles;
        debug_assert_eq!(inputs.words.len(), plan.words, "checked with the plan");
        for rising in [true, false] {
            engine.edge(rising);
            let changes = if rising { Some((plan, inputs.words.as_slice())) } else { None };
            if !engine.settle(changes) {
                return Err(PowerError::Oscillates { cycle });
            }
            settling = settling.max(engine.last);
        }
        if let Some(expected) = inputs.expect {
            let bits = plan.accumulator.iter().enumerate();
            let found = bits.fold(0, |word, (bit, &net)| word | u32::from(engine.values[net]) << bit);
            if found != expected {
                return Err(PowerError::Mismatch { cycle, found, expected });
            }
            compared += 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "ticks of one half of a cycle")]
    let settling_ps = if conditions.glitches { settling as f64 * circuit.tick_ps } else { 0.0 };
    Ok(Run { units: engine.units, compared, transitions: engine.transitions, settling_ps })
}

impl<'c> Engine<'c> {
    fn new(circuit: &'c Circuit, glitches: bool) -> Engine<'c> {
        let longest = usize::try_from(circuit.longest).unwrap_or(0);
        Engine {
            circuit,
            glitches,
            values: vec![false; circuit.nets.len()],
            status: vec![Status::default(); circuit.gates.len()],
            signals: vec![Signal::default(); circuit.outputs.len()],
            wheel: vec![Vec::new(); (longest + 2).next_power_of_two()],
            live: 0,
            now: 0,
            touched: Vec::new(),
            counting: false,
            units: vec![Energy::default(); circuit.leakage_nw.len()],
            transitions: 0,
            recent: 0,
            last: 0,
        }
    }

    /// The state before the first cycle: inputs and clock at 0, and registers as if a 0 had been stored, so that the same design
    /// begins alike on every library.
    fn settle_first(&mut self) -> Result<(), PowerError> {
        if let Some(one) = self.values.get_mut(1) {
            *one = true;
        }
        for &(gate, input) in self.circuit.nets.get(1).map_or(&[][..], |net| net.sinks.as_slice()) {
            self.status[gate].inputs |= 1 << input;
        }
        for (number, gate) in self.circuit.gates.iter().enumerate() {
            let kind = &self.circuit.kinds[gate.kind];
            let status = &mut self.status[number];
            status.clock = kind.sequential.as_ref().is_some_and(|state| state.clock.get(status.inputs));
            status.state = kind.sequential.as_ref().is_some_and(|state| state.data.get(0));
            status.changed = u32::MAX;
            self.touched.push(number);
        }
        if self.settle(None) { Ok(()) } else { Err(PowerError::Oscillates { cycle: 0 }) }
    }

    fn edge(&mut self, rising: bool) {
        self.now = 0;
        self.set(self.circuit.clock, rising, None);
    }

    /// Runs until nothing changes any more. The inputs change as registers' outputs do. Returns whether it settled.
    fn settle(&mut self, mut changes: Option<(&Plan, &[u64])>) -> bool {
        self.recent = 0;
        self.last = 0;
        let limit = OSCILLATION * (self.signals.len() as u64 + 10);
        loop {
            if self.now == self.circuit.input_tick
                && let Some((plan, words)) = changes.take()
            {
                self.apply_inputs(plan, words);
            }
            self.tick();
            if self.recent > limit {
                return false;
            }
            if self.live == 0 && changes.is_none() {
                return true;
            }
            self.now += 1;
        }
    }

    fn apply_inputs(&mut self, plan: &Plan, words: &[u64]) {
        let mut from = 0;
        for nets in &plan.ports {
            for (bit, &net) in nets.iter().enumerate() {
                let value = words[from + bit / 64] >> (bit % 64) & 1 == 1;
                if self.values[net] != value {
                    self.set(net, value, None);
                }
            }
            from += nets.len().div_ceil(64);
        }
    }

    /// All that happens at this tick.
    fn tick(&mut self) {
        let slot = self.now & (self.wheel.len() - 1);
        loop {
            let mut events = std::mem::take(&mut self.wheel[slot]);
            self.live -= events.len();
            for &(output, serial) in &events {
                let signal = self.signals[output];
                if signal.pending && signal.serial == serial {
                    self.switch(output);
                }
            }
            // The allocation is kept for later ticks.
            events.clear();
            if self.wheel[slot].is_empty() {
                self.wheel[slot] = events;
            }
            let touched = std::mem::take(&mut self.touched);
            for &gate in &touched {
                self.evaluate(gate);
            }
            if self.touched.is_empty() {
                self.touched = touched;
                self.touched.clear();
            }
            if self.wheel[slot].is_empty() || self.recent > OSCILLATION * (self.signals.len() as u64 + 10) {
                return;
            }
        }
    }

    /// An output changes.
    fn switch(&mut self, number: usize) {
        let circuit = self.circuit;
        let output = &circuit.outputs[number];
        let gate = &circuit.gates[output.gate];
        let kind = &circuit.kinds[gate.kind];
        let signal = &mut self.signals[number];
        signal.pending = false;
        signal.value = !signal.value;
        let (value, cause, state) = (signal.value, signal.cause, signal.state);
        let arcs = &kind.output_arcs[output.number];
        if self.counting && !arcs.is_empty() {
            let energy = arcs.of_output(&output.energies, cause, state, value);
            let unit = &mut self.units[gate.unit];
            if gate.clock {
                unit.clock_fj += energy;
            } else {
                unit.internal_fj += energy;
            }
        }
        self.status[output.gate].outputs ^= 1 << output.number;
        self.recent += 1;
        if let Some(net) = output.net {
            self.set(net, value, Some(gate));
        }
    }

    /// A net changes, driven by a cell or a port.
    fn set(&mut self, number: usize, value: bool, driver: Option<&Gate>) {
        let circuit = self.circuit;
        let net: &Net = &circuit.nets[number];
        self.values[number] = value;
        self.last = self.now;
        if self.counting {
            self.transitions += 1;
            let unit = driver.map_or(self.units.len() - 1, |gate| gate.unit);
            let unit = &mut self.units[unit];
            if net.clock {
                unit.clock_fj += net.half_cv2_fj;
            } else {
                unit.switching_fj += net.half_cv2_fj;
            }
        }
        for &(number, input) in &net.sinks {
            let gate = &circuit.gates[number];
            let kind = &circuit.kinds[gate.kind];
            let status = &mut self.status[number];
            status.inputs ^= 1 << input;
            if status.changed == 0 {
                self.touched.push(number);
            }
            status.changed |= 1 << input;
            let arcs = &kind.input_arcs[input];
            if self.counting && !arcs.is_empty() {
                let state = self.pins(number);
                let energy = arcs.of_input(&kind.input_energies[input], state, value);
                let unit = &mut self.units[gate.unit];
                if net.clock {
                    unit.clock_fj += energy;
                } else {
                    unit.internal_fj += energy;
                }
            }
        }
    }

    /// The state of a cell's pins: inputs, outputs, state.
    fn pins(&self, gate: usize) -> usize {
        let status = &self.status[gate];
        let gate = &self.circuit.gates[gate];
        let inputs = self.circuit.kinds[gate.kind].inputs;
        status.inputs | status.outputs << inputs | usize::from(status.state) << (inputs + gate.outputs.len())
    }

    fn evaluate(&mut self, number: usize) {
        let circuit = self.circuit;
        let gate = &circuit.gates[number];
        let kind = &circuit.kinds[gate.kind];
        let status = &mut self.status[number];
        let changed = std::mem::take(&mut status.changed);
        if let Some(sequential) = &kind.sequential {
            let now = status.inputs | usize::from(status.state) << kind.inputs;
            let clock = sequential.clock.get(now);
            let takes = match sequential.state {
                State::FlipFlop => clock && !status.clock,
                State::Latch => clock,
            };
            status.clock = clock;
            if takes {
                status.state = sequential.data.get(now);
            }
            if sequential.clear.as_ref().is_some_and(|clear| clear.get(now)) {
                status.state = false;
            } else if sequential.preset.as_ref().is_some_and(|preset| preset.get(now)) {
                status.state = true;
            }
        }
        let now = status.inputs | usize::from(status.state) << kind.inputs;
        for output in gate.outputs.clone() {
            let value = kind.functions[circuit.outputs[output].number].get(now);
            let signal = self.signals[output];
            if value == signal.value {
                self.signals[output].pending = false;
            } else if !signal.pending {
                let at = self.due(output, changed);
                let state = self.pins(number);
                let signal = &mut self.signals[output];
                signal.state = state;
                signal.pending = true;
                signal.serial = signal.serial.wrapping_add(1);
                signal.cause = changed;
                let slot = at & (self.wheel.len() - 1);
                self.wheel[slot].push((output, signal.serial));
                self.live += 1;
            }
        }
    }

    /// When an output changes that inputs caused.
    fn due(&self, output: usize, changed: u32) -> usize {
        let circuit = self.circuit;
        let output = &circuit.outputs[output];
        let gate = &circuit.gates[output.gate];
        let ticks = |delays: &[u32; 2]| {
            let rising = self.status[output.gate].outputs >> output.number & 1 == 0;
            usize::try_from(if rising { delays[0] } else { delays[1] }).unwrap_or(0)
        };
        if self.glitches {
            let caused =
                output.delays.iter().enumerate().filter(|(input, _)| changed >> (input & 31) & 1 == 1);
            return self.now + caused.map(|(_, delays)| ticks(delays)).max().unwrap_or(1);
        }
        let by_clock = gate.clock && self.now == 0;
        let level = output.delays.first().map_or(1, ticks);
        if by_clock { self.now } else { level.max(self.now + 1) }
    }
}
