//! TOSA 1.0 for the passes: element types, constants, permutations, scaling arithmetic, and reading and building its ops.

pub mod build;
pub mod elem;
pub mod literal;
pub mod num;
pub mod perm;
pub mod view;
