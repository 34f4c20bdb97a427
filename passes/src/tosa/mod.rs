//! What the passes know of TOSA 1.0: element types, constants, permutations and the scaling arithmetic.

pub mod elem;
pub mod geometry;
pub mod literal;
pub mod num;
pub mod perm;
