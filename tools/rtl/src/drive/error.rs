//! Why a trace cannot drive a design.

use dpu_trace::TraceError;

/// A trace that does not fit a design.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// Another number of lanes.
    #[error("the trace is of a machine with {trace} lanes, the design has {design}")]
    Lanes {
        /// Lanes of the traced machine.
        trace: u32,
        /// Lanes of the design.
        design: u32,
    },
    /// Another weight format.
    #[error(
        "the trace has {trace} weights, the design is for {design}; give the same method, w, p and parameters to both"
    )]
    Format {
        /// Format in the trace.
        trace: String,
        /// Format of the design.
        design: String,
    },
    /// A weight zero point, which no PE subtracts.
    #[error(
        "layer '{layer}' has weight zero point {zero_point}: a PE multiplies weights as they are; trace a layer without one"
    )]
    WeightZeroPoint {
        /// The layer.
        layer: String,
        /// Its weight zero point.
        zero_point: i16,
    },
    /// An activation less its zero point that the operand registers cannot hold.
    #[error(
        "vector {vector}: activation {act} less zero point {zero_point} does not fit {bits} bits; --activation-bits 10 does"
    )]
    Activation {
        /// Position of the vector in the trace.
        vector: usize,
        /// The activation.
        act: i16,
        /// The zero point.
        zero_point: i16,
        /// Bits of the operand registers.
        bits: u32,
    },
    /// An activation that a register file cannot hold: padding under a zero point that is no activation.
    #[error(
        "vector {vector}: activation {act} is not an 8-bit value (padding under such a zero point): drive the datapath instead"
    )]
    Byte {
        /// Position of the vector in the trace.
        vector: usize,
        /// The activation.
        act: i16,
    },
    /// A stored word that the format does not allow.
    #[error("vector {vector}: {reason}")]
    Word {
        /// Position of the vector in the trace.
        vector: usize,
        /// What is wrong.
        reason: String,
    },
    /// Sums that do not follow from the operands.
    #[error(
        "vector {vector}: the accumulator is {after} after the products, {sum} follows from its operands"
    )]
    Sum {
        /// Position of the vector in the trace.
        vector: usize,
        /// What the trace states.
        after: i32,
        /// What its operands give.
        sum: i32,
    },
    /// An accumulator that the PE does not have.
    #[error("vector {vector}: accumulator {accumulator}, but the PE has {accumulators}")]
    Accumulator {
        /// Position of the vector in the trace.
        vector: usize,
        /// The accumulator.
        accumulator: u16,
        /// Accumulators of the PE.
        accumulators: u32,
    },
    /// Nothing to do.
    #[error("the trace has no vector of PE {0}")]
    NoVector(u16),
    /// A PE that does not begin a column.
    #[error("PE {pe} does not begin a column of {rows} PEs: --pe takes a multiple of {rows}")]
    FirstPe {
        /// The PE.
        pe: u16,
        /// PEs of the column.
        rows: u32,
    },
    /// A PE of the column that was not traced.
    #[error(
        "the trace lacks PE {pe} of the column: dpu-sim --trace-pes {first}-{last} traces all of its PEs"
    )]
    Untraced {
        /// The PE.
        pe: u32,
        /// The first PE of the column.
        first: u32,
        /// Its last PE.
        last: u32,
    },
    /// Adder trees that the column does not have.
    #[error("layer '{layer}' has adder trees of {joined} PEs, those of the column join at most {most}")]
    Tree {
        /// The layer.
        layer: String,
        /// PEs that its trees join.
        joined: u32,
        /// PEs that the column's trees join.
        most: u32,
    },
    /// A vector that the schedule in the header does not have, or not there.
    #[error("vector {vector}, of PE {pe}, is not where the schedule of layer '{layer}' has it")]
    Order {
        /// Position of the vector among those of the column.
        vector: usize,
        /// The PE.
        pe: u16,
        /// The layer.
        layer: String,
    },
    /// A level that has no accumulator.
    #[error("a lane has no accumulator: drive the datapath, the PE without register files, or the PE")]
    Level,
}
