//! Files of all tools: inputs are bounded, outputs are written whole or not at all, lost output is an error.
//!
//! Invariant: nothing here allocates more than the [memory limit](budget::limit) allows, and no temporary file outlives the
//! process, however it ends (on file systems without unnamed files: unless it is killed).

pub mod budget;
mod error;
mod input;
mod output;
mod places;
mod staged;

pub use budget::OverLimit;
pub use error::FileError;
pub use input::{
    Input, MAX_MACHINE, MAX_TEXT, is_standard, open, read, read_stream, read_text, read_text_within,
};
pub use output::{check_sink, ignore_file_size_signal, print, print_styled, write};
pub use places::{Places, check_distinct, resolve};
pub use staged::Staged;
