//! Modules and how they are built. A net is defined before it is used, except for registers and for outputs of instances
//! that [`Builder::ahead`] names, which must come from a register.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::expr::Expr;

/// Direction of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the module.
    Input,
    /// Out of the module.
    Output,
}

/// A port, the clock `clk` aside: every module with state, of its own or below, has it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its direction.
    pub direction: Direction,
    /// Width in bits.
    pub width: u32,
}

/// How a register stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Flip-flops; with an enable, behind a gated clock.
    FlipFlops,
    /// Latches, open in the second half of the cycle of the write. The enable and the value must be stable then.
    Latches,
}

/// A register: after a cycle it holds `next`, if `enable` was 1 or there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// Name of the net that it drives.
    pub name: String,
    /// Width in bits.
    pub width: u32,
    /// Its next value.
    pub next: Expr,
    /// Whether it takes it.
    pub enable: Option<Expr>,
    /// Whether any register of its group takes its value: 1 wherever `enable` is. The group shares a first stage of clock gating.
    pub group: Option<Expr>,
    /// What it consists of.
    pub storage: Storage,
}

/// An instance of another module.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// The module.
    pub module: Rc<Module>,
    /// What drives each input port.
    pub inputs: Vec<(String, Expr)>,
    /// The net that each output port drives.
    pub outputs: Vec<(String, String)>,
}

/// A part of a module.
#[derive(Clone, Debug)]
pub enum Item {
    /// A net with its definition.
    Wire(String, Expr),
    /// An output port with its definition.
    Output(String, Expr),
    /// A register.
    Register(Register),
    /// An instance.
    Instance(Instance),
    /// A line of explanation.
    Comment(String),
}

/// A module of a design.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// What it does, as a sentence.
    pub about: String,
    /// Its ports, without the clock.
    pub ports: Vec<Port>,
    /// Its contents, in the order of definition.
    pub items: Vec<Item>,
    /// Whether it has a clock.
    pub clocked: bool,
}

impl Module {
    /// Width of a port; 0 if it has no such port.
    #[must_use]
    pub fn port_width(&self, name: &str) -> u32 {
        self.ports.iter().find(|port| port.name == name).map_or(0, |port| port.width)
    }

    /// The same module with `prefix` before its name and before those of all modules below it, so that several designs fit
    /// one file.
    #[must_use]
    pub fn prefixed(&self, prefix: &str) -> Rc<Module> {
        // Modules are shared, and stay so.
        let mut known = BTreeMap::new();
        self.prefixed_once(prefix, &mut known)
    }

    fn prefixed_once(&self, prefix: &str, known: &mut BTreeMap<*const Module, Rc<Module>>) -> Rc<Module> {
        if let Some(module) = known.get(&std::ptr::from_ref(self)) {
            return Rc::clone(module);
        }
        let mut module = Module { name: format!("{prefix}{}", self.name), ..self.clone() };
        for item in &mut module.items {
            if let Item::Instance(instance) = item {
                instance.module = instance.module.prefixed_once(prefix, known);
            }
        }
        let module = Rc::new(module);
        known.insert(std::ptr::from_ref(self), Rc::clone(&module));
        module
    }
}

/// A register that is declared and not yet driven.
#[derive(Debug)]
#[must_use = "a register must be driven"]
pub struct Declared {
    name: String,
    width: u32,
    storage: Storage,
}

/// Builds a module.
#[derive(Debug)]
pub struct Builder {
    module: Module,
}

impl Builder {
    /// An empty module.
    #[must_use]
    pub fn new(name: impl Into<String>, about: impl Into<String>) -> Builder {
        let module = Module {
            name: name.into(),
            about: about.into(),
            ports: Vec::new(),
            items: Vec::new(),
            clocked: false,
        };
        Builder { module }
    }

    /// An input port.
    pub fn input(&mut self, name: &str, width: u32) -> Expr {
        self.module.ports.push(Port { name: name.to_owned(), direction: Direction::Input, width });
        Expr::net(name, width)
    }

    /// An output port.
    pub fn output(&mut self, name: &str, value: Expr) {
        let port = Port { name: name.to_owned(), direction: Direction::Output, width: value.width() };
        self.module.ports.push(port);
        self.module.items.push(Item::Output(name.to_owned(), value));
    }

    /// A named net.
    pub fn wire(&mut self, name: impl Into<String>, value: Expr) -> Expr {
        let name = name.into();
        let net = Expr::net(&name, value.width());
        self.module.items.push(Item::Wire(name, value));
        net
    }

    /// A line of explanation before what follows.
    pub fn comment(&mut self, text: impl Into<String>) {
        self.module.items.push(Item::Comment(text.into()));
    }

    /// A register of flip-flops that takes `next` in every cycle, or, behind a gated clock, where `enable` is 1.
    pub fn register(&mut self, name: impl Into<String>, next: Expr, enable: Option<Expr>) -> Expr {
        let (declared, value) = self.declare(name, next.width(), Storage::FlipFlops);
        self.drive(declared, next, enable);
        value
    }

    /// A register whose input is not known yet.
    pub fn declare(&mut self, name: impl Into<String>, width: u32, storage: Storage) -> (Declared, Expr) {
        let name = name.into();
        let value = Expr::net(&name, width);
        (Declared { name, width, storage }, value)
    }

    /// The input of a declared register.
    pub fn drive(&mut self, declared: Declared, next: Expr, enable: Option<Expr>) {
        let Declared { name, width, storage } = declared;
        debug_assert_eq!(width, next.width(), "register {name}");
        self.module.clocked = true;
        self.module.items.push(Item::Register(Register { name, width, next, enable, group: None, storage }));
    }

    /// The input of a declared register in a group, with the enables of both.
    pub fn drive_in_group(&mut self, declared: Declared, next: Expr, enable: Expr, group: Expr) {
        let Declared { name, width, storage } = declared;
        debug_assert_eq!(width, next.width(), "register {name}");
        self.module.clocked = true;
        let (enable, group) = (Some(enable), Some(group));
        self.module.items.push(Item::Register(Register { name, width, next, enable, group, storage }));
    }

    /// An instance named `u_<name>`, whose outputs become nets named `<name>_<port>`.
    pub fn instance(&mut self, name: &str, module: &Rc<Module>, inputs: &[(&str, &Expr)]) -> Outputs {
        debug_assert!(
            module
                .ports
                .iter()
                .filter(|p| p.direction == Direction::Input)
                .all(|p| { inputs.iter().any(|(name, value)| *name == p.name && value.width() == p.width) }),
            "inputs of {name}: {:?} but {:?}",
            module.ports,
            inputs.iter().map(|(name, value)| (name, value.width())).collect::<Vec<_>>()
        );
        self.module.clocked |= module.clocked;
        let driven = module.ports.iter().filter(|port| port.direction == Direction::Output);
        let (mut outputs, mut nets) = (Vec::new(), BTreeMap::new());
        for port in driven {
            let net = format!("{name}_{}", port.name);
            nets.insert(port.name.clone(), Expr::net(&net, port.width));
            outputs.push((port.name.clone(), net));
        }
        self.module.items.push(Item::Instance(Instance {
            name: format!("u_{name}"),
            module: Rc::clone(module),
            inputs: inputs.iter().map(|(port, value)| ((*port).to_owned(), (*value).clone())).collect(),
            outputs,
        }));
        Outputs(nets)
    }

    /// The net at output `port` of the instance `name` that follows, which must not depend on what is made of it in the same
    /// cycle.
    #[must_use]
    pub fn ahead(&self, name: &str, port: &str, width: u32) -> Expr {
        Expr::net(&format!("{name}_{port}"), width)
    }

    /// The finished module.
    #[must_use]
    pub fn finish(self) -> Rc<Module> {
        Rc::new(self.module)
    }
}

/// The outputs of an instance by port.
#[derive(Debug)]
pub struct Outputs(BTreeMap<String, Expr>);

impl Outputs {
    /// The net at an output port.
    #[must_use]
    pub fn get(&self, port: &str) -> Expr {
        let net = self.0.get(port);
        debug_assert!(net.is_some(), "no output {port}");
        net.cloned().unwrap_or_else(|| Expr::zeros(1))
    }
}
