//! Passes on integer TOSA: inlining of control flow, expansion of compound operators, canonicalization, and the conversion to layers of
//! the `strum` dialect.

pub mod expand_operators;
pub mod inline_control_flow;
pub mod peel_quantize;
pub mod specialize_shapes;
pub mod strum_canonicalize;
pub mod tosa_to_strum;
