//! An exact evaluator of flattened modules: 64 independent runs at a time, a bit of every word for each.

use super::flat::{Flat, FlatPort, Gate};
use super::module::Module;
use crate::stimulus::{Cycle, Stimulus};

/// The first cycle in which a design contradicts its stimulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cycle {cycle}: acc_out is {got:#010x}, expected {expected:#010x}")]
pub struct Mismatch {
    /// The cycle.
    pub cycle: usize,
    /// What the design computes.
    pub got: u32,
    /// What the stimulus expects.
    pub expected: u32,
}

/// A module that is executed. Registers start as 0.
#[derive(Clone, Debug)]
pub struct Evaluator {
    flat: Flat,
    values: Vec<u64>,
    states: Vec<u64>,
}

impl Evaluator {
    /// An evaluator of `module` with all inputs 0.
    #[must_use]
    pub fn new(module: &Module) -> Evaluator {
        Evaluator::of(Flat::of(module))
    }

    /// An evaluator of a flattened module with all inputs 0.
    #[must_use]
    pub fn of(flat: Flat) -> Evaluator {
        let (values, states) = (vec![0; flat.gates.len()], vec![0; flat.states.len()]);
        Evaluator { flat, values, states }
    }

    /// The flattened module.
    #[must_use]
    pub fn flat(&self) -> &Flat {
        &self.flat
    }

    /// Sets input port `name` in all runs to `words`, least significant first. A port that the module lacks is not set.
    pub fn set(&mut self, name: &str, words: &[u64]) {
        let Some(port) = self.flat.inputs.iter().find(|port| port.name == name) else { return };
        set_bits(&mut self.values, port, words);
    }

    /// Sets input port `name` in run `run` alone to `value`.
    pub fn set_run(&mut self, name: &str, run: u32, value: u64) {
        let Some(port) = self.flat.inputs.iter().find(|port| port.name == name) else { return };
        for (i, &gate) in port.bits.iter().enumerate().take(64) {
            if let Some(word) = self.values.get_mut(gate as usize) {
                *word = *word & !(1 << run) | (value >> i & 1) << run;
            }
        }
    }

    /// Computes all gates from inputs and registers.
    pub fn settle(&mut self) {
        for (i, gate) in self.flat.gates.iter().enumerate() {
            let at = |index: u32| self.values.get(index as usize).copied().unwrap_or(0);
            let value = match *gate {
                Gate::Constant(one) => {
                    if one {
                        u64::MAX
                    } else {
                        0
                    }
                }
                Gate::Input => continue,
                Gate::State(index) => self.states.get(index as usize).copied().unwrap_or(0),
                Gate::Not(a) => !at(a),
                Gate::And(a, b) => at(a) & at(b),
                Gate::Or(a, b) => at(a) | at(b),
                Gate::Xor(a, b) => at(a) ^ at(b),
                Gate::Mux(select, then, other) => at(select) & at(then) | !at(select) & at(other),
            };
            if let Some(word) = self.values.get_mut(i) {
                *word = value;
            }
        }
    }

    /// A rising clock edge after [`Evaluator::settle`].
    pub fn clock(&mut self) {
        let at = |index: u32| self.values.get(index as usize).copied().unwrap_or(0);
        for (word, state) in self.states.iter_mut().zip(&self.flat.states) {
            let enable = state.enable.map_or(u64::MAX, at);
            *word = enable & at(state.next) | !enable & *word;
        }
    }

    /// Output port `name` in run `run`, its low 64 bits; 0 if there is no such port.
    #[must_use]
    pub fn get(&self, name: &str, run: u32) -> u64 {
        let Some(port) = self.flat.outputs.iter().find(|port| port.name == name) else { return 0 };
        let bit = |gate: u32| self.values.get(gate as usize).map_or(0, |word| word >> run & 1);
        port.bits.iter().take(64).enumerate().fold(0, |value, (i, &gate)| value | bit(gate) << i)
    }

    /// All bits of output port `name` in run `run`, 64 a word, the lowest first.
    #[must_use]
    pub fn words(&self, name: &str, run: u32) -> Vec<u64> {
        let port = self.flat.outputs.iter().find(|port| port.name == name);
        let bits = port.map_or(&[][..], |port| port.bits.as_slice());
        let bit = |gate: u32| self.values.get(gate as usize).map_or(0, |word| word >> run & 1);
        let word = |bits: &[u32]| (0..).zip(bits).fold(0, |word, (i, &gate)| word | bit(gate) << i);
        bits.chunks(64).map(word).collect()
    }

    /// Sets all input ports to those of a cycle of a stimulus.
    pub fn apply(&mut self, stimulus: &Stimulus, cycle: &Cycle) {
        let mut words = cycle.words.as_slice();
        for port in &stimulus.ports {
            let (own, rest) = words.split_at_checked(port.bits.div_ceil(64) as usize).unwrap_or((words, &[]));
            self.set(&port.name, own);
            words = rest;
        }
    }

    /// Runs a stimulus and compares `acc_out` in each cycle that expects a value; returns how many did.
    ///
    /// # Errors
    /// The first cycle that differs.
    pub fn run(&mut self, stimulus: &Stimulus) -> Result<usize, Mismatch> {
        let mut checked = 0;
        for (cycle, now) in stimulus.cycles.iter().enumerate() {
            self.apply(stimulus, now);
            self.settle();
            if let Some(expected) = now.expect {
                let got = self.get("acc_out", 0) as u32;
                if got != expected {
                    return Err(Mismatch { cycle, got, expected });
                }
                checked += 1;
            }
            self.clock();
        }
        Ok(checked)
    }
}

fn set_bits(values: &mut [u64], port: &FlatPort, words: &[u64]) {
    for (i, &gate) in port.bits.iter().enumerate() {
        let bit = words.get(i / 64).map_or(0, |word| word >> (i % 64) & 1);
        if let Some(word) = values.get_mut(gate as usize) {
            *word = if bit == 1 { u64::MAX } else { 0 };
        }
    }
}
