//! The frame of every command line: exit codes, the log, progress, tables, energies, and the
//! headings of JSON objects.
//!
//! Invariant: a process always ends with one of the documented exit codes, and a panic is reported as what it is, a bug in this
//! project.

pub mod energy;
mod exit;
mod frame;
mod jobs;
pub mod json;
mod log;
mod progress;
pub mod table;

pub use exit::{Failure, Kind};
pub use frame::{Arguments, Common, DEEP_STACK, Voice, end, main, say};
pub use jobs::jobs;
pub use log::{Filter, start_log};
pub use progress::Progress;
