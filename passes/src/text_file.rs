//! Files that passes read: strategies and packings.

use std::fs;

/// Largest file, in bytes.
const MAX_BYTES: u64 = 1 << 28;

/// The text of a file.
///
/// # Errors
/// No such file, a folder, more than 256 MiB, or bytes that are no text.
pub(crate) fn read(path: &str) -> Result<String, String> {
    let metadata = fs::metadata(path).map_err(|e| e.to_string())?;
    if metadata.is_dir() || metadata.len() > MAX_BYTES {
        return Err(format!("must be a file of at most {MAX_BYTES} bytes"));
    }
    fs::read_to_string(path).map_err(|e| e.to_string())
}
