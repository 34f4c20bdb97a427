//! What can be wrong with a format, with a request or with packed bytes. Positions are those of the packed tensor.

use thiserror::Error;

/// A format whose parameters do not go together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// `w` is not one of the four block lengths.
    #[error("block length w must be 4, 8, 16 or 32, got {0}")]
    Block(u8),
    /// More low members than members.
    #[error("low must be at most the block length {w}, got {low}")]
    Low {
        /// Block length.
        w: u8,
        /// Low members asked for.
        low: u8,
    },
    /// A parameter of the method is out of its range.
    #[error("{name} must be in {min}..={max}, got {got}")]
    Parameter {
        /// The parameter, as users write it.
        name: &'static str,
        /// Least legal value.
        min: u8,
        /// Greatest legal value.
        max: u8,
        /// The value given.
        got: u8,
    },
    /// `zero` was asked for, but every code of `mip2q` with this L already has a meaning.
    #[error("mip2q with L = {0} has no spare code that could mean zero")]
    NoSpareCode(u8),
    /// No method has this name.
    #[error("unknown method '{got}', expected one of {expected}")]
    UnknownMethod {
        /// The name given.
        got: String,
        /// The names there are, comma separated.
        expected: String,
    },
}

/// Why packed bytes, or the input of packing, were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PackError {
    /// The format itself is not legal.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A dimension of the shape is zero.
    #[error("shape {0} has an empty dimension")]
    EmptyShape(String),
    /// The size does not fit the address space.
    #[error("shape {0} is too large")]
    TooLarge(String),
    /// The number of weight codes or mask entries is not that of the shape.
    #[error("expected {expected} {what}, got {got}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// The number the shape asks for.
        expected: usize,
        /// The number given.
        got: usize,
    },
    /// A selection by activations without second moments.
    #[error("selection by activations needs the second moment of every input channel, from calibration")]
    NoMoments,
    /// A second moment that none can be.
    #[error("input channel {channel}: second moment {got} is not a number of at least 0")]
    Moment {
        /// Input channel.
        channel: usize,
        /// The moment given, as text.
        got: String,
    },
    /// The bytes are too few or too many.
    #[error("expected {expected} packed bytes, got {got}")]
    Length {
        /// The number the format and shape ask for.
        expected: usize,
        /// The number given.
        got: usize,
    },
    /// A mask has the wrong number of ones.
    #[error("output channel {oc}, block {block}: mask has {got} high members, expected {expected}")]
    HighCount {
        /// Output channel.
        oc: usize,
        /// Block within the output channel.
        block: usize,
        /// `w - low`.
        expected: u32,
        /// The ones found.
        got: u32,
    },
    /// A low code that the method gives no meaning.
    #[error("output channel {oc}, block {block}, member {member}: low code {code:#x} is reserved")]
    ReservedCode {
        /// Output channel.
        oc: usize,
        /// Block within the output channel.
        block: usize,
        /// Position in the block.
        member: usize,
        /// The code found.
        code: u8,
    },
    /// A padding position that is not low although it should be, or low although it should not be.
    #[error("output channel {oc}, block {block}: padding is not taken low first")]
    PaddingMask {
        /// Output channel.
        oc: usize,
        /// Block within the output channel.
        block: usize,
    },
    /// A padding position with a code other than 0.
    #[error("output channel {oc}, block {block}, member {member}: padding holds code {code:#x}, expected 0")]
    PaddingCode {
        /// Output channel.
        oc: usize,
        /// Block within the output channel.
        block: usize,
        /// Position in the block.
        member: usize,
        /// The code found.
        code: u8,
    },
    /// Bits behind the last block of an output channel, or bytes behind the shift header, that are not zero.
    #[error("output channel {oc}: bits behind the last block are not zero")]
    Slack {
        /// Output channel; for the shift header, the number of output channels.
        oc: usize,
    },
    /// A per-channel shift beyond what the code width leaves.
    #[error("output channel {oc}: shift must be at most {max}, got {got}")]
    Shift {
        /// Output channel.
        oc: usize,
        /// Greatest legal shift.
        max: u8,
        /// The shift found.
        got: u8,
    },
    /// A range that is empty, out of bounds or not on block boundaries.
    #[error("{axis} range {start}..{end} is not a slice of 0..{len} in steps of {step}")]
    Range {
        /// The axis.
        axis: &'static str,
        /// First index.
        start: usize,
        /// One past the last index.
        end: usize,
        /// Length of the axis.
        len: usize,
        /// The block length where the axis is cut in blocks, else 1.
        step: usize,
    },
}
