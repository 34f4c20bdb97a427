//! TFLite files that are written here, as TOSA.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod damaged;
mod faults;
mod file;
mod messages;
mod mutants;
mod networks;
mod refusals;
mod tables;
