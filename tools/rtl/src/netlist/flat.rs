//! A module flattened to single-bit gates.

use std::collections::HashMap;

use super::expr::{Expr, Node};
use super::module::{Direction, Item, Module, Register};

/// A gate; operands are indices of earlier gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// 0 or 1.
    Constant(bool),
    /// A bit of an input port.
    Input,
    /// The value of a register's bit, by its index among the states.
    State(u32),
    /// Not.
    Not(u32),
    /// And.
    And(u32, u32),
    /// Or.
    Or(u32, u32),
    /// Exclusive or.
    Xor(u32, u32),
    /// The second where the first is 1, else the third.
    Mux(u32, u32, u32),
}

/// A bit of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Gate of its next value.
    pub next: u32,
    /// Gate that must be 1 for it to take the value, if there is one.
    pub enable: Option<u32>,
}

/// A port of the top module, as gates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlatPort {
    /// Its name.
    pub name: String,
    /// Gates of its bits, least significant first.
    pub bits: Vec<u32>,
}

/// A flattened module.
#[derive(Clone, Debug, Default)]
pub struct Flat {
    /// Gates in topological order.
    pub gates: Vec<Gate>,
    /// Bits of registers.
    pub states: Vec<State>,
    /// Input ports.
    pub inputs: Vec<FlatPort>,
    /// Output ports.
    pub outputs: Vec<FlatPort>,
}

/// The bits of the nets of one instance.
type Nets = HashMap<String, Vec<u32>>;

impl Flat {
    /// Flattens `module` with all that is below it.
    #[must_use]
    pub fn of(module: &Module) -> Flat {
        let mut flat = Flat { gates: vec![Gate::Constant(false), Gate::Constant(true)], ..Flat::default() };
        let mut nets = Nets::new();
        for port in module.ports.iter().filter(|port| port.direction == Direction::Input) {
            let bits: Vec<u32> = (0..port.width).map(|_| flat.gate(Gate::Input)).collect();
            flat.inputs.push(FlatPort { name: port.name.clone(), bits: bits.clone() });
            nets.insert(port.name.clone(), bits);
        }
        let outputs = flat.module(module, nets);
        flat.outputs = outputs.into_iter().map(|(name, bits)| FlatPort { name, bits }).collect();
        flat
    }

    /// Adds an instance whose input ports are `nets`; returns its outputs.
    fn module(&mut self, module: &Module, mut nets: Nets) -> Vec<(String, Vec<u32>)> {
        for item in &module.items {
            if let Item::Register(register) = item {
                let bits = (0..register.width).map(|_| self.state()).collect();
                nets.insert(register.name.clone(), bits);
            }
        }
        let mut outputs = Vec::new();
        let mut driven: Vec<&Register> = Vec::new();
        for item in &module.items {
            match item {
                Item::Wire(name, value) => {
                    let bits = self.expr(value, &nets);
                    nets.insert(name.clone(), bits);
                }
                Item::Output(name, value) => outputs.push((name.clone(), self.expr(value, &nets))),
                Item::Register(register) => driven.push(register),
                Item::Instance(instance) => {
                    let inputs =
                        instance.inputs.iter().map(|(port, value)| (port.clone(), self.expr(value, &nets)));
                    let inputs: Nets = inputs.collect();
                    let results: HashMap<_, _> = self.module(&instance.module, inputs).into_iter().collect();
                    for (port, net) in &instance.outputs {
                        nets.insert(net.clone(), results.get(port).cloned().unwrap_or_default());
                    }
                }
                Item::Comment(_) => {}
            }
        }
        for register in driven {
            self.drive(register, &nets);
        }
        outputs
    }

    fn drive(&mut self, register: &Register, nets: &Nets) {
        let enable = register.enable.as_ref().and_then(|enable| self.expr(enable, nets).first().copied());
        let next = self.expr(&register.next, nets);
        let bits = nets.get(&register.name).cloned().unwrap_or_default();
        for (bit, next) in bits.into_iter().zip(next) {
            if let Some(Gate::State(index)) = self.gates.get(bit as usize)
                && let Some(state) = self.states.get_mut(*index as usize)
            {
                *state = State { next, enable };
            }
        }
    }

    fn state(&mut self) -> u32 {
        let index = self.states.len() as u32;
        self.states.push(State { next: 0, enable: None });
        self.gate(Gate::State(index))
    }

    fn gate(&mut self, gate: Gate) -> u32 {
        self.gates.push(gate);
        (self.gates.len() - 1) as u32
    }

    /// The bits of an expression, least significant first.
    fn expr(&mut self, expr: &Expr, nets: &Nets) -> Vec<u32> {
        let width = expr.width() as usize;
        match expr.node() {
            Node::Net { name, lo, .. } => {
                let bits = nets.get(&**name).map_or(&[][..], Vec::as_slice);
                debug_assert!(bits.len() >= *lo as usize + width, "net {name} is used before it is defined");
                bits.iter().skip(*lo as usize).take(width).copied().collect()
            }
            Node::Const(value) => (0..width)
                .map(|i| u32::from(i < 64 && value.checked_shr(i as u32).unwrap_or(0) & 1 == 1))
                .collect(),
            Node::Not(e) => {
                let bits = self.expr(e, nets);
                bits.into_iter().map(|bit| self.gate(Gate::Not(bit))).collect()
            }
            Node::And(list) => self.chain(list, nets, Gate::And),
            Node::Or(list) => self.chain(list, nets, Gate::Or),
            Node::Xor(list) => self.chain(list, nets, Gate::Xor),
            Node::Mux(select, then, other) => {
                let select = self.expr(select, nets).first().copied().unwrap_or(0);
                let (then, other) = (self.expr(then, nets), self.expr(other, nets));
                then.into_iter().zip(other).map(|(t, o)| self.gate(Gate::Mux(select, t, o))).collect()
            }
            Node::Cat(list) => list.iter().flat_map(|e| self.expr(e, nets)).collect(),
            Node::Repeat(bit) => {
                let bit = self.expr(bit, nets).first().copied().unwrap_or(0);
                vec![bit; width]
            }
            Node::All(e) => vec![self.reduce(e, nets, Gate::And)],
            Node::Any(e) => vec![self.reduce(e, nets, Gate::Or)],
        }
    }

    fn chain(&mut self, list: &[Expr], nets: &Nets, gate: fn(u32, u32) -> Gate) -> Vec<u32> {
        let mut result: Option<Vec<u32>> = None;
        for e in list {
            let bits = self.expr(e, nets);
            result = Some(match result {
                None => bits,
                Some(before) => before.into_iter().zip(bits).map(|(a, b)| self.gate(gate(a, b))).collect(),
            });
        }
        result.unwrap_or_default()
    }

    fn reduce(&mut self, e: &Expr, nets: &Nets, gate: fn(u32, u32) -> Gate) -> u32 {
        let bits = self.expr(e, nets);
        bits.into_iter().reduce(|a, b| self.gate(gate(a, b))).unwrap_or(0)
    }
}
