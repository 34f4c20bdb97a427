//! A module flattened to single-bit gates.

use std::collections::HashMap;

use super::expr::{Expr, Node};
use super::module::{Direction, Instance, Item, Module, Register};

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

/// Where a net of an instance comes from.
#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Port,
    Value(&'a Expr),
    Instance(usize, &'a str),
}

/// An instance of a module.
#[derive(Debug)]
struct Context<'a> {
    /// The instance that contains it, and what drives its inputs; none for the top.
    parent: Option<(usize, &'a Instance)>,
    sources: HashMap<&'a str, Source<'a>>,
    outputs: HashMap<&'a str, &'a Expr>,
    registers: Vec<(&'a Register, Vec<u32>)>,
    /// Nets that are resolved.
    nets: HashMap<&'a str, Vec<u32>>,
}

/// Resolves nets on demand, so that their order in a module does not matter.
struct Flattening<'a> {
    flat: Flat,
    contexts: Vec<Context<'a>>,
}

impl Flat {
    /// Flattens `module` with all that is below it. A combinational loop reads as 0 and is a defect of the module.
    #[must_use]
    pub fn of(module: &Module) -> Flat {
        let flat = Flat { gates: vec![Gate::Constant(false), Gate::Constant(true)], ..Flat::default() };
        let mut work = Flattening { flat, contexts: Vec::new() };
        let top = work.context(module, None);
        for port in module.ports.iter().filter(|port| port.direction == Direction::Input) {
            let bits: Vec<u32> = (0..port.width).map(|_| work.gate(Gate::Input)).collect();
            work.flat.inputs.push(FlatPort { name: port.name.clone(), bits: bits.clone() });
            work.know(top, &port.name, bits);
        }
        for item in &module.items {
            if let Item::Output(name, value) = item {
                let bits = work.expr(top, value);
                work.flat.outputs.push(FlatPort { name: name.clone(), bits });
            }
        }
        for context in 0..work.contexts.len() {
            work.drive(context);
        }
        work.flat
    }
}

impl<'a> Flattening<'a> {
    /// Adds an instance and all below it; returns its index.
    fn context(&mut self, module: &'a Module, parent: Option<(usize, &'a Instance)>) -> usize {
        let index = self.contexts.len();
        let mut context = Context {
            parent,
            sources: HashMap::new(),
            outputs: HashMap::new(),
            registers: Vec::new(),
            nets: HashMap::new(),
        };
        for port in module.ports.iter().filter(|port| port.direction == Direction::Input) {
            context.sources.insert(&port.name, Source::Port);
        }
        let mut instances = Vec::new();
        for item in &module.items {
            match item {
                Item::Wire(name, value) => {
                    context.sources.insert(name, Source::Value(value));
                }
                Item::Output(name, value) => {
                    context.outputs.insert(name, value);
                }
                Item::Register(register) => {
                    let bits: Vec<u32> = (0..register.width).map(|_| self.state()).collect();
                    context.nets.insert(&register.name, bits.clone());
                    context.registers.push((register, bits));
                }
                Item::Instance(instance) => instances.push(instance),
                Item::Comment(_) => {}
            }
        }
        self.contexts.push(context);
        for instance in instances {
            let below = self.context(&instance.module, Some((index, instance)));
            if let Some(context) = self.contexts.get_mut(index) {
                let nets = instance.outputs.iter();
                context.sources.extend(nets.map(|(port, net)| (net.as_str(), Source::Instance(below, port))));
            }
        }
        index
    }

    fn know(&mut self, context: usize, name: &'a str, bits: Vec<u32>) {
        if let Some(context) = self.contexts.get_mut(context) {
            context.nets.insert(name, bits);
        }
    }

    /// The bits of a net.
    fn net(&mut self, index: usize, name: &str) -> Vec<u32> {
        let Some(context) = self.contexts.get_mut(index) else { return Vec::new() };
        if let Some(bits) = context.nets.get(name) {
            return bits.clone();
        }
        let Some((&name, &source)) = context.sources.get_key_value(name) else {
            debug_assert!(false, "no net {name}");
            return Vec::new();
        };
        let parent = context.parent;
        // Until it is resolved: what a loop would read.
        context.nets.insert(name, Vec::new());
        let bits = match source {
            Source::Value(value) => self.expr(index, value),
            Source::Instance(below, port) => {
                let value = self.contexts.get(below).and_then(|c| c.outputs.get(port).copied());
                value.map(|value| self.expr(below, value)).unwrap_or_default()
            }
            Source::Port => parent
                .and_then(|(above, instance)| {
                    Some((above, instance.inputs.iter().find(|(port, _)| port == name)?))
                })
                .map(|(above, (_, value))| self.expr(above, value))
                .unwrap_or_default(),
        };
        self.know(index, name, bits.clone());
        bits
    }

    /// Drives the registers of an instance.
    fn drive(&mut self, index: usize) {
        let registers =
            self.contexts.get_mut(index).map(|c| std::mem::take(&mut c.registers)).unwrap_or_default();
        for (register, bits) in registers {
            let mut bit = |expr: &Option<Expr>| self.expr(index, expr.as_ref()?).first().copied();
            let enable = match (bit(&register.enable), bit(&register.group)) {
                (Some(enable), Some(group)) => Some(self.gate(Gate::And(enable, group))),
                (enable, _) => enable,
            };
            let next = self.expr(index, &register.next);
            for (bit, next) in bits.into_iter().zip(next) {
                if let Some(Gate::State(state)) = self.flat.gates.get(bit as usize)
                    && let Some(state) = self.flat.states.get_mut(*state as usize)
                {
                    *state = State { next, enable };
                }
            }
        }
    }

    fn state(&mut self) -> u32 {
        let index = self.flat.states.len() as u32;
        self.flat.states.push(State { next: 0, enable: None });
        self.gate(Gate::State(index))
    }

    fn gate(&mut self, gate: Gate) -> u32 {
        self.flat.gates.push(gate);
        (self.flat.gates.len() - 1) as u32
    }

    /// The bits of an expression, least significant first.
    fn expr(&mut self, context: usize, expr: &Expr) -> Vec<u32> {
        let width = expr.width() as usize;
        match expr.node() {
            Node::Net { name, lo, .. } => {
                let bits = self.net(context, name);
                debug_assert!(bits.len() >= *lo as usize + width, "net {name} is in a loop or too narrow");
                bits.into_iter().skip(*lo as usize).take(width).collect()
            }
            Node::Const(value) => (0..width)
                .map(|i| u32::from(i < 64 && value.checked_shr(i as u32).unwrap_or(0) & 1 == 1))
                .collect(),
            Node::Not(e) => {
                let bits = self.expr(context, e);
                bits.into_iter().map(|bit| self.gate(Gate::Not(bit))).collect()
            }
            Node::And(list) => self.chain(context, list, Gate::And),
            Node::Or(list) => self.chain(context, list, Gate::Or),
            Node::Xor(list) => self.chain(context, list, Gate::Xor),
            Node::Mux(select, then, other) => {
                let select = self.expr(context, select).first().copied().unwrap_or(0);
                let (then, other) = (self.expr(context, then), self.expr(context, other));
                then.into_iter().zip(other).map(|(t, o)| self.gate(Gate::Mux(select, t, o))).collect()
            }
            Node::Cat(list) => list.iter().flat_map(|e| self.expr(context, e)).collect(),
            Node::Repeat(bit) => {
                let bit = self.expr(context, bit).first().copied().unwrap_or(0);
                vec![bit; width]
            }
            Node::All(e) => vec![self.reduce(context, e, Gate::And)],
            Node::Any(e) => vec![self.reduce(context, e, Gate::Or)],
        }
    }

    fn chain(&mut self, context: usize, list: &[Expr], gate: fn(u32, u32) -> Gate) -> Vec<u32> {
        let mut result: Option<Vec<u32>> = None;
        for e in list {
            let bits = self.expr(context, e);
            result = Some(match result {
                None => bits,
                Some(before) => before.into_iter().zip(bits).map(|(a, b)| self.gate(gate(a, b))).collect(),
            });
        }
        result.unwrap_or_default()
    }

    fn reduce(&mut self, context: usize, e: &Expr, gate: fn(u32, u32) -> Gate) -> u32 {
        let bits = self.expr(context, e);
        bits.into_iter().reduce(|a, b| self.gate(gate(a, b))).unwrap_or(0)
    }
}
