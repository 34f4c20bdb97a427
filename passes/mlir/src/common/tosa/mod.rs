//! What the passes know of TOSA 1.0: element types, constants, permutations, the scaling arithmetic, and reading and
//! making its ops.

pub mod build;
pub mod elem;
pub mod geometry;
pub mod literal;
pub mod num;
pub mod perm;
pub mod view;
