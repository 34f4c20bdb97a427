//! Archives of arrays, `.npz`: a ZIP file with one `.npy` file per array. Invariant: the names of the arrays read are unique.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Write};
use std::path::{Path, PathBuf};

use npyz::npz::{array_name_from_file_name, file_name_from_array_name};
use strum_files::FileError;
use zip::read::ZipFile;
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipArchive, ZipWriter};

use crate::arguments::ArrayPath;
use crate::form::Encoded;

/// An archive opened for reading.
pub(crate) struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
}

/// An array in an archive, decompressed on the fly. Its end is an error if the archive's checksum differs.
pub(crate) type Packed<'a> = ZipFile<'a, BufReader<File>>;

impl Archive {
    /// Opens an archive.
    ///
    /// # Errors
    /// When the file cannot be opened, is not an archive, or has duplicate members.
    pub(crate) fn open(path: &Path) -> Result<Archive, FileError> {
        let (file, _) = strum_files::open(path)?;
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|error| FileError::content(path, format!("not an .npz archive: {error}")))?;
        let archive = Archive { path: path.to_owned(), zip };
        let mut names = archive.names();
        let all = names.len();
        names.dedup();
        if archive.zip.has_duplicate_names() || names.len() < all {
            return Err(FileError::content(path, "two arrays of the archive have one name"));
        }
        Ok(archive)
    }

    /// The names of all arrays, in order.
    fn names(&self) -> Vec<String> {
        let files = self.zip.file_names().filter_map(Result::ok);
        let mut names: Vec<String> =
            files.filter_map(|file| array_name_from_file_name(&file).map(str::to_owned)).collect();
        names.sort_unstable();
        names
    }

    /// The selected array: the one asked for, the only one, or the one of this name.
    ///
    /// # Errors
    /// When there is none; the error lists the names.
    pub(crate) fn choose(&self, place: &ArrayPath, name: Option<&str>) -> Result<String, FileError> {
        let names = self.names();
        let found = match (place.key.as_deref(), &names[..]) {
            (Some(key), names) => names.iter().find(|&n| n == key),
            (None, [only]) => Some(only),
            (None, names) => names.iter().find(|&n| Some(n.as_str()) == name),
        };
        found.cloned().ok_or_else(|| {
            let known = names.join("', '");
            let text = match place.key.as_deref().or(name) {
                Some(wanted) => format!("has no array '{wanted}'; it has '{known}'"),
                None => format!("which array? Name one of '{known}' after a colon"),
            };
            FileError::content(&self.path, text)
        })
    }

    /// The bytes of the `.npy` file of an array.
    ///
    /// # Errors
    /// When the array is unknown, or its compression method is not supported.
    pub(crate) fn array(&mut self, key: &str) -> Result<Packed<'_>, FileError> {
        let path = &self.path;
        let entry = self.zip.by_name(&file_name_from_array_name(key));
        entry.map_err(|error| FileError::content(path, format!("array '{key}': {error}")))
    }
}

/// The bytes of an archive. Equal arrays give equal bytes: timestamps are not recorded.
///
/// # Errors
/// None in practice: it is written to memory.
pub(crate) fn encode<'a>(arrays: impl Iterator<Item = (&'a str, Encoded<'a>)>) -> io::Result<Vec<u8>> {
    /// From this many bytes on, sizes are written with 64 bits: an incompressible array grows slightly.
    const LARGE: usize = 1 << 31;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, array) in arrays {
        let options = SimpleFileOptions::default().last_modified_time(DateTime::default());
        let options = options.large_file(array.data.len() >= LARGE);
        zip.start_file(file_name_from_array_name(name), options)?;
        zip.write_all(&array.header())?;
        zip.write_all(&array.data)?;
    }
    Ok(zip.finish()?.into_inner())
}
