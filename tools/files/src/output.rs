//! Writing: `-` is standard output, a file is written whole or not at all, and a write that fails is an error.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGXFSZ;

use crate::error::FileError;
use crate::input::is_standard;
use crate::staged::Staged;

/// Refuses unwritable destinations, and binary data to a terminal. To be called before long work; leaves no files behind.
///
/// # Errors
/// When the file cannot be written.
pub fn check_sink(path: &Path, binary: bool) -> Result<(), FileError> {
    if is_standard(path) {
        if binary && io::stdout().is_terminal() {
            let text = "will not write binary data to a terminal: give a file with -o";
            return Err(FileError::Usage(text.into()));
        }
        return Ok(());
    }
    let kind = fs::metadata(path).map(|m| m.file_type());
    // The reader of a pipe would take the end of this probe for the end of the data.
    if kind.as_ref().is_ok_and(FileTypeExt::is_fifo) {
        return Ok(());
    }
    if kind.is_ok_and(|kind| !kind.is_file() && !kind.is_dir()) {
        return File::options().write(true).open(path).map(drop).map_err(FileError::io(path));
    }
    Staged::create(path).map(drop)
}

/// Writes a file whole or not at all, to a device or pipe, or to standard output.
///
/// # Errors
/// When the system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    if is_standard(path) {
        return print(bytes);
    }
    // Devices and pipes cannot be replaced by a finished file.
    if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let written = File::options().write(true).open(path).and_then(|mut file| file.write_all(bytes));
        return written.map_err(FileError::io(path));
    }
    let mut staged = Staged::create(path)?;
    staged.put(bytes)?;
    staged.commit()
}

/// Writes to standard output. A reader that closes early (`| head`) is not a failure.
///
/// If standard output is closed at process start, it is `/dev/null`: Rust's runtime opens that instead, so that no file gets
/// its descriptor.
///
/// # Errors
/// When the system refuses, for instance because the disk is full.
pub fn print(bytes: &[u8]) -> Result<(), FileError> {
    if bytes.is_empty() {
        return Ok(());
    }
    // A second handle, since the standard library's treats an unwritable descriptor as success.
    let stdout = io::stdout().lock();
    let written = stdout.as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).write_all(bytes));
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(FileError::io(Path::new("<stdout>"))(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes styled text to standard output; without styles if that is not a terminal.
///
/// # Errors
/// As [`print`].
pub fn print_styled(text: &str) -> Result<(), FileError> {
    let choice = anstream::AutoStream::choice(&io::stdout());
    let mut styled = anstream::AutoStream::new(Vec::new(), choice);
    styled.write_all(text.as_bytes()).map_err(FileError::io(Path::new("<stdout>")))?;
    print(&styled.into_inner())
}

/// Makes a write that exceeds `ulimit -f` fail instead of ending the process. To be called once, at the
/// start.
pub fn ignore_file_size_signal() {
    // The handler only sets a flag; if it cannot be installed, the signal ends the process as by default.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_for_files_are_tried_and_left_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_sink(&folder.path().join("x"), true).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let text = |path: &Path| check_sink(path, false).unwrap_err().to_string();
        assert!(text(folder.path()).contains("not a regular file"));
        assert!(text(&folder.path().join("none/x")).contains("No such file"));
        assert!(
            check_sink(Path::new("/dev/null"), true).is_ok() && check_sink(Path::new("-"), false).is_ok()
        );
    }

    #[test]
    fn files_are_replaced_and_leave_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(folder.path(), b"x").is_err());
        assert!(write(Path::new("/dev/null"), b"x").is_ok());
    }

    #[test]
    fn a_full_device_is_an_error() {
        let error = write(Path::new("/dev/full"), b"x").unwrap_err().to_string();
        assert!(error.starts_with("/dev/full: No space left"), "{error}");
    }
}
