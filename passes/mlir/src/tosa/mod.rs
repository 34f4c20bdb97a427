//! Passes on integer TOSA: canonicalization, and the conversion to layers of the `strum` dialect.

pub mod peel_quantize;
pub mod specialize_shapes;
pub mod strum_canonicalize;
pub mod tosa_to_strum;
