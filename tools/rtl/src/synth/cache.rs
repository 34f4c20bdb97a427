//! Results of the mapping in a folder, by the hash of all that they depend on.

use std::path::{Path, PathBuf};

use super::{Mapped, SynthError};
use crate::toolchain::ToolError;

fn path(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("mapped-{key}.json"))
}

/// A result that is there and whole; a damaged one counts as absent, and is replaced.
pub(super) fn load(folder: &Path, key: &str) -> Option<Mapped> {
    let text = std::fs::read_to_string(path(folder, key)).ok()?;
    serde_json::from_str(&text).ok()
}

pub(super) fn store(folder: &Path, key: &str, mapped: &Mapped) -> Result<(), SynthError> {
    std::fs::create_dir_all(folder).map_err(ToolError::io(folder))?;
    let text = serde_json::to_string(mapped)?;
    let path = path(folder, key);
    // Readers see a whole file or none.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(ToolError::io(folder))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(ToolError::io(&path))?;
    file.persist(&path).map_err(|error| ToolError::io(&path)(error.error))?;
    Ok(())
}
