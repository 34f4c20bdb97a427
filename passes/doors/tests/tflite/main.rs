//! TFLite files that are written here, as TOSA.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod faults;
mod file;
mod mutants;
mod networks;
mod refusals;
