//! What the DPU path supports: the matrix, its check, and the page that documents it.

pub mod attributes;
mod check;
mod doc;
pub mod facts;
pub mod matrix;
pub mod read;
mod rules;
#[cfg(test)]
mod tests;

pub use check::{Refusal, check, check_compound, tensor_fault};
pub use doc::page;
pub use matrix::is_compound;
