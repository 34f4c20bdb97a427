//! The drivers `strumc` and `strum-translate` as a user meets them: the built programs, run on files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;
mod compare;
mod compile;
mod doors;
mod eval;
mod hostile;
mod images;
mod json;
mod limits;
mod machine;
mod memory;
mod networks;
mod opt;
mod options;
mod outputs;
mod packing;
mod quantize;
mod report;
mod rounding;
mod run;
mod signals;
mod strategy;
mod trace;
#[path = "../../tools/sim/tests/common/trace_rules.rs"]
mod trace_rules;
mod translate;
mod tune;
mod usage;
mod zoo;
