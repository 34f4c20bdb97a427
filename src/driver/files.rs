//! Files of the drivers: `-` is standard input or output, and a file is written whole or not at all.
//!
//! Invariant: what is read is bounded, so that no device or pipe can fill the memory.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use dpu_sim::tensor_file::{Staged, write_file};

use super::exit::{Failure, Kind};

/// Most bytes of an input file, those of the largest binary.
const MAX_INPUT: u64 = 1 << 33;

/// Something read, with the name to call it by.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// `-`, or the path as text.
    pub(super) name: String,
    /// The whole contents.
    pub(super) bytes: Vec<u8>,
}

/// Whether the path stands for standard input or output.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a file, or standard input.
pub(super) fn read(path: &Path) -> Result<Input, Failure> {
    let standard = is_standard(path);
    let name = if standard { "<stdin>".to_owned() } else { path.display().to_string() };
    let bytes = if standard { read_bounded(io::stdin().lock()) } else { read_path(path) };
    match bytes {
        Ok(Some(bytes)) => Ok(Input { name, bytes }),
        Ok(None) => {
            let message = format_args!("larger than the limit of {MAX_INPUT} bytes");
            Err(Failure::new(Kind::Resource, message).in_file(&name))
        }
        Err(error) => Err(Failure::input(error).in_file(&name)),
    }
}

fn read_path(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // Some systems open folders and fail on reading only.
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
    }
    if metadata.len() > MAX_INPUT { Ok(None) } else { read_bounded(file) }
}

fn read_bounded(source: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_INPUT).then_some(bytes))
}

/// Refuses to let binary data go to a terminal. To be asked before the work is done.
pub(super) fn check_binary_sink(path: &Path) -> Result<(), Failure> {
    if is_standard(path) && io::stdout().is_terminal() {
        return Err(Failure::usage("will not write binary data to a terminal: give a file with -o"));
    }
    Ok(())
}

/// Refuses a place that no file can be written to. To be asked before work that takes long; leaves nothing behind.
pub(super) fn check_sink(path: &Path) -> Result<(), Failure> {
    if is_standard(path) {
        return Ok(());
    }
    let kind = fs::metadata(path).map(|m| m.file_type());
    // The reader of a pipe takes the first writer's end for its own.
    if kind.as_ref().is_ok_and(FileTypeExt::is_fifo) {
        return Ok(());
    }
    if kind.is_ok_and(|kind| !kind.is_file() && !kind.is_dir()) {
        let opened = File::options().write(true).open(path);
        return opened.map(drop).map_err(|error| Failure::input(error).in_file(&path.display().to_string()));
    }
    Ok(Staged::create(path).map(drop)?)
}

/// Writes a file, or to standard output.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if is_standard(path) {
        return print(bytes);
    }
    // Devices and pipes cannot be replaced by a finished file.
    if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let result = File::options().write(true).open(path).and_then(|mut file| file.write_all(bytes));
        return result.map_err(|error| Failure::input(error).in_file(&path.display().to_string()));
    }
    Ok(write_file(path, bytes)?)
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::input(error).in_file("<stdout>"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_missing_files_are_said_to_be_that() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err();
        assert_eq!(error.kind, Kind::Input);
        assert!(error.message.ends_with("is a directory"), "{}", error.message);
        assert!(read(&folder.path().join("none")).unwrap_err().message.contains("No such file"));
    }

    #[test]
    fn places_for_files_are_tried_and_left_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_sink(&folder.path().join("x")).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(check_sink(folder.path()).unwrap_err().message.contains("not a regular file"));
        assert!(check_sink(&folder.path().join("none/x")).unwrap_err().message.contains("No such file"));
        assert!(check_sink(Path::new("/dev/null")).is_ok() && check_sink(Path::new("-")).is_ok());
    }

    #[test]
    fn files_are_replaced_and_leave_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().bytes, b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(folder.path(), b"x").is_err());
        assert!(write(Path::new("/dev/null"), b"x").is_ok());
    }
}
