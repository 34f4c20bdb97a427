//! Reading: `-` is standard input, devices are refused, and sizes are bounded before allocation.

use std::fs::{File, FileType, Metadata};
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::budget::{self, OverLimit};
use crate::error::FileError;

/// Maximum size of a text written by a person or a tool: strategies, packings, reports.
pub const MAX_TEXT: u64 = 1 << 28;

/// Maximum size of a machine file.
pub const MAX_MACHINE: u64 = 1 << 20;

/// Share of the available memory that a pipe may fill: its length is unknown, and the buffer grows by copies.
const PIPE_SHARE: u64 = 4;

/// An input that was read.
#[derive(Clone, Debug)]
pub struct Input {
    /// The path as text, or `<stdin>`.
    pub name: String,
    /// The whole contents.
    pub bytes: Vec<u8>,
}

/// Whether the path stands for standard input or output.
#[must_use]
pub fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a file, a pipe, or standard input for `-`: at most `most` bytes, and within the memory limit.
///
/// # Errors
/// A missing file, a folder, a device, or more bytes than that.
pub fn read(path: &Path, most: u64) -> Result<Input, FileError> {
    if !is_standard(path) {
        let (file, metadata) = open(path)?;
        let bytes = read_file(path, file, &metadata, most)?;
        return Ok(Input { name: path.display().to_string(), bytes });
    }
    let name = Path::new("<stdin>");
    let stdin = io::stdin();
    // A second handle, since the standard library's is buffered and does not expose the file type.
    let file = File::from(stdin.as_fd().try_clone_to_owned().map_err(FileError::io(name))?);
    let metadata = file.metadata().map_err(FileError::io(name))?;
    if !stdin.is_terminal() {
        check_type(name, metadata.file_type())?;
    }
    let bytes = read_file(name, file, &metadata, most)?;
    Ok(Input { name: name.display().to_string(), bytes })
}

/// Reads a text of at most [`MAX_TEXT`] bytes.
///
/// # Errors
/// As [`read`], and bytes that are not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    read_text_within(path, MAX_TEXT)
}

/// Reads a text of at most `most` bytes.
///
/// # Errors
/// As [`read`], and bytes that are not UTF-8.
pub fn read_text_within(path: &Path, most: u64) -> Result<String, FileError> {
    let Input { name, bytes } = read(path, most)?;
    String::from_utf8(bytes)
        .map_err(|error| FileError::content(Path::new(&name), format!("not text: {error}")))
}

/// Opens a file or pipe.
///
/// # Errors
/// A missing file, a folder, or a device.
pub fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    let about = std::fs::metadata(path).map_err(FileError::io(path))?;
    // Checked before opening: some devices have side effects on open.
    check_type(path, about.file_type())?;
    let file = File::open(path).map_err(FileError::io(path))?;
    let metadata = file.metadata().map_err(FileError::io(path))?;
    check_type(path, metadata.file_type())?;
    Ok((file, metadata))
}

/// Reads at most `most` bytes of a stream of unknown length, called `name` in errors.
///
/// # Errors
/// An error of the stream, or more bytes than `most` or a share of the available memory.
pub fn read_stream(name: &Path, stream: impl Read, most: u64) -> Result<Vec<u8>, FileError> {
    let left = budget::left() / PIPE_SHARE;
    let cap = most.min(left);
    let mut bytes = Vec::new();
    stream.take(cap.saturating_add(1)).read_to_end(&mut bytes).map_err(FileError::io(name))?;
    if bytes.len() as u64 <= cap {
        return Ok(bytes);
    }
    if most <= left {
        return Err(too_large(name, most));
    }
    let what = format!("a stream of more than {cap} bytes");
    let (held, limit) = (budget::held(), budget::limit());
    let over = OverLimit { what, needed: cap.saturating_mul(PIPE_SHARE), held, limit };
    Err(FileError::limit(name)(over))
}

fn read_file(path: &Path, file: File, metadata: &Metadata, most: u64) -> Result<Vec<u8>, FileError> {
    if !metadata.is_file() {
        return read_stream(path, file, most);
    }
    let size = metadata.len();
    if size > most {
        return Err(too_large(path, most));
    }
    let mut bytes = budget::buffer("the file", size).map_err(FileError::limit(path))?;
    // A file of /proc has no size, and others may grow.
    if size == 0 {
        return read_stream(path, file, most);
    }
    file.take(size).read_to_end(&mut bytes).map_err(FileError::io(path))?;
    Ok(bytes)
}

fn too_large(path: &Path, most: u64) -> FileError {
    FileError::TooLarge { path: path.to_owned(), most }
}

fn check_type(path: &Path, kind: FileType) -> Result<(), FileError> {
    let io = |kind, text: &str| FileError::Io { path: path.to_owned(), error: io::Error::new(kind, text) };
    if kind.is_dir() {
        return Err(io(io::ErrorKind::IsADirectory, "is a directory"));
    }
    if kind.is_char_device() || kind.is_block_device() {
        return Err(io(io::ErrorKind::InvalidInput, "is a device; expected a file or a pipe"));
    }
    if kind.is_socket() {
        return Err(io(io::ErrorKind::InvalidInput, "is a socket; expected a file or a pipe"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_devices_and_missing_files_are_said_to_be_that() {
        let folder = tempfile::tempdir().unwrap();
        let text = |path: &Path| read(path, 100).unwrap_err().to_string();
        assert!(text(folder.path()).ends_with("is a directory"));
        assert!(text(&folder.path().join("none")).contains("No such file"));
        assert_eq!(text(Path::new("/dev/zero")), "/dev/zero: is a device; expected a file or a pipe");
    }

    #[test]
    fn what_is_read_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap().bytes, [7; 100]);
        assert!(read(&path, 99).unwrap_err().to_string().ends_with("x: larger than the limit of 99 bytes"));
        let stream = |most| read_stream(Path::new("pipe"), io::repeat(1), most);
        assert_eq!(stream(1 << 20).unwrap_err().to_string(), "pipe: larger than the limit of 1048576 bytes");
        assert!(read_stream(Path::new("pipe"), &[1, 2, 3][..], 3).is_ok());
    }

    #[test]
    fn texts_are_utf_8() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "grün").unwrap();
        assert_eq!(read_text(&path).unwrap(), "grün");
        std::fs::write(&path, b"\xff").unwrap();
        assert!(read_text(&path).unwrap_err().to_string().contains("x: not text: invalid utf-8"));
    }
}
