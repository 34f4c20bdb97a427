//! What can be wrong with a cell library.

use strum_files::FileError;

/// Why a library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibertyError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// No Liberty file was named.
    #[error("no Liberty file given; name one by --liberty FILE")]
    NoFiles,
    /// A file cannot be decompressed.
    #[error("{file}: cannot be decompressed: {reason}")]
    Unreadable {
        /// Its path.
        file: String,
        /// Why.
        reason: String,
    },
    /// A file is not Liberty.
    #[error("{file}:{line}: {what}")]
    Syntax {
        /// Its path.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What was expected, and what was found.
        what: String,
    },
    /// An attribute has a value that cannot be read.
    #[error("{file}:{line}: {at}: {what}")]
    Value {
        /// Path of the file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// The cell, pin and attribute.
        at: String,
        /// What was expected, and what was found.
        what: String,
    },
    /// Two cells have one name.
    #[error("{file}:{line}: cell '{cell}' is already declared, there or in another of the files")]
    Twice {
        /// Path of the file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// The cell.
        cell: String,
    },
    /// Files of different supply voltages.
    #[error(
        "{file}: its voltage is {found} V, that of the files before {voltage} V; name files of one corner"
    )]
    Voltage {
        /// Path of the file.
        file: String,
        /// Its voltage.
        found: f64,
        /// That of the others.
        voltage: f64,
    },
    /// A cell is not in the library.
    #[error("library '{library}' has no cell '{cell}'")]
    NoCell {
        /// The library.
        library: String,
        /// The cell.
        cell: String,
    },
    /// No cell has a function that is needed.
    #[error("library '{library}' has no {what}; {help}")]
    NoRole {
        /// The library.
        library: String,
        /// What is missing.
        what: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// A cell that is needed has no area.
    #[error(
        "cell '{cell}' of library '{library}' has area 0; give its size by a LEF file with '--liberty FILE.lef' beside the library"
    )]
    NoArea {
        /// The library.
        library: String,
        /// The cell.
        cell: String,
    },
    /// Two files define a table template differently, so that they cannot be given to the synthesizer as one.
    #[error("the library's files define template '{template}' differently; give one file")]
    Template {
        /// Its name.
        template: String,
    },
}
