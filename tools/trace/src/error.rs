//! Why a trace cannot be read or written.

use std::io;

/// Errors of readers and writers.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin with the header of a trace.
    #[error("not a PE trace: expected a line of JSON with schema '{schema}', {found}", schema = crate::SCHEMA)]
    NotATrace {
        /// What was found.
        found: String,
    },
    /// A version that this reader does not know.
    #[error("version {0} of PE traces; this reader supports version {version}", version = crate::VERSION)]
    Version(u64),
    /// A field of the header is missing, has the wrong type or contradicts another one.
    #[error("header of section {section}: {reason}")]
    Header {
        /// The section, from 0.
        section: u64,
        /// What is wrong.
        reason: String,
    },
    /// The file ends before the trailer of its last section.
    #[error("incomplete: the file ends in section {section} after {records} records, before its trailer")]
    Incomplete {
        /// The section, from 0.
        section: u64,
        /// Whole records before the end.
        records: u64,
    },
    /// A record that no writer writes.
    #[error("section {section}, record {record}: {reason}")]
    Record {
        /// The section, from 0.
        section: u64,
        /// The record, from 0.
        record: u64,
        /// What is wrong.
        reason: String,
    },
    /// Records are missing, or there are too many.
    #[error("section {section} has {found} records, its trailer states {stated}")]
    Count {
        /// The section, from 0.
        section: u64,
        /// Records before the trailer.
        found: u64,
        /// Records by the trailer.
        stated: u64,
    },
    /// A vector that does not fit the header.
    #[error(
        "a vector of {acts} activations and {word} bytes of weights, the header states {vector} and {word_bytes}"
    )]
    Shape {
        /// Activations of the vector.
        acts: usize,
        /// Bytes of its stored weights.
        word: usize,
        /// Activations by the header.
        vector: u32,
        /// Bytes by the header.
        word_bytes: u32,
    },
    /// A vector or the end of a section before the header of one, or a header before the end of the section before.
    #[error("{0}")]
    Order(&'static str),
}
