//! Passes on the `strum` dialect: packing, unpacking, and the way back to TOSA.

pub mod strum_pack;
pub mod strum_to_tosa;
pub mod strum_unpack;
