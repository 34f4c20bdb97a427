//! Files of the drivers, with their failures: see `strum-files`.

use std::path::Path;

pub(crate) use strum_files::{Input, Places, is_standard};

use super::exit::Failure;

/// Most bytes of a network or program, those of the largest binary.
pub(crate) const MAX_INPUT: u64 = 1 << 33;

/// Reads a network or program, or standard input.
pub(crate) fn read(path: &Path) -> Result<Input, Failure> {
    Ok(strum_files::read(path, MAX_INPUT)?)
}

/// Refuses a place that no file can be written to, and to let binary data go to a terminal.
pub(crate) fn check_binary_sink(path: &Path) -> Result<(), Failure> {
    Ok(strum_files::check_sink(path, true)?)
}

/// Writes a file, or to standard output.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Ok(strum_files::write(path, bytes)?)
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    Ok(strum_files::print(bytes)?)
}
