//! Cell libraries in Liberty format, as far as area, delay and power of mapped gates need them.
//!
//! The reader is our own: a crate that fills a complete data model, `liberty-db`, takes a function or a number that it cannot
//! read as absent, and a cell without its function or with area 0 would then give a wrong figure without an error. Here it is
//! an error with its line. All quantities are converted to one set of units, so that libraries can be compared: µm², ps, fF,
//! fJ, nW, V.

mod build;
mod cell;
mod error;
mod export;
mod lef;
mod roles;
pub mod syntax;
mod table;
pub mod truth;

pub use cell::{Cell, DelayArc, GatePins, Pin, PowerArc, Role, Sequential, State, Unusable};
pub use error::LibertyError;
pub use roles::{Adder, Gate, Register, Roles};
pub use table::Table;
pub use truth::Truth;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use indexmap::IndexMap;
use sha2::{Digest as _, Sha256};

/// The largest file that is read, compressed or not.
const MAX_BYTES: u64 = 1 << 30;

/// A cell library, of one file or several.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// Name of the library; of the first where several were read.
    pub name: String,
    /// Supply voltage, V.
    pub voltage: f64,
    /// Cells by name, in the order of the files.
    pub cells: IndexMap<String, Cell>,
    /// SHA-256 of all texts, as hexadecimal digits.
    pub digest: String,
    /// The unit of time of the first file, ps.
    pub(crate) time_unit_ps: f64,
    texts: Vec<String>,
}

impl Library {
    /// Reads a library from files, plain or compressed with gzip. Where one ends in `.lef`, its sizes become the areas of
    /// cells that the Liberty files give as 0.
    ///
    /// # Errors
    ///
    /// [`LibertyError`]: a file that cannot be read or is not Liberty, cells that are declared twice, or quantities that
    /// cannot be converted.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Library, LibertyError> {
        let mut texts = Vec::new();
        let mut sizes = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let text = read_text(path)?;
            let name = path.display().to_string();
            if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("lef")) {
                sizes.push((name, text));
            } else {
                texts.push((name, text));
            }
        }
        let mut library = Library::from_texts(&texts)?;
        for (name, text) in &sizes {
            library.complete_areas(name, text)?;
        }
        Ok(library)
    }

    /// Reads a library from texts with their names.
    ///
    /// # Errors
    ///
    /// As [`Library::read`].
    pub fn from_texts(texts: &[(String, String)]) -> Result<Library, LibertyError> {
        if texts.is_empty() {
            return Err(LibertyError::NoFiles);
        }
        let mut library = Library::default();
        let mut hash = Sha256::new();
        for (file, text) in texts {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
            build::add(&mut library, file, text)?;
            library.texts.push(text.clone());
        }
        library.digest = hex(&hash.finalize());
        roles::exclude(&mut library);
        Ok(library)
    }

    /// A cell by name.
    ///
    /// # Errors
    ///
    /// [`LibertyError::NoCell`].
    pub fn cell(&self, name: &str) -> Result<&Cell, LibertyError> {
        self.cells
            .get(name)
            .ok_or_else(|| LibertyError::NoCell { library: self.name.clone(), cell: name.to_owned() })
    }
}

/// The digits of a hash.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read_text(path: &Path) -> Result<String, LibertyError> {
    let input = strum_files::read(path, MAX_BYTES)?;
    let bytes = input.bytes.as_slice();
    let unreadable = |reason: String| LibertyError::Unreadable { file: path.display().to_string(), reason };
    let mut text = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let plain = flate2::read::MultiGzDecoder::new(bytes);
        plain.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(|error| unreadable(error.to_string()))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(unreadable(format!("more than {MAX_BYTES} bytes when decompressed")));
        }
    } else {
        text.extend_from_slice(bytes);
    }
    // Comments in other encodings are harmless: names and numbers are ASCII.
    Ok(String::from_utf8_lossy(&text).into_owned())
}
