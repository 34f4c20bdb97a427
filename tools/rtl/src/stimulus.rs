//! Stimuli of a design: the values of its input ports, cycle by cycle, and what its accumulator must then hold.
//!
//! Cycle `c` begins at a rising clock edge. Its inputs are applied right after that edge and stay until the next one.

/// An input port, without the clock, which has none here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputPort {
    /// Name in the top module.
    pub name: String,
    /// Width in bits.
    pub bits: u32,
}

/// One clock cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// The ports' values in order, each in `bits.div_ceil(64)` words, least significant first.
    pub words: Vec<u64>,
    /// What output port `acc_out` holds throughout this cycle, where it is known.
    pub expect: Option<u32>,
}

/// Stimuli of one design.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stimulus {
    /// The input ports.
    pub ports: Vec<InputPort>,
    /// The cycles in order.
    pub cycles: Vec<Cycle>,
    /// Steps of the PE in them: cycles that take operands, without those that only fill register files or drain the pipeline.
    pub steps: u64,
}
