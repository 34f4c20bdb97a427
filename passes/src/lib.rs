//! The compiler passes and pipelines.
