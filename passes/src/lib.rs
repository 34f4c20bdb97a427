//! The compiler passes and pipelines.

#[cfg(test)]
mod docs;
pub mod support;
pub mod tosa;
