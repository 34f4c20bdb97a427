//! RTL of StruM's PEs, and what it costs in gates.
//!
//! `netlist` is a small structural hardware description, from which SystemVerilog is printed and which an evaluator executes;
//! `units` generates every unit of a PE in it; `synth` maps it to the cells of a Liberty library; `power` simulates the mapped
//! gates on real operands.

pub mod characterise;
pub mod cli;
pub mod drive;
pub mod explore;
pub mod layout;
pub mod liberty;
pub mod netlist;
pub mod power;
pub mod spec;
pub mod stimulus;
pub mod synth;
pub mod timing;
pub mod toolchain;
pub mod units;
pub mod verilator;
pub mod verilog;
