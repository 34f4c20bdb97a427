//! A small structural hardware description: modules of nets, registers and instances.

mod evaluate;
mod expr;
mod flat;
mod module;
mod verilog;

pub use evaluate::{Evaluator, Mismatch};
pub use expr::{Expr, Node, and, cat, mux, or, xor};
pub use flat::{Flat, FlatPort, Gate};
pub use module::{Builder, Declared, Direction, Instance, Item, Module, Outputs, Port, Register, Storage};
pub use verilog::{CLOCK_GATE, LATCH_GATE, LATCH_SELECT, to_verilog};
