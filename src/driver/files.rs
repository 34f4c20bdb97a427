//! Files of the drivers, with their failures: see `strum-files`.

use std::path::Path;

pub(crate) use strum_files::{Input, Places, is_standard};

use super::exit::Failure;

/// Maximum size of a network or program in bytes, that of the largest binary.
pub(crate) const MAX_INPUT: u64 = 1 << 33;

/// Reads a network or program, or standard input.
pub(crate) fn read(path: &Path) -> Result<Input, Failure> {
    Ok(strum_files::read(path, MAX_INPUT)?)
}

/// Refuses paths that cannot be written, and binary data on a terminal.
pub(crate) fn check_binary_sink(path: &Path) -> Result<(), Failure> {
    Ok(strum_files::check_sink(path, true)?)
}

/// Writes a file, or to standard output.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Ok(strum_files::write(path, bytes)?)
}

/// Writes to standard output. A reader that has closed the pipe (`| head`) is not a failure.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    Ok(strum_files::print(bytes)?)
}
