//! A file that only this process sees, for what wants a path: in memory, and gone with the process, however it ends.
//!
//! Invariant: the path leads to these bytes for as long as the value lives.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::MemfdFlags;

use crate::error::FileError;

/// A file without a name.
#[derive(Debug)]
pub struct Unnamed(File);

impl Unnamed {
    /// A file with these bytes.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(bytes: &[u8]) -> Result<Unnamed, FileError> {
        let name = Path::new("a file in memory");
        let made = rustix::fs::memfd_create("strum", MemfdFlags::CLOEXEC);
        let mut file = File::from(made.map_err(|error| FileError::io(name)(error.into()))?);
        file.write_all(bytes).map_err(FileError::io(name))?;
        Ok(Unnamed(file))
    }

    /// A path that leads to it, in this process.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_is_read_by_its_path_again_and_again() {
        let unnamed = Unnamed::new(b"one").unwrap();
        for _ in 0..2 {
            assert_eq!(crate::read_text(&unnamed.path()).unwrap(), "one");
        }
        let path = unnamed.path();
        drop(unnamed);
        assert!(crate::read_text(&path).is_err());
    }
}
