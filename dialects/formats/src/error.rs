//! Errors in a format, a request or packed bytes. Positions are those of the packed tensor.

use thiserror::Error;

use crate::methods::Kind;

/// A format whose parameters are inconsistent.
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
    /// A parameter of the method is out of range.
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
    /// A field that must fit a byte.
    #[error("{name} = {got} is not in 0 to 255")]
    Byte {
        /// The field.
        name: &'static str,
        /// The value given.
        got: i64,
    },
    /// The number of values differs from the number of the method's fields.
    #[error("{kind} has {expected} fields, got {got}")]
    Fields {
        /// The method.
        kind: Kind,
        /// The fields it has.
        expected: usize,
        /// The values given.
        got: usize,
    },
    /// Unknown method.
    #[error("method '{got}' is not known, expected {expected}")]
    UnknownMethod {
        /// The name given.
        got: String,
        /// The known names.
        expected: String,
    },
}

impl FormatError {
    /// A number of values that differs from the number of a method's own fields.
    pub(crate) fn fields(kind: Kind, values: &[i64]) -> Self {
        FormatError::Fields { kind, expected: kind.own_fields().len(), got: values.len() }
    }
}

/// Why text, fields or options are not a valid [`Spec`](crate::Spec).
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SpecError {
    /// An unknown method, or inconsistent parameters.
    #[error("{0}")]
    Format(FormatError),
    /// Unknown parameter.
    #[error("there is no parameter '{name}', expected {expected}")]
    UnknownParameter {
        /// The name given.
        name: String,
        /// The known names.
        expected: String,
    },
    /// A word of the text that is not a parameter with a value.
    #[error("'{0}' is not NAME=VALUE")]
    NoPair(String),
    /// A duplicate parameter.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// A parameter that the method does not have.
    #[error("{name} has no effect with method {kind}, but with {}", names(of))]
    NoEffect {
        /// The parameter.
        name: &'static str,
        /// The method.
        kind: Kind,
        /// The methods that have it.
        of: &'static [Kind],
    },
    /// A value that the parameter cannot have.
    #[error("{name} must be {expected}, got {got}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// The legal values.
        expected: String,
        /// The value given.
        got: String,
    },
    /// A share that is not a whole number of members.
    #[error("p = {p} of w = {w} is {low} low members, expected a whole number")]
    Share {
        /// The share.
        p: f64,
        /// The block length.
        w: u8,
        /// Their product.
        low: f64,
    },
}

/// `sparse, dliq, mip2q`
pub(crate) fn names(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
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
    /// The number of weight codes or mask entries does not match the shape.
    #[error("expected {expected} {what}, got {got}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// The number the shape asks for.
        expected: usize,
        /// The number given.
        got: usize,
    },
    /// Too few or too many bytes.
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
    /// A low code that has no meaning in the method.
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
    /// A padding position that is high but should be low, or vice versa.
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
    /// Non-zero bits after the last block of an output channel, or bytes after the shift header.
    #[error("output channel {oc}: bits behind the last block are not zero")]
    Slack {
        /// Output channel; for the shift header, the number of output channels.
        oc: usize,
    },
    /// A per-channel shift that exceeds what the code width allows.
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
        /// The block length where the axis is divided into blocks, else 1.
        step: usize,
    },
}
